"""The tape: parameters and gradients of a stretch of steps, kept so that they can be measured in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gclip.training import measure, mlp
from gclip.training.batches import Batches
from gclip.training.config import RunConfig
from gclip.training.groups import Group
from gclip.training.history import KINDS, Chunk, Event, mark_steps
from gclip.training.layout import Layout
from gclip.training.losses import LOSSES

TAPE_ELEMENTS = 2**19
TAPE_STEPS = 64
"""A tape holds as many steps as keep it in the processor's cache, and at most 64: some 20 ms of training."""


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

    def __init__(self, configs: Sequence[RunConfig], groups: Sequence[Group], layout: Layout) -> None:
        self.configs, self.groups, self.layout = configs, groups, layout
        self.length = max(1, min(TAPE_STEPS, TAPE_ELEMENTS // layout.size))
        self.params = torch.zeros(self.length + 1, layout.size)
        self.raw, self.clipped = torch.zeros(2, self.length, layout.size)
        self.loss, self.threshold = torch.zeros(2, self.length, layout.lanes)
        self.slots = [Slot.at(self, k) for k in range(self.length)]
        self.marks = np.array(mark_steps(configs[0]))
        self.start = 0
        self.missing = {(kind, lane) for kind in KINDS for lane in range(layout.lanes)}

    def read(self, used: int, runs: list[int], batches: Batches) -> Chunk:
        """Measure the first ``used`` steps of the tape, and wind it back for the next ones."""
        steps = range(self.start, self.start + used)
        raw = self.raw[:used]
        arrays = measure.compare(raw, self.clipped[:used], self.layout)
        arrays |= {"loss": self.loss[:used].clone(), "threshold": self.threshold[:used].clone()}
        arrays["measured"] = self._measured(raw)
        events = self._events(steps, arrays)
        marks = self.marks[(self.marks >= steps.start) & (self.marks < steps.stop)]
        arrays["histogram"] = measure.histograms(raw[torch.from_numpy(marks - steps.start)], self.layout)
        arrays |= self._evaluate(steps, batches)
        self.params[0].copy_(self.params[used])
        self.start = steps.stop
        numbers = {name: array.numpy() for name, array in arrays.items()}
        return Chunk(runs, steps, numbers | {"mark_step": marks.astype(np.int32)}, events)

    def _measured(self, raw: Tensor) -> Tensor:
        """Ask each rule what it compared with its threshold: to a rule, the steps of a tape are lanes too."""
        columns = []
        for group in self.groups:
            parts = {name: rows[:, group.lanes].flatten(0, 1) for name, rows in self.layout.rows(raw).items()}
            columns.append(group.rule.measure(parts).view(len(raw), -1))
        return torch.cat(columns, dim=1)

    def _evaluate(self, steps: range, batches: Batches) -> dict[str, Tensor]:
        """Return each finished epoch's train and test loss, and its share of hidden units that never fire."""
        per_epoch = self.configs[0].steps_per_epoch
        ends = [k + 1 for k, step in enumerate(steps) if (step + 1) % per_epoch == 0]
        names = ("train_loss", "test_loss", "dead_units")
        if not ends:
            return dict.fromkeys(names, torch.zeros(0, self.layout.lanes))
        results = zip(*[self._evaluate_at(k, batches) for k in ends], strict=True)
        return {name: torch.stack(rows) for name, rows in zip(names, results, strict=True)}

    def _evaluate_at(self, k: int, batches: Batches) -> tuple[Tensor, Tensor, Tensor]:
        params = self.layout.views(self.params[k])
        loss = LOSSES[self.configs[0].loss].value
        (x, y), (x_test, y_test) = batches.halves()
        prediction, (_, *hidden) = mlp.forward(params, x)
        dead = torch.cat([layer.amax(1) <= 0 for layer in hidden], dim=1).float().mean(1)
        return loss(prediction - y), loss(mlp.forward(params, x_test)[0] - y_test), dead

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
