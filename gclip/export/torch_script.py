"""A run as a plain PyTorch script that computes the same numbers."""

from __future__ import annotations

from dataclasses import fields

from gclip.clipping import ClipByNorm, ClipByTensorNorm, ClipByValue, Clipper
from gclip.export import text
from gclip.training import RunConfig
from gclip.training.losses import LOSSES

BY_TENSOR_NORM = """\
# Each tensor by its own norm: torch has no function for it.
longest = torch.tensor({max_norm})
for parameter in model.parameters():
    norm = parameter.grad.norm()
    parameter.grad *= longest / torch.maximum(norm, longest)"""

CLIPS: dict[type, str] = {
    ClipByNorm: "nn.utils.clip_grad_norm_(model.parameters(), {max_norm}{and_norm_type})",
    ClipByTensorNorm: BY_TENSOR_NORM,
    ClipByValue: "nn.utils.clip_grad_value_(model.parameters(), {clip_value})",
}
"""How each rule is said in torch; the braces are filled with the names of its constants."""

HERE = "Clip here: after backward made the gradients, before the step uses them."
NOT_HERE = "No clipping; it would stand here, between backward and step."

SCALING = {
    "standardize_inputs": """\
mean, std = x[:n_train].mean(0), x[:n_train].std(0, unbiased=False)
x = (x - mean) / std.clamp(min=1e-12)""",
    "standardize_target": """\
mean, std = y[:n_train].mean(0), y[:n_train].std(0, unbiased=False)
y = (y - mean) / std.clamp(min=1e-12)""",
}

HIDDEN = {
    False: "self.hidden = nn.Sequential(nn.Linear(N_FEATURES, HIDDEN_UNITS), nn.ReLU())",
    True: """\
layers = [nn.Linear(N_FEATURES, HIDDEN_UNITS), nn.ReLU()]
for _ in range(HIDDEN_LAYERS - 1):
    layers += [nn.Linear(HIDDEN_UNITS, HIDDEN_UNITS), nn.ReLU()]
self.hidden = nn.Sequential(*layers)""",
}
"""The hidden layers, by whether there are more than one."""

SCRIPT = """\
{docstring}

import json
import math

import torch
from sklearn.datasets import make_regression
from torch import nn

{constants}

torch.set_num_threads(1)  # one thread adds numbers in one order
torch.set_flush_denormal(True)

{make_data}
x = torch.tensor(x, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32)
n_train = N_SAMPLES // 2  # the first half trains, the second half tests
{scaling}x_train, y_train, x_test, y_test = x[:n_train], y[:n_train], x[n_train:], y[n_train:]


class Network(nn.Module):
    def __init__(self):
        super().__init__()
{hidden}
        self.output = nn.Linear(HIDDEN_UNITS, 1)

    def forward(self, x):
        # self.output(x) by hand: a matrix product with one column would round the
        # sum in another order, and training amplifies even that.
        return (self.hidden(x) * self.output.weight).sum(1) + self.output.bias


model = Network()

# Weights: He for the ReLU layers, Glorot for the output; biases zero.
generator = torch.Generator().manual_seed(INIT_SEED)
for layer in model.hidden:
    if isinstance(layer, nn.Linear):
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(layer.bias)
nn.init.xavier_uniform_(model.output.weight, generator=generator)
nn.init.zeros_(model.output.bias)

loss_function = nn.{loss}()
optimizer = torch.optim.{optimizer}

shuffle = torch.Generator().manual_seed(BATCH_SEED)
for _ in range(EPOCHS):
    for rows in torch.randperm(n_train, generator=shuffle).split(BATCH_SIZE):
        optimizer.zero_grad()
        loss = loss_function(model(x_train[rows]), y_train[rows])
        loss.backward()
{clip}
        optimizer.step()

with torch.no_grad():
    train_loss = loss_function(model(x_train), y_train).item()
    test_loss = loss_function(model(x_test), y_test).item()
{result}
"""


