"""What a learner takes away: the run as a script, its numbers as a table, the page as a link."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from gclip import export
from gclip.dashboard.labels import run_label
from gclip.dashboard.settings import Comparison
from gclip.export import tables
from gclip.serving import service

SCRIPTS: dict[str, Callable[[Any], str]] = {
    "PyTorch": export.pytorch,
    "Lightning": export.lightning,
    "Keras": export.keras,
    "Optax": export.optax,
}
FORMATS = {"CSV": (tables.csv, "text/csv"), "Parquet": (tables.parquet, "application/vnd.apache.parquet")}


@st.fragment
def panel(comparison: Comparison) -> None:
    """Draw the take-away panel, folded: code, downloads and the link."""
    with st.expander("Take it with you: code, numbers, link", icon=":material/download:"):
        st.markdown("The address bar holds every setting and seed: **copy the link** and others see this comparison.")
        _downloads(comparison)
        _code(comparison)


def _downloads(comparison: Comparison) -> None:
    columns = st.columns([2, 2, 5])
    for column, (name, (write, mime)) in zip(columns, FORMATS.items(), strict=False):
        column.download_button(
            f"Every step as {name}",
            data=partial(_download, comparison, write),
            file_name=f"gclip-steps.{name.lower()}",
            mime=mime,
            width="stretch",
            on_click="ignore",
        )


def _download(comparison: Comparison, write: Callable) -> bytes:
    """Return the table of all runs as far as they have come."""
    labels, histories = [], []
    for entry, group in zip(comparison.entries, comparison.configs(), strict=True):
        for config in group:
            if snapshot := service().snapshot(config.key):
                labels.append(run_label(entry))
                histories.append(snapshot.history)
    return write(tables.steps_table(labels, histories))


def _code(comparison: Comparison) -> None:
    names = [f"{i + 1}. {run_label(entry)}" for i, entry in enumerate(comparison.entries)]
    choice = st.selectbox(
        "The script of which run?", range(len(names)), format_func=names.__getitem__, key="script_run"
    )
    library = st.segmented_control("In", list(SCRIPTS), default="PyTorch", key="script_library", required=True)
    try:
        st.code(SCRIPTS[library](comparison.configs()[choice][0]), language="python")
    except ValueError as error:
        st.info(str(error))
