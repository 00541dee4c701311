"""Compare: two to six runs side by side, clipped and unclipped, live."""

import streamlit as st

from gclip.dashboard import controls, exports, live
from gclip.dashboard.benches import COMPARE
from gclip.dashboard.charts import charts_of
from gclip.dashboard.data import target_figure, target_words
from gclip.dashboard.notices import link_to, refusals, service_notices
from gclip.dashboard.palette import styles
from gclip.dashboard.state import State
from gclip.dashboard.stories import what_differs
from gclip.dashboard.sweep.settings import around, write

state = State(COMPARE)
comparison, refused = state.sync()

with st.sidebar:
    controls.run_controls(state, styles([group[0] for group in comparison.configs()]))
    controls.seed_control(state)
    controls.shared_controls(state)

st.title("Clipped and unclipped, side by side")
st.markdown(
    f"{what_differs(comparison)} Move a threshold at the side and that run trains again at once. At the tutorial's "
    "settings an unclipped run is lost by step 10: watch the first steps in slow motion."
)
refusals(refused)
service_notices()
state.publish(comparison)
live.show(comparison, key="compare", charts=charts_of(comparison.shared), state=state)
link_to("sweep.py", "Which threshold is best? Train hundreds of them at once: Sweep", write(around(comparison)))
exports.panel(comparison)
with st.expander("The data: what the networks learn to predict", icon=":material/bar_chart:", expanded=True):
    st.plotly_chart(target_figure(comparison.shared), width="stretch", key="target")
    st.caption(target_words(comparison.shared))
