"""The parts of a script in PyTorch that differ from problem to problem."""

from __future__ import annotations

from typing import NamedTuple


class Parts(NamedTuple):
    """Blocks of code, from top to bottom; the PyTorch script has the loop, the Lightning script the batches."""

    needs: str
    """The libraries, as a sentence names them."""
    standard: str
    """Imports from the standard library."""
    others: str
    """Imports from elsewhere."""
    data: list[str]
    network: list[str]
    weights: str
    """What makes the network and its first weights, and the loss."""
    loop: str
    """Training, with ``{clip}`` where the lines that clip belong."""
    columns: int
    """How far in those lines stand."""
    batches: str
    """The batches as a class, for a trainer that has the loop itself."""
    score: str
    notes: list[str]
    """What must be said of how near the numbers are to gclip's."""
