"""The controls of a comparison, made from the fields of the rules and of the run's settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, fields
from typing import Any, get_args

import numpy as np
import streamlit as st

from gclip.clipping import CLIPPERS
from gclip.dashboard.labels import RULES
from gclip.dashboard.palette import Style
from gclip.dashboard.settings import MAX_RUNS
from gclip.dashboard.state import AS_SHARED, State
from gclip.dashboard.synced import Synced
from gclip.training.config import limits

NORMS = {1.0: "L1", 2.0: "L2", 3.0: "L3", float("inf"): "max"}
SYMBOLS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "pentagon": "⬟", "star": "★", "x": "✕"}

SEEDS = (1, 5, 20)

HELP = {
    "learning_rate": "Step length per unit of gradient. A lower one is the classic remedy for explosions.",
    "momentum": "Share of the last step that is kept (SGD only). Steps can become 1/(1 - momentum) times longer.",
    "loss": "MSE has gradients as large as the error; MAE and Huber bound them: another way not to explode.",
    "standardize_target": "Mean 0 and standard deviation 1, from the training half: the classic remedy.",
    "init_seed": "Same seed, same initial weights for all runs.",
    "batch_seed": "Same seed, same batches for all runs.",
    "sequence_length": "How many time steps one sequence has: the gradient flows back through all of them.",
    "weight_gain": "0: PyTorch's own weights. g: every gate's recurrent weights are g times an orthogonal matrix.",
    "cell": "An LSTM has gates and a memory; the vanilla RNN (tanh) has neither.",
    "bad_scale": "The targets of one step are multiplied by this: one bad batch. 1 is none.",
    "bad_step": "The step at which the bad batch strikes.",
    "problem": "sine: predict the next value. characters: the next letter. sum: add up numbers, asked at the end.",
}


RULE_NOTES = {
    "ClipDerivative": "Graves' 10 and 100 were for a loss summed over time. Here it is a mean over rows and time "
    "steps: useful bounds lie near 0.00001 to 0.001.",
}
"""What to know of a rule before its sliders make sense."""


def experiment_control(state: State) -> None:
    """Draw a button for each whole experiment of the page."""
    columns = st.columns(len(state.bench.experiments))
    for column, (name, comparison) in zip(columns, state.bench.experiments.items(), strict=True):
        here = state.get("comparison") and state.get("comparison").shared == comparison.shared
        column.button(
            name,
            key=state.key(f"experiment.{name}"),
            type="primary" if here else "secondary",
            on_click=state.load,
            args=(comparison,),
            width="stretch",
        )


def run_controls(state: State, looks: list[Style]) -> None:
    """Draw a box of controls for each run, and the list of runs to add."""
    for run, look in enumerate(looks):
        with st.container(border=True):
            _run_box(state, run, look, len(looks))
    if len(looks) < MAX_RUNS:
        choice = st.selectbox(
            "Add a run",
            list(state.bench.runs),
            index=None,
            placeholder="Add a run…",
            key=state.key("preset"),
            label_visibility="collapsed",
        )
        st.button("Add this run", on_click=_add, args=(state,), disabled=choice is None, width="stretch")


def _add(state: State) -> None:
    state.add(state.bench.runs[state.get("preset")])
    state.set("preset", None)


def _run_box(state: State, run: int, look: Style, runs: int) -> None:
    # The symbol and colour are our own constants: nothing from outside reaches this markup.
    st.markdown(f'<b style="color:{look.color}">{SYMBOLS[look.symbol]}</b> **Run {run + 1}**', unsafe_allow_html=True)
    name = st.selectbox(
        f"Rule of run {run + 1}",
        state.bench.rules,
        format_func=RULES.__getitem__,
        key=state.rule_key(run, "0"),
        label_visibility="collapsed",
    )
    _parameters(state, run, "0", name, thresholds=True)
    for place in [place for place in state.places(run) if place != "0"]:
        if second := st.session_state.get(state.rule_key(run, place)):
            st.caption(f"then {RULES[second].lower()}" if place == "1" else f"layer {place}: {RULES[second]}")
            _parameters(state, run, place, second, thresholds=True)
    if note := RULE_NOTES.get(name):
        st.caption(note)
    with st.expander("More for this run", icon=":material/tune:"):
        _more(state, run, runs)


def _more(state: State, run: int, runs: int) -> None:
    for place in state.places(run):
        if rule := st.session_state.get(state.rule_key(run, place)):
            _parameters(state, run, place, rule, thresholds=False)
    _other_rule(state, run, "1", "Then also", "nothing more")
    st.markdown("**Another rule for one layer**")
    for layer in state.get("comparison").configs()[run][0].layers:
        _other_rule(state, run, layer, f"Layer {layer}", "as the whole")
    st.markdown("**Beside clipping**")
    for change in state.bench.changes:
        _change(state, run, change)
    st.button("Remove this run", key=state.key(f"remove{run}"), on_click=state.remove, args=(run,), disabled=runs == 1)


def _other_rule(state: State, run: int, place: str, label: str, nothing: str) -> None:
    """Draw the choice of a rule that comes after the first, or that one layer has for itself."""
    names = {"": nothing} | {rule: RULES[rule] for rule in state.bench.rules if rule != "ClipDerivative"}
    if place == "1":
        del names["NoClip"]
    st.selectbox(label, list(names), format_func=names.__getitem__, key=state.rule_key(run, place))


def _change(state: State, run: int, name: str) -> None:
    """Draw what one run may do differently: a number to type, or a choice."""
    info = state.bench.kind.model_fields[name]
    choices = ["True", "False"] if info.annotation is bool else list(get_args(info.annotation))
    st.selectbox(
        info.title or name, [AS_SHARED, *choices], key=state.change_key(run, name),
        accept_new_options=not choices, help=None if choices else "Type a number: this run alone takes it.",
    )  # fmt: skip


def _parameters(state: State, run: int, place: str, rule: str, thresholds: bool) -> None:
    """Draw the hyperparameters of a rule: its thresholds as sliders, or the rest as numbers and choices."""
    for spec in fields(CLIPPERS[rule]):
        key = state.parameter_key(run, place, rule, spec.name)
        if key not in st.session_state:
            st.session_state[key] = spec.default
        if thresholds and spec.metadata.get("lanewise"):
            _slider(spec, key)
        elif not thresholds and "choices" in spec.metadata:
            options = sorted({*spec.metadata["choices"], st.session_state[key]})
            st.segmented_control(spec.name, options, format_func=_norm_name, key=key, required=True)
        elif not thresholds and not spec.metadata.get("lanewise"):
            _slider(spec, key)


def _norm_name(p: float) -> str:
    return NORMS.get(p, f"L{_exact(p)}")


def _exact(value: float) -> str:
    """Write a number so that no other number reads the same: Streamlit tells options apart by their label."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _slider(spec: Field[Any], key: str) -> None:
    usual: Any = spec.default
    options = sorted({*grid(spec), usual, st.session_state[key]})
    st.select_slider(spec.name, options, format_func=_exact, key=key, help="On a log scale.")


