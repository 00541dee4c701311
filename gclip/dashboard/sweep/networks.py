"""The networks that the Sweep page offers: their settings, the page that shows their runs, and how long they take."""

from __future__ import annotations

from dataclasses import replace

from gclip.dashboard.benches import COMPARE, EXPERIMENTS, LSTM
from gclip.dashboard.settings import Bench, Comparison
from gclip.sweeping import Sweep
from gclip.training.networks import NETWORKS, network_of
from gclip.training.phrases import number

TITLES = {"regression": "Regression MLP"} | {network_of(own.shared): name for name, own in EXPERIMENTS.items()}
"""What each network is called."""

HOMES = {name: LSTM if shared.RECURRENT else COMPARE for name, shared in NETWORKS.items()}
"""The bench at which each network's runs stand side by side."""

FIXED = ("clipper", "problem")
"""What a run's settings have and a sweep does not share: it varies the rule, and the network is its problem."""


def _bench(network: str) -> Bench:
    """Return what the runs of a network share, in the sections of the page that shows such runs side by side."""
    home = HOMES[network]
    sections = {title: tuple(n for n in names if n not in FIXED) for title, names in home.sections.items()}
    default = Comparison(shared=NETWORKS[network])
    return replace(home, prefix="sweep.", default=default, sections=sections, fixed=FIXED)


BENCHES = {name: _bench(name) for name in TITLES}
"""The shared settings of each network."""

SECONDS = {"regression": 0.03, "sine": 1.2, "bad_batch": 0.8, "characters": 2.1, "sum": 1.6}
"""What one run of a usual curve of each took of one core of a small server that ran the browser, too."""


def expected(sweep: Sweep) -> str:
    """Say how long the sweep should take: what was measured, by the ratio of the multiply-adds."""
    share = sweep.shared.work / NETWORKS[sweep.network].work
    seconds = len(sweep.configs()) * SECONDS[sweep.network] * share / 2
    if seconds < 5:
        return "a few seconds on two free cores"
    if seconds < 100:
        return f"about {number(float(f'{seconds:.1g}'))} s on two free cores"
    return f"about {seconds / 60:.0f} minutes on two free cores"
