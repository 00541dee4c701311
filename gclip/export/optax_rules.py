"""What of clipping Optax can say: its gradient transformations, chained before the optimizer."""

from __future__ import annotations

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    Chain,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    ClipDerivative,
    Clipper,
    NoClip,
    NormalizeGradient,
    PerLayer,
    ZClip,
    derivative_clip,
)
from gclip.export.acts import Act, acts_of
from gclip.export.text import Bracket
from gclip.training import Config

TRANSFORMATIONS: dict[type, tuple[str, list[str]]] = {
    ClipByNorm: ("optax.clip_by_global_norm", ["{max_norm}"]),
    ClipByTensorNorm: ("each_alone", ["optax.clip_by_global_norm({max_norm})"]),
    ClipByValue: ("optax.clip", ["{clip_value}"]),
    ClipByBlockRMS: ("optax.clip_by_block_rms", ["{threshold}"]),
    AdaptiveGradientClip: ("optax.adaptive_grad_clip", ["{clip_factor}", "{eps}", "axis=-1"]),
    NormalizeGradient: ("optax.normalize_by_update_norm", ["scale_factor={scale}"]),
}
"""Each rule's transformation and its arguments, filled with the names of the rule's constants."""

EACH_ALONE = '''\
def each_alone(transformation):
    """Apply a transformation to each tensor as if there were no other."""

    def number(tensors):
        leaves, tree = jax.tree.flatten(tensors)
        return jax.tree.unflatten(tree, range(len(leaves)))

    count = len(jax.tree.leaves(params))
    return optax.partition(dict.fromkeys(range(count), transformation), number)'''

NO_MEMORY = "its clipping is of fixed numbers, and does not follow the norms of earlier steps"
REASONS: dict[type, str] = {
    AutoClip: NO_MEMORY,
    ZClip: NO_MEMORY,
    AdaGC: NO_MEMORY,
    ClipDerivative: "its transformations get the finished gradient, and this rule acts before there is one",
}
"""Why no transformation does it."""

NOTES: dict[type, str] = {
    ClipByNorm: "Optax adds no 1e-6 to the norm.",
    ClipByTensorNorm: "Optax has no norm by tensor, but a global norm over one tensor alone is it.",
    AdaptiveGradientClip: "Weights lie as in torch, one row a unit: axis=-1, which Optax has since 0.2.6, is for that.",
    NormalizeGradient: "Optax adds 1e-6 to the norm before it divides.",
}
"""What Optax does in another way, or what must be known to use it rightly."""


def notes(config: Config) -> list[str]:
    """Return a sentence for each rule of which something must be said."""
    kinds = dict.fromkeys(type(act.rule) for act in acts_of(config))
    return [NOTES[kind] for kind in kinds if kind in NOTES]


def helpers(config: Config) -> list[str]:
    """Return the functions that the script needs."""
    return [EACH_ALONE] if any(isinstance(act.rule, ClipByTensorNorm) for act in acts_of(config)) else []


def refuse(config: Config) -> None:
    """Raise ValueError, with the reason, if Optax cannot say the run's rule."""
    if derivative_clip(config.clipper):
        raise ValueError(f"Optax cannot do ClipDerivative: {REASONS[ClipDerivative]}.")
    for act in acts_of(config):
        name = type(act.rule).__name__
        if type(act.rule) not in TRANSFORMATIONS:
            because = REASONS.get(type(act.rule), "it has no such transformation")
            raise ValueError(f"Optax has no transformation for {name}: {because}.")
        if "norm_type" in act.values:
            given = f"norm_type={act.values['norm_type']:g}"
            raise ValueError(f"Optax measures the L2 norm only: it cannot clip by a norm with {given}.")


def transformations(config: Config) -> list[str | Bracket]:
    """Return what is chained before the optimizer, in order.

    Raises:
        ValueError: if Optax has no transformation for a rule.
    """
    refuse(config)
    return _transformations(config.clipper, iter(acts_of(config)), config.layers)


def _transformations(rule: Clipper, acts, layers: tuple[str, ...]) -> list[str | Bracket]:
    """Follow the rule in the order in which `acts_of` numbers its constants."""
    if isinstance(rule, Chain):
        return [one for member in rule.rules for one in _transformations(member, acts, layers)]
    if isinstance(rule, PerLayer):
        return [partition(rule, acts, layers)]
    return [] if isinstance(rule, NoClip) else [transformation(next(acts))]


def transformation(act: Act) -> Bracket:
    """Return one rule's transformation."""
    name, arguments = TRANSFORMATIONS[type(act.rule)]
    return Bracket(f"{name}(", [argument.format(**act.names) for argument in arguments])


def partition(rule: PerLayer, acts, layers: tuple[str, ...]) -> Bracket:
    """Return ``optax.partition`` of a transformation for each named layer, and one for the rest."""
    rest = [name for name in layers if name not in rule.names]
    members = ([("rest", rule.rest)] if rest else []) + list(rule.layers)
    each: list[str | Bracket] = [labelled(name, _transformations(member, acts, layers)) for name, member in members]
    labels = [f'"{name}": "{name if name in rule.names else "rest"}"' for name in layers]
    return Bracket("optax.partition(", [Bracket("{", each, "}"), Bracket("{", labels, "}")])


def labelled(name: str, chained: list[str | Bracket]) -> str | Bracket:
    """Return a dict's entry: a label and what is chained for it."""
    if not chained:
        return f'"{name}": optax.identity()'
    if len(chained) > 1:
        return Bracket(f'"{name}": optax.chain(', chained)
    [only] = chained
    assert isinstance(only, Bracket)
    return only._replace(opening=f'"{name}": {only.opening}')
