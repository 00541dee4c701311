"""What each page compares: the tutorial's regression, and the recurrent problems."""

from __future__ import annotations

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    Chain,
    ClipByNorm,
    ClipByValue,
    ClipDerivative,
    PerLayer,
    ZClip,
)
from gclip.dashboard.settings import Bench, Comparison, Entry
from gclip.training.networks import NETWORKS

RULES = (
    "NoClip",
    "ClipByNorm",
    "ClipByTensorNorm",
    "ClipByValue",
    "ClipByBlockRMS",
    "NormalizeGradient",
    "AdaptiveGradientClip",
    "AutoClip",
    "ZClip",
    "AdaGC",
)
"""Rules that any network may be trained under, in the order of the menu."""

REGRESSION_RUNS = {
    "Tutorial, unclipped": Entry(),
    "Tutorial, clipnorm 1": Entry(clipper=ClipByNorm(1.0)),
    "Tutorial, clipvalue 5": Entry(clipper=ClipByValue(5.0)),
    "Both: norm 1, then value 0.1": Entry(clipper=Chain(ClipByNorm(1.0), ClipByValue(0.1))),
    "AGC 0.1: a bound for each unit": Entry(clipper=AdaptiveGradientClip(0.1)),
    "AutoClip: the 10th percentile": Entry(clipper=AutoClip(10.0)),
    "Other bound for the output layer": Entry(clipper=PerLayer(ClipByNorm(1.0), output=ClipByNorm(10.0))),
    "No clipping, scaled target": Entry(standardize_target=True),
    "No clipping, lower learning rate": Entry(learning_rate=0.001),
}
"""Runs to add by name: the tutorial's, other families of rules, and the remedies that do without clipping."""

COMPARE = Bench(
    prefix="",
    page="compare",
    default=Comparison(shared=NETWORKS["regression"], entries=tuple(REGRESSION_RUNS.values())[:3]),
    runs=REGRESSION_RUNS,
    sizes=(("epochs", "batch_size"), ("hidden_units", "hidden_layers"), ("n_features", "n_samples")),
    sections={
        "Training": ("learning_rate", "momentum", "optimizer", "loss", "epochs", "batch_size"),
        "Data": (
            "standardize_target",
            "standardize_inputs",
            "n_samples",
            "n_features",
            "n_informative",
            "noise",
            "data_seed",
        ),
        "Network and seeds": ("hidden_units", "hidden_layers", "init_seed", "batch_seed"),
    },
    rules=RULES,
)


def _experiment(network: str, max_norm: float) -> Comparison:
    return Comparison(shared=NETWORKS[network], entries=(Entry(), Entry(clipper=ClipByNorm(max_norm))))


EXPERIMENTS = {
    "Sine wave": _experiment("sine", 0.03),
    "One bad batch": _experiment("bad_batch", 1.0),
    "Characters": _experiment("characters", 0.25),
    "True explosion": _experiment("sum", 1.0),
}
"""Whole experiments on recurrent networks, as measured before: unclipped beside a threshold that saves the run."""

LSTM = Bench(
    prefix="lstm.",
    page="lstm",
    default=EXPERIMENTS["Sine wave"],
    runs={
        "Unclipped": Entry(),
        "Norm 1": Entry(clipper=ClipByNorm(1.0)),
        "The same unclipped, as a vanilla RNN": Entry(cell="RNN"),
        "Norm 1, as a vanilla RNN": Entry(cell="RNN", clipper=ClipByNorm(1.0)),
        "Graves: derivatives inside the cell": Entry(clipper=ClipDerivative(3e-5, 3e-4)),
        "AutoClip: the 10th percentile": Entry(clipper=AutoClip(10.0)),
        "ZClip": Entry(clipper=ZClip()),
        "AdaGC": Entry(clipper=AdaGC()),
        "No clipping, learning rate 0.1": Entry(learning_rate=0.1),
    },
    sizes=(("steps", "batch_size"), ("hidden_units", "sequence_length"), ("bad_scale",)),
    sections={
        "Training": ("learning_rate", "momentum", "optimizer", "steps", "batch_size"),
        "Problem": ("problem", "sequence_length", "bad_scale", "bad_step"),
        "Network and seeds": ("cell", "hidden_units", "weight_gain", "init_seed", "batch_seed"),
    },
    rules=(*RULES, "ClipDerivative"),
    experiments=EXPERIMENTS,
)
