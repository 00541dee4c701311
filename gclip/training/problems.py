"""The data of a run: scikit-learn's regression problem, split in halves, scaled if asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from sklearn.datasets import make_regression
from torch import Tensor

from gclip.training.config import RunConfig
from gclip.training.losses import LOSSES


@dataclass(frozen=True)
class Data:
    """Inputs ``[rows, features]`` and targets ``[rows]`` for training and for testing."""

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor

    def baseline(self, loss: str) -> tuple[float, float]:
        """Return the train and test loss of always predicting the training mean: what a useful network must beat."""
        guess = self.y_train.mean()
        score = LOSSES[loss].value
        return score(guess - self.y_train).item(), score(guess - self.y_test).item()


def data_key(config: RunConfig) -> tuple[object, ...]:
    """Return what two configs must share to have the same raw data."""
    informative = min(config.n_informative, config.n_features)
    return (config.n_samples, config.n_features, informative, config.noise, config.data_seed)


@lru_cache(maxsize=8)
def raw_data(n_samples: int, n_features: int, n_informative: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return ``make_regression``'s rows ``[n_samples, n_features]`` and targets ``[n_samples]`` as float32."""
    x, y, *_ = make_regression(
        n_samples=n_samples, n_features=n_features, n_informative=n_informative, noise=noise, random_state=seed
    )
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def baseline(config: RunConfig) -> tuple[float, float]:
    """Return the train and test loss of always predicting the training mean; asked for at every look at a run."""
    return _baseline(data_key(config), config.n_train, config.standardize_target, config.loss)


@lru_cache(maxsize=1024)
def _baseline(key: tuple[object, ...], n_train: int, scaled: bool, loss: str) -> tuple[float, float]:
    x, y = raw_data(*key)  # type: ignore[arg-type]
    y = standardize(y, n_train) if scaled else y
    return Data(x[:n_train], y[:n_train], x[n_train:], y[n_train:]).baseline(loss)


def make_data(config: RunConfig) -> Data:
    """Return the run's data; scaling uses the mean and standard deviation of the training half only."""
    x, y = raw_data(*data_key(config))  # type: ignore[arg-type]
    n = config.n_train
    if config.standardize_inputs:
        x = standardize(x, n)
    if config.standardize_target:
        y = standardize(y, n)
    return Data(x[:n], y[:n], x[n:], y[n:])


def standardize(values: Tensor, n_train: int) -> Tensor:
    """Return ``(values - mean) / std`` along the rows, both taken from the first ``n_train`` rows."""
    train = values[:n_train]
    return (values - train.mean(0)) / train.std(0, unbiased=False).clamp(min=1e-12)
