"""Norms of a gradient, one number per lane."""

from __future__ import annotations

import torch
from torch import Tensor

from gclip.clipping.rule import Tensors


def tensor_norms(grads: Tensors, norm_type: float = 2.0) -> Tensor:
    """Return the p-norm of every tensor by itself, ``[lanes, tensors]``.

    ``||g_t||_p = (sum_i |g_ti|^p)^(1/p)`` over the elements ``i`` of tensor ``t``; for p = inf the largest ``|g_ti|``.
    """
    norms = [torch.linalg.vector_norm(g.flatten(1), norm_type, dim=1) for g in map(at_least_2d, grads.values())]
    return torch.stack(norms, dim=1)


def total_norm(grads: Tensors, norm_type: float = 2.0) -> Tensor:
    """Return the p-norm over all elements of all tensors, ``[lanes]``.

    ``||g||_p = (sum_i |g_i|^p)^(1/p)``, computed as torch does: the p-norm of the per-tensor p-norms.
    """
    return torch.linalg.vector_norm(tensor_norms(grads, norm_type), norm_type, dim=1)


def at_least_2d(g: Tensor) -> Tensor:
    """Give a scalar parameter (``[lanes]``) an axis to take the norm over."""
    return g.unsqueeze(1) if g.dim() == 1 else g
