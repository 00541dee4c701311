"""What we teach: one clipping rule a file, pure functions of tensors ``[lanes, *shape]``, torch only.

A new rule is one file and one line in `CLIPPERS`; the common test suite then checks its laws.
"""

from gclip.clipping.chain import Chain
from gclip.clipping.none import NoClip
from gclip.clipping.norm import ClipByNorm
from gclip.clipping.norms import tensor_norms, total_norm
from gclip.clipping.parse import parse as _parse
from gclip.clipping.rule import Clipped, Clipper, State, Tensors
from gclip.clipping.stacking import family, stack
from gclip.clipping.tensor_norm import ClipByTensorNorm
from gclip.clipping.value import ClipByValue

CLIPPERS: dict[str, type] = {
    "NoClip": NoClip,
    "ClipByNorm": ClipByNorm,
    "ClipByTensorNorm": ClipByTensorNorm,
    "ClipByValue": ClipByValue,
    "Chain": Chain,
}


def parse(text: str) -> Clipper:
    """Return the rule that ``text`` writes; ``parse(repr(rule)) == rule``. Raises ValueError with a plain sentence."""
    return _parse(text, CLIPPERS)


__all__ = [
    "CLIPPERS",
    "Chain",
    "ClipByNorm",
    "ClipByTensorNorm",
    "ClipByValue",
    "Clipped",
    "Clipper",
    "NoClip",
    "State",
    "Tensors",
    "family",
    "parse",
    "stack",
    "tensor_norms",
    "total_norm",
]
