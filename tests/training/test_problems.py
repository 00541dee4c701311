"""The data: the tutorial's own, split before it is scaled."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import make_regression

from gclip import RunConfig
from gclip.training.batches import Batches
from gclip.training.problems import data_key, make_data


def test_the_defaults_are_the_tutorials_data() -> None:
    data = make_data(RunConfig())
    y = torch.cat([data.y_train, data.y_test])
    assert data.x_train.shape == data.x_test.shape == (500, 20)
    assert (round(y.min().item()), round(y.max().item())) == (-436, 575)
    assert y.std(unbiased=False).item() == pytest.approx(152.7, abs=0.05)
    x, *_ = make_regression(n_samples=1000, n_features=20, noise=0.1, random_state=1)
    torch.testing.assert_close(data.x_train, torch.tensor(x[:500], dtype=torch.float32))


@pytest.mark.parametrize(("samples", "train", "test"), [(1000, 500, 500), (21, 10, 11), (20, 10, 10)])
@pytest.mark.parametrize("features", [1, 7])
def test_the_first_half_is_trained_on(samples: int, train: int, test: int, features: int) -> None:
    data = make_data(RunConfig(n_samples=samples, n_features=features))
    assert data.x_train.shape == (train, features)
    assert data.x_test.shape == (test, features)
    assert (data.y_train.shape, data.y_test.shape) == ((train,), (test,))


def test_scaling_uses_the_training_half_only() -> None:
    data = make_data(RunConfig(standardize_target=True, standardize_inputs=True, n_samples=60))
    for values in (data.x_train, data.y_train):
        torch.testing.assert_close(values.mean(0), torch.zeros_like(values[0]), atol=1e-5, rtol=0)
        torch.testing.assert_close(values.std(0, unbiased=False), torch.ones_like(values[0]))
    # Had the test half been looked at, its mean would be 0, too.
    assert data.y_test.mean().abs() > 1e-2
    assert (data.x_test.mean(0).abs() > 1e-2).any()


def test_scaling_inputs_leaves_targets_alone_and_the_other_way_round() -> None:
    raw = make_data(RunConfig())
    assert torch.equal(make_data(RunConfig(standardize_inputs=True)).y_train, raw.y_train)
    assert torch.equal(make_data(RunConfig(standardize_target=True)).x_test, raw.x_test)


def test_the_baseline_is_the_variance_about_the_training_mean() -> None:
    data = make_data(RunConfig())
    train, test = data.baseline("MSE")
    assert train == pytest.approx(data.y_train.var(unbiased=False).item(), rel=1e-5)
    assert test == pytest.approx((data.y_test - data.y_train.mean()).square().mean().item(), rel=1e-5)
    # What a dead network scores in the published measurements: 20382 to 20429, and 26000 and up.
    assert 20_000 < train < 20_600
    assert 25_500 < test < 27_000


def test_more_informative_features_than_features_are_as_many_as_there_are() -> None:
    assert data_key(RunConfig(n_features=3, n_informative=10)) == data_key(RunConfig(n_features=3, n_informative=3))


@pytest.mark.parametrize("batch_size", [32, 499, 500, 1000])
@pytest.mark.parametrize("other", [{}, {"batch_seed": 1}, {"standardize_inputs": True}], ids=str)
def test_an_epoch_shows_every_row_once_and_reshuffles(batch_size: int, other: dict[str, int]) -> None:
    configs = [RunConfig(batch_size=batch_size), RunConfig(batch_size=batch_size, **other)]  # type: ignore[arg-type]
    batches = Batches(configs)
    epochs = [list(batches.epoch()) for _ in range(2)]
    for epoch in epochs:
        assert len(epoch) == configs[0].steps_per_epoch
        for lane, config in enumerate(configs):
            seen = torch.cat([y[lane] for _, y in epoch])
            assert torch.equal(seen.sort().values, make_data(config).y_train.sort().values)
    assert not torch.equal(epochs[0][0][1], epochs[1][0][1])


def test_an_input_keeps_its_target() -> None:
    config = RunConfig(n_samples=40, batch_size=7)
    data = make_data(config)
    target_of = {tuple(x.tolist()): y for x, y in zip(data.x_train, data.y_train.tolist(), strict=True)}
    for configs in ([config], [config, RunConfig(n_samples=40, batch_size=7, batch_seed=1)]):
        for x, y in Batches(configs).epoch():
            rows = zip(x.flatten(0, 1), y.flatten().tolist(), strict=True)
            assert all(target_of[tuple(row.tolist())] == target for row, target in rows)
