"""The drawing and the formula show what the library's own rules make of a gradient."""

from __future__ import annotations

import json
import math
import re

import hypothesis.strategies as some
import numpy as np
import pytest
from hypothesis import given, settings

from gclip.clipping import ClipByNorm, ClipByValue
from gclip.dashboard.diagram import ball, clip, conclusion, figure, formula, measure, norm_label

INF = math.inf
NORMS = (1.0, 2.0, INF)
sizes = some.floats(min_value=-10, max_value=10).map(lambda x: round(x, 1))
taus = some.floats(min_value=0.1, max_value=10).map(lambda x: round(x, 1))


def latex(rule: ClipByNorm, gradient: tuple[float, float]) -> str:
    """Return all lines of the formula."""
    return " ".join(formula(rule, gradient))


@settings(max_examples=200)
@given(some.tuples(sizes, sizes), taus, some.sampled_from(NORMS))
def test_the_formulas_numbers_are_the_librarys(gradient: tuple[float, float], tau: float, p: float) -> None:
    rule = ClipByNorm(tau, norm_type=p)
    norm = np.linalg.norm(gradient, ord=p)
    assert measure(rule, gradient) == pytest.approx(norm, abs=1e-12)
    text = latex(rule, gradient)
    assert f"= {norm:.3g} " in text
    assert rf"\tau = {tau:g}" in text
    if measure(rule, gradient) < tau:
        assert "unchanged" in text
        np.testing.assert_allclose(clip(rule, gradient), gradient, rtol=1e-5, atol=1e-12)
    else:
        x, y = (float(value) for value in re.findall(r"\((-?[\d.]+),\\ (-?[\d.]+)\)$", text)[0])
        np.testing.assert_allclose((x, y), np.array(gradient) * tau / norm, atol=0.0051)


@settings(max_examples=100)
@given(some.tuples(sizes, sizes), taus, some.sampled_from(NORMS))
def test_every_gradient_has_a_drawing_and_a_conclusion(gradient: tuple, tau: float, p: float) -> None:
    rule, by_value = ClipByNorm(tau, norm_type=p), ClipByValue(tau)
    chart = json.loads(str(figure(rule, by_value, gradient).to_json()))
    ends = {note["text"]: (note["x"], note["y"]) for note in chart["layout"]["annotations"] if note["text"]}
    np.testing.assert_allclose(ends["raw g"], gradient)
    np.testing.assert_allclose(ends["by norm"], clip(rule, gradient))
    np.testing.assert_allclose(ends["by value"], np.clip(gradient, -tau, tau))
    assert conclusion(rule, by_value, gradient).endswith(".")
    low, high = chart["layout"]["xaxis"]["range"]
    assert all(low < end < high for arrow in ends.values() for end in arrow)


def test_the_value_clip_of_six_three_at_two_turns_it_by_18_degrees() -> None:
    by_value = ClipByValue(2.0)
    np.testing.assert_allclose(clip(by_value, (6, 3)), (2, 2))
    text = conclusion(ClipByNorm(2.0), by_value, (6, 3))
    assert "18°" in text
    assert "by norm" in text
    assert math.degrees(math.atan2(1, 1) - math.atan2(3, 6)) == pytest.approx(18.4, abs=0.1)


def test_the_formula_of_six_three_at_two() -> None:
    text = latex(ClipByNorm(2.0), (6, 3))
    assert "6.71" in text
    assert r"(1.79,\ 0.89)" in text


def test_a_diagonal_gradient_is_not_turned_by_value() -> None:
    assert "kept its direction" in conclusion(ClipByNorm(2.0), ClipByValue(2.0), (5, -5)).split(";")[1]


@pytest.mark.parametrize("p", NORMS)
def test_a_zero_gradient_stays_zero(p: float) -> None:
    rule = ClipByNorm(2.0, norm_type=p)
    assert "zero" in conclusion(rule, ClipByValue(2.0), (0, 0))
    assert "unchanged" in latex(rule, (0, 0))
    assert (clip(rule, (0, 0)) == 0).all()


def test_a_gradient_inside_the_ball_is_left_alone() -> None:
    assert "leaves it alone" in conclusion(ClipByNorm(10.0), ClipByValue(10.0), (6, 3))


def test_a_gradient_inside_one_ball_may_lie_outside_another() -> None:
    outside = {p: "unchanged" not in latex(ClipByNorm(7.0, norm_type=p), (6, 3)) for p in NORMS}
    assert outside == {1.0: True, 2.0: False, INF: False}


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("tau", [0.1, 1.0, 10.0])
def test_the_ball_is_all_vectors_of_that_norm(p: float, tau: float) -> None:
    outline = np.stack(ball(p, tau), axis=1)
    np.testing.assert_allclose(np.linalg.norm(outline, ord=p, axis=1), tau)
    np.testing.assert_allclose(outline[0], outline[-1], atol=1e-12)
    assert {tuple(np.sign(point)) for point in outline.round(9)} >= {(1, 1), (1, -1), (-1, 1), (-1, -1)}


@pytest.mark.parametrize("p", NORMS)
def test_a_clipped_gradient_ends_on_the_ball(p: float) -> None:
    rule = ClipByNorm(2.0, norm_type=p)
    assert np.linalg.norm(clip(rule, (6, 3)), ord=p) == pytest.approx(2, rel=1e-6)


def test_each_norm_has_its_own_name() -> None:
    assert len({norm_label(p) for p in NORMS}) == 3
    assert len({latex(ClipByNorm(1.0, norm_type=p), (6, 3))[:20] for p in NORMS}) == 3
