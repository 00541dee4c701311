"""Start: what clipping is, in one formula and one drawing, and one button: watch it explode."""

import inspect

import streamlit as st

from gclip.clipping import ClipByNorm, ClipByValue, NoClip
from gclip.dashboard import diagram, live
from gclip.dashboard.notices import link_to, service_notices
from gclip.dashboard.settings import Comparison, Entry

st.title("Gradient clipping, by experiment")
st.markdown(
    "A network learns by taking steps against its **gradient**. When the gradient is huge, so is the step, the next "
    "gradient is larger still, and within a few steps every weight is NaN. **Clipping** shortens the step when the "
    "gradient is longer than a threshold τ."
)
service_notices()

EXPLOSION = Comparison(entries=(Entry(clipper=NoClip()), Entry(clipper=ClipByNorm(1.0))))

if st.button(
    "▶ Watch it explode", type="primary", help="Trains two networks now: one unclipped, one clipped at norm 1."
):
    st.session_state["explode"] = st.session_state.get("explode", 0) + 1
if st.session_state.get("explode"):
    st.markdown(
        "Two networks, equal but for one rule; their first 20 steps in slow motion: **one unclipped, one clipped at "
        "norm 1.** It is the regression of a well-known Keras tutorial: 20 inputs, 25 ReLU units, targets of several "
        "hundred."
    )
    live.show(EXPLOSION, key=f"explosion{st.session_state['explode']}", charts=("norms", "loss"), slow=2, selected=1)
    link_to("compare.py", "Move the threshold yourself: Compare")
else:
    st.caption("One click trains two networks, live. It takes about two seconds; you will see it in slow motion.")

st.header("The formula, with your numbers")
left, right = st.columns([2, 3], gap="large")
with left:
    g1 = st.slider("g₁, first element of the gradient", -10.0, 10.0, 6.0, 0.1)
    g2 = st.slider("g₂, second element", -10.0, 10.0, 3.0, 0.1)
    tau = st.slider("Threshold τ", 0.1, 10.0, 2.0, 0.1)
    p = st.segmented_control(
        "Norm", [1.0, 2.0, float("inf")], default=2.0, format_func=diagram.norm_label, required=True, key="norm_type"
    )
    rule, by_value = ClipByNorm(tau, norm_type=p), ClipByValue(tau)
with right:
    st.plotly_chart(diagram.figure(rule, by_value, (g1, g2)), width="stretch", key="diagram")
for line in diagram.formula(rule, (g1, g2)):
    st.latex(line)
st.markdown(diagram.conclusion(rule, by_value, (g1, g2)))
with st.expander("The code that just ran"):
    st.code(inspect.getsource(ClipByNorm), language="python")
