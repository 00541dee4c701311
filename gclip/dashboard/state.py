"""The comparison of this browser session, held in step between the widgets, the address bar and the page.

Widgets live under the keys made here; `sync` decides at the start of each run of the page which of
them has changed, and lets it win.
"""

from __future__ import annotations

from dataclasses import fields

import streamlit as st
from pydantic import ValidationError

from gclip.clipping import CLIPPERS, Chain, Clipper
from gclip.dashboard.settings import CHANGES, MAX_RUNS, SHARED, Comparison, Entry, read, write
from gclip.training import RunConfig, explain
from gclip.training.config import read_field

AS_SHARED = "as the others"
"""What a run's own setting says when it does nothing differently."""


def rule_key(run: int, place: int) -> str:
    """Key of the rule of a run: place 0 comes first, place 1 after it."""
    return f"run{run}.rule{place}"


def parameter_key(run: int, place: int, rule: str, name: str) -> str:
    """Key of one hyperparameter of a rule of a run."""
    return f"run{run}.rule{place}.{rule}.{name}"


def change_key(run: int, name: str) -> str:
    """Key of what a run does differently from the others."""
    return f"run{run}.change.{name}"


def load(comparison: Comparison) -> None:
    """Set every widget to ``comparison``."""
    state = st.session_state
    state["runs"], state["seeds"] = len(comparison.entries), comparison.seeds
    for name in SHARED:
        state[f"shared.{name}"] = getattr(comparison.shared, name)
    for run, entry in enumerate(comparison.entries):
        load_entry(run, entry)


def load_entry(run: int, entry: Entry) -> None:
    """Set the widgets of one run."""
    state, rule = st.session_state, entry.clipper
    rules = rule.rules if isinstance(rule, Chain) else (rule,)
    for place in (0, 1):
        member = rules[place] if place < len(rules) else None
        state[rule_key(run, place)] = type(member).__name__ if member else ""
        for spec in fields(member) if member else ():
            state[parameter_key(run, place, type(member).__name__, spec.name)] = getattr(member, spec.name)
    for name in CHANGES:
        value = getattr(entry, name)
        state[change_key(run, name)] = AS_SHARED if value is None else str(value)


def gather() -> Comparison:
    """Return the comparison that the widgets say.

    Raises:
        pydantic.ValidationError: if a setting, or settings together, are out of range.
        ValueError: likewise, for what one run does differently.
    """
    state = st.session_state
    shared = RunConfig(**{name: state.get(f"shared.{name}", RunConfig.model_fields[name].default) for name in SHARED})
    entries = tuple(_gather_entry(run) for run in range(state["runs"]))
    comparison = Comparison(shared=shared, entries=entries, seeds=state.get("seeds", 1))
    comparison.configs()
    return comparison


def _gather_entry(run: int) -> Entry:
    clipper = Chain(*[rule for place in (0, 1) if (rule := _gather_rule(run, place))])
    texts = {name: st.session_state.get(change_key(run, name), AS_SHARED) for name in CHANGES}
    changes = {name: read_field(name, text) for name, text in texts.items() if text != AS_SHARED}
    return Entry(clipper=clipper, **changes)


def _gather_rule(run: int, place: int) -> Clipper | None:
    name = st.session_state.get(rule_key(run, place), "" if place else "NoClip")
    if not name:
        return None
    keys = {spec.name: parameter_key(run, place, name, spec.name) for spec in fields(CLIPPERS[name])}
    return CLIPPERS[name](**{n: st.session_state[key] for n, key in keys.items() if key in st.session_state})


def sync() -> tuple[Comparison, list[str]]:
    """Return the session's comparison, and sentences for what was refused.

    A moved widget wins over the address bar, which may lag behind it; an address that changed with no
    widget moved is a pasted link or the back button.
    """
    state = st.session_state
    held: Comparison | None = state.get("comparison")
    link = _link()
    if held is None or (link and "runs" not in state):
        return _take(*read(link))
    if rule_key(0, 0) not in state:
        return _take(*(read(link) if link else (held, [])))
    try:
        gathered = gather()
    except ValueError as error:
        return held, explain(error) if isinstance(error, ValidationError) else [str(error)]
    if gathered != held:
        return _take(gathered, [], reload=False)
    if link != state.get("written"):
        return _take(*read(link))
    return held, state.get("refused", [])


def _link() -> dict[str, list[str]]:
    """Return the address bar's parameters."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _take(comparison: Comparison, refused: list[str], reload: bool = True) -> tuple[Comparison, list[str]]:
    if reload:
        load(comparison)
    st.session_state["comparison"], st.session_state["refused"] = comparison, refused
    return comparison, refused


def publish(comparison: Comparison) -> None:
    """Write the comparison to the address bar, so that the link there is always the one to share."""
    params = write(comparison)
    st.session_state["written"] = params
    if _link() != params:
        st.query_params.from_dict(params)


def add(entry: Entry) -> None:
    """Add a run."""
    if st.session_state["runs"] < MAX_RUNS:
        load_entry(st.session_state["runs"], entry)
        st.session_state["runs"] += 1


def remove(run: int) -> None:
    """Remove a run; those after it move up."""
    try:
        entries = [_gather_entry(i) for i in range(st.session_state["runs"])]
    except ValueError:
        # A setting of one run does not fit, and its box may be the one to go: take what was last in force.
        entries = list(st.session_state["comparison"].entries)
    del entries[run]
    for i, entry in enumerate(entries):
        load_entry(i, entry)
    st.session_state["runs"] = len(entries)


def set_threshold(run: int, value: float) -> None:
    """Move the first threshold of a run's first rule to ``value``."""
    name = st.session_state.get(rule_key(run, 0), "NoClip")
    lanewise = [spec.name for spec in fields(CLIPPERS[name]) if spec.metadata.get("lanewise")]
    if lanewise and value > 0:
        st.session_state[parameter_key(run, 0, name, lanewise[0])] = float(value)
