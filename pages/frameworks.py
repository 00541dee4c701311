"""Frameworks: one small gradient, and what each library's arguments make of it."""

from collections.abc import Sequence

import streamlit as st

from gclip.dashboard.frameworks import calls, state, view, words
from gclip.dashboard.frameworks.inputs import EXAMPLES, FIELDS
from gclip.dashboard.frameworks.view import Panel
from gclip.dashboard.notices import refusals


def draw(panels: Sequence[Panel], bounds: tuple[float, float], height: int, key: str) -> None:
    """Draw panels side by side."""
    chart = view.figure(panels, inputs, bounds, height)
    st.plotly_chart(chart, key=key, alt=view.alt(panels), config={"displayModeBar": False})


inputs, refused = state.sync()

st.title("Same number, other rule")
st.markdown(
    "Every library clips gradients, and their words overlap: the same **1.0** behind the same **clipnorm** may mean "
    "another rule. Pick or type a small gradient, and see what each call makes of it, **element by element.**"
)
refusals(refused)
with st.container(horizontal=True, gap="small"):
    for example in EXAMPLES:
        st.button(example, on_click=state.use, args=[example], key=f"example.{example}")

left, right = st.columns(2, gap="large")
with left:
    first, second = st.columns(2)
    first.text_input(FIELDS["weight"].label, key="weight")
    second.text_input(FIELDS["bias"].label, key="bias")
    first, second = st.columns(2, vertical_alignment="bottom")
    first.text_input(FIELDS["threshold"].label, key="threshold")
    with second.popover("Length of the weights", width="stretch"):
        st.caption("Only adaptive_grad_clip and agc ask for it: they allow c times the length of the weights.")
        for name in ("weight_length", "bias_length"):
            st.text_input(FIELDS[name].label, key=name)
with right:
    gradient = [view.gradient(inputs)]
    draw(gradient, view.span(gradient), 180, key="gradient")

results = calls.results(inputs)
panels = view.panels(results)
bounds = view.span(panels)

st.header("What each rule makes of it")
for column, at in zip(st.columns(3), (0, 2, 4), strict=True):
    with column:
        draw(panels[at : at + 2], bounds, 280, key=f"panels{at}")
st.markdown(words.conclusion(results, inputs))
st.caption(
    "Blue bars are the weight's elements, green ones the bias's. A grey tick shows where the element would be had the "
    "gradient kept its direction: **a bar that misses its tick has turned.** All six panels share one scale."
)

st.header("The clipnorm trap")
st.markdown(
    "A well-known tutorial on gradient clipping was written for Keras 2.2. Its argument still works today, without a "
    "warning, and means something else."
)
for column, (title, result) in zip(st.columns(3), words.trap(results).items(), strict=True):
    with column.container(border=True, height="stretch"):
        st.markdown(f"**{title}**")
        st.code(f"{result.call.argument}={inputs.threshold!r}", language="python")
        st.markdown(words.story(result, inputs))
st.markdown(words.moral(results))

st.header("Every call")
st.table(words.rows(results, inputs), border="horizontal", hide_index=True)
st.caption(
    "A cosine of 1 means that the direction is kept. A dash: no cosine, since one of the two gradients is zero or not "
    "finite. Keras 2.2–2.3 no longer installs; its rows come from its formula."
)

st.header("The line to write")
library = st.segmented_control("In", calls.LIBRARIES, default=calls.LIBRARIES[0], required=True, key="library")
for call in calls.CALLS:
    if call.library == library:
        st.code(call.line(inputs.threshold), language="python")
        st.caption(call.note)
