"""What the browser is sent while runs train: only what is new, as binary float32, with the words for the cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gclip.dashboard.conclusions import Shown, conclusions
from gclip.dashboard.words import Verdict, verdict
from gclip.serving import Snapshot
from gclip.serving.wire import pack

FINAL = ("done", "failed", "stopped")
BANDS = ("loss", "total_norm", "clipped_norm", "threshold", "cosine", "train_loss", "test_loss")
"""Series drawn as a band from the lowest to the highest seed, with the median."""

STEPS = ("loss", "total_norm", "clipped_norm", "threshold", "measured", "clipped", "cosine", "layer_norm")
EPOCHS = ("train_loss", "test_loss", "sample")
MARKS = ("mark_step", "histogram", "flow")
"""What is sent of each step, epoch and mark, where the run records it."""


def feed(
    groups: Sequence[Sequence[Snapshot]], labels: Sequence[str], since: Sequence[Sequence[int]], chosen: int = 0
) -> bytes:
    """Pack what is new of each run (a group of seeds) since the given counts of steps, epochs and marks."""
    runs, arrays = [], {}
    for i, (group, counts) in enumerate(zip(groups, since, strict=True)):
        header, new = _run(group, counts)
        runs.append(header)
        arrays |= {f"{i}.{name}": array for name, array in new.items()}
    named = [f"{label} (first seed)" if len(g) > 1 else label for label, g in zip(labels, groups, strict=True)]
    shown = [Shown(label, group[0].history) for label, group in zip(named, groups, strict=True)]
    notes = conclusions(shown, chosen)
    return pack({"runs": runs, "notes": notes}, arrays)


def _run(group: Sequence[Snapshot], since: Sequence[int]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    histories = [snapshot.history for snapshot in group]
    arrays = {}
    for sent, start in zip((STEPS, EPOCHS, MARKS), since, strict=True):
        names = [name for name in sent if name in histories[0].names]
        stop = min(len(getattr(history, name)) for history in histories for name in names)
        for name in names:
            rows = [getattr(history, name)[start:stop] for history in histories]
            arrays |= _bands(name, rows) if len(rows) > 1 else {name: rows[0]}
    card = _card(group)
    header = card.as_dict() | {
        "state": _state(group),
        "final": all(snapshot.state in FINAL for snapshot in group),
        "done": min(len(history.loss) for history in histories),
        "diverged": sorted(h.lost_at for h in histories if h.lost_at is not None),
    }
    return header, {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}


def _bands(name: str, rows: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the median and the range over seeds; a seed that is not finite counts as the highest."""
    if name == "clipped":
        return {name: np.mean(rows, axis=0)}
    if name not in BANDS:
        return {name: rows[0]}
    ordered = np.sort(np.where(np.isfinite(rows), rows, np.inf), axis=0)
    middle = ordered[(len(rows) - 1) // 2] / 2 + ordered[len(rows) // 2] / 2
    return {name: middle, f"{name}.low": ordered[0], f"{name}.high": ordered[-1]}


def _state(group: Sequence[Snapshot]) -> str:
    states = [snapshot.state for snapshot in group]
    return next((state for state in ("failed", "stopped", "training", "waiting") if state in states), "done")


def _card(group: Sequence[Snapshot]) -> Verdict:
    """Return what the run's card says now."""
    state, message = _state(group), next((s.message for s in group if s.message), "")
    histories = [snapshot.history for snapshot in group]
    if state == "waiting":
        place = min(snapshot.place or 1 for snapshot in group)
        return Verdict("training", "Waiting", message or f"Place {place} in the queue.")
    if state in ("failed", "stopped"):
        return Verdict("stuck", state.capitalize(), message or "Press Train again to start it once more.")
    diverged = sum(history.lost for history in histories)
    if state == "done" or diverged == len(histories):
        finished = verdict(histories)
        return Verdict(finished.tone, finished.title, f"{finished.text} {message}".strip())
    so_far = f"{diverged} of {len(histories)} seeds have diverged so far. " if diverged else ""
    return Verdict("training", "Training", so_far + message)
