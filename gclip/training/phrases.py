"""Numbers and lists as a sentence has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def number(value: float) -> str:
    """Write a number in at most four digits, or in powers of ten, or as NaN and Inf."""
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Inf"
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def percent(share: float) -> str:
    """Write a share in per cent, never rounding to 0 or 100 what is neither."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    return f"{number(100 * share)} %"


def listed(words: Sequence[str]) -> str:
    """Join words as in a sentence."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def amount(count: int, unit: str) -> str:
    """Write how many there are of a unit."""
    return f"{count:,} {unit}" + "s" * (count != 1)
