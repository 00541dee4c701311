"""What all scripts share: the constants at the top, sentences, and blocks of code laid out as formatters have it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gclip.training import Config, RecurrentConfig, RunConfig

WIDTH = 88
"""Lines of a script are no longer than this, as formatters have it by default."""

DATA = {
    "N_SAMPLES": "n_samples",
    "N_FEATURES": "n_features",
    "N_INFORMATIVE": "n_informative",
    "NOISE": "noise",
    "DATA_SEED": "data_seed",
}

NULL = "null is a loss that is not finite."
LAST_LINE = {
    RunConfig: f"Its last line is the loss on the training half and on the test half; {NULL}",
    RecurrentConfig: f"Its last line is the mean loss of the last 20 steps and the loss on the test sequences; {NULL}",
}

RESULT = """\
result = {"train_loss": train_loss, "test_loss": test_loss}
finite = {name: loss if math.isfinite(loss) else None for name, loss in result.items()}
print(json.dumps(finite))"""


def run_constants(config: Config) -> tuple[dict[str, object], ...]:
    """Return the constants of data, network and training, by their names in a script.

    Only what this run needs is among them: only SGD has a momentum.
    """
    momentum = {"MOMENTUM": config.momentum} if config.optimizer == "SGD" else {}
    length = "steps" if config.RECURRENT else "epochs"
    rest = {name.upper(): getattr(config, name) for name in (length, "batch_size", "init_seed", "batch_seed")}
    training = {"LEARNING_RATE": config.learning_rate, **momentum, **rest}
    if isinstance(config, RecurrentConfig):
        return *sequence_constants(config), training
    assert isinstance(config, RunConfig)
    data = {name: getattr(config, field) for name, field in DATA.items()}
    data["N_INFORMATIVE"] = min(config.n_informative, config.n_features)
    layers = {"HIDDEN_LAYERS": config.hidden_layers} if config.hidden_layers > 1 else {}
    return data, {"HIDDEN_UNITS": config.hidden_units, **layers}, training


def sequence_constants(config: RecurrentConfig) -> tuple[dict[str, object], ...]:
    """Return the constants of a recurrent run's data and network."""
    bad = {"BAD_STEP": config.bad_step, "BAD_SCALE": config.bad_scale} if config.has_bad_step else {}
    gain = {"WEIGHT_GAIN": config.weight_gain} if config.weight_gain else {}
    return {"SEQUENCE_LENGTH": config.sequence_length, **bad}, {"HIDDEN_UNITS": config.hidden_units, **gain}


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


def lines(*parts: str) -> str:
    """Return the parts, line by line, without those that are empty."""
    return "\n".join(part for part in parts if part)


def script(*blocks: str) -> str:
    """Return the blocks as one file: one blank line between them, two around a function or a class."""
    kept = [block for block in blocks if block]
    defines = [block.startswith(("class ", "def ", "@")) for block in kept]
    text = kept[0]
    for block, here, before in zip(kept[1:], defines[1:], defines, strict=False):
        text += ("\n\n\n" if here or before else "\n\n") + block
    return text + "\n"


class Bracket(NamedTuple):
    """A call, list or dict: what opens it, its parts, what closes it."""

    opening: str
    parts: Sequence[str | Bracket]
    closing: str = ")"


def written(code: str | Bracket, columns: int = 0) -> str:
    """Write ``code``, which begins at ``columns``, on one line if it fits there.

    If not, a call's arguments go on a line of their own, and where that is too long too, every part does.
    """
    line = flat(code)
    if isinstance(code, str) or columns + len(line) <= WIDTH:
        return line
    arguments = " " * 4 + ", ".join(map(flat, code.parts))
    if code.opening.endswith("(") and columns + len(arguments) <= WIDTH:
        return "\n".join([code.opening, arguments, code.closing])
    parts = [indent(written(part, columns + 5), 4) + "," for part in code.parts]
    return "\n".join([code.opening, *parts, code.closing])


def flat(code: str | Bracket) -> str:
    """Write ``code`` on one line."""
    if isinstance(code, str):
        return code
    return f"{code.opening}{', '.join(map(flat, code.parts))}{code.closing}"
