"""What each problem asks of the network, and what a learner should watch."""

from __future__ import annotations

from gclip.training import Config, RecurrentConfig

STORIES = {
    "sine": """**Sine wave.** At every time step the network predicts the next value of a noisy wave. The learning rate
is far too high on purpose: at 0.5 the unclipped network learns as well. Clipping allows the larger one.""",
    "bad": """**One bad batch.** The same waves at a gentle learning rate, but in one step the targets are {scale:g}
times too large, as with a broken file. Watch step {step}: one bad batch is enough.""",
    "characters": """**Characters.** The network learns the Zen of Python letter by letter, at a learning rate that is
far too high on purpose. It is tested on the text it learns from: a low loss is memory, not understanding.""",
    "sum": """**Sums.** The network adds up {length} random numbers and is asked at the end alone. Its recurrent
weights are large on purpose: with a weight gain of 4 the gradient grows some 30-fold over 30 time steps on its way
back. Set the gain to 1 and it fades to a hundred-thousandth instead: clipping does not bring back what has faded.""",
}
"""What each recurrent problem is, and what its experiment shows."""


def story(config: Config) -> str:
    """Tell what the network is asked to do, and what to watch."""
    assert isinstance(config, RecurrentConfig)
    name = "bad" if config.problem == "sine" and config.bad_scale != 1 else config.problem
    return STORIES[name].format(scale=config.bad_scale, step=config.bad_step, length=config.sequence_length)


def naive(config: Config) -> str:
    """Name the best constant answer, which a useful network must beat."""
    if isinstance(config, RecurrentConfig) and config.problem == "characters":
        return "guessing by how often each letter occurs"
    return "predicting the mean"
