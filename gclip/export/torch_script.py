"""A run as a plain PyTorch script that computes the same numbers."""

from __future__ import annotations

from gclip.export import text, torch_recurrent, torch_regression
from gclip.export.text import Bracket
from gclip.export.torch_parts import Parts
from gclip.export.torch_rules import clipping
from gclip.training import Config, RecurrentConfig, RunConfig

SETTINGS = """\
torch.set_num_threads(1)  # one thread adds numbers in one order
torch.set_flush_denormal(True)"""


def pytorch(config: Config) -> str:
    """Return a PyTorch script, without gclip, that trains exactly this run and prints its two losses as JSON.

    A regression's numbers are those of `gclip.run` bit for bit on one machine, except in layers and batches so small
    that torch multiplies them in another order (see `torch_regression.same_bits`). A recurrent run has the same data,
    first weights and batches; its losses agree to rounding at first, and in kind where training amplifies that.

    Raises:
        ValueError: if the run's clipping rule has no counterpart here.
    """
    parts = parts_of(config)
    clip = clipping(config, parts.columns)
    return text.script(
        text.docstring(introduction(config, f"One training run in plain PyTorch; it needs {parts.needs}.", parts)),
        text.lines(parts.standard, clip.imports),
        parts.others,
        text.constants(*text.run_constants(config), clip.constants),
        SETTINGS,
        *parts.data,
        *parts.network,
        *clip.helpers,
        text.lines(parts.weights, optimizer(config), clip.made),
        parts.loop.replace("{clip}", clip.clip),
        text.lines(parts.score, text.RESULT),
    )


def parts_of(config: Config) -> Parts:
    """Return the parts of a script that the run's problem needs."""
    if isinstance(config, RecurrentConfig):
        return torch_recurrent.parts(config)
    assert isinstance(config, RunConfig)
    return torch_regression.parts(config)


def introduction(config: Config, summary: str, parts: Parts) -> list[str]:
    """Return the paragraphs at the top of the script."""
    return [summary, f"Clipping rule: {config.clipper!r}.", text.LAST_LINE[type(config)], *parts.notes]


def optimizer(config: Config) -> str:
    """Return the line that makes the optimizer."""
    return text.written(optimizing(config, "optimizer = ", "model"))


def optimizing(config: Config, before: str, model: str) -> Bracket:
    """Return the optimizer and its arguments; they leave torch's defaults as they are."""
    momentum = ["momentum=MOMENTUM"] if config.optimizer == "SGD" else []
    rates = [f"{model}.parameters()", "lr=LEARNING_RATE", *momentum]
    return Bracket(f"{before}torch.optim.{config.optimizer}(", rates)