def grid(spec: Field[Any]) -> list[float]:
    """Return the places of a slider: even on a log scale, or towards 1 for a share that is near it."""
    low, high, whole = spec.metadata["low"], spec.metadata["high"], spec.metadata.get("whole")
    if low >= 0.5 and high < 1:
        places = 1 - np.geomspace(1 - low, 1 - high, 20)
    else:
        places = 10 ** np.arange(np.log10(low), np.log10(high) + 0.05, 0.1)
    digits = 2 if all(bound == float(f"{bound:.2g}") for bound in (low, high)) else 3
    return [round(place) if whole else float(f"{place:.{digits}g}") for place in places]


def seed_control(state: State) -> None:
    """Draw the choice between one run and a band over seeds."""
    note = "Train every run from 1, 5 or 20 seeds: the charts then show median and range."
    st.segmented_control("Seeds", list(SEEDS), key=state.key("seeds"), required=True, help=note)


def shared_controls(state: Synced[Any], sections: Mapping[str, Sequence[str]] | None = None) -> None:
    """Draw what all runs share, folded away in sections; by default those of the page's bench."""
    for section, names in (sections or state.bench.sections).items():
        with st.expander(section):
            for name in names:
                _setting(state, name)


def _setting(state: Synced[Any], name: str) -> None:
    info, key = state.bench.kind.model_fields[name], state.key(f"shared.{name}")
    title, note = info.title or name, HELP.get(name)
    bounds = limits(info.metadata)
    low, high = bounds.get("ge", bounds.get("gt", 0)), bounds.get("le", bounds.get("lt"))
    if info.annotation is bool:
        st.toggle(title, key=key, help=note)
    elif options := get_args(info.annotation):
        st.segmented_control(title, options, key=key, help=note, required=True)
    elif info.annotation is int:
        step = int(bounds.get("multiple_of", 1))
        st.number_input(title, step=step, key=key, help=note, min_value=int(low), max_value=int(high or 0))
    else:
        st.number_input(
            title, step=None, format="%g", key=key, help=note, min_value=float(low), max_value=float(high or 0)
        )
