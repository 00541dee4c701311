"""What the browser is sent while a sweep trains: a small answer, made once for all who look at the same sweep."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qs, urlencode
from zlib import crc32

from gclip.dashboard.feed import FINAL
from gclip.dashboard.settings import write
from gclip.dashboard.sweep.figures import charts_of, drawing
from gclip.dashboard.sweep.networks import HOMES
from gclip.dashboard.sweep.numbers import NUMBERS
from gclip.dashboard.sweep.settings import cell, read
from gclip.dashboard.sweep.words import NOTES
from gclip.serving import Snapshot, service
from gclip.sweeping import Results, Sweep
from gclip.sweeping.suggest import Suggestion, suggest
from gclip.training import Config, Summary
from gclip.training.summary import evaluated_epochs

FRESH = 0.2
"""Seconds for which an answer serves everybody who asks."""


class Watched:
    """One sweep as its viewers see it: its runs' keys, and the last answer."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.configs: list[Config] = sweep.configs()
        self.keys = [Summary.key_of(config) for config in self.configs]
        self._lock = threading.Lock()
        self._made, self._version, self._body = -FRESH, "", b""

    @cached_property
    def charts(self) -> dict[str, dict[str, Any]]:
        """The charts' layout and style, as JSON values."""
        return {name: drawing(name, self.sweep) for name in charts_of(self.sweep)}

    @cached_property
    def cells(self) -> list[list[str]]:
        """Links to the runs of each cell on the page that shows them side by side, ``[others][thresholds]``."""
        others, thresholds, _ = self.sweep.shape
        home = HOMES[self.sweep.network]
        links = [[write(cell(self.sweep, t, o), home) for t in range(thresholds)] for o in range(others)]
        return [[f"{home.page}?{urlencode(link, doseq=True)}" for link in row] for row in links]

    def answer(self, since: str) -> bytes | None:
        """Return what is new since a version, as JSON; empty if nothing is, None if the server knows no such runs."""
        with self._lock:
            if time.monotonic() - self._made >= FRESH and not self._look():
                return None
            return b"" if since == self._version else self._body

    def renew(self) -> None:
        """Look again before the next answer: runs were just asked for, and a page must not be told that they rest."""
        with self._lock:
            self._made = -FRESH

    def results(self) -> Results:
        """Return what the sweep has found so far."""
        found = [service().snapshot(key) for key in self.keys]
        return Results(self.sweep, [s.record if s and isinstance(s.record, Summary) else None for s in found])

    def _look(self) -> bool:
        snapshots: list[Snapshot] = []
        for key in self.keys:
            snapshot = service().snapshot(key)
            if snapshot is None:
                return False
            snapshots.append(snapshot)
        version = version_of(snapshots)
        if version != self._version:
            self._body = json.dumps(describe(self.sweep, snapshots) | {"version": version}, allow_nan=False).encode()
        self._made, self._version = time.monotonic(), version
        return True


@lru_cache(maxsize=48)
def watched(link: str) -> Watched:
    """Return what is known of the sweep of a link: the same for all who look at it."""
    return Watched(read(parse_qs(link, keep_blank_values=True))[0])


def version_of(snapshots: Sequence[Snapshot]) -> str:
    """Return a text that changes whenever there is something new to show."""
    states = [snapshot.state for snapshot in snapshots]
    steps = sum(snapshot.record.steps_done for snapshot in snapshots)
    said = crc32(says(state_of(snapshots), snapshots).encode())
    return ".".join(map(str, [steps, *[states.count(state) for state in ("waiting", "training", *FINAL)], said]))


def state_of(snapshots: Sequence[Snapshot]) -> str:
    """Return the state of the whole sweep."""
    states = {snapshot.state for snapshot in snapshots}
    return next((one for one in ("failed", "stopped", "training", "waiting") if one in states), "done")


def describe(sweep: Sweep, snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    """Return what the page shows of these runs: numbers, sentences, progress, and a suggestion at the end."""
    summaries = [s.record for s in snapshots if isinstance(s.record, Summary)]
    results = Results(sweep, summaries)
    state = state_of(snapshots)
    suggestion = suggest(results) if state == "done" and sweep.kind == "curve" else None
    threshold = suggestion.threshold if suggestion else None
    return {
        "state": state,
        "final": all(snapshot.state in FINAL for snapshot in snapshots),
        "done": results.done,
        "say": says(state, snapshots),
        "when": when(sweep, summaries),
        "charts": {
            name: NUMBERS[name](results, threshold) | {"notes": NOTES[name](results)} for name in charts_of(sweep)
        },
        "suggestion": panel(suggestion),
    }


def when(sweep: Sweep, summaries: Sequence[Summary]) -> str:
    """Say after how many epochs or steps the least trained run was looked at, while there are more to come."""
    evaluated = min(len(summary.test_loss) for summary in summaries)
    epochs = [0, *evaluated_epochs(sweep.shared)][evaluated]
    if epochs in (0, sweep.shared.epochs):
        return ""
    return f"after {sweep.length(epochs)} of {sweep.length(sweep.shared.epochs)} {sweep.unit}s"


def says(state: str, snapshots: Sequence[Snapshot]) -> str:
    """Say what holds the runs up, if anything does."""
    if state == "stopped":
        return "Stopped: the charts show what was trained until then."
    message = next((snapshot.message for snapshot in snapshots if snapshot.message), "")
    if state == "waiting" and not message:
        place = min(snapshot.place or 1 for snapshot in snapshots)
        return f"Waiting: {place - 1} runs of others come first." if place > 1 else ""
    return message


def panel(suggestion: Suggestion | None) -> dict[str, Any] | None:
    """Return a suggestion with its reasons and limits, as JSON values."""
    if suggestion is None:
        return None
    reasons, limits = list(suggestion.reasons), list(suggestion.limits)
    return {"threshold": float(f"{suggestion.threshold:.3g}"), "reasons": reasons, "limits": limits}
