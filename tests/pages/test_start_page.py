"""Start: the formula follows the sliders."""

from __future__ import annotations

import pytest
from page_examples import START, Recorder, fine, opened
from streamlit.testing.v1 import AppTest

from gclip.clipping import ClipByNorm, ClipByValue
from gclip.dashboard.diagram import conclusion, formula


def texts(at: AppTest) -> str:
    return " ".join(element.value for element in (*at.latex, *at.markdown))


def plain(lines: str | list[str]) -> list[str]:
    return [lines] if isinstance(lines, str) else lines


def test_the_formula_starts_at_six_three_with_threshold_two(recorder: Recorder) -> None:
    at = opened(START)
    assert [slider.value for slider in at.slider] == [6.0, 3.0, 2.0]
    assert all(line in texts(at) for line in plain(formula(ClipByNorm(2.0), (6, 3))))
    assert conclusion(ClipByNorm(2.0), ClipByValue(2.0), (6, 3)) in texts(at)


@pytest.mark.parametrize(
    ("g1", "g2", "tau", "p"),
    [
        (-4.5, 3.0, 1.5, 2.0),
        (0.0, 0.0, 0.1, 2.0),
        (10.0, -10.0, 10.0, 2.0),
        (6.0, 3.0, 5.0, 1.0),
        (6.0, 3.0, 5.0, float("inf")),
        (0.1, 0.0, 10.0, 1.0),
    ],
)
def test_each_slider_changes_the_formula(recorder: Recorder, g1: float, g2: float, tau: float, p: float) -> None:
    at = opened(START)
    drawing = at.get("plotly_chart")[0].proto.spec
    for slider, value in zip(at.slider, (g1, g2, tau), strict=True):
        slider.set_value(value)
    at.button_group(key="norm_type").set_value(p)
    fine(at.run())
    rule = ClipByNorm(tau, norm_type=p)
    assert all(line in texts(at) for line in plain(formula(rule, (g1, g2))))
    assert conclusion(rule, ClipByValue(tau), (g1, g2)) in texts(at)
    assert at.get("plotly_chart")[0].proto.spec != drawing


def test_moving_a_slider_trains_nothing(recorder: Recorder) -> None:
    at = opened(START)
    fine(at.slider[0].set_value(1.0).run())
    assert not recorder.asked


def test_the_page_shows_the_code_it_ran(recorder: Recorder) -> None:
    assert "class ClipByNorm" in opened(START).code[0].value


def test_what_the_trainer_has_to_say_is_shown_letter_by_letter(recorder: Recorder) -> None:
    recorder.says = ["The store at /tmp/[x](y) *failed*."]
    assert r"\[x\]\(y\) \*failed\*" in opened(START).info[0].value
