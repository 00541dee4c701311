"""Which charts there are, and which series each shows; `figures` draws them.

A trace says in its ``meta`` which run and which series it shows and how, so that one small drawing routine in the
browser serves every chart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gclip.training import Config, RecurrentConfig


@dataclass(frozen=True)
class Line:
    """How one series of every run is drawn in a chart: ``kind`` names the drawing routine."""

    series: str
    width: float = 2.0
    opacity: float = 1.0
    dash: str = ""
    kind: str = "line"
    name: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart of the comparison: its title, axes, and the series it shows of each run."""

    title: str
    y: str
    lines: tuple[Line, ...]
    x: str = "step"
    log: bool = True
    linked: bool = True
    hint: str = ""
    layout: dict[str, Any] = field(default_factory=dict)


CHARTS = {
    "loss": Chart("Training loss, batch by batch", "loss", (Line("loss", 1.6),)),
    "norms": Chart(
        "Gradient norm, raw and clipped",
        "L2 norm",
        (
            Line("total_norm", 1.0, 0.75, name="raw"),
            Line("clipped_norm", 2.4, name="clipped"),
            Line("threshold", 1.2, 0.9, "dash", name="threshold"),
            Line("total_norm", kind="clipped", name="clipped step"),
        ),
        hint="thin: raw · bold: after clipping · dashed: threshold of a norm rule · ticks: clipped steps",
    ),
    "epochs": Chart(
        "Train and test loss, epoch by epoch",
        "loss",
        (Line("test_loss", 2.4, name="test"), Line("train_loss", 1.2, 0.8, "dot", name="train")),
        hint="bold: test · dotted: train",
    ),
    "rate": Chart(
        "Clip rate over time",
        "share of steps clipped",
        (Line("clipped", kind="rate"),),
        log=False,
        layout={"yaxis": {"range": [-0.04, 1.06]}},
    ),
    "histogram": Chart(
        "How large are the gradients? What if the threshold were elsewhere?",
        "share of steps",
        (Line("measured", kind="histogram"),),
        x="what the rule measures, before clipping",
        log=False,
        linked=False,
        hint="of the steps with a finite gradient; a run of few steps is shown as ticks",
        layout={"xaxis": {"type": "log"}},
    ),
    "cosine": Chart(
        "Does clipping turn the gradient?",
        "cosine, raw to clipped",
        (Line("cosine", 1.4),),
        log=False,
        layout={"yaxis": {"rangemode": "tozero"}},
    ),
    "layers": Chart(
        "Gradient norm, layer by layer",
        "L2 norm, raw",
        (Line("layer_norm", 1.4, kind="layers"),),
        hint="of the chosen run: click a card to choose",
    ),
    "elements": Chart(
        "The gradient's elements at this moment",
        "share of elements",
        (Line("histogram", kind="elements"),),
        x="log10 |g|",
        log=False,
        linked=False,
        hint="all layers together; leftmost: zeros, rightmost: NaN",
    ),
    "rule": Chart(
        "The rule at work: what it measures, and its threshold",
        "measured",
        (Line("measured", 1.0, 0.8, kind="chosen", name="measured"), Line("threshold", 2.2, 1.0, "dash", "chosen")),
        hint="of the chosen run · dashed: the threshold in force · above it, the step is clipped",
    ),
    "tests": Chart(
        "Test loss, every 20 steps",
        "loss",
        (Line("test_loss", 2.4, name="test"), Line("train_loss", 1.2, 0.8, "dot", name="train")),
        hint="bold: sequences it is not trained on · dotted: mean of the last 20 batches",
    ),
    "flow": Chart(
        "Gradient flow through time",
        "time step t",
        (Line("flow", kind="flow"),),
        log=False,
        hint="log10 ‖∂L/∂hₜ‖ of the chosen run; the gradient travels downwards, from the last h to h₀",
    ),
    "ratio": Chart(
        "Does the gradient reach the first time step?",
        "‖∂L/∂h₀‖ ÷ ‖∂L/∂h_T‖",
        (Line("flow", 1.6, kind="ratio"),),
        hint="above 1: it grows on its way back (exploding) · below 1: it fades (vanishing)",
    ),
    "sample": Chart(
        "What the network predicts now",
        "next value",
        (Line("sample", 1.8, kind="sample"),),
        x="time step",
        log=False,
        linked=False,
        hint="one test wave · dotted: the target",
        layout={"yaxis": {"range": [-1.7, 1.7]}},
    ),
    "scatter": Chart(
        "What the network predicts now",
        "its answer",
        (Line("sample", kind="scatter"),),
        x="true sum",
        log=False,
        linked=False,
        hint="40 test sequences · on the dotted line: right",
    ),
    "text": Chart(
        "What the network writes now",
        "",
        (),
        log=False,
        linked=False,
        hint="each letter is drawn from its prediction and fed back; every run has the same luck",
    ),
}
"""Every chart, by name."""

COMPARISON = ("loss", "norms", "epochs", "rate", "histogram", "cosine", "rule", "layers", "elements")
"""The charts of the regression, in the order of the page."""

SAMPLES = {"sine": "sample", "characters": "text", "sum": "scatter"}


def charts_of(config: Config) -> tuple[str, ...]:
    """Return the charts of a comparison of such runs, in the order of the page."""
    if not isinstance(config, RecurrentConfig):
        return COMPARISON
    first = ("loss", "norms", "flow", "ratio", SAMPLES[config.problem], "tests")
    return (*first, "rate", "rule", "histogram", "cosine", "layers")


TUTORIAL = {
    "clipnorm 1, train": 5.082,
    "clipnorm 1, test": 27.433,
    "clipvalue 5, train": 9.487,
    "clipvalue 5, test": 9.985,
}
"""What the tutorial printed after 100 epochs: one run of Keras in 2019, no seed. Stars beside our own runs."""
