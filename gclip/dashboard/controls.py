"""The controls of the Compare page, made from the fields of the rules and of the run's settings."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, get_args

import numpy as np
import streamlit as st

from gclip.clipping import CLIPPERS
from gclip.dashboard import state
from gclip.dashboard.palette import Style
from gclip.dashboard.settings import MAX_RUNS, PRESETS
from gclip.training import RunConfig

RULES = {
    "NoClip": "No clipping",
    "ClipByNorm": "Norm: the whole gradient",
    "ClipByTensorNorm": "Norm: each tensor by itself",
    "ClipByValue": "Value: each element by itself",
}
THEN = {"": "nothing more"} | {name: label for name, label in RULES.items() if name != "NoClip"}
NORMS = {1.0: "L1", 2.0: "L2", 3.0: "L3", float("inf"): "max"}
SYMBOLS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "pentagon": "⬟", "star": "★", "x": "✕"}

SEEDS = (1, 5, 20)

SECTIONS = {
    "Training": ("learning_rate", "momentum", "optimizer", "loss", "epochs", "batch_size"),
    "Data": (
        "standardize_target",
        "standardize_inputs",
        "n_samples",
        "n_features",
        "n_informative",
        "noise",
        "data_seed",
    ),
    "Network and seeds": ("hidden_units", "hidden_layers", "init_seed", "batch_seed"),
}
"""Settings that all runs share, folded, in the order of use."""

HELP = {
    "learning_rate": "Step length per unit of gradient. Unclipped, the default run learns at 0.001, explodes at 0.003.",
    "momentum": "Share of the last step that is kept (SGD only). Steps can become 1/(1 - momentum) times longer.",
    "loss": "MSE has gradients as large as the error; MAE and Huber bound them: another way not to explode.",
    "standardize_target": "Mean 0 and standard deviation 1, from the training half: the classic remedy.",
    "init_seed": "Same seed, same initial weights for all runs.",
    "batch_seed": "Same seed, same order of batches for all runs.",
}


def run_controls(looks: list[Style]) -> None:
    """Draw a box of controls for each run, and the list of runs to add."""
    for run, look in enumerate(looks):
        with st.container(border=True):
            _run_box(run, look, len(looks))
    if len(looks) < MAX_RUNS:
        choice = st.selectbox(
            "Add a run", list(PRESETS), index=None, placeholder="Add a run…", key="preset", label_visibility="collapsed"
        )
        st.button("Add this run", on_click=_add, disabled=choice is None, width="stretch")


def _add() -> None:
    state.add(PRESETS[st.session_state["preset"]])
    st.session_state["preset"] = None


def _run_box(run: int, look: Style, runs: int) -> None:
    head, more = st.columns([3, 1], vertical_alignment="center")
    # The symbol and colour are our own constants: nothing from outside reaches this markup.
    head.markdown(f'<b style="color:{look.color}">{SYMBOLS[look.symbol]}</b> **Run {run + 1}**', unsafe_allow_html=True)
    name = st.selectbox(
        f"Rule of run {run + 1}",
        list(RULES),
        format_func=RULES.__getitem__,
        key=state.rule_key(run, 0),
        label_visibility="collapsed",
    )
    with more.popover("", icon=":material/tune:", help="Norm type, a second rule, and what else this run changes"):
        _more(run, name, runs)
    parameters(run, 0, name, thresholds=True)
    if second := st.session_state.get(state.rule_key(run, 1)):
        st.caption(f"then {RULES[second].lower()}")
        parameters(run, 1, second, thresholds=True)


def _more(run: int, name: str, runs: int) -> None:
    parameters(run, 0, name, thresholds=False)
    st.selectbox("Then also", list(THEN), format_func=THEN.__getitem__, key=state.rule_key(run, 1))
    st.markdown("**Beside clipping**")
    st.selectbox(
        "Learning rate", [state.AS_SHARED], key=state.change_key(run, "learning_rate"), accept_new_options=True,
        help="Type a number: this run alone takes it.",
    )  # fmt: skip
    answers = [state.AS_SHARED, "True", "False"]
    st.selectbox("Standardize target", answers, key=state.change_key(run, "standardize_target"))
    st.button("Remove this run", key=f"remove{run}", on_click=state.remove, args=(run,), disabled=runs == 1)


def parameters(run: int, place: int, rule: str, thresholds: bool) -> None:
    """Draw the hyperparameters of a rule: its thresholds as sliders, or the rest as choices."""
    for spec in fields(CLIPPERS[rule]):
        key = state.parameter_key(run, place, rule, spec.name)
        if key not in st.session_state:
            st.session_state[key] = spec.default
        if thresholds and spec.metadata.get("lanewise"):
            _threshold_slider(spec, key)
        elif not thresholds and "choices" in spec.metadata:
            options = sorted({*spec.metadata["choices"], st.session_state[key]})
            st.segmented_control(spec.name, options, format_func=_norm_name, key=key, required=True)


def _norm_name(p: float) -> str:
    return NORMS.get(p, f"L{_exact(p)}")


def _exact(value: float) -> str:
    """Write a number so that no other number reads the same: Streamlit tells options apart by their label."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _threshold_slider(spec: Field[Any], key: str) -> None:
    low, high = np.log10(spec.metadata["low"]), np.log10(spec.metadata["high"])
    grid = [float(f"{10**exponent:.2g}") for exponent in np.arange(low, high + 0.05, 0.1)]
    options = sorted({*grid, st.session_state[key]})
    st.select_slider(spec.name, options, format_func=_exact, key=key, help="On a log scale.")


def seed_control() -> None:
    """Draw the choice between one run and a band over seeds."""
    note = "Train every run from 1, 5 or 20 seeds: the charts then show median and range."
    st.segmented_control("Seeds", list(SEEDS), key="seeds", required=True, help=note)


def shared_controls() -> None:
    """Draw what all runs share, folded away in sections."""
    for section, names in SECTIONS.items():
        with st.expander(section):
            for name in names:
                _setting(name)


def _setting(name: str) -> None:
    info, key = RunConfig.model_fields[name], f"shared.{name}"
    title, note = info.title or name, HELP.get(name)
    if info.annotation is bool:
        st.toggle(title, key=key, help=note)
    elif options := get_args(info.annotation):
        st.segmented_control(title, options, key=key, help=note, required=True)
    elif info.annotation is int:
        st.number_input(title, step=1, key=key, help=note, **_limits(info.metadata, int))
    else:
        st.number_input(title, step=None, format="%g", key=key, help=note, **_limits(info.metadata, float))


def _limits(bounds: list[Any], kind: type) -> dict[str, Any]:
    found = {type(bound).__name__: getattr(bound, type(bound).__name__.lower(), None) for bound in bounds}
    low, high = found.get("Ge", found.get("Gt")), found.get("Le", found.get("Lt"))
    return {"min_value": kind(low or 0), "max_value": kind(high)}
