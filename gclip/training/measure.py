"""What is measured of a stretch of steps, in bulk, from the gradients before and after clipping.

Every quantity is taken the same way for every rule, by comparing the two; a rule never measures itself.
The steps of a stretch are measured at once: beside training itself this costs almost nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gclip.training.layout import Layout

DECADES = (-10, 10)
BINS_PER_DECADE = 2
BINS = (DECADES[1] - DECADES[0]) * BINS_PER_DECADE + 3
"""Bins of the histogram of log10 |g|: one for zeros and tiny values, 40 half decades, one for huge, one for NaN."""


def compare(raw: Tensor, clipped: Tensor, layout: Layout) -> dict[str, Tensor]:
    """Return what clipping did to each lane's gradient at each step, ``[steps, lanes]`` each.

    ``total_norm`` and ``clipped_norm`` are L2 norms over all tensors before and after; ``clip_coef`` is
    their ratio; ``clipped`` says whether any element changed, ``clipped_share`` how many did; ``cosine`` is
    between the two gradients; ``layer_norm`` ``[steps, lanes, tensors]`` is the raw L2 norm of each tensor.
    """
    scratch = torch.empty_like(raw)
    per_tensor = _sums(torch.mul(raw, raw, out=scratch), layout)
    after = _sums(torch.mul(clipped, clipped, out=scratch), layout).sum(-1)
    dot = _sums(torch.mul(raw, clipped, out=scratch), layout).sum(-1)
    torch.ne(raw, clipped, out=scratch)
    if not (per_tensor.isfinite().all() and after.isfinite().all()):
        # A NaN that stays a NaN has not changed, although NaN is not equal to NaN.
        scratch.masked_fill_(raw.isnan() & clipped.isnan(), 0.0)
    count = _sums(scratch, layout).sum(-1)
    total_norm, clipped_norm, same = per_tensor.sum(-1).sqrt(), after.sqrt(), count == 0
    return {
        "total_norm": total_norm,
        "clipped_norm": clipped_norm,
        "clip_coef": (clipped_norm / total_norm).masked_fill(same, 1.0),
        "clipped": ~same,
        "clipped_share": count / (layout.size // layout.lanes),
        "cosine": (dot / (total_norm * clipped_norm)).masked_fill(same, 1.0).clamp(-1, 1),
        "layer_norm": per_tensor.sqrt(),
    }


def changed(raw: Tensor, clipped: Tensor, layout: Layout) -> Tensor:
    """Say for each step and lane whether clipping changed any element, ``[steps, lanes]``; a NaN always counts.

    ``clipped`` is written over: room for another tape would cost more time than the comparison.
    """
    return _sums(torch.ne(raw, clipped, out=clipped), layout).sum(-1) > 0


def _sums(tape: Tensor, layout: Layout) -> Tensor:
    """Sum the elements of each tensor, ``[steps, lanes, tensors]``."""
    return torch.stack([rows.sum(-1) for rows in layout.rows(tape).values()], dim=-1)


def histograms(raw: Tensor, layout: Layout) -> Tensor:
    """Count the elements of each tensor by log10 |g|, ``[steps, lanes, tensors, BINS]``."""
    low, high = DECADES
    place = ((raw.abs().log10() - low) * BINS_PER_DECADE).floor() + 1
    place = place.clamp(0, (high - low) * BINS_PER_DECADE + 1).nan_to_num(nan=BINS - 1).long()
    counts = []
    for rows in layout.rows(place).values():
        flat = rows.flatten(0, 1)
        counted = torch.zeros(len(flat), BINS, dtype=torch.int32)
        counted.scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.int32))
        counts.append(counted.unflatten(0, rows.shape[:2]))
    return torch.stack(counts, dim=2)


def may_be_broken(tape: Tensor, layout: Layout) -> Tensor:
    """Say for each step and lane whether a sum over it is not finite: true where `non_finite` is, and found sooner."""
    return ~_sums(tape, layout).isfinite().all(-1)


def non_finite(tape: Tensor, layout: Layout) -> Tensor:
    """Say for each step and lane which tensors hold a NaN or an Inf, ``[steps, lanes, tensors]``."""
    return torch.stack([(~rows.isfinite()).any(-1) for rows in layout.rows(tape).values()], dim=-1)
