"""A run as a script for JAX and Optax: the same experiment, its clipping a chain of transformations."""

from __future__ import annotations

from gclip.export import text
from gclip.export.acts import acts_of, constants_of
from gclip.export.numpy_data import differs
from gclip.export.optax_networks import parts_of
from gclip.export.optax_rules import helpers, notes, transformations
from gclip.export.text import Bracket
from gclip.training import Config

OPTIMIZERS = {
    "SGD": Bracket("optax.sgd(", ["LEARNING_RATE", "MOMENTUM"]),
    "Adam": Bracket("optax.adam(", ["LEARNING_RATE"]),
    "RMSprop": Bracket("optax.rmsprop(", ["LEARNING_RATE", "decay=0.99", "eps_in_sqrt=False"]),
}
"""Each with the arguments that make it torch's."""
UNLIKE = {
    "SGD": [],
    "Adam": [],
    "RMSprop": ["By default Optax's RMSprop decays at 0.9 and adds eps under the root; here it does as torch's."],
}

ERRORS = {
    "MSE": "optax.squared_error(answer, y)",
    "MAE": "jnp.abs(answer - y)",
    "Huber": "optax.huber_loss(answer, y)",
    "characters": "optax.softmax_cross_entropy_with_integer_labels(answer, y)",
}
LOSS = """\
@jax.jit
def loss_function(params, x, y):
    answer = forward(params, x)
    return {error}.mean()"""

UPDATE = """\
@jax.jit
def step_forward(params, state, x, y):
    loss, grads = jax.value_and_grad(loss_function)(params, x, y)
    updates, state = optimizer.update(grads, state, params)
    return optax.apply_updates(params, updates), state, loss"""

HERE = "Clip here: each transformation gets what the one before left; the step comes last."
NOT_HERE = "No clipping: it would be chained before the optimizer, as optax.chain(clip, sgd)."

TEST_LOSS = "test_loss = float(loss_function(params, x_test, y_test))"


def optax(config: Config) -> str:
    """Return a script for JAX and Optax, without gclip, of this run; its random numbers are others than gclip's.

    Raises:
        ValueError: if Optax has no transformation for the run's clipping rule, with the reason.
    """
    chained = transformations(config)
    parts = parts_of(config)
    return text.script(
        text.docstring(introduction(config, parts.needs)),
        parts.standard,
        parts.others,
        text.constants(*text.run_constants(config), constants_of(acts_of(config))),
        *parts.network,
        *helpers(config),
        optimizer(config, chained),
        LOSS.format(error=ERRORS[parts.error]),
        UPDATE,
        f"{parts.loop}\n{TEST_LOSS}\n{text.RESULT}",
    )


def introduction(config: Config, needs: str) -> list[str]:
    """Return the paragraphs at the top of the script."""
    return [
        f"One training run in JAX and Optax; it needs jax, optax and {needs}.",
        f"Clipping rule: {config.clipper!r}.",
        " ".join([differs(config), *UNLIKE[config.optimizer], *notes(config)]),
        text.LAST_LINE[type(config)],
    ]


def optimizer(config: Config, chained: list[str | Bracket]) -> str:
    """Return the lines that make the optimizer, clipping first."""
    step = OPTIMIZERS[config.optimizer]
    if not chained:
        alone = step._replace(opening=f"optimizer = {step.opening}")
        return text.lines(text.comment(NOT_HERE), text.written(alone))
    return text.lines(text.comment(HERE), text.written(Bracket("optimizer = optax.chain(", [*chained, step])))
