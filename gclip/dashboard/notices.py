"""Messages above the charts: what a link asked for and did not get, and what the trainer has to say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAPIException

from gclip.serving import service

SHOWN = 8
PAGES = Path(__file__).parents[2] / "pages"


def plain(text: str) -> str:
    """Return ``text`` so that Markdown shows it letter by letter: links and formulas in it do nothing.

    An invisible word joiner keeps bare addresses from becoming links, which escapes do not.
    """
    unlinked = re.sub(r"(?i)(www|:|@)(?=[./\w])", "\\1\u2060", text)
    return re.sub(r"([\\`*_{}\[\]<>()#+\-.!|$:~&])", r"\\\1", unlinked)


def link_to(page: str, label: str, link: Mapping[str, Sequence[str]] | None = None) -> None:
    """Link to another page, with the parameters ``link``; a page that is run by itself has no other to link to."""
    try:
        st.page_link(PAGES / page, label=label, icon=":material/arrow_forward:", query_params=dict(link or {}))
    except StreamlitAPIException:
        st.caption(f"{label} (start the whole dashboard with: streamlit run app.py)")


def refusals(sentences: Sequence[str]) -> None:
    """Say which settings were refused, and that the rest holds."""
    if not sentences:
        return
    lines = [f"- {plain(sentence)}" for sentence in sentences[:SHOWN]]
    if len(sentences) > SHOWN:
        lines.append(f"- and {len(sentences) - SHOWN} more.")
    st.warning("\n".join(["These settings could not be used; the others are as asked.", "", *lines]), icon="⚠️")


def service_notices() -> None:
    """Pass on what the trainer and the store have to say."""
    for sentence in service().notices():
        st.info(plain(sentence), icon="ℹ️")
