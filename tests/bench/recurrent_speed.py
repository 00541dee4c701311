"""What two recurrent runs cost beside two plain PyTorch loops, in processor time.

    python tests/bench/recurrent_speed.py

One torch thread, all in one process; plain and ours take turns, so that a busy machine slows both alike, and each
round's ratio is taken to the plain loops of the same round. A pair is an unclipped and a clipped run of one preset.
Ours records every step; the plain loops, on the fused nn.LSTM with clip_grad_norm_, record nothing.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

import torch
from plain import seconds
from torch import Tensor, nn
from torch.nn import functional

import gclip
from gclip.clipping import ClipByNorm, ClipDerivative, NoClip
from gclip.training import RecurrentConfig, one_thread, recurrent, sequences

ROUNDS = 5
RATIO_TARGET, SECONDS_TARGET = 1.2, 10.0
LOOSE = 1e30
"""The bound of the unclipped plain loop: it calls clip_grad_norm_ too, as the script that switches it off would."""

PRESETS: dict[str, tuple[float, dict[str, Any]]] = {
    "sine": (0.03, {"problem": "sine", "learning_rate": 2.0, "steps": 800}),
    "bad batch": (
        1.0,
        {"problem": "sine", "learning_rate": 0.5, "steps": 600, "bad_scale": 100.0, "bad_step": 300},
    ),
    "characters": (
        0.25,
        {"problem": "characters", "hidden_units": 64, "learning_rate": 20.0, "momentum": 0.0, "steps": 600},
    ),
    "sum": (
        1.0,
        {
            "problem": "sum", "sequence_length": 30, "batch_size": 32, "weight_gain": 4.0, "learning_rate": 0.03,
            "steps": 1200,
        },
    ),
}  # fmt: skip


class Network(nn.Module):
    """nn.LSTM and nn.Linear, as a learner writes them, with the run's initial weights."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        inputs, outputs = recurrent.INPUTS[config.problem], recurrent.OUTPUTS[config.problem]
        self.layer = nn.LSTM(inputs, config.hidden_units, batch_first=True)
        self.output = nn.Linear(config.hidden_units, outputs)
        self.every_step = sequences.PROBLEMS[config.problem].every_step
        with torch.no_grad():
            for mine, fresh in zip(self.parameters(), recurrent.initialise(config).values(), strict=True):
                mine.copy_(fresh)

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.layer(x)
        return self.output(hidden if self.every_step else hidden[:, -1:])


def torch_loss(config: RecurrentConfig, prediction: Tensor, y: Tensor) -> Tensor:
    if config.problem == "characters":
        return functional.cross_entropy(prediction.flatten(0, 1), y.flatten())
    return functional.mse_loss(prediction.squeeze(-1), y)


def plain_loop(config: RecurrentConfig) -> None:
    """Train one run in plain PyTorch, and record nothing."""
    generator, draw = torch.Generator().manual_seed(config.batch_seed), sequences.PROBLEMS[config.problem].draw
    net, max_norm = Network(config), getattr(config.clipper, "max_norm", LOOSE)
    optimizer = torch.optim.SGD(net.parameters(), lr=config.learning_rate, momentum=config.momentum)
    for step in range(config.steps):
        x, y = draw(config.batch_size, config.sequence_length, generator)
        if step == config.bad_step and config.bad_scale != 1:
            y = y * config.bad_scale
        optimizer.zero_grad()
        torch_loss(config, net(x), y).backward()
        nn.utils.clip_grad_norm_(net.parameters(), max_norm)
        optimizer.step()


def pair(name: str) -> list[RecurrentConfig]:
    max_norm, fields = PRESETS[name]
    return [RecurrentConfig(clipper=rule, **fields) for rule in (NoClip(), ClipByNorm(max_norm))]


def graves(name: str) -> RecurrentConfig:
    """The preset's run under a derivative clip: the one rule that needs the unrolled layer."""
    return RecurrentConfig(clipper=ClipDerivative(0.01, 0.01), **PRESETS[name][1])


def measure(name: str) -> tuple[list[float], list[float]]:
    """Return the processor seconds of both plain loops and of both lanes, round by round."""
    configs, plain, ours = pair(name), [], []
    for _ in range(ROUNDS):
        plain.append(seconds(lambda: [plain_loop(config) for config in configs]))
        ours.append(seconds(lambda: gclip.run(configs)))
    return plain, ours


def print_pair(name: str, plain: list[float], ours: list[float]) -> bool:
    ratios = [mine / theirs for mine, theirs in zip(ours, plain, strict=True)]
    ratio, took = statistics.median(ratios), statistics.median(ours)
    met = ratio <= RATIO_TARGET and took <= SECONDS_TARGET
    span = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"{name:<14}{statistics.median(plain):>8.2f}{took:>8.2f}{ratio:>8.2f}   {span:<15}", end="")
    print("met" if met else "NOT MET", flush=True)
    return met


def main() -> int:
    with one_thread():
        gclip.run([RecurrentConfig(steps=20), RecurrentConfig(steps=20, clipper=ClipDerivative())])
        plain_loop(RecurrentConfig(steps=20))
        print(f"{ROUNDS} rounds; targets: ratio at most {RATIO_TARGET}, two runs in {SECONDS_TARGET:g} s\n")
        print(f"{'two runs of':<14}{'plain s':>8}{'ours s':>8}{'ratio':>8}   {'lowest, highest':<15}")
        met = [print_pair(name, *measure(name)) for name in PRESETS]
        print(f"\n{'one run under ClipDerivative':<34}{'s':>6}   in units of one clipped lane alone")
        for name in PRESETS:
            alone, unrolled = (seconds(lambda c=c: gclip.run([c])) for c in (pair(name)[1], graves(name)))
            print(f"{name:<34}{unrolled:>6.2f}   {unrolled / alone:.2f}", flush=True)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
