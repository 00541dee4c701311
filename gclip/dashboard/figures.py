"""The live charts as ordinary plotly figures: layout and style of every trace; the browser fills in the numbers.

A trace says in its ``meta`` which run and which series it shows and how, so that one small
drawing routine serves every chart.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import plotly.graph_objects as go

from gclip.dashboard.palette import Style


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
        layout={"yaxis": {"range": [-0.04, 1.06]}},
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
}
"""Every chart of the comparison, in the order of the page."""

TUTORIAL = {
    "clipnorm 1, train": 5.082,
    "clipnorm 1, test": 27.433,
    "clipvalue 5, train": 9.487,
    "clipvalue 5, test": 9.985,
}
"""What the tutorial printed after 100 epochs: one run of Keras in 2019, no seed. Stars beside our own runs."""


@dataclass(frozen=True)
class Drawn:
    """A run as the charts draw it; its threshold is a line only where it bounds the chart's own L2 norm."""

    style: Style
    norm_threshold: bool


@lru_cache(maxsize=512)
def drawing(name: str, runs: tuple[Drawn, ...], tensors: tuple[str, ...], relative: bool) -> dict[str, Any]:
    """Return the chart's figure as JSON values; kept, as it is asked for at every move of a slider."""
    figure_json = json.loads(str(figure(name, runs, tensors, relative).to_json(validate=False)))
    figure_json["layout"].pop("template", None)
    return figure_json


def figure(name: str, runs: Sequence[Drawn], tensors: Sequence[str], relative: bool) -> go.Figure:
    """Return the chart's figure: empty traces in each run's style, and the layout; names come with the numbers."""
    chart = CHARTS[name]
    traces = [
        _trace(i, run.style, line)
        for i, run in enumerate(runs)
        for line in _lines(chart, tensors)
        if line.series != "threshold" or run.norm_threshold
    ]
    return go.Figure(traces, _layout(chart, relative))


def hint(name: str, tensors: Sequence[str]) -> str:
    """Return what the chart's lines mean; for layers, which dash is which tensor."""
    chart = CHARTS[name]
    named = [f"{line.dash}: {line.name}" for line in _lines(chart, tensors) if line.kind == "layers"]
    return " · ".join([chart.hint, *named])


def _lines(chart: Chart, tensors: Sequence[str]) -> list[Line]:
    """Return the chart's lines; the one for layers becomes one for each tensor."""
    dashes = ("solid", "dot", "dash", "dashdot", "longdash", "longdashdot")
    lines = []
    for line in chart.lines:
        if line.kind == "layers":
            lines += [Line(line.series, line.width, 1, dashes[i % 6], "layers", t) for i, t in enumerate(tensors)]
        else:
            lines.append(line)
    return lines


def _trace(i: int, style: Style, line: Line) -> go.Scatter:
    marks = line.kind == "clipped"
    return go.Scatter(
        mode="markers" if marks else "lines",
        line={"color": style.color, "width": line.width, "dash": line.dash or style.dash},
        marker={"color": style.color, "size": 5, "symbol": "line-ns-open"},
        opacity=line.opacity,
        hovertemplate="%{y:.4~g}",
        hoverinfo="skip" if marks else None,
        meta={"run": i, "series": line.series, "kind": line.kind, "tensor": line.name},
    )


def _layout(chart: Chart, relative: bool) -> go.Layout:
    y = f"{chart.y} ÷ predicting the mean" if relative and chart.y == "loss" else chart.y
    layout = go.Layout(
        height=300,
        margin={"l": 62, "r": 12, "t": 8, "b": 42},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        hovermode="x unified",
        uirevision="keep",
        meta={"linked": chart.linked},
        font={"size": 12},
        xaxis={"title": {"text": chart.x, "standoff": 6}, "zeroline": False, "showspikes": True, "spikethickness": 1},
        yaxis={
            "title": {"text": y, "standoff": 4},
            "type": "log" if chart.log else "linear",
            "zeroline": False,
            "exponentformat": "power",
            "automargin": False,
        },
    )
    return layout.update(chart.layout)
