"""The tape: parameters and gradients of a stretch of steps, kept so that they can be measured in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gclip.training import measure
from gclip.training.config import Config
from gclip.training.groups import Group
from gclip.training.history import KINDS, Chunk, Event, mark_steps
from gclip.training.layout import Layout
from gclip.training.tasks import Task

TAPE_ELEMENTS = 2**19
"""A tape holds as many steps as keep it in the processor's cache, and at most what its task likes."""

Views = dict[str, Tensor]


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
    """Parameters ``[steps + 1, size]``, gradients before and after clipping, and losses ``[steps, lanes]``."""

    def __init__(self, configs: Sequence[Config], groups: Sequence[Group], layout: Layout, task: Task) -> None:
        self.configs, self.groups, self.layout, self.task = configs, groups, layout, task
        self.length = max(1, min(task.STRETCH, TAPE_ELEMENTS // layout.size))
        self.params = torch.zeros(self.length + 1, layout.size)
        self.raw, self.clipped = torch.zeros(2, self.length, layout.size)
        self.loss, self.threshold = torch.zeros(2, self.length, layout.lanes)
        self.batches: list[Any] = [None] * self.length
        self.lately = torch.zeros(0, layout.lanes)
        self.slots = [Slot.at(self, k) for k in range(self.length)]
        self.marks = np.array(mark_steps(configs[0]))
        self.start = 0
        self.missing = {(kind, lane) for kind in KINDS for lane in range(layout.lanes)}

    def read(self, used: int, runs: list[int]) -> Chunk:
        """Measure the first ``used`` steps of the tape, and wind it back for the next ones."""
        steps = range(self.start, self.start + used)
        raw = self.raw[:used]
        arrays = measure.compare(raw, self.clipped[:used], self.layout)
        arrays |= {"loss": self.loss[:used].clone(), "threshold": self.threshold[:used].clone()}
        arrays["measured"] = self._measured(used)
        events = self._events(steps, arrays)
        marks = self.marks[(self.marks >= steps.start) & (self.marks < steps.stop)]
        arrays["histogram"] = measure.histograms(raw[torch.from_numpy(marks - steps.start)], self.layout)
        arrays |= self._stacked([self._mark(k) for k in (marks - steps.start).tolist()])
        arrays |= self._stacked(list(self._evaluate(steps)))
        self.params[0].copy_(self.params[used])
        self.start = steps.stop
        numbers = {name: array.numpy() for name, array in arrays.items()}
        return Chunk(runs, steps, numbers | {"mark_step": marks.astype(np.int32)}, events)

    def _measured(self, used: int) -> Tensor:
        """Ask each rule what it compared with its threshold: to a rule, the steps of a tape are lanes too."""
        columns = []
        for group in self.groups:
            raw, params = (self._as_lanes(kept[:used], group) for kept in (self.raw, self.params))
            columns.append(group.rule.measure(raw, params).view(used, -1))
        return torch.cat(columns, dim=1)

    def _as_lanes(self, kept: Tensor, group: Group) -> Views:
        """Return one group's tensors at all steps, ``[steps * lanes, *shape]``."""
        rows, shapes = self.layout.rows(kept), self.layout.shapes
        return {name: rows[name][:, group.lanes].reshape(-1, *shape) for name, shape in shapes.items()}

    def _mark(self, k: int) -> dict[str, Tensor]:
        return self.task.mark(self.slots[k].params, self.batches[k])

    def _evaluate(self, steps: range) -> Iterator[dict[str, Tensor]]:
        """Yield what the task measures at the end of each epoch that ends on this tape."""
        per_epoch = self.configs[0].steps_per_epoch
        losses = torch.cat([self.lately, self.loss[: len(steps)]])
        before = len(self.lately)
        for k, step in enumerate(steps, 1):
            if (step + 1) % per_epoch == 0:
                since = losses[max(0, before + k - per_epoch) : before + k]
                yield self.task.evaluate(self.layout.views(self.params[k]), since)
        self.lately = losses[-per_epoch:].clone()

    @staticmethod
    def _stacked(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Stack what was measured at several steps, ``[times, lanes, ...]``; nothing was measured if there are none."""
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]} if rows else {}

    def _events(self, steps: range, arrays: dict[str, Tensor]) -> dict[int, list[Event]]:
        """Return, for each lane, what went non-finite on this tape for the first time."""
        used = len(steps)
        broken = measure.non_finite(self.params[used : used + 1], self.layout).any(-1)[0]
        for name in ("loss", "total_norm"):
            broken |= ~arrays[name].isfinite().all(0)
        lanes = set(broken.nonzero().flatten().tolist())
        looked_for = sorted((kind, lane) for kind, lane in self.missing if lane in lanes)
        if not looked_for:
            return {}
        names = list(self.layout.shapes)
        bad = {
            "loss": ~arrays["loss"].isfinite()[..., None],
            "norm": ~arrays["total_norm"].isfinite()[..., None],
            # Within a step gradients are found from the output back, weights are listed from the input on.
            "gradient": measure.non_finite(self.raw[:used], self.layout).flip(-1),
            "weight": measure.non_finite(self.params[1 : used + 1], self.layout),
        }
        tensors = {"loss": [""], "norm": [""], "gradient": names[::-1], "weight": names}
        events: dict[int, list[Event]] = {}
        for kind, lane in looked_for:
            hits = bad[kind][:, lane].nonzero()
            if len(hits):
                step, tensor = hits[0].tolist()
                events.setdefault(lane, []).append(Event(kind, steps.start + step, tensors[kind][tensor]))
                self.missing.remove((kind, lane))
        return events
