"""The Frameworks page's settings, held in step between its text fields, the address bar and the session."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from gclip.dashboard.frameworks.inputs import DEFAULTS, EXAMPLES, Inputs, read, unknown

HELD, WRITTEN, TYPED = "frameworks.held", "frameworks.written", "frameworks.typed"


def sync() -> tuple[Inputs, list[str]]:
    """Return the settings in force, and sentences for what was refused; then the address bar says the same.

    A changed field wins over the address bar, which may lag behind it; an address that changed with no field changed
    is a pasted link or the back button. A learner who comes back from another page finds what was there.
    """
    state, link = st.session_state, _link()
    returning = "weight" not in state
    changed = not returning and _typed() != state.get(TYPED)
    pasted = link != state.get(WRITTEN) and (link or not returning or HELD not in state)
    if pasted and not changed:
        _fill({name: text for name, text in link.items() if name in DEFAULTS})
    elif returning:
        _fill(state[HELD])
    inputs, held, refused = read(_typed(), {} if pasted else state.get(HELD, {}))
    state[HELD], state[TYPED] = held, _typed()
    refused += unknown(name for name in link if name not in DEFAULTS)
    _publish(held)
    return inputs, refused


def use(example: str) -> None:
    """Put an example's gradient into the fields."""
    st.session_state["weight"], st.session_state["bias"] = EXAMPLES[example]


def _link() -> dict[str, str]:
    return {name: st.query_params[name] for name in st.query_params}


def _typed() -> dict[str, str]:
    return {name: st.session_state.get(name, default) for name, default in DEFAULTS.items()}


def _fill(texts: Mapping[str, str]) -> None:
    for name, default in DEFAULTS.items():
        st.session_state[name] = texts.get(name, default)


def _publish(held: Mapping[str, str]) -> None:
    """Write what differs from the default to the address bar, so that the link there is always the one to share."""
    params = {name: text for name, text in held.items() if text != DEFAULTS[name]}
    st.session_state[WRITTEN] = params
    if {name: st.query_params.get_all(name) for name in st.query_params} != {name: [params[name]] for name in params}:
        st.query_params.from_dict(params)
