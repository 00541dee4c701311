"""The tape: parameters and gradients of a stretch of steps, kept so that they can be measured in bulk."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gclip.training import measure
from gclip.training.config import Config
from gclip.training.groups import Group
from gclip.training.history import mark_steps
from gclip.training.layout import Layout
from gclip.training.record import KINDS, Chunk, Event
from gclip.training.tasks import Task

TAPE_ELEMENTS = 2**20
"""A tape holds as many steps as keep it in the processor's cache, and at most what its task likes."""

Views = dict[str, Tensor]
Places = tuple[Tensor, list[str]]
"""Whether something is not finite, ``[steps, lanes, tensors]``, and the tensors' names."""


@dataclass
class Slot:
    """Views of one step's place on the tape: of all lanes, and of each group's lanes."""

    params: Views
    raw: Views
    groups: list[tuple[Group, Views, Views, Views, Tensor]]

    @classmethod
    def at(cls, tape: Tape, k: int) -> Slot:
        """Make the views of step ``k``; made once, as views in the loop cost more than the arithmetic."""
        params, raw, clipped = (tape.layout.views(kept[k]) for kept in (tape.params, tape.raw, tape.clipped))
        parts = [(g, g.part(raw), g.part(params), g.part(clipped), tape.threshold[k, g.lanes]) for g in tape.groups]
        return cls(params, raw, parts)


