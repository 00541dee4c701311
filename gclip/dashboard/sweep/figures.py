"""The Sweep page's charts as ordinary plotly figures: layout and style; `numbers` fills them in.

Each trace says in its ``meta`` which numbers it takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType
from plotly.subplots import make_subplots

from gclip.dashboard.stories import loss_name
from gclip.dashboard.words import number
from gclip.sweeping import KINDS, RULES, Sweep

BLUE, GREEN, GREY, AMBER, WARM = "#0B84D8", "#00A37A", "#8A8F98", "#C79200", "#E4572E"

FATES = {
    "learned": (GREEN, "circle"),
    "still learning": (AMBER, "triangle-up"),
    "stuck": (GREY, "square"),
    "diverged": (WARM, "x"),
}
"""How each verdict is drawn: a row of its own, a colour and a symbol."""

FATE_TITLES = {"still learning": "not arrived"}

HEIGHTS = {"curve": 640, "budget": 320, "map": 560}

PLAIN: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "showlegend": False,
    "hovermode": "closest",
    "hoverdistance": 30,
    "uirevision": "keep",
    "font": {"size": 12},
    "margin": {"l": 74, "r": 14, "t": 22, "b": 46},
}


def threshold_title(sweep: Sweep) -> str:
    """Name the axis of thresholds."""
    return f"{KINDS[sweep.kind].first}: largest {RULES[sweep.rule].bounds}"


def log_axis(values: tuple[float, ...], title: str) -> dict[str, Any]:
    """Return a log axis that shows all of ``values``, with half a step of room at both ends."""
    low, high = np.log10(values[0]), np.log10(values[-1])
    room = 0.5 * (high - low) / max(1, len(values) - 1)
    return {
        "type": "log",
        "range": [float(low - room), float(high + room)],
        "title": {"text": title, "standoff": 6},
        "dtick": 1,
        "exponentformat": "power",
        "zeroline": False,
    }


def _line(meta: str, color: str, **style: Any) -> go.Scatter:
    return go.Scatter(
        mode="lines+markers",
        line={"color": color, "width": style.pop("width", 2.2), "dash": style.pop("dash", "solid")},
        marker={"color": color, "size": style.pop("size", 7), "symbol": style.pop("symbol", "circle")},
        hovertemplate="%{text}<extra></extra>",
        meta=meta,
        **style,
    )


def _band(meta: str, color: str) -> go.Scatter:
    return go.Scatter(
        mode="lines", fill="toself", fillcolor=color, opacity=0.18, line={"width": 0}, hoverinfo="skip", meta=meta
    )


def curve(sweep: Sweep) -> go.Figure:
    """Return the threshold curve: what became of the seeds, the losses, and the clip rate, over one axis."""
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.19, 0.56, 0.25], vertical_spacing=0.045)
    for name, (color, symbol) in FATES.items():
        marker = {"color": color, "symbol": symbol, "line": {"width": 0}}
        seeds = go.Scatter(mode="markers", marker=marker, hovertemplate="%{text}<extra></extra>", meta=f"fate.{name}")
        figure.add_trace(seeds, row=1, col=1)
    figure.add_trace(_band("test.band", BLUE), row=2, col=1)
    figure.add_trace(_line("train", GREY, dash="dash", width=1.6, size=5, symbol="square"), row=2, col=1)
    figure.add_trace(_line("test", BLUE), row=2, col=1)
    figure.add_trace(_line("clip_rate", WARM, width=1.8, size=6, symbol="diamond"), row=3, col=1)
    figure.update_layout(PLAIN | {"height": HEIGHTS["curve"]})
    figure.update_xaxes(log_axis(sweep.thresholds, "") | {"matches": "x"})
    figure.update_xaxes(title={"text": threshold_title(sweep), "standoff": 6}, row=3, col=1)
    rows = [FATE_TITLES.get(name, name) for name in FATES]
    figure.update_yaxes(
        {"tickvals": list(range(4)), "ticktext": rows, "range": [-0.6, 3.6], "fixedrange": True, "zeroline": False},
        row=1, col=1,
    )  # fmt: skip
    loss = {"type": "log", "exponentformat": "power", "zeroline": False, "dtick": 1}
    name = f"loss ({loss_name(sweep.shared)})"
    figure.update_yaxes(loss | {"title": {"text": name, "standoff": 4}}, row=2, col=1)
    figure.update_yaxes(
        title={"text": "clip rate", "standoff": 4}, range=[-0.06, 1.1], zeroline=False, tickformat=".0%", row=3, col=1
    )
    return figure


def budget(sweep: Sweep) -> go.Figure:
    """Return the chart of the best threshold against the length of training."""
    figure = go.Figure([_band("good", GREEN), _line("best", BLUE)])
    first, last = (float(sweep.length(epochs)) for epochs in (1, max(2, sweep.shared.epochs)))
    figure.update_layout(PLAIN | {"height": HEIGHTS["budget"]})
    ticks = [float(f"{digit}e{power}") for power in range(4) for digit in (1, 2, 5)]
    figure.update_xaxes(log_axis((first, last), f"{sweep.unit}s of training") | {"dtick": None, "tickvals": ticks})
    room = 0.08 * float(np.log10(last / first))
    figure.update_xaxes(range=[float(np.log10(first)) - room, float(np.log10(last)) + room])
    figure.update_yaxes(log_axis(sweep.thresholds, "best threshold") | {"automargin": False})
    return figure


def map_(sweep: Sweep) -> go.Figure:
    """Return the map: the test loss by colour, what failed by a colour and a mark of its own, the best ringed."""
    bounded = f": largest {RULES['ClipByValue'].bounds}" if sweep.kind == "both" else ""
    marks = [
        _marks("diverged", "x-thin", 9, WARM),
        _marks("some", "x-thin", 5, WARM),
        _marks("stuck", "line-ew", 8, GREY),
        _marks("best", "circle-open", 20, WARM),
    ]
    # Threes between the powers of ten, for losses that lie within one of them.
    ticks = [float(f"{digit}e{power}") for power in range(-6, 13) for digit in (1, 3)]
    bar = {"title": {"text": "test loss"}, "thickness": 12, "outlinewidth": 0,
           "tickvals": np.log10(ticks).tolist(), "ticktext": [number(tick) for tick in ticks]}  # fmt: skip
    failed = [[0, GREY], [0.5, GREY], [0.5, WARM], [1, WARM]]
    figure = go.Figure(
        [
            go.Heatmap(
                meta="loss", colorscale="Viridis", reversescale=True, colorbar=bar, xgap=1, ygap=1,
                hovertemplate="%{text}<extra></extra>",
            ),
            # Drawn over the gaps of the other, which answers to the pointer there, too.
            go.Heatmap(
                meta="failed", colorscale=failed, zmin=0, zmax=1, showscale=False, opacity=0.45, xgap=1, ygap=1,
                hoverinfo="skip",
            ),
            *marks,
        ]
    )  # fmt: skip
    figure.update_layout(PLAIN | {"height": HEIGHTS["map"]})
    figure.update_xaxes(log_axis(sweep.thresholds, threshold_title(sweep)))
    figure.update_yaxes(log_axis(sweep.others, KINDS[sweep.kind].second + bounded))
    return figure


def _marks(meta: str, symbol: str, size: int, color: str) -> BaseTraceType:
    line = {"width": 2.4 if size > 5 else 1.2, "color": color}
    marker = {"symbol": symbol, "size": size, "color": color, "line": line}
    return go.Scatter(mode="markers", marker=marker, hoverinfo="skip", meta=meta)


FIGURES: dict[str, Callable[[Sweep], go.Figure]] = {"curve": curve, "budget": budget, "map": map_}

TITLES = {
    "curve": "How well does each threshold do?",
    "budget": "Does the best threshold depend on how long you train?",
    "map": "Which pairs do well?",
}
HINTS = {
    "curve": "solid: test loss, median over seeds · pale: its range · dashed: train loss · "
    "green: within 10 % of the best, paler within twice · click a point for its runs",
    "budget": "from the same runs, looked at earlier · pale: within 10 % of the best",
    "map": "colour: test loss, median over seeds · × diverged (small: some seeds) · – stuck · ring: best · "
    "click a cell for its runs",
}


def charts_of(sweep: Sweep) -> tuple[str, ...]:
    """Return the charts of a sweep, in the order of the page."""
    return ("curve", "budget") if sweep.kind == "curve" else ("map",)


def caption(name: str, sweep: Sweep) -> str:
    """Return a chart's title, with the rule in it."""
    if sweep.kind == "both":
        return f"{TITLES[name]} Norm first, then value"
    return f"{TITLES[name]} {RULES[sweep.rule].title}"


def drawing(name: str, sweep: Sweep) -> dict[str, Any]:
    """Return a chart as JSON values, with its words."""
    figure = json.loads(str(FIGURES[name](sweep).to_json(validate=False)))
    figure["layout"].pop("template", None)
    return {"figure": figure, "title": caption(name, sweep), "hint": HINTS[name], "height": HEIGHTS[name]}
