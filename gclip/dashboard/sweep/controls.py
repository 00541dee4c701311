"""The controls of a sweep: what varies and under which rule on top, how far and how often at the side."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from gclip.dashboard.controls import shared_controls
from gclip.dashboard.sweep.networks import TITLES, expected
from gclip.dashboard.sweep.state import SweepState
from gclip.sweeping import KINDS, MAX_RUNS, RULES, Sweep
from gclip.sweeping.axes import Kind, Swept
from gclip.training.config import limits


def choice_controls(state: SweepState, sweep: Sweep) -> None:
    """Draw the choice of the network, of what varies and of the rule; a new choice begins with its usual range."""
    _choice(state, "network", "Network", TITLES, state.renew_network)
    choices: Mapping[str, Mapping[str, Kind | Swept]] = {"kind": KINDS} | (
        {} if sweep.kind == "both" else {"rule": RULES}
    )
    for column, (name, known) in zip(st.columns(2), choices.items(), strict=False):
        options = {key: choice.title for key, choice in known.items()}
        # Right in a column the options would stay on one row, and scroll sideways on a phone.
        with column.container():
            _choice(state, name, Sweep.model_fields[name].title or name, options, state.renew)


def _choice(state: SweepState, name: str, title: str, options: Mapping[str, str], renew: Callable[[], None]) -> None:
    st.segmented_control(
        title, list(options), format_func=options.__getitem__, key=state.key(name), required=True, on_change=renew
    )


def range_controls(state: SweepState, sweep: Sweep) -> None:
    """Draw from where to where, in how many places, and over how many seeds."""
    for title, prefix in ((KINDS[sweep.kind].first, ""), (KINDS[sweep.kind].second, "other_")):
        if title:
            _axis(state, title.capitalize(), prefix)
    note = "Each place is trained from this many seeds: the charts show their median."
    _number(state, "seeds", "Seeds for each place", note)
    st.caption(f"{len(sweep.configs())} runs in all; at most {MAX_RUNS}. They take {expected(sweep)}.")


def _axis(state: SweepState, title: str, prefix: str) -> None:
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        _number(state, f"{prefix}low", f"{title} from", None)
    with right:
        _number(state, f"{prefix}high", "to", None)
    _number(state, f"{prefix}count", "Places between them", "Even on a log scale.")


def _number(state: SweepState, name: str, title: str, note: str | None) -> None:
    info = Sweep.model_fields[name]
    bounds = limits(info.metadata)
    whole = info.annotation is int
    low, high = ((int if whole else float)(bounds[end]) for end in ("ge", "le"))
    st.number_input(
        title, step=1 if whole else None, format="%d" if whole else "%g", key=state.key(name), min_value=low,
        max_value=high, help=note,
    )  # fmt: skip


def shared_settings(state: SweepState, sweep: Sweep) -> None:
    """Draw what all runs share, folded away, without what the sweep itself varies."""
    varied = {"learning_rate"} if sweep.kind == "learning_rate" else set()
    sections = {title: tuple(n for n in names if n not in varied) for title, names in state.bench.sections.items()}
    shared_controls(state, sections)
