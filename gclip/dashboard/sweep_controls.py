"""The controls of a sweep: what varies and under which rule on top, how far and how often at the side."""

from __future__ import annotations

import streamlit as st

from gclip.dashboard.controls import exact, shared_controls
from gclip.dashboard.sweep_settings import BENCH, KINDS, RULES
from gclip.dashboard.sweep_state import SweepState
from gclip.sweeping import Sweep
from gclip.training.config import limits

SCALE = [float(f"{digit}e{power}") for power in range(-5, 5) for digit in (1, 2, 5)]
"""Ends of a range to choose from; a link may hold others."""


def choice_controls(state: SweepState, sweep: Sweep) -> None:
    """Draw the choice of what varies and of the rule; a new choice begins with its usual range."""
    with st.container(horizontal=True, gap="large"):
        for name, options in {"kind": KINDS, "rule": RULES}.items():
            if name == "kind" or sweep.kind != "both":
                title = Sweep.model_fields[name].title or name
                st.segmented_control(
                    title, list(options), format_func=options.__getitem__, key=state.key(name), required=True,
                    on_change=state.renew,
                )  # fmt: skip


def axis_name(sweep: Sweep, second: bool = False) -> str:
    """Name an axis of the sweep as its controls do."""
    if second:
        return "Learning rate" if sweep.kind == "learning_rate" else "Value threshold"
    return "Norm threshold" if sweep.kind == "both" else "Threshold"


def range_controls(state: SweepState, sweep: Sweep) -> None:
    """Draw from where to where, in how many places, and over how many seeds."""
    _axis(state, axis_name(sweep), "span", "count")
    if sweep.kind != "curve":
        _axis(state, axis_name(sweep, second=True), "other_span", "other_count")
    note = "Each place is trained from this many seeds: the charts show their median."
    _whole(state, "seeds", "Seeds for each place", note)
    st.caption(f"{len(sweep.thresholds) * len(sweep.others) * sweep.seeds} runs in all; at most 600.")


def _axis(state: SweepState, title: str, span: str, count: str) -> None:
    options = sorted({*SCALE, *state.get(span)})
    st.select_slider(f"{title}, from and to", options, format_func=exact, key=state.key(span), help="On a log scale.")
    _whole(state, count, "Places between them", "Even on a log scale.")


def _whole(state: SweepState, name: str, title: str, note: str) -> None:
    bounds = limits(Sweep.model_fields[name].metadata)
    low, high = int(bounds["ge"]), int(bounds["le"])
    st.number_input(title, step=1, key=state.key(name), min_value=low, max_value=high, help=note)


def shared_settings(state: SweepState, sweep: Sweep) -> None:
    """Draw what all runs share, folded away, without what the sweep itself varies."""
    varied = {"learning_rate"} if sweep.kind == "learning_rate" else set()
    sections = {title: tuple(n for n in names if n not in varied) for title, names in BENCH.sections.items()}
    shared_controls(state, sections)
