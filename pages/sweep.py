"""Sweep: hundreds of runs at once, to see which thresholds are good, and how wide the good range is."""

import streamlit as st

from gclip.dashboard.notices import refusals, service_notices
from gclip.dashboard.stories import story
from gclip.dashboard.sweep import controls, exports, live, words
from gclip.dashboard.sweep.state import SweepState

state = SweepState()
sweep, refused = state.sync()

with st.sidebar:
    controls.range_controls(state, sweep)
    controls.shared_settings(state, sweep)

st.title("Which threshold?")
st.markdown(words.intro(sweep))
controls.choice_controls(state, sweep)
if sweep.shared.RECURRENT:
    st.markdown(story(sweep.shared))
refusals(refused)
service_notices()
state.publish(sweep)
live.show(sweep)
exports.panel(sweep)
