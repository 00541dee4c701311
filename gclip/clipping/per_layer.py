"""A rule of its own for some layers, one rule for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from keyword import iskeyword

from torch import Tensor

from gclip.clipping.chain import Chain, derivative_clip
from gclip.clipping.rule import Clipped, Clipper, State, Tensors, check_rules, quoted


@dataclass(frozen=True, init=False, repr=False)
class PerLayer:
    """Clip each named layer by its own rule, by itself, and all other tensors together by ``rest``.

    ``g_l <- r_l(g_l)`` for every named layer ``l``, ``g_rest <- rest(g_rest)``; a tensor's layer is its name up to the
    first dot. ``PerLayer(ClipByNorm(1.0), output=ClipByNorm(10.0))`` gives the output layer more room. What it
    measures, and the threshold it reports, are those of ``rest``, or, if every layer of the network is named, those of
    the first named layer.

    Args:
        rest: the rule for all layers that are not named.
        layers: a rule for each named layer.

    Raises:
        ValueError: if no layer is named, a name is none that a layer can have here, or a rule is a `PerLayer` or a
            `ClipDerivative`.

    Source: ``optax.partition``; timm, which leaves the head out of adaptive gradient clipping.
    """

    rest: Clipper
    layers: tuple[tuple[str, Clipper], ...]

    def __init__(self, rest: Clipper, /, **layers: Clipper) -> None:
        if not layers:
            raise ValueError("PerLayer: no layer is named; allowed is one or more, as output=ClipByNorm(10.0).")
        check_rules("PerLayer", [rest, *layers.values()])
        for name in layers:
            if not (name.isascii() and name.isidentifier()) or iskeyword(name):
                raise ValueError(f"PerLayer: {quoted(name)} is no name of a layer; allowed are letters, digits and _.")
        for rule in (rest, *layers.values()):
            _check_member(rule)
        object.__setattr__(self, "rest", rest)
        object.__setattr__(self, "layers", tuple(sorted(layers.items())))  # one order, so that equal rules are equal

    def __repr__(self) -> str:
        return f"PerLayer({', '.join([repr(self.rest), *[f'{name}={rule!r}' for name, rule in self.layers]])})"

    @property
    def names(self) -> list[str]:
        """The named layers."""
        return [name for name, _ in self.layers]

    @property
    def members(self) -> list[Clipper]:
        """All rules: that of the rest, then those of the named layers."""
        return [self.rest, *[rule for _, rule in self.layers]]

    def init(self, params: Tensors) -> State:
        present = sorted(set(map(layer_of, params)))
        missing = [name for name in self.names if name not in present]
        if missing:
            raise ValueError(
                f"PerLayer: no layer is named {quoted(missing[0])}; this network has {', '.join(present)}."
            )
        return tuple(rule.init(part) for rule, part in self._parts(params))

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        parts = zip(self._parts(grads), self._parts(params), strict=True)
        return next(rule.measure(part, weights) for (rule, part), (_, weights) in parts)

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        parts = zip(self._parts(grads), state, self._parts(params), strict=True)
        results = [rule.clip(part, before, weights) for (rule, part), before, (_, weights) in parts]
        clipped = {name: g for result in results for name, g in result.grads.items()}
        states = tuple(result.state for result in results)
        return Clipped({name: clipped[name] for name in grads}, states, results[0].threshold)

    def _parts(self, tensors: Tensors) -> Iterator[tuple[Clipper, dict[str, Tensor]]]:
        """Yield each rule with its tensors: the rest, unless every layer is named, then each named layer."""
        parts: dict[str, dict[str, Tensor]] = {name: {} for name in ("", *self.names)}
        for name, tensor in tensors.items():
            parts.get(layer_of(name), parts[""])[name] = tensor
        return ((rule, part) for rule, part in zip(self.members, parts.values(), strict=True) if part)


def layer_of(name: str) -> str:
    """Return the layer that a tensor belongs to: its name up to the first dot."""
    return name.partition(".")[0]


def layers(rule: Clipper) -> set[str]:
    """Return the names of all layers that ``rule`` mentions."""
    if isinstance(rule, Chain):
        return set().union(*map(layers, rule.rules))
    return set(rule.names) if isinstance(rule, PerLayer) else set()


def _check_member(rule: Clipper) -> None:
    if derivative_clip(rule):
        raise ValueError("PerLayer: ClipDerivative acts on the whole backward pass; allowed is a rule for gradients.")
    if layers(rule):
        raise ValueError(f"PerLayer: {quoted(rule)} is a PerLayer too; allowed is a rule for one layer.")
