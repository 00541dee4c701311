"""Put a sweep on a page: hand its runs to the trainer, and its charts to the browser."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.components.v2 import component

from gclip.dashboard.live import owner, stop, train_again
from gclip.dashboard.routes import FILES, VERSION
from gclip.dashboard.sweep.feed import Watched, watched
from gclip.dashboard.sweep.networks import expected
from gclip.dashboard.sweep.settings import write as write_sweep
from gclip.serving import QueueFull, service
from gclip.sweeping import Sweep
from gclip.training import Summary

_component: Any = component(
    "gclip_sweep",
    html=(FILES / "sweep.html").read_text(),
    css=(FILES / "sweep.css").read_text(),
    js=(FILES / "bootstrap.js").read_text(),
    isolate_styles=False,
)


def show(sweep: Sweep) -> None:
    """Train ``sweep`` and draw it as it comes."""
    seen = watched(link_of(sweep))
    try:
        if seen.keys != st.session_state.get("stopped"):
            service().submit(seen.configs, owner(), record=Summary)
            seen.renew()
    except QueueFull as full:
        st.warning(str(full), icon="⏳")
        return
    actions = {"stop": partial(stop, seen.keys), "again": train_again}
    data = describe(seen) | {"attempt": st.session_state.get("attempt", 0)}
    _component(key="sweep.live", data=data, **{f"on_{name}_change": action for name, action in actions.items()})


def link_of(sweep: Sweep) -> str:
    """Return the sweep's link, as the route reads it."""
    return urlencode(write_sweep(sweep), doseq=True)


def describe(seen: Watched) -> dict[str, Any]:
    """Return all that the browser needs to draw a sweep, save the numbers; ``cells`` are links to each cell's runs."""
    query = {"version": VERSION, "module": "sweep.js", "query": link_of(seen.sweep)}
    start = f"Training starts: {len(seen.keys)} runs, {expected(seen.sweep)}."
    return query | {"start": start, "charts": seen.charts, "cells": seen.cells}
