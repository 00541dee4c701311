"""What the service knows of a run while it is in memory, and the still picture that pages get of it."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from gclip.training import Config, Event, History, Record, Summary
from gclip.training.tasks import most_lanes

WORTH_A_BATCH = 32
"""Fewer lanes in one stack cost nearly as much, so they are not spread over workers."""

State = Literal["waiting", "training", "done", "failed", "stopped"]


@dataclass(frozen=True)
class Snapshot:
    """A still picture of a run: ``record`` shares memory with the growing one, but does not grow.

    Args:
        place: place in the queue, from 1, while it waits.
        message: a plain sentence for learners, or "".
    """

    key: str
    config: Config
    state: State
    place: int | None
    message: str
    record: Record

    @property
    def history(self) -> History:
        """The full record; only for runs of which one is kept."""
        assert isinstance(self.record, History)
        return self.record


@dataclass(eq=False)
class Run:
    """One run in memory; ``watchers`` look at it, ``wanting`` are those of them who want it trained.

    ``deaths`` counts the workers that ended while they trained it.
    """

    key: str
    config: Config
    record: Record
    state: State = "waiting"
    note: str = ""
    watchers: set[str] = field(default_factory=set)
    wanting: set[str] = field(default_factory=set)
    deaths: int = 0
    job: Job | None = None
    received: Counter[str] = field(default_factory=Counter)
    halved_to: int | None = None

    @property
    def stack_key(self) -> Hashable:
        """What runs must share to be trained together; those that failed or saw a worker die keep to themselves."""
        return type(self.record), self._network, self.halved_to, self.suspect

    @cached_property
    def _network(self) -> Hashable:
        return self.config.stack_key

    @property
    def suspect(self) -> bool:
        """Whether it may be what ended a worker: it is then trained on a worker that has nothing else to do."""
        return self.deaths > 0

    @cached_property
    def nbytes(self) -> int:
        """Bytes of its whole record."""
        return type(self.record).size_of(self.config)

    @cached_property
    def most_lanes(self) -> int:
        """How many runs of its kind fit into one stack."""
        return most_lanes(self.config)

    @property
    def least_lanes(self) -> int:
        """How many of its kind are not worth spreading over workers.

        Lanes of a recurrent network are trained one after another, so that any number is; but a comparison stays
        together, since its charts should grow in step.
        """
        return 1 if self.config.RECURRENT and isinstance(self.record, Summary) else WORTH_A_BATCH

    @property
    def max_lanes(self) -> int:
        """How many runs may be trained with it, itself counted: fewer after a batch that failed."""
        return self.halved_to or self.most_lanes

    @property
    def active(self) -> bool:
        """Whether it waits or is trained."""
        return self.state in ("waiting", "training")

    def start(self, job: Job) -> None:
        """Make room for the whole run; rows of an earlier attempt stay."""
        self.state, self.job, self.received = "training", job, Counter()
        if self.record.steps_done == 0:
            self.record = type(self.record)(self.config)

    def append(self, arrays: Mapping[str, np.ndarray], events: list[Event]) -> None:
        """Add the job's next rows; those already held are skipped.

        A run that is started again gives the same numbers, so what is held need not be replaced.
        """
        held, came = {name: len(getattr(self.record, name)) for name in arrays}, self.received
        new = {name: rows[max(0, held[name] - came[name]) :] for name, rows in arrays.items()}
        known = {event.kind for event in self.record.events}
        self.record.append(new, [event for event in events if event.kind not in known])
        came.update({name: len(rows) for name, rows in arrays.items()})

    def snapshot(self, place: int | None) -> Snapshot:
        """Return a still picture of this run."""
        message = self.note
        if self.state == "training" and self.job and not self.job.awake:
            message = message or "The training process is starting; this takes a few seconds."
        return Snapshot(self.key, self.config, self.state, place, message, self.record.picture())


@dataclass(eq=False)
class Job:
    """One stacked batch on a worker, ``awake`` once that worker is ready."""

    number: int
    runs: list[Run]
    awake: bool = False

    @property
    def lanes(self) -> list[Run]:
        """Its runs, without those that were stopped meanwhile."""
        return [run for run in self.runs if run.job is self]

    @property
    def wanted(self) -> bool:
        """Whether anybody still wants one of its lanes."""
        return any(run.wanting for run in self.lanes)


class Table:
    """Runs by key; those that nobody watches and that do not run are forgotten, least recently used first.

    Args:
        limit: bytes that finished runs may take.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self._bytes = limit, 0
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._sizes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs.values())

    def get(self, key: str) -> Run | None:
        """Return a run, and remember that it was used."""
        if key in self._runs:
            self._runs.move_to_end(key)
        return self._runs.get(key)

    def add(self, run: Run) -> None:
        """Keep a run."""
        self._runs[run.key] = run

    def finish(self, run: Run) -> None:
        """Count an ended run's memory, and forget old ones if it is too much."""
        self._bytes -= self._sizes.pop(run.key, 0)
        self._sizes[run.key] = run.record.nbytes
        self._bytes += self._sizes[run.key]
        self.shrink()

    def forget(self, run: Run) -> None:
        """Drop one run."""
        self._runs.pop(run.key, None)
        self._bytes -= self._sizes.pop(run.key, 0)

    def shrink(self) -> None:
        """Forget what may be forgotten, until the rest fits; what is watched stays."""
        if self._bytes <= self.limit:
            return
        for run in [run for run in self if not run.watchers and not run.active]:
            self.forget(run)
            if self._bytes <= self.limit:
                return
