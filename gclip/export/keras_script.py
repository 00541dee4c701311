"""A run as a Keras 3 script: the same experiment, as near as Keras can say it."""

from __future__ import annotations

from typing import NamedTuple

from gclip.export import numpy_data, text
from gclip.export.acts import rules_of
from gclip.export.keras_rules import MEANING, NOT_HERE, clipping
from gclip.export.numpy_data import by_norm, differs
from gclip.export.text import Bracket
from gclip.training import Config, RecurrentConfig, RunConfig
from gclip.training.losses import LOSSES

NO_EPS = " Keras adds no 1e-6 to the norm."
EPSILON: dict[str, str] = {
    "SGD": "",
    "Adam": " Keras adds epsilon before Adam's bias correction.",
    "RMSprop": " Keras adds RMSprop's epsilon under the square root.",
}
"""What the optimizer itself does in another way than torch's."""
ONE_BIAS = " Keras has one bias where torch has two, so biases learn at half the speed."

ARGUMENTS: dict[str, dict[str, str]] = {
    "SGD": {"momentum": "MOMENTUM"},
    "Adam": {"beta_1": "0.9", "beta_2": "0.999", "epsilon": "1e-8"},
    "RMSprop": {"rho": "0.99", "epsilon": "1e-8"},
}
"""Each optimizer's arguments beside the learning rate, set to torch's defaults."""

SHUFFLE = """\
# Keras shuffles the rows by its global seed.
keras.utils.set_random_seed(BATCH_SEED)"""

DENSE = 'model.add(Dense(HIDDEN_UNITS, "relu", kernel_initializer=HeUniform(seeds)))'
HIDDEN = {False: DENSE, True: f"for _ in range(HIDDEN_LAYERS):\n    {DENSE}"}
"""The hidden layers, by whether there are more than one."""

MLP = """\
# Weights: He for the ReLU layers, Glorot for the output; biases zero.
seeds = keras.random.SeedGenerator(INIT_SEED)
model = keras.Sequential([keras.Input((N_FEATURES,))])
{hidden}
model.add(Dense(1, kernel_initializer=GlorotUniform(seeds)))"""

FIT_ROWS = """\
model.fit(x_train, y_train, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)

train_loss = model.evaluate(x_train, y_train, batch_size=n_train, verbose=0)"""

BATCHES = '''\
def batches():
    """Yield fresh sequences for every step."""
    random = np.random.default_rng(BATCH_SEED)
    for {step} in range(STEPS):
{draw}
        yield x, y'''

UNIFORM = """\
# Weights as torch draws them: all uniform, the biases too.
bound = HIDDEN_UNITS**-0.5
seeds = keras.random.SeedGenerator(INIT_SEED)
uniform = RandomUniform(-bound, bound, seeds)"""

GAIN = '''\
def orthogonal_gates(shape, dtype=None):
    """Return recurrent weights: for each gate an orthogonal matrix, times the gain."""
    units, columns = shape
    draw_gate = keras.initializers.Orthogonal(WEIGHT_GAIN, seeds)
    gates = [draw_gate((units, units), dtype) for _ in range(columns // units)]
    return keras.ops.concatenate(gates, axis=1)'''

LAYER = {"LSTM": ("LSTM", "LSTM, Dense"), "RNN": ("SimpleRNN", "Dense, SimpleRNN")}
"""Each cell's layer, and all layers in the order of an import."""

SEQUENTIAL = """\
recurrent = {layer}(
    HIDDEN_UNITS,
    return_sequences={every_step},
    kernel_initializer=uniform,
    recurrent_initializer={recurrent},
    bias_initializer=uniform,
{forget})
answer = Dense({outputs}, kernel_initializer=uniform, bias_initializer=uniform)
model = keras.Sequential([keras.Input((None, {inputs})), recurrent, answer])"""
FORGET = {"LSTM": "    unit_forget_bias=False,\n", "RNN": ""}
"""The LSTM's own first bias for the forget gate, which torch has not."""

FIT_SEQUENCES = """\
# An epoch is 20 steps, so that Keras reports the mean loss of the last 20.
history = model.fit(
    batches(), steps_per_epoch=20, epochs=STEPS // 20, shuffle=False, verbose=0
)

train_loss = history.history["loss"][-1]
{test}"""

