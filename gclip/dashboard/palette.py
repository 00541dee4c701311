"""One colour, dash and marker per run, the same in every chart, card and table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gclip.clipping import NoClip
from gclip.training import Config


@dataclass(frozen=True)
class Style:
    """How one run is drawn; colours are Okabe and Ito's, safe for colour-blind eyes on light and dark."""

    color: str
    dash: str
    symbol: str


UNCLIPPED = Style("#E4572E", "solid", "x")
"""The unclipped run is always this warm one."""

OTHERS = (
    Style("#0B84D8", "solid", "circle"),
    Style("#00A37A", "dash", "square"),
    Style("#B267C9", "dashdot", "diamond"),
    Style("#C79200", "dot", "triangle-up"),
    Style("#4FB3E8", "longdash", "pentagon"),
    Style("#8A8F98", "longdashdot", "star"),
)


def styles(configs: Sequence[Config]) -> list[Style]:
    """Return a style for each run: the first unclipped one is warm, the others take theirs in order."""
    warm = next((i for i, config in enumerate(configs) if isinstance(config.clipper, NoClip)), None)
    rest = iter(OTHERS)
    return [UNCLIPPED if i == warm else next(rest) for i in range(len(configs))]
