"""A run as a Keras 3 script: the same experiment, as near as Keras can say it."""

from __future__ import annotations

import math
from dataclasses import fields

from gclip.clipping import ClipByNorm, ClipByTensorNorm, ClipByValue, Clipper
from gclip.export import text
from gclip.training import RunConfig
from gclip.training.losses import LOSSES

CLIPS: dict[type, tuple[str, str]] = {
    ClipByNorm: ("global_clipnorm", "max_norm"),
    ClipByTensorNorm: ("clipnorm", "max_norm"),
    ClipByValue: ("clipvalue", "clip_value"),
}
"""The optimizer's argument for each rule, and the rule's hyperparameter that it takes."""

TRAP = "In Keras 2.2 and 2.3, clipnorm took one norm over all weights; today that is global_clipnorm."

MEANING: dict[type, str] = {
    ClipByNorm: f"Clipping: one norm over all weights together. {TRAP}",
    ClipByTensorNorm: f"Clipping: each weight tensor by its own norm. {TRAP}",
    ClipByValue: "Clipping: each element of the gradient by itself, before the step uses it.",
}
NOT_HERE = "No clipping: the optimizer would take it as an argument here."

DIFFERS = (
    "It differs from gclip's run in its random numbers (initial weights and the order of rows), so results agree in "
    "kind, not in digits."
)
NO_EPS = " Keras adds no 1e-6 to the norm."
EPSILON: dict[str, str] = {
    "SGD": "",
    "Adam": " Keras adds epsilon before Adam's bias correction.",
    "RMSprop": " Keras adds RMSprop's epsilon under the square root.",
}
"""What the optimizer itself does in another way than torch's."""

ARGUMENTS: dict[str, dict[str, str]] = {
    "SGD": {"momentum": "MOMENTUM"},
    "Adam": {"beta_1": "0.9", "beta_2": "0.999", "epsilon": "1e-8"},
    "RMSprop": {"rho": "0.99", "epsilon": "1e-8"},
}
"""Each optimizer's arguments beside the learning rate, set to torch's defaults."""

SCALING = {
    "standardize_inputs": "x = (x - x[:n_train].mean(0)) / x[:n_train].std(0).clip(1e-12)",
    "standardize_target": "y = (y - y[:n_train].mean(0)) / y[:n_train].std(0).clip(1e-12)",
}

DENSE = 'model.add(Dense(HIDDEN_UNITS, "relu", kernel_initializer=HeUniform(seeds)))'
HIDDEN = {False: DENSE, True: f"for _ in range(HIDDEN_LAYERS):\n    {DENSE}"}
"""The hidden layers, by whether there are more than one."""

SCRIPT = """\
{docstring}

import json
import math

import keras
from keras.initializers import GlorotUniform, HeUniform
from keras.layers import Dense
from sklearn.datasets import make_regression

{constants}

# Keras shuffles the rows by its global seed.
keras.utils.set_random_seed(BATCH_SEED)

{make_data}
x, y = x.astype("float32"), y.astype("float32").reshape(-1, 1)
n_train = N_SAMPLES // 2  # the first half trains, the second half tests
{scaling}x_train, y_train, x_test, y_test = x[:n_train], y[:n_train], x[n_train:], y[n_train:]

# Weights: He for the ReLU layers, Glorot for the output; biases zero.
seeds = keras.random.SeedGenerator(INIT_SEED)
model = keras.Sequential([keras.Input((N_FEATURES,))])
{hidden}
model.add(Dense(1, kernel_initializer=GlorotUniform(seeds)))

{clip}
optimizer = keras.optimizers.{optimizer}(
{arguments}
)
model.compile(optimizer=optimizer, loss=keras.losses.{loss}())
model.fit(x_train, y_train, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)

train_loss = model.evaluate(x_train, y_train, batch_size=n_train, verbose=0)
test_loss = model.evaluate(x_test, y_test, batch_size=len(x_test), verbose=0)
{result}
"""


def keras(config: RunConfig) -> str:
    """Return a Keras 3 script, without gclip, of this run; its random numbers are others, so it agrees only in kind.

    Raises:
        ValueError: if Keras 3 cannot say the run's clipping rule, with the reason.
    """
    rules = text.rules_of(config.clipper)
    threshold, argument = clipping(rules)
    groups = (*text.run_constants(config), threshold)
    return SCRIPT.format(
        docstring=text.docstring(introduction(config)),
        constants=text.constants(*groups),
        make_data=text.MAKE_DATA,
        scaling="".join(f"{code}\n" for field, code in SCALING.items() if getattr(config, field)),
        hidden=HIDDEN[config.hidden_layers > 1],
        clip=text.comment(MEANING[type(rules[0])] if rules else NOT_HERE),
        optimizer=config.optimizer,
        arguments=arguments({"learning_rate": "LEARNING_RATE"} | ARGUMENTS[config.optimizer] | argument),
        loss=LOSSES[config.loss].keras_name,
        result=text.RESULT,
    )


def introduction(config: RunConfig) -> list[str]:
    """Return the paragraphs at the top of the script, what differs among them."""
    by_norm = [rule for rule in text.rules_of(config.clipper) if isinstance(rule, ClipByNorm)]
    return [
        "One training run in Keras 3; it needs keras, one of its backends and scikit-learn.",
        f"Clipping rule: {config.clipper!r}.",
        DIFFERS + (NO_EPS if by_norm else "") + EPSILON[config.optimizer],
        text.LAST_LINE,
    ]


def clipping(rules: list[Clipper]) -> tuple[dict[str, object], dict[str, str]]:
    """Return the threshold by its name in the script, and the optimizer's argument that takes it.

    Raises:
        ValueError: if Keras 3 has no argument for it.
    """
    if not rules:
        return {}, {}
    refuse(rules)
    argument, field = CLIPS[type(rules[0])]
    return {field.upper(): getattr(rules[0], field)}, {argument: field.upper()}


def refuse(rules: list[Clipper]) -> None:
    """Raise ValueError, with the reason, if Keras 3 cannot say ``rules``."""
    names = " then ".join(type(rule).__name__ for rule in rules)
    if len(rules) > 1:
        raise ValueError(f"Keras 3 takes only one of global_clipnorm, clipnorm and clipvalue: it cannot do {names}.")
    if type(rules[0]) not in CLIPS:
        raise ValueError(f"Keras 3 has no argument for {names}: it has global_clipnorm, clipnorm and clipvalue.")
    if math.inf in (getattr(rules[0], spec.name) for spec in fields(rules[0]) if spec.name != "norm_type"):
        raise ValueError(f"Keras 3 needs a finite threshold: it cannot do {rules[0]!r}.")
    norm_type = getattr(rules[0], "norm_type", 2)
    if norm_type != 2:
        raise ValueError(f"Keras 3 measures the L2 norm only: it cannot clip by a norm with norm_type={norm_type:g}.")


def arguments(values: dict[str, str]) -> str:
    """Return keyword arguments, one a line."""
    return "\n".join(f"    {name}={value}," for name, value in values.items())
