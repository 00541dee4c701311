"""Several rules, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gclip.clipping.derivative import ClipDerivative
from gclip.clipping.rule import Clipped, Clipper, State, Tensors, check_rules


@dataclass(frozen=True, init=False, repr=False)
class Chain:
    """Apply ``rules`` in order, each to what the one before it left: ``g <- r_n(... r_1(g))``.

    ``Chain(ClipByNorm(1.0), ClipByValue(0.5))`` is what standalone Keras did when both
    ``clipnorm`` and ``clipvalue`` were given. What it measures, and the threshold it reports,
    are those of its first rule.

    Args:
        rules: one or more rules.

    Raises:
        ValueError: if there is no rule, or a `ClipDerivative` that is not the first.

    Source: ``optax.chain``; Keras 2.3 ``Optimizer.get_gradients``.
    """

    rules: tuple[Clipper, ...]

    def __init__(self, *rules: Clipper) -> None:
        if not rules:
            raise ValueError("Chain: rules is empty; allowed is one rule or more.")
        check_rules("Chain", rules)
        if any(map(derivative_clip, rules[1:])):
            raise ValueError("Chain: ClipDerivative acts before the gradient is finished; allowed is the first place.")
        object.__setattr__(self, "rules", rules)

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self.rules))})"

    def init(self, params: Tensors) -> State:
        return tuple(rule.init(params) for rule in self.rules)

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return self.rules[0].measure(grads, params)

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        thresholds, states = [], []
        for rule, rule_state in zip(self.rules, state, strict=True):
            grads, rule_state, bound = rule.clip(grads, rule_state, params)
            states.append(rule_state)
            thresholds.append(bound)
        return Clipped(dict(grads), tuple(states), thresholds[0])


def derivative_clip(rule: Clipper) -> ClipDerivative | None:
    """Return the bounds that ``rule`` sets inside the backward pass: its own, or those of its chain's first rule."""
    while isinstance(rule, Chain):
        rule = rule.rules[0]
    return rule if isinstance(rule, ClipDerivative) else None
