"""What a learner takes away of a sweep: its numbers as a table, and its link."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from gclip.dashboard.exports import FORMATS
from gclip.dashboard.sweep.feed import watched
from gclip.dashboard.sweep.live import link_of
from gclip.export import tables
from gclip.sweeping import Sweep


@st.fragment
def panel(sweep: Sweep) -> None:
    """Draw the downloads."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, (write, mime) in FORMATS.items():
            st.download_button(
                f"Every run as {name}",
                data=partial(_download, sweep, write),
                file_name=f"gclip-sweep.{name.lower()}",
                mime=mime,
                on_click="ignore",
                icon=":material/download:",
            )
        st.caption("The address bar holds every setting and seed: copy the link and others see this sweep.")


def _download(sweep: Sweep, write: Callable) -> bytes:
    """Return the table of all runs as far as they have come."""
    return write(tables.sweep_table(watched(link_of(sweep)).results()))
