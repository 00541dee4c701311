"""The queue: waiting runs, owners in turn, compatible runs in one batch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gclip.serving.runs import Run
from gclip.training.tasks import MAX_LANES

MAX_WAITING = 12_000
MAX_PER_OWNER = 600
"""Bounds on the queue, in runs: a sweep each for a class of 60, or the largest map for 20 of them."""


class QueueFull(ValueError):  # noqa: N818 - a name that pages read as a sentence.
    """Too many runs wait; the text says so in one sentence."""


class Waiting:
    """Waiting runs by owner; a run that several want stands in each one's line and is trained once."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, Run]] = {}
        self._runs: dict[str, Run] = {}
        self._places: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, run: Run) -> bool:
        return run.key in self._runs

    def add(self, run: Run) -> None:
        """Put a run at the end of the line of everybody who wants it."""
        self._places, self._runs[run.key] = None, run
        for owner in run.wanting:
            self._lines.setdefault(owner, {}).setdefault(run.key, run)

    def leave(self, run: Run, owner: str) -> None:
        """Take a run out of one owner's line; in nobody's line it no longer waits."""
        self._places = None
        line = self._lines.get(owner, {})
        line.pop(run.key, None)
        if not line:
            self._lines.pop(owner, None)
        if not any(run.key in line for line in self._lines.values()):
            self._runs.pop(run.key, None)

    def remove(self, run: Run) -> None:
        """Take a run out altogether."""
        self._runs.pop(run.key, None)
        for owner in list(run.wanting):
            self.leave(run, owner)

    def place(self, run: Run) -> int | None:
        """Return a run's place in the queue, from 1."""
        if self._places is None:
            in_order = (run.key for turn in self.turns() for run in turn)
            self._places = {key: place for place, key in enumerate(in_order, 1)}
        return self._places.get(run.key)

    def turns(self) -> Iterator[list[Run]]:
        """Yield what is trained in fair order: each owner in turn, with compatible runs of that owner together."""
        seen: set[str] = set()
        owners = [_batches(list(line.values())) for line in self._lines.values()]
        while owners:
            for owner in list(owners):
                batch = next(owner, None)
                if batch is None:
                    owners.remove(owner)
                elif fresh := [run for run in batch if run.key not in seen]:
                    seen.update(run.key for run in fresh)
                    yield fresh

    def share(self, idle: int) -> int:
        """Return how many lanes a batch should have, so that every idle worker gets a part of what waits."""
        return -(-len(self) // max(1, idle))

    @property
    def suspect(self) -> bool:
        """Whether what is next must have a worker to itself."""
        line = next(iter(self._lines.values()), {})
        return any(run.suspect for run in islice(line.values(), 1))

    def take(self, most: int = MAX_LANES) -> list[Run]:
        """Remove and return the next batch: the first turn, and every compatible one behind it that fits whole.

        Args:
            most: lanes it should not exceed, unless fewer would cost nearly as much.
        """
        batch: list[Run] = []
        limit = MAX_LANES
        for turn in self.turns():
            fits = min(limit, turn[0].max_lanes)
            if not batch:
                fits = min(fits, max(most, turn[0].least_lanes))
                batch, limit = turn[:fits], fits
            elif turn[0].stack_key == batch[0].stack_key and len(batch) + len(turn) <= fits:
                batch, limit = batch + turn, fits
            if len(batch) >= limit:
                break
        self._next_owner()
        for run in batch:
            self.remove(run)
        return batch

    def _next_owner(self) -> None:
        """Send the owner whose turn it was to the end."""
        if owner := next(iter(self._lines), None):
            self._lines[owner] = self._lines.pop(owner)


def _batches(line: list[Run]) -> Iterator[list[Run]]:
    """Cut one owner's line into stacks of compatible runs."""
    stacks: dict[object, list[Run]] = {}
    for run in line:
        stacks.setdefault(run.stack_key, []).append(run)
    for stack in stacks.values():
        runs = iter(stack)
        while batch := list(islice(runs, stack[0].max_lanes)):
            yield batch
