"""What both scripts share: the rules as a flat list, the constants at the top, the data, the comments."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable

from gclip.clipping import Chain, Clipper, NoClip
from gclip.training import RunConfig

WIDTH = 88
"""Lines of a script are no longer than this, as formatters have it by default."""

DATA = {
    "N_SAMPLES": "n_samples",
    "N_FEATURES": "n_features",
    "N_INFORMATIVE": "n_informative",
    "NOISE": "noise",
    "DATA_SEED": "data_seed",
}

MAKE_DATA = """\
x, y = make_regression(
    n_samples=N_SAMPLES,
    n_features=N_FEATURES,
    n_informative=N_INFORMATIVE,
    noise=NOISE,
    random_state=DATA_SEED,
)"""

LAST_LINE = "Its last line is the loss on the training half and on the test half; null is a loss that is not finite."

RESULT = """\
result = {"train_loss": train_loss, "test_loss": test_loss}
finite = {name: loss if math.isfinite(loss) else None for name, loss in result.items()}
print(json.dumps(finite))"""


def rules_of(rule: Clipper) -> list[Clipper]:
    """Return the rules that change a gradient, in order: chains are laid flat, `NoClip` is left out."""
    if isinstance(rule, Chain):
        return [part for member in rule.rules for part in rules_of(member)]
    return [] if isinstance(rule, NoClip) else [rule]


def run_constants(config: RunConfig) -> tuple[dict[str, object], ...]:
    """Return the constants of data, network and training, by their names in a script.

    Only what this run needs is among them: only SGD has a momentum.
    """
    data = {name: getattr(config, field) for name, field in DATA.items()}
    data["N_INFORMATIVE"] = min(config.n_informative, config.n_features)
    layers = {"HIDDEN_LAYERS": config.hidden_layers} if config.hidden_layers > 1 else {}
    momentum = {"MOMENTUM": config.momentum} if config.optimizer == "SGD" else {}
    rest = {name.upper(): getattr(config, name) for name in ("epochs", "batch_size", "init_seed", "batch_seed")}
    network: dict[str, object] = {"HIDDEN_UNITS": config.hidden_units, **layers}
    return data, network, {"LEARNING_RATE": config.learning_rate, **momentum, **rest}


def constants(*groups: dict[str, object]) -> str:
    """Return the groups of constants as assignments, one a line, a blank line between groups."""
    return "\n\n".join("\n".join(f"{k} = {number(v)}" for k, v in group.items()) for group in groups if group)


def number(value: object) -> str:
    """Write a number as Python reads it back; infinity as ``math.inf``."""
    return "math.inf" if value == math.inf else repr(value)


def comment(text: str, indent: int = 0) -> str:
    """Return ``text`` as comment lines, wrapped."""
    margin = " " * indent + "# "
    return textwrap.fill(text, WIDTH, initial_indent=margin, subsequent_indent=margin, break_long_words=False)


def docstring(paragraphs: Iterable[str]) -> str:
    """Return the paragraphs as a docstring, wrapped; the first is its summary."""
    first, *rest = [textwrap.fill(p, WIDTH - 3, break_long_words=False) for p in paragraphs]
    return f'"""{first}\n\n' + "\n\n".join(rest) + '\n"""'


def indent(text: str, columns: int) -> str:
    """Return ``text`` moved right by ``columns``."""
    return textwrap.indent(text, " " * columns)
