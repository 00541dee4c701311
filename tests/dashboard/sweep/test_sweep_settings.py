"""Links to sweeps: what is written is read back, and what is refused takes nothing else with it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from sweep_examples import sweeps

from gclip.clipping import AutoClip, Chain, ClipByNorm, ClipByValue, NoClip
from gclip.dashboard.benches import COMPARE, EXPERIMENTS, LSTM
from gclip.dashboard.settings import Comparison, Entry
from gclip.dashboard.settings import read as read_comparison
from gclip.dashboard.settings import write as write_comparison
from gclip.dashboard.sweep.networks import TITLES, expected
from gclip.dashboard.sweep.settings import KINDS, RULES, around, cell, read, write
from gclip.sweeping import Sweep, usual
from gclip.training import RecurrentConfig, RunConfig
from gclip.training.networks import NETWORKS

often = hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])

KEPT = {"rule": ["ClipByValue"], "high": ["50.0"], "count": ["9"], "seeds": ["3"], "epochs": ["7"], "loss": ["MAE"]}

REFUSED = [
    ("kind", "curves", "curve or learning_rate or both"),
    ("rule", "AutoClip", "ClipByNorm or ClipByTensorNorm or ClipByValue or AdaptiveGradientClip"),
    ("low", "0", "from 1e-06"),
    ("low", "nan", "a number"),
    ("low", "60", "below high, which is 50"),
    ("high", "2e6", "up to 1,000,000"),
    ("count", "49", "from 2 up to 48"),
    ("count", "1.5", "a whole number"),
    ("seeds", "21", "from 1 up to 20"),
    ("seeds", "9" * 400, "a whole number"),
    ("epochs", "0", "from 1 up to 2,000"),
    ("learning_rate", "-1", "above 0"),
    ("init_seed", "2147483646", "up to 2147483645, for 3 seeds"),
    ("other_low", "1", "not a setting of a threshold curve"),
    ("network", "lstm", "regression, sine, bad_batch, characters and sum"),
    ("steps", "40", "not a setting of a threshold curve of the network Regression MLP"),
    ("run", "NoClip()", "not a setting of a threshold curve"),
    ("clipper", "NoClip()", "not a setting"),
]


@often
@given(sweeps())
def test_what_is_written_is_read_back(sweep: Sweep) -> None:
    query = urlencode(write(sweep), doseq=True)
    assert read(parse_qs(query, keep_blank_values=True)) == (sweep, [])
    again, refused = read(write(sweep))
    assert (again.configs(), again.shape, refused) == (sweep.configs(), sweep.shape, [])


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("kind", ["curve", "learning_rate", "both"])
@pytest.mark.parametrize("rule", ["ClipByNorm", "AdaptiveGradientClip"])
def test_a_link_says_only_what_is_not_usual(kind: str, rule: str, network: str) -> None:
    first = usual(kind, rule, network)
    expected = {"network": [network]} if network != "regression" else {}
    expected |= {"kind": [kind]} if kind != "curve" else {}
    assert write(first) == expected | ({"rule": [first.rule]} if first.rule != "ClipByNorm" else {})
    assert read(write(first)) == (first, [])


@pytest.mark.parametrize(("name", "text", "allowed"), REFUSED, ids=[f"{r[0]}-{r[1][:9]}" for r in REFUSED])
def test_what_is_refused_takes_nothing_else_with_it(name: str, text: str, allowed: str) -> None:
    sweep, refused = read(KEPT | {name: [text]})
    assert len(refused) == 1
    assert name in refused[0]
    assert allowed in refused[0]
    together = {"low": {"low", "high"}}.get(name, {name}) if "below" in allowed else {name}
    assert write(sweep) == {other: texts for other, texts in KEPT.items() if other not in together}


def test_a_sweep_too_large_loses_its_counts_and_nothing_else() -> None:
    sweep, refused = read({"count": ["40"], "seeds": ["20"], "high": ["50.0"]})
    assert refused == ["seeds is 20: 800 runs in all; allowed are 600. Take fewer seeds or thresholds."]
    assert write(sweep) == {"high": ["50.0"]}


def test_two_things_too_large_are_both_told() -> None:
    sweep, refused = read(
        {"hidden_units": ["512"], "n_features": ["30"], "epochs": ["1200"], "init_seed": ["2147483645"]}
    )
    assert [sentence.split()[0] for sentence in refused] == ["init_seed", "count"]
    assert write(sweep) == {"hidden_units": ["512"], "n_features": ["30"]}


OF_A_SINE = [("problem", "sum"), ("epochs", "7"), ("loss", "MAE")]


@pytest.mark.parametrize(("name", "text"), OF_A_SINE)
def test_a_recurrent_network_has_no_settings_of_another(name: str, text: str) -> None:
    kept = {"network": ["sine"], "count": ["5"], "steps": ["40"]}
    sweep, refused = read(kept | {name: [text]})
    assert refused == [f"'{name}' is not a setting of a threshold curve of the network Sine wave; it was ignored."]
    assert write(sweep) == kept


def test_settings_that_do_not_fit_a_network_are_refused() -> None:
    sweep, refused = read({"network": ["characters"], "bad_scale": ["9"], "steps": ["50"], "seeds": ["5"]})
    assert refused == [
        "steps is '50'; allowed is a whole number from 20 up to 4,000 in steps of 20.",
        "bad_scale is 9; allowed is 1 where the targets are characters.",
    ]
    assert write(sweep) == {"network": ["characters"], "seeds": ["5"]}


def test_a_recurrent_sweep_too_large_says_what_to_take_less_of() -> None:
    _, refused = read({"network": ["characters"], "seeds": ["9"]})
    assert refused[0].startswith("count is 16: 5.8e+12 multiply-adds in all; allowed are 4e+12.")
    assert refused[0].endswith("Take fewer thresholds, seeds or steps, or a smaller network.")


def test_a_sine_wave_with_a_bad_batch_is_the_network_of_that_name() -> None:
    sweep, refused = read({"network": ["sine"], "bad_scale": ["50"], "high": ["2.0"]})
    assert (sweep.network, sweep.shared, refused) == ("bad_batch", RecurrentConfig(bad_scale=50), [])
    assert read(write(sweep)) == (sweep, [])


def test_both_has_one_rule() -> None:
    sweep, refused = read({"kind": ["both"], "rule": ["ClipByValue"]})
    assert not refused
    assert write(sweep) == {"kind": ["both"]}


@pytest.mark.parametrize(("seeds", "trained"), [(1, 1), (4, 1), (5, 5), (19, 5), (20, 20)])
def test_a_cell_opens_as_many_seeds_as_it_has_or_the_next_fewer(seeds: int, trained: int) -> None:
    assert cell(Sweep(seeds=seeds), 0, 0).seeds == trained


def test_a_cell_is_its_rule_beside_the_unclipped_run() -> None:
    sweep = Sweep(shared=RunConfig(epochs=7), seeds=5)
    comparison = cell(sweep, 3, 0)
    assert [entry.clipper for entry in comparison.entries] == [NoClip(), ClipByNorm(sweep.thresholds[3])]
    _, clipped = comparison.configs()
    assert clipped == sweep.configs()[3 * 5 : 4 * 5]
    assert read_comparison(write_comparison(comparison, COMPARE), COMPARE) == (comparison, [])


def test_a_cell_of_a_map_has_both_of_its_numbers() -> None:
    rates, both = usual("learning_rate", "ClipByNorm"), usual("both", "ClipByNorm")
    assert cell(rates, 2, 5).configs()[1] == rates.configs()[(5 * 16 + 2) * 3 :][:1]
    assert cell(both, 2, 5).entries[1].clipper == Chain(ClipByNorm(both.thresholds[2]), ClipByValue(both.others[5]))


def test_a_comparison_asks_for_the_curve_of_its_first_rule_and_its_own_network() -> None:
    entries = (Entry(), Entry(clipper=ClipByValue(5.0)), Entry(clipper=ClipByNorm(1.0)))
    sweep = around(Comparison(shared=RunConfig(hidden_units=7, noise=3.0), entries=entries))
    assert (sweep.kind, sweep.rule, sweep.high) == ("curve", "ClipByValue", 1000.0)
    assert sweep.shared == RunConfig(hidden_units=7, noise=3.0)
    assert around(Comparison(entries=(Entry(clipper=AutoClip(10.0)),))).rule == "ClipByNorm"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_asks_for_the_curve_of_its_network(name: str) -> None:
    sweep = around(EXPERIMENTS[name])
    assert sweep == usual("curve", "ClipByNorm", sweep.network)
    assert (TITLES[sweep.network], sweep.shared) == (name, EXPERIMENTS[name].shared)
    own = EXPERIMENTS[name].shared.model_copy(update={"cell": "RNN", "steps": 40})
    assert around(Comparison(shared=own)).shared == own


@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "regression"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", RULES)
def test_the_cells_of_recurrent_networks_can_be_opened(kind: str, rule: str, network: str) -> None:
    sweep = usual(kind, rule, network)
    for t, o in [(0, 0), (-1, -1)]:
        comparison = cell(sweep, t, o)
        assert comparison.configs()[1][0] == sweep.cell(sweep.thresholds[t], sweep.others[o])[0]
        assert read_comparison(write_comparison(comparison, LSTM), LSTM) == (comparison, [])


TIMES = [
    (usual("curve", "ClipByNorm"), "a few seconds on two free cores"),
    (usual("curve", "ClipByNorm", "sine"), "about 30 s on two free cores"),
    (Sweep(shared=NETWORKS["characters"], count=8, seeds=1), "about 8 s on two free cores"),
    (Sweep(shared=RecurrentConfig(steps=4000), count=16, seeds=4), "about 3 minutes on two free cores"),
]


@pytest.mark.parametrize(("sweep", "time"), TIMES)
def test_a_sweep_says_how_long_it_should_take(sweep: Sweep, time: str) -> None:
    assert expected(sweep) == time


def test_a_network_too_large_for_a_sweep_gives_way_to_the_usual_one() -> None:
    large = RunConfig(hidden_units=512, hidden_layers=8, epochs=100)
    assert around(Comparison(shared=large)) == usual("curve", "ClipByNorm")
