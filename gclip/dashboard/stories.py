"""What each problem asks of the network, and what a learner should watch."""

from __future__ import annotations

from gclip.dashboard.benches import EXPERIMENTS
from gclip.dashboard.settings import Comparison
from gclip.training import Config, RecurrentConfig, RunConfig
from gclip.training.phrases import listed

TASKS = {
    "sine": "At every time step the network predicts the next value of a noisy wave.",
    "characters": "The network learns the Zen of Python letter by letter. It is tested on the text it learns from: a "
    "low loss is memory, not understanding.",
    "sum": "The network adds up {length} random numbers and is asked for the sum at the end alone.",
}
"""What each recurrent problem is."""

BAD_BATCH = "In step {step} the targets are {scale:g} times what they should be, as with a broken file."

CLAIMS = {
    "Sine wave": "The learning rate is far too high on purpose: at 0.5 the unclipped network learns as well. Clipping "
    "allows the larger one.",
    "One bad batch": "The learning rate is gentle, and yet this one batch is enough to lose the unclipped network.",
    "Characters": "The learning rate is far too high on purpose: unclipped, nine seeds of ten learn nothing.",
    "True explosion": "Its recurrent weights are large on purpose, with a weight gain of 4: at the start the gradient "
    "grows 47-fold on its way back. Set the gain to 1 and it fades to a hundred-thousandth instead: clipping does not "
    "bring back what has faded.",
}
"""What each experiment shows, at its own settings."""


def story(config: Config) -> str:
    """Tell what the network is asked to do, and what to watch; what was measured at other settings stays untold."""
    assert isinstance(config, RecurrentConfig)
    parts = [TASKS[config.problem].format(length=config.sequence_length)]
    if config.has_bad_step:
        parts.append(BAD_BATCH.format(step=config.bad_step, scale=config.bad_scale))
    name = next((name for name, own in EXPERIMENTS.items() if own.shared == config), "")
    return " ".join([f"**{name}.**" if name else "", *parts, CLAIMS.get(name, "")]).strip()


WORDS = {
    "clipper": "the rule",
    "learning_rate": "the learning rate",
    "standardize_target": "the scale of the target",
    "cell": "the cell",
    "weight_gain": "the weight gain",
}
"""What a page calls the settings in which runs may differ."""


def what_differs(comparison: Comparison) -> str:
    """Say what the runs of a comparison have in common, and what they have not."""
    first = [group[0] for group in comparison.configs()]
    names = [name for name in WORDS if len({getattr(config, name, None) for config in first}) > 1] or ["clipper"]
    verb = "are all that differ" if len(names) > 1 else "is all that differs"
    return f"Same data, same initial weights, same batches: **{listed([WORDS[name] for name in names])} {verb}.**"


def naive(config: Config) -> str:
    """Name the best constant answer, which a useful network must beat."""
    if isinstance(config, RecurrentConfig) and config.problem == "characters":
        return "guessing by how often each letter occurs"
    return "predicting the mean"


def loss_name(config: Config) -> str:
    """Name the loss."""
    if isinstance(config, RunConfig):
        return config.loss
    return "cross-entropy" if isinstance(config, RecurrentConfig) and config.problem == "characters" else "MSE"
