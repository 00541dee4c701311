"""What we teach: one clipping rule a file, pure functions of tensors ``[lanes, *shape]``, torch only.

A new rule is one file and one line in `CLIPPERS`; the common test suite then checks its laws.
"""

from gclip.clipping.adagc import AdaGC
from gclip.clipping.agc import AdaptiveGradientClip
from gclip.clipping.autoclip import AutoClip
from gclip.clipping.block_rms import ClipByBlockRMS
from gclip.clipping.chain import Chain, derivative_clip
from gclip.clipping.derivative import ClipDerivative
from gclip.clipping.none import NoClip
from gclip.clipping.norm import ClipByNorm
from gclip.clipping.normalize import NormalizeGradient
from gclip.clipping.norms import tensor_norms, total_norm
from gclip.clipping.parse import parse as _parse
from gclip.clipping.per_layer import PerLayer, layers
from gclip.clipping.rule import Clipped, Clipper, State, Tensors, quoted
from gclip.clipping.stacking import family, stack
from gclip.clipping.tensor_norm import ClipByTensorNorm
from gclip.clipping.value import ClipByValue
from gclip.clipping.zclip import ZClip

CLIPPERS: dict[str, type] = {
    "NoClip": NoClip,
    "ClipByNorm": ClipByNorm,
    "ClipByTensorNorm": ClipByTensorNorm,
    "ClipByValue": ClipByValue,
    "ClipByBlockRMS": ClipByBlockRMS,
    "AdaptiveGradientClip": AdaptiveGradientClip,
    "AutoClip": AutoClip,
    "ZClip": ZClip,
    "AdaGC": AdaGC,
    "NormalizeGradient": NormalizeGradient,
    "ClipDerivative": ClipDerivative,
    "Chain": Chain,
    "PerLayer": PerLayer,
}


def parse(text: str) -> Clipper:
    """Return the rule that ``text`` writes; ``parse(repr(rule)) == rule``. Raises ValueError with a plain sentence."""
    return _parse(text, CLIPPERS)


__all__ = [
    "CLIPPERS",
    "AdaGC",
    "AdaptiveGradientClip",
    "AutoClip",
    "Chain",
    "ClipByBlockRMS",
    "ClipByNorm",
    "ClipByTensorNorm",
    "ClipByValue",
    "ClipDerivative",
    "Clipped",
    "Clipper",
    "NoClip",
    "NormalizeGradient",
    "PerLayer",
    "State",
    "Tensors",
    "ZClip",
    "derivative_clip",
    "family",
    "layers",
    "parse",
    "quoted",
    "stack",
    "tensor_norms",
    "total_norm",
]