def pytorch(config: RunConfig) -> str:
    """Return a PyTorch script, without gclip, that trains exactly this run and prints its two losses as JSON.

    The numbers are those of `gclip.run` bit for bit on one machine, except in layers and batches so small
    that torch multiplies them in another order (see `same_bits`).

    Raises:
        ValueError: if the run's clipping rule has no counterpart here.
    """
    thresholds, clip = clipping(config.clipper)
    groups = (*text.run_constants(config), thresholds)
    return SCRIPT.format(
        docstring=text.docstring(introduction(config)),
        constants=text.constants(*groups),
        make_data=text.MAKE_DATA,
        scaling=scaling(config),
        hidden=text.indent(HIDDEN[config.hidden_layers > 1], 8),
        loss=LOSSES[config.loss].torch_name,
        optimizer=optimizer(config),
        clip=clip,
        result=text.RESULT,
    )


def introduction(config: RunConfig) -> list[str]:
    """Return the paragraphs at the top of the script."""
    note = (
        "Layers or batches as small as these are multiplied in another order here than in gclip: the last digits "
        "differ, and where training amplifies them the results agree only in kind."
    )
    return [
        "One training run in plain PyTorch; it needs torch and scikit-learn.",
        f"Clipping rule: {config.clipper!r}.",
        text.LAST_LINE,
        *([] if same_bits(config) else [note]),
    ]


def same_bits(config: RunConfig) -> bool:
    """Say whether the run's matrices are large enough for stacked and plain products to agree in every bit.

    Below some 16 columns or 8 rows, the result of the processor's library depends on where in memory a matrix begins.
    """
    whole, rest = divmod(config.n_train, config.batch_size)
    rows = min(size for size in (config.batch_size if whole else 0, rest) if size)
    return rows >= 8 and min(config.hidden_units, config.n_features) >= 16


def scaling(config: RunConfig) -> str:
    """Return the lines that scale inputs or target, or nothing."""
    lines = [code for field, code in SCALING.items() if getattr(config, field)]
    if not lines:
        return ""
    return "\n".join([text.comment("Scaled by the training half alone: the test half must stay unseen."), *lines, ""])


def optimizer(config: RunConfig) -> str:
    """Return the optimizer and its arguments."""
    momentum = ", momentum=MOMENTUM" if config.optimizer == "SGD" else ""
    return f"{config.optimizer}(model.parameters(), lr=LEARNING_RATE{momentum})"


def clipping(rule: Clipper) -> tuple[dict[str, object], str]:
    """Return the constants of ``rule``, and the lines that clip.

    Raises:
        ValueError: if a rule has no counterpart here.
    """
    rules = text.rules_of(rule)
    values: dict[str, object] = {}
    lines = [text.comment(HERE if rules else NOT_HERE, 8)]
    for i, part in enumerate(rules, 1):
        named, code = one_clip(part, f"_{i}" if len(rules) > 1 else "")
        values |= named
        lines.append(text.indent(code, 8))
    return values, "\n".join(lines)


def one_clip(rule: Clipper, suffix: str) -> tuple[dict[str, object], str]:
    """Return one rule's constants, their names ending in ``suffix``, and its lines."""
    if type(rule) not in CLIPS:
        raise ValueError(f"{type(rule).__name__} has no script yet; there is one for {', '.join(map(_name, CLIPS))}.")
    values = {spec.name: getattr(rule, spec.name) for spec in fields(rule)}
    if values.get("norm_type") == 2:
        del values["norm_type"]
    names = {name: name.upper() + suffix for name in values}
    and_norm_type = f", norm_type={names['norm_type']}" if "norm_type" in names else ""
    code = CLIPS[type(rule)].format(and_norm_type=and_norm_type, **names)
    return {names[name]: value for name, value in values.items()}, code


def _name(rule: type) -> str:
    return rule.__name__
