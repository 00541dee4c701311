"""Put equal rules with different thresholds into one rule, so that many lanes are clipped in one call."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import fields, replace
from typing import Any

import torch

from gclip.clipping.chain import Chain
from gclip.clipping.per_layer import PerLayer
from gclip.clipping.rule import Clipper


def family(rule: Clipper) -> Hashable:
    """Return what two rules must share to be stacked: all but their lane-wise thresholds."""
    if isinstance(rule, Chain):
        return (Chain, *map(family, rule.rules))
    if isinstance(rule, PerLayer):
        return (PerLayer, family(rule.rest), *[(name, family(member)) for name, member in rule.layers])
    shared = [getattr(rule, spec.name) for spec in fields(rule) if not spec.metadata.get("lanewise")]
    return (type(rule), *shared)


def stack(rules: Sequence[Clipper], dtype: torch.dtype = torch.float64) -> Clipper:
    """Return one rule for ``len(rules)`` lanes, each threshold a tensor ``[lanes]`` of ``dtype``.

    Raises:
        ValueError: if the rules are not of one family.
    """
    if len(set(map(family, rules))) != 1:
        raise ValueError(f"stack: the rules are of different families: {list(rules)!r}.")
    first = rules[0]
    if isinstance(first, Chain):
        members = zip(*[rule.rules for rule in rules if isinstance(rule, Chain)], strict=True)
        return Chain(*[stack(member, dtype) for member in members])
    if isinstance(first, PerLayer):
        members = zip(*[rule.members for rule in rules if isinstance(rule, PerLayer)], strict=True)
        rest, *named = [stack(member, dtype) for member in members]
        return PerLayer(rest, **dict(zip(first.names, named, strict=True)))
    names = [spec.name for spec in fields(first) if spec.metadata.get("lanewise")]
    lanewise: dict[str, Any] = {
        name: torch.tensor([getattr(rule, name) for rule in rules], dtype=dtype) for name in names
    }
    return replace(first, **lanewise)  # type: ignore[type-var]
