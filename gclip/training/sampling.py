"""What a character network writes by itself: each character it draws is its next input."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gclip.training.sequences import text_ids

SEED = 0
"""Every sample is drawn with the same luck, so that what differs is the network."""


def write(cell: str, params: Mapping[str, Tensor], count: int) -> Tensor:
    """Return ``count`` characters as numbers ``[lanes, count]``, drawn from the softmax of each lane's network.

    Products and sums by hand, not matrix products: with one row, those take another path for one lane than for many.
    """
    w_ih, w_hh, b_ih, b_hh, weight, bias = params.values()
    lanes, units = len(w_hh), w_hh.shape[2]
    by_character, drive = w_ih.transpose(1, 2), b_ih + b_hh
    luck = -torch.empty(count, bias.shape[1]).exponential_(generator=torch.Generator().manual_seed(SEED)).log()
    output, memory = torch.zeros(2, lanes, units)
    character, written = text_ids()[:1].expand(lanes), []
    for t in range(count):
        z = by_character[torch.arange(lanes), character] + drive + (w_hh * output.unsqueeze(1)).sum(-1)
        output, memory = STEPS[cell](z, memory)
        # The largest of logit + Gumbel noise is a draw from the softmax.
        logits = (weight * output.unsqueeze(1)).sum(-1) + bias
        character = (logits + luck[t]).argmax(-1)
        # Of what is not finite nothing can be drawn, and that is what the sample then says.
        written.append(torch.where(logits.isfinite().all(-1), character.float(), torch.nan))
    return torch.stack(written, dim=1)


def _lstm(z: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g, o = z.chunk(4, dim=-1)
    memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
    return o.sigmoid() * memory.tanh(), memory


def _rnn(z: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    return z.tanh(), memory


STEPS = {"LSTM": _lstm, "RNN": _rnn}