TEST_LOSS = "test_loss = model.evaluate(x_test, y_test, batch_size=len(x_test), verbose=0)"

COMPILE = """\
{clip}
optimizer = keras.optimizers.{optimizer}(
{arguments}
)
{compile}"""


class Parts(NamedTuple):
    """What differs between a regression and a recurrent run."""

    needs: str
    standard: str
    others: str
    model: list[str]
    """Data and network, block by block."""
    loss: str
    fit: str


def keras(config: Config) -> str:
    """Return a Keras 3 script, without gclip, of this run; its random numbers are others, so it agrees only in kind.

    Raises:
        ValueError: if Keras 3 cannot say the run's clipping rule, with the reason.
    """
    rules = rules_of(config.clipper)
    threshold, argument = clipping(rules)
    parts = recurrent(config) if isinstance(config, RecurrentConfig) else regression(config)
    return text.script(
        text.docstring(introduction(config, parts.needs)),
        parts.standard,
        parts.others,
        text.constants(*text.run_constants(config), threshold),
        *parts.model,
        COMPILE.format(
            clip=text.comment(MEANING[type(rules[0])] if rules else NOT_HERE),
            optimizer=config.optimizer,
            arguments=arguments({"learning_rate": "LEARNING_RATE"} | ARGUMENTS[config.optimizer] | argument),
            compile=text.written(Bracket("model.compile(", ["optimizer=optimizer", f"loss=keras.losses.{parts.loss}"])),
        )
        + f"\n{parts.fit}\n{TEST_LOSS}\n{text.RESULT}",
    )


def introduction(config: Config, needs: str) -> list[str]:
    """Return the paragraphs at the top of the script, what differs among them."""
    besides = (NO_EPS if by_norm(config) else "") + EPSILON[config.optimizer] + (ONE_BIAS if config.RECURRENT else "")
    return [
        f"One training run in Keras 3; it needs keras, one of its backends and {needs}.",
        f"Clipping rule: {config.clipper!r}.",
        differs(config) + besides,
        text.LAST_LINE[type(config)],
    ]


def regression(config: Config) -> Parts:
    """Return the parts of a regression's script."""
    assert isinstance(config, RunConfig)
    return Parts(
        needs="scikit-learn",
        standard="import json\nimport math",
        others="import keras\n"
        "from keras.initializers import GlorotUniform, HeUniform\n"
        "from keras.layers import Dense\n"
        "from sklearn.datasets import make_regression",
        model=[SHUFFLE, numpy_data.regression_data(config), MLP.format(hidden=HIDDEN[config.hidden_layers > 1])],
        loss=f"{LOSSES[config.loss].keras_name}()",
        fit=FIT_ROWS,
    )


def recurrent(config: RecurrentConfig) -> Parts:
    """Return the parts of a recurrent run's script."""
    problem, gain = numpy_data.PROBLEMS[config.problem], bool(config.weight_gain)
    layer, layers = LAYER[config.cell]
    batches = BATCHES.format(**numpy_data.drawing(config, 8))
    network = SEQUENTIAL.format(
        layer=layer,
        every_step=config.problem != "sum",
        recurrent="orthogonal_gates" if gain else "uniform",
        forget=FORGET[config.cell],
        inputs=problem.inputs,
        outputs=problem.inputs,
    )
    return Parts(
        needs="numpy",
        standard=text.lines(problem.imports, "import json\nimport math"),
        others="import keras\nimport numpy as np\n"
        "from keras.initializers import RandomUniform\n"
        f"from keras.layers import {layers}",
        model=[*problem.data, batches, UNIFORM, GAIN if gain else "", network],
        loss="SparseCategoricalCrossentropy(from_logits=True)"
        if config.problem == "characters"
        else "MeanSquaredError()",
        fit=FIT_SEQUENCES.format(test=problem.test),
    )


def arguments(values: dict[str, str]) -> str:
    """Return keyword arguments, one a line."""
    return "\n".join(f"    {name}={value}," for name, value in values.items())
