"""The facts about the data that the page tells."""

import json
from typing import Any

import numpy as np
import pytest

import gclip
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


def test_a_scaled_target_explodes_nothing_at_the_tutorials_settings() -> None:
    words = target_words(SCALED)
    assert "start near 1: at the tutorial's learning rate nothing explodes." in words
    assert f"{targets(SCALED).std():.3g}" in words


TAME = [{}, {"learning_rate": 0.001}, {"n_features": 200, "n_informative": 200}, {"noise": 1000.0}, {"n_samples": 20}]
TAME += [{"loss": "MAE"}, {"optimizer": "Adam"}, {"optimizer": "RMSprop"}, {"batch_size": 500}, {"hidden_units": 1}]
WILD: list[dict[str, Any]] = [
    {"learning_rate": 0.5},
    {"batch_size": 1},
    {"momentum": 0.999},
    {"hidden_units": 512, "hidden_layers": 4},
]


@pytest.mark.parametrize("settings", [*TAME, *WILD], ids=str)
def test_nothing_is_said_to_explode_where_nothing_does(settings: dict[str, Any]) -> None:
    configs = [RunConfig(**{"standardize_target": True, "epochs": 20} | settings, init_seed=seed) for seed in range(3)]
    tame = settings in TAME
    assert any(history.lost for history in gclip.run(configs)) != tame
    words = target_words(configs[0])
    assert "start near 1" in words
    assert ("nothing explodes" in words) == tame


def test_an_error_that_does_not_start_near_1_is_not_said_to() -> None:
    small = RunConfig(n_features=1, n_informative=1, noise=0.0, data_seed=24)
    assert 3 < targets(small).std() < 10
    assert target_words(small).endswith(f" Errors start near {targets(small).std():.3g}.")


@pytest.mark.parametrize("config", [RAW, SCALED, RunConfig(n_samples=20, n_features=1), RunConfig(noise=1000.0)])
def test_histogram_and_box_show_the_same_targets(config: RunConfig) -> None:
    chart: Any = target_figure(config)
    assert json.loads(str(chart.to_json()))
    histogram, box = chart.data
    np.testing.assert_array_equal(histogram.x, targets(config))
    np.testing.assert_array_equal(box.x, targets(config))
    assert target_words(config).endswith(".")
