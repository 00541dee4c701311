"""The live charts as ordinary plotly figures: layout and style of every trace; the browser fills in the numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType

from gclip.dashboard.charts import CHARTS, Chart, Line
from gclip.dashboard.palette import Style


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
        if line.series != "threshold" or run.norm_threshold or line.kind == "chosen"
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


def _trace(i: int, style: Style, line: Line) -> BaseTraceType:
    meta = {"run": i, "series": line.series, "kind": line.kind, "tensor": line.name}
    if line.kind == "flow":
        return go.Heatmap(
            colorscale="Viridis",
            colorbar={"thickness": 12, "outlinewidth": 0},
            hovertemplate="step %{x}, time %{y}: 10^%{z:.1f}",
            meta=meta,
        )
    marks = line.kind == "clipped"
    return go.Scatter(
        mode="markers" if marks else "lines",
        line={"color": style.color, "width": line.width, "dash": line.dash or style.dash},
        marker={"color": style.color, "size": 5, "symbol": "line-ns-open"},
        opacity=line.opacity,
        hovertemplate="%{y:.4~g}",
        hoverinfo="skip" if marks else None,
        meta=meta,
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
