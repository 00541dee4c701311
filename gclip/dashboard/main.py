"""The script that every browser session runs: page config and navigation, nothing else."""

import streamlit as st

from gclip.dashboard.notices import PAGES
from gclip.serving import service

st.set_page_config(page_title="gclip: gradient clipping by experiment", page_icon="✂️", layout="wide")
service().warm()
st.navigation(
    [
        st.Page(PAGES / "start.py", title="Start", icon=":material/play_circle:", default=True),
        st.Page(PAGES / "compare.py", title="Compare", icon=":material/compare:", url_path="compare"),
        st.Page(PAGES / "lstm.py", title="LSTM", icon=":material/timeline:", url_path="lstm"),
        st.Page(PAGES / "sweep.py", title="Sweep", icon=":material/query_stats:", url_path="sweep"),
        st.Page(PAGES / "frameworks.py", title="Frameworks", icon=":material/rule:", url_path="frameworks"),
    ]
).run()