class Tape:
    """Parameters ``[steps + 1, size]``, gradients before and after clipping, and losses ``[steps, lanes]``.

    What is measured of a full tape is up to the record that is kept of the runs: see `read`.
    """

    missing: set[tuple[str, int]]
    """What has not failed yet, of the kinds that are looked for: (kind, lane)."""

    epochs: Container[int]
    """Epochs, counted from 1, after which the task evaluates."""

    def __init__(self, configs: Sequence[Config], groups: Sequence[Group], layout: Layout, task: Task) -> None:
        self.configs, self.groups, self.layout, self.task = configs, groups, layout, task
        self.length = max(1, min(task.STRETCH, TAPE_ELEMENTS // layout.size))
        self.params = torch.zeros(self.length + 1, layout.size)
        self.raw, self.clipped = torch.zeros(2, self.length, layout.size)
        self.loss, self.threshold = torch.zeros(2, self.length, layout.lanes)
        self.batches: list[Any] = [None] * self.length
        self.lately = torch.zeros(0, layout.lanes)
        self.slots = [Slot.at(self, k) for k in range(self.length)]
        self.start = 0
        self.prepare()

    def prepare(self) -> None:
        """Make ready what `read` needs."""
        raise NotImplementedError

    def read(self, used: int, runs: list[int]) -> Chunk:
        """Measure the first ``used`` steps of the tape, and wind it back for the next ones."""
        raise NotImplementedError

    def wind_back(self, steps: range) -> None:
        """Make the tape ready for the steps that come after ``steps``."""
        self.params[0].copy_(self.params[len(steps)])
        self.start = steps.stop

    def measure(self, which: slice) -> Tensor:
        """Ask each rule what it compared with its threshold: to a rule, the steps of a tape are lanes too."""
        columns = []
        for group in self.groups:
            raw, params = (self._as_lanes(kept[which], group) for kept in (self.raw, self.params))
            columns.append(group.rule.measure(raw, params).view(-1, group.lanes.stop - group.lanes.start))
        return torch.cat(columns, dim=1)

    def _as_lanes(self, kept: Tensor, group: Group) -> Views:
        """Return one group's tensors at all steps, ``[steps * lanes, *shape]``."""
        rows, shapes = self.layout.rows(kept), self.layout.shapes
        return {name: rows[name][:, group.lanes].reshape(-1, *shape) for name, shape in shapes.items()}

    def evaluates_after(self, step: int) -> bool:
        """Say whether the task evaluates after this step: at the end of one of the `epochs`."""
        epoch, rest = divmod(step + 1, self.configs[0].steps_per_epoch)
        return rest == 0 and epoch in self.epochs

    def evaluate(self, steps: range) -> Iterator[dict[str, Tensor]]:
        """Yield what the task finds at each evaluation that falls on this tape."""
        per_epoch = self.configs[0].steps_per_epoch
        losses = torch.cat([self.lately, self.loss[: len(steps)]])
        before = len(self.lately)
        for k, step in enumerate(steps, 1):
            if self.evaluates_after(step):
                since = losses[max(0, before + k - per_epoch) : before + k]
                yield self.task.evaluate(self.layout.views(self.params[k]), since)
        self.lately = losses[-per_epoch:].clone()

    @staticmethod
    def stacked(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Stack what was measured at several steps, ``[times, lanes, ...]``; nothing was measured if there are none."""
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]} if rows else {}

    def broken(self, used: int) -> Tensor:
        """Say which lanes may have a weight that is not finite after the last step, ``[lanes]``."""
        return measure.may_be_broken(self.params[used : used + 1], self.layout)[0]

    def bad_weights(self, used: int) -> Places:
        """Say where weights are not finite; they are listed from the input on."""
        return measure.non_finite(self.params[1 : used + 1], self.layout), list(self.layout.shapes)

    def events(self, steps: range, broken: Tensor, look: Callable[[], dict[str, Places]]) -> dict[int, list[Event]]:
        """Return, for each ``broken`` lane, what went non-finite on this tape for the first time; ``look`` where."""
        lanes = broken.nonzero().flatten().tolist()
        looked_for = [(kind, lane) for lane in lanes for kind in sorted(KINDS) if (kind, lane) in self.missing]
        if not looked_for:
            return {}
        places, events = look(), {}
        for kind, lane in looked_for:
            bad, tensors = places[kind]
            hits = bad[:, lane].nonzero()
            if len(hits):
                step, tensor = hits[0].tolist()
                events.setdefault(lane, []).append(Event(kind, steps.start + step, tensors[tensor]))
                self.missing.remove((kind, lane))
        return events


class HistoryTape(Tape):
    """Measures all that a `History` keeps."""

    def prepare(self) -> None:
        """Look for everything, at every epoch."""
        self.missing = {(kind, lane) for kind in KINDS for lane in range(self.layout.lanes)}
        self.epochs = range(1, self.configs[0].epochs + 1)
        self.marks = np.array(mark_steps(self.configs[0]))

    def read(self, used: int, runs: list[int]) -> Chunk:
        """Measure the first ``used`` steps of the tape, and wind it back for the next ones."""
        steps = range(self.start, self.start + used)
        raw = self.raw[:used]
        arrays = measure.compare(raw, self.clipped[:used], self.layout)
        arrays |= {"loss": self.loss[:used].clone(), "threshold": self.threshold[:used].clone()}
        arrays["measured"] = self.measure(slice(used))
        events = self._events(steps, arrays)
        marks = self.marks[(self.marks >= steps.start) & (self.marks < steps.stop)]
        arrays["histogram"] = measure.histograms(raw[torch.from_numpy(marks - steps.start)], self.layout)
        arrays |= self.stacked([self._mark(k) for k in (marks - steps.start).tolist()])
        arrays |= self.stacked(list(self.evaluate(steps)))
        self.wind_back(steps)
        numbers = {name: array.numpy() for name, array in arrays.items()}
        return Chunk(runs, steps, numbers | {"mark_step": marks.astype(np.int32)}, events)

    def _mark(self, k: int) -> dict[str, Tensor]:
        return self.task.mark(self.slots[k].params, self.batches[k])

    def _events(self, steps: range, arrays: dict[str, Tensor]) -> dict[int, list[Event]]:
        """Return, for each lane, what went non-finite on this tape for the first time."""
        used = len(steps)
        bad = {name: ~arrays[name].isfinite() for name in ("loss", "total_norm")}
        broken = self.broken(used) | bad["loss"].any(0) | bad["total_norm"].any(0)
        return self.events(
            steps,
            broken,
            lambda: {
                "loss": (bad["loss"][..., None], [""]),
                "norm": (bad["total_norm"][..., None], [""]),
                # Within a step gradients are found from the output back.
                "gradient": (measure.non_finite(self.raw[:used], self.layout).flip(-1), [*self.layout.shapes][::-1]),
                "weight": self.bad_weights(used),
            },
        )
