"""The networks in JAX: their data, first weights, forward pass and batches."""

from __future__ import annotations

from typing import NamedTuple

from gclip.export import numpy_data, text
from gclip.training import Config, RecurrentConfig, RunConfig
from gclip.training.recurrent_config import GATES

STANDARD = "import json\nimport math"
JAX = "import jax\nimport jax.numpy as jnp\nimport numpy as np\nimport optax"

RANDOM = """\
# Weights: He for the ReLU layers, Glorot for the output; biases zero.
random = np.random.default_rng(INIT_SEED)"""

LAYER = '''\
def layer(inputs, outputs, bound):
    """Draw a layer's weights, one row a unit as in torch."""
    weight = random.uniform(-bound, bound, (outputs, inputs))
    return {"weight": jnp.asarray(weight, jnp.float32), "bias": jnp.zeros(outputs)}'''

FIRST = "{name} = layer(N_FEATURES, HIDDEN_UNITS, math.sqrt(6 / N_FEATURES))"
OUTPUT = 'params["output"] = layer(HIDDEN_UNITS, 1, math.sqrt(6 / (HIDDEN_UNITS + 1)))'
PARAMS = {
    False: f"""\
params = {{}}
{FIRST.format(name='params["hidden"]')}
{OUTPUT}""",
    True: f"""\
params = {{}}
{FIRST.format(name='params["hidden1"]')}
for i in range(2, HIDDEN_LAYERS + 1):
    bound = math.sqrt(6 / HIDDEN_UNITS)
    params[f"hidden{{i}}"] = layer(HIDDEN_UNITS, HIDDEN_UNITS, bound)
{OUTPUT}""",
}
"""The first weights, by whether there are more hidden layers than one."""

MLP = """\
def forward(params, x):
    *hidden, output = params.values()
    for unit in hidden:
        x = jax.nn.relu(x @ unit["weight"].T + unit["bias"])
    return x @ output["weight"].T + output["bias"]"""

UNIFORM = """\
# Weights as torch draws them: all uniform. One row a unit, as in torch.
random = np.random.default_rng(INIT_SEED)
bound = HIDDEN_UNITS**-0.5
rows, inputs, outputs = {rows}, {inputs}, {outputs}"""

DRAW = """\
def uniform(*shape):
    return jnp.asarray(random.uniform(-bound, bound, shape), jnp.float32)"""

NETWORK = """\
params = {{
    "{layer}": {{
        "weight_ih": uniform(rows, inputs),
        "weight_hh": uniform(rows, HIDDEN_UNITS),
        "bias_ih": uniform(rows),
        "bias_hh": uniform(rows),
    }},
    "output": {{"weight": uniform(outputs, HIDDEN_UNITS), "bias": uniform(outputs)}},
}}"""

GAIN = """\
# Recurrent weights: for each gate an orthogonal matrix, times the gain.
orthogonal = jax.nn.initializers.orthogonal(WEIGHT_GAIN)
keys = jax.random.split(jax.random.key(INIT_SEED), rows // HIDDEN_UNITS)
gates = [orthogonal(key, (HIDDEN_UNITS, HIDDEN_UNITS)) for key in keys]
params["{layer}"]["weight_hh"] = jnp.concatenate(gates)"""

STEP = {
    "LSTM": """\
h, c = before
z = x_t @ w["weight_ih"].T + h @ w["weight_hh"].T + w["bias_ih"] + w["bias_hh"]
i, f, g, o = jnp.split(z, 4, axis=1)
c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
h = jax.nn.sigmoid(o) * jnp.tanh(c)
return (h, c), h""",
    "RNN": """\
z = x_t @ w["weight_ih"].T + h @ w["weight_hh"].T + w["bias_ih"] + w["bias_hh"]
h = jnp.tanh(z)
return h, h""",
}
STATE = {"LSTM": ("before", "(zero, zero)"), "RNN": ("h", "zero")}
"""What goes from one time step to the next, and its first value."""

SCAN = """\
def forward(params, x):
    w, output = params["{layer}"], params["output"]

    def time_step({state}, x_t):
{step}

    zero = jnp.zeros((len(x), HIDDEN_UNITS))
    _, hidden = jax.lax.scan(time_step, {first}, x.swapaxes(0, 1))
    return {scored} @ output["weight"].T + output["bias"]"""

SCORED = {True: "hidden.swapaxes(0, 1)", False: "hidden[-1]"}
"""The states that are scored, by whether every time step is."""

LOOP = """\
random = np.random.default_rng(BATCH_SEED)
state = optimizer.init(params)
for _ in range(EPOCHS):
    order = random.permutation(n_train)
    for start in range(0, n_train, BATCH_SIZE):
        rows = order[start : start + BATCH_SIZE]
        x, y = x_train[rows], y_train[rows]
        params, state, _ = step_forward(params, state, x, y)

train_loss = float(loss_function(params, x_train, y_train))"""

SEQUENCE_LOOP = """\
random = np.random.default_rng(BATCH_SEED)
state = optimizer.init(params)
losses = []
for {step} in range(STEPS):
{draw}
    params, state, loss = step_forward(params, state, x, y)
    losses.append(float(loss))

train_loss = sum(losses[-20:]) / 20
{test}"""


class Parts(NamedTuple):
    """What differs between a regression and a recurrent run."""

    needs: str
    standard: str
    others: str
    network: list[str]
    """Data, first weights and network, block by block."""
    error: str
    loop: str


def parts_of(config: Config) -> Parts:
    """Return the parts of a script that the run's problem needs."""
    if isinstance(config, RecurrentConfig):
        return recurrent(config)
    assert isinstance(config, RunConfig)
    return regression(config)


def regression(config: RunConfig) -> Parts:
    """Return the parts of a regression's script."""
    return Parts(
        needs="scikit-learn",
        standard=STANDARD,
        others=f"{JAX}\nfrom sklearn.datasets import make_regression",
        network=[numpy_data.regression_data(config), RANDOM, LAYER, PARAMS[config.hidden_layers > 1], MLP],
        error=config.loss,
        loop=LOOP,
    )


def recurrent(config: RecurrentConfig) -> Parts:
    """Return the parts of a recurrent run's script."""
    problem, layer, cell = numpy_data.PROBLEMS[config.problem], config.layers[0], config.cell
    rows = "HIDDEN_UNITS" if GATES[cell] == 1 else f"{GATES[cell]} * HIDDEN_UNITS"
    gain = GAIN.format(layer=layer) if config.weight_gain else ""
    state, first = STATE[cell]
    scored = SCORED[config.problem != "sum"]
    return Parts(
        needs="numpy",
        standard=text.lines(problem.imports, STANDARD),
        others=JAX,
        network=[
            *problem.data,
            UNIFORM.format(rows=rows, inputs=problem.inputs, outputs=problem.inputs),
            DRAW,
            text.lines(NETWORK.format(layer=layer), gain),
            SCAN.format(layer=layer, state=state, first=first, scored=scored, step=text.indent(STEP[cell], 8)),
        ],
        error="characters" if config.problem == "characters" else "MSE",
        loop=SEQUENCE_LOOP.format(test=problem.test, **numpy_data.drawing(config, 4)),
    )
