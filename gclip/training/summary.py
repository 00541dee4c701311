"""The short record of a run: a few hundred bytes that say how it went, for sweeps of hundreds of runs."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from gclip.training import measure
from gclip.training.config import Config
from gclip.training.history import History
from gclip.training.record import Chunk, Record, Series
from gclip.training.tape import Tape

EARLY = (1, 2, 5)
"""Epochs after which a run is evaluated, beside every tenth of its length: what happens early happens fast."""

PERCENTILES = (1, 10, 50, 90, 99)
MEASURED_EVERY = 4
"""Percentiles are taken from every fourth step, which is enough for them."""


def evaluated_epochs(config: Config) -> list[int]:
    """Return the epochs after which a summary has the losses, counted from 1; the last is the run's last."""
    tenths = {-(-config.epochs * i // 10) for i in range(1, 11)}
    return sorted(tenths | {epoch for epoch in EARLY if epoch < config.epochs})


class Summary(Record):
    """The short record of one run: equal to what its `History` says, bit for bit.

    ``train_loss``, ``test_loss`` and ``clip_rate`` (share of the steps so far whose gradient was changed, as long as
    the weights were finite) stand at the `evaluated_epochs`; ``percentiles`` ``[1, 5]``, at the end, are those of
    the number that the rule compared with its threshold, at every fourth step. Its only event is the step at which a
    run diverged.
    """

    PREFIX: ClassVar[str] = "summary1-"
    """Its number is raised when a summary keeps other things: older ones are then trained anew."""

    @staticmethod
    def series(config: Config) -> Series:
        """Return for each array its full length, the shape of one row, and its type."""
        n = len(evaluated_epochs(config))
        return {
            "train_loss": (n, (), np.float32),
            "test_loss": (n, (), np.float32),
            "clip_rate": (n, (), np.float32),
            "percentiles": (1, (len(PERCENTILES),), np.float32),
        }

    @classmethod
    def of(cls, history: History) -> Self:
        """Return the summary of a finished history."""
        epochs = np.array(evaluated_epochs(history.config))
        end = history.config.steps if history.diverged_at is None else history.diverged_at
        ends = np.minimum(epochs * history.config.steps_per_epoch, end)
        summary = cls(history.config)
        counts = np.concatenate([[0], np.cumsum(history.clipped, dtype=np.float32)])[ends]
        with np.errstate(invalid="ignore"):
            rates = counts / ends.astype(np.float32)
        arrays = {name: getattr(history, name)[epochs - 1] for name in ("train_loss", "test_loss")}
        arrays |= {"clip_rate": rates, "percentiles": percentiles(history.measured[: ends[-1] : MEASURED_EVERY])[None]}
        summary.append(arrays, [event for event in history.events if event.kind == "weight"])
        return summary

    @property
    def steps_done(self) -> int:
        """Steps up to the last evaluation."""
        done = self.filled["test_loss"]
        return evaluated_epochs(self.config)[done - 1] * self.config.steps_per_epoch if done else 0


def percentiles(measured: np.ndarray) -> np.ndarray:
    """Return the `PERCENTILES` of what is finite among ``measured`` ``[steps]``; NaN if nothing is."""
    finite = np.sort(measured[np.isfinite(measured)])
    if not len(finite):
        return np.full(len(PERCENTILES), np.nan, np.float32)
    # As numpy's own function finds them, which takes ten times as long for so few numbers.
    places = np.array(PERCENTILES) / 100 * (len(finite) - 1)
    return np.interp(places, np.arange(len(finite)), finite).astype(np.float32)


class SummaryTape(Tape):
    """Measures only what a summary keeps, at about a tenth of what training itself costs."""

    def prepare(self) -> None:
        """Count from zero."""
        self.missing = {("weight", lane) for lane in range(self.layout.lanes)}
        self.epochs = set(evaluated_epochs(self.configs[0]))
        self.diverged_at = torch.full((self.layout.lanes,), self.configs[0].steps)
        self.clipped_steps = torch.zeros(self.layout.lanes)
        self.measured: list[Tensor] = []

    def read(self, used: int, runs: list[int]) -> Chunk:
        """Measure the first ``used`` steps of the tape, and wind it back for the next ones."""
        steps = range(self.start, self.start + used)
        events = self.events(steps, self.broken(used), lambda: {"weight": self.bad_weights(used)})
        for lane, found in events.items():
            self.diverged_at[lane] = found[0].step
        self.measured.append(self.measure(slice(-steps.start % MEASURED_EVERY, used, MEASURED_EVERY)))
        rates = self._clip_rates(steps, measure.changed(self.raw[:used], self.clipped[:used], self.layout))
        arrays = self.stacked(list(self.evaluate(steps)))
        if arrays:
            arrays = {name: arrays[name] for name in ("train_loss", "test_loss")} | {"clip_rate": torch.stack(rates)}
        if steps.stop == self.configs[0].steps:
            arrays["percentiles"] = self._percentiles()
        self.wind_back(steps)
        return Chunk(runs, steps, {name: array.numpy() for name, array in arrays.items()}, events)

    def _clip_rates(self, steps: range, changed: Tensor) -> list[Tensor]:
        """Return the clip rate ``[lanes]`` at each evaluation among ``steps``, and count on."""
        if len(self.missing) < self.layout.lanes:
            changed &= torch.arange(steps.start, steps.stop)[:, None] < self.diverged_at
        rates = []
        for k, step in enumerate(steps):
            self.clipped_steps += changed[k]
            if self.evaluates_after(step):
                rates.append(self.clipped_steps / self.diverged_at.clamp(max=step + 1).float())
        return rates

    def _percentiles(self) -> Tensor:
        measured = torch.cat(self.measured).numpy()
        ends = (-(-self.diverged_at // MEASURED_EVERY)).tolist()
        return torch.tensor(np.array([[percentiles(measured[:end, lane]) for lane, end in enumerate(ends)]]))
