"""The application that `streamlit run app.py` serves: Streamlit's pages and the live view's own routes."""

from pathlib import Path

import streamlit as st

from gclip.dashboard.routes import routes

app = st.App(Path(__file__).parent / "gclip" / "dashboard" / "main.py", routes=routes())
