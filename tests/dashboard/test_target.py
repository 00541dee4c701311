"""The facts about the data that the page tells."""

import json
from typing import Any

import numpy as np
import pytest

from gclip.dashboard.data import target_figure, target_words, targets
from gclip.training import RunConfig
from gclip.training.problems import make_data

RAW, SCALED = RunConfig(), RunConfig(standardize_target=True)


def test_the_tutorials_target() -> None:
    y = targets(RAW)
    assert len(y) == 1000
    assert (y.min(), y.max(), y.std()) == pytest.approx((-436, 575, 152.7), abs=0.5)


def test_training_half_first() -> None:
    np.testing.assert_array_equal(targets(RAW)[:500], make_data(RAW).y_train)
    assert targets(SCALED)[:500].mean() == pytest.approx(0, abs=1e-6)
    assert targets(SCALED)[:500].std() == pytest.approx(1, abs=1e-6)


def test_the_words_give_range_and_spread() -> None:
    words = target_words(RAW)
    assert all(fact in words for fact in ("1,000 targets", "-436", "575", "standard deviation 153", "explodes"))


def test_a_scaled_target_explodes_nothing() -> None:
    words = target_words(SCALED)
    assert "nothing explodes" in words
    assert f"{targets(SCALED).std():.3g}" in words


@pytest.mark.parametrize("config", [RAW, SCALED, RunConfig(n_samples=20, n_features=1), RunConfig(noise=1000.0)])
def test_histogram_and_box_show_the_same_targets(config: RunConfig) -> None:
    chart: Any = target_figure(config)
    assert json.loads(str(chart.to_json()))
    histogram, box = chart.data
    np.testing.assert_array_equal(histogram.x, targets(config))
    np.testing.assert_array_equal(box.x, targets(config))
    assert target_words(config).endswith(".")
