"""LSTM: a small recurrent network, where gradients explode and vanish over time steps."""

import streamlit as st

from gclip.dashboard import controls, exports, live
from gclip.dashboard.benches import LSTM
from gclip.dashboard.charts import charts_of
from gclip.dashboard.notices import link_to, refusals, service_notices
from gclip.dashboard.palette import styles
from gclip.dashboard.state import State
from gclip.dashboard.stories import story
from gclip.dashboard.sweep.settings import around, write

state = State(LSTM)
comparison, refused = state.sync()

with st.sidebar:
    controls.run_controls(state, styles([group[0] for group in comparison.configs()]))
    controls.seed_control(state)
    controls.shared_controls(state)

st.title("Gradients through time: a small LSTM")
st.markdown(
    "A recurrent network applies the same weights at every time step, so its gradient is multiplied by nearly the same "
    "matrix again and again on its way back: it **grows or fades with the length of the sequence**. Choose an "
    "experiment; each trains one network unclipped and one clipped, on the same data."
)
controls.experiment_control(state)
st.markdown(story(comparison.shared))
refusals(refused)
service_notices()
state.publish(comparison)
live.show(comparison, key="lstm", charts=charts_of(comparison.shared), state=state)
link_to("sweep.py", "Which threshold is best? Train this network under many of them: Sweep", write(around(comparison)))
exports.panel(comparison)
