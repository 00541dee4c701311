"""Sweep: hundreds of runs at once, to see which thresholds are good, and how wide the good range is."""

import streamlit as st

from gclip.dashboard.notices import refusals, service_notices
from gclip.dashboard.sweep import controls, exports, live
from gclip.dashboard.sweep.state import SweepState

state = SweepState()
sweep, refused = state.sync()

with st.sidebar:
    controls.range_controls(state, sweep)
    controls.shared_settings(state, sweep)

st.title("Which threshold?")
st.markdown(
    "One network, trained under many thresholds at once, each from several seeds. **Too tight, and the steps are too "
    "short to arrive; too loose, and the explosion comes through.** How wide is the range between? Each loss is the "
    "median over the seeds."
)
controls.choice_controls(state, sweep)
refusals(refused)
service_notices()
state.publish(sweep)
live.show(sweep)
exports.panel(sweep)
