"""How the Frameworks page draws its results: a panel for each kind of call, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gclip.dashboard.frameworks.calls import RULES, Result, length
from gclip.dashboard.frameworks.inputs import Inputs
from gclip.dashboard.frameworks.words import effect, groups, norm_words, vector
from gclip.dashboard.palette import OTHERS, UNCLIPPED
from gclip.dashboard.words import number

WEIGHT, BIAS, BROKEN, GREY = OTHERS[0].color, OTHERS[1].color, UNCLIPPED.color, OTHERS[5].color


@dataclass(frozen=True)
class Panel:
    """One gradient drawn as bars: a title, what happened, who does so, and who answers otherwise."""

    title: str
    text: str
    values: np.ndarray
    raw: np.ndarray | None = None
    who: str = ""
    others: str = ""


def gradient(inputs: Inputs) -> Panel:
    """Return the panel of the gradient as it came."""
    return Panel("The gradient", f"norm {norm_words(inputs.raw)}", inputs.raw)


def panels(results: Sequence[Result]) -> list[Panel]:
    """Return a panel for each kind of call, in a fixed order."""
    kinds = [[result for result in results if result.call.measures == kind] for kind in RULES]
    return [_panel(groups(kind)) for kind in kinds]


def _panel(answers: Sequence[Sequence[Result]]) -> Panel:
    first = answers[0][0]
    odd = [f"{group[0].call.library}: {effect(first.raw, group[0].clipped)}" for group in answers[1:]]
    text = effect(first.raw, first.clipped)
    return Panel(first.call.measures, text, first.clipped, first.raw, _who(answers[0]), "<br>".join(odd))


def _who(group: Sequence[Result]) -> str:
    """Name the libraries of a panel, in lines that fit under it."""
    names = list(dict.fromkeys(result.call.library for result in group))
    text = " ".join([group[0].call.library, group[0].call.argument]) if len(group) == 1 else ", ".join(names)
    return "<br>".join(wrap(text.replace("Keras 2", "Keras\xa02").replace("Keras 3", "Keras\xa03"), 26))


def span(panels: Sequence[Panel]) -> tuple[float, float]:
    """Return one range for the bars of all panels, with room for their numbers."""
    values = np.concatenate([panel.values[np.isfinite(panel.values)] for panel in panels] + [np.zeros(1)]).astype(float)
    low, high = values.min(), values.max()
    room = (high - low) or 1.0
    return float(low - 0.2 * room), float(high + 0.25 * room)


def figure(panels: Sequence[Panel], inputs: Inputs, bounds: tuple[float, float], height: int) -> go.Figure:
    """Return the panels side by side: a bar for each element, and a tick where its direction alone would put it."""
    chart = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.06)
    for column, panel in enumerate(panels, start=1):
        for trace in (_bars(panel, inputs, bounds), _ticks(panel), _labels(panel, bounds), _crosses(panel)):
            chart.add_trace(trace, row=1, col=column)
        chart.update_xaxes(title={"text": panel.who, "font_size": 11, "standoff": 4}, row=1, col=column)
        _heading(chart, panel, column)
    names = [*_numbered("w", len(inputs.weight)), *_numbered("b", len(inputs.bias))]
    chart.update_xaxes(tickvals=list(range(len(names))), ticktext=names, range=[-0.6, len(names) - 0.4])
    chart.update_yaxes(range=bounds, showticklabels=False, showgrid=False, zeroline=True)
    below = 70 if panels[0].who else 24
    chart.update_layout(height=height, showlegend=False, margin={"l": 4, "r": 4, "t": 60, "b": below}, bargap=0.3)
    return chart.update_layout(dragmode=False)


def alt(panels: Sequence[Panel]) -> str:
    """Say in words what the panels show."""
    return ". ".join(f"{panel.title}: {vector(panel.values)}, {panel.text}" for panel in panels)


def _numbered(letter: str, count: int) -> list[str]:
    return [f"{letter}{'₁₂₃'[i]}" for i in range(count)]


def _heights(panel: Panel, bounds: tuple[float, float]) -> np.ndarray:
    """Return how far each bar goes: an Inf beyond all others, a NaN nowhere."""
    return np.nan_to_num(panel.values.astype(float), nan=0.0, posinf=0.87 * bounds[1], neginf=0.87 * bounds[0])


def _bars(panel: Panel, inputs: Inputs, bounds: tuple[float, float]) -> go.Bar:
    colors = [WEIGHT] * len(inputs.weight) + [BIAS] * len(inputs.bias)
    heights = _heights(panel, bounds)
    return go.Bar(x=np.arange(len(heights)), y=heights, marker_color=colors, hoverinfo="skip")


def _kept_direction(panel: Panel) -> np.ndarray:
    """Return where each element would be, had the gradient only been made as long as it is now."""
    raw = np.full(len(panel.values), np.nan) if panel.raw is None else panel.raw.astype(float)
    sizes = length(raw), length(panel.values)
    return raw / sizes[0] * sizes[1] if np.isfinite(sizes).all() and all(sizes) else np.full(len(raw), np.nan)


def _ticks(panel: Panel) -> go.Scatter:
    places = _kept_direction(panel)
    return go.Scatter(x=np.arange(len(places)), y=places, mode="markers", hoverinfo="skip",
                      marker={"symbol": "line-ew", "size": 22, "line": {"width": 3, "color": GREY}})  # fmt: skip


def _labels(panel: Panel, bounds: tuple[float, float]) -> go.Scatter:
    """Return the numbers, beyond bar and tick."""
    heights = _heights(panel, bounds)
    ends, sign = np.stack([heights, np.nan_to_num(_kept_direction(panel))]), np.where(heights < 0, -1, 1)
    places = sign * np.clip((sign * ends).max(0), 0, None)
    where = ["top center" if s > 0 else "bottom center" for s in sign]
    texts = [_label(value, len(places)) for value in panel.values.tolist()]
    return go.Scatter(x=np.arange(len(places)), y=places, mode="text", text=texts, textposition=where,
                      textfont_size=11 if len(places) <= 4 else 9, cliponaxis=False, hoverinfo="skip")  # fmt: skip


def _label(value: float, neighbours: int) -> str:
    """Write the number over a bar, shorter where bars are narrow; a NaN has a cross instead."""
    if np.isnan(value):
        return ""
    return f"{value:.2g}" if neighbours > 3 and np.isfinite(value) else number(value)


def _crosses(panel: Panel) -> go.Scatter:
    """Return a cross, and the word, for each NaN."""
    at = np.flatnonzero(np.isnan(panel.values))
    return go.Scatter(x=at, y=np.zeros(len(at)), mode="markers+text", text=["NaN"] * len(at), textposition="top center",
                      textfont_color=BROKEN, marker={"symbol": "x", "size": 11, "color": BROKEN},
                      cliponaxis=False, hoverinfo="skip")  # fmt: skip


def _heading(chart: go.Figure, panel: Panel, column: int) -> None:
    text = f"<b>{panel.title}</b><br>{panel.text}"
    if panel.others:
        text += f"<br><span style='color:{BROKEN}'>{panel.others}</span>"
    lost = "NaN" in panel.text or "zero" in panel.text
    place = {"xref": f"x{column if column > 1 else ''} domain", "yref": "paper", "x": 0, "y": 1, "yshift": 60}
    chart.add_annotation(
        text=text, xanchor="left", yanchor="top", align="left", showarrow=False, **place,
        font={"size": 13, "color": BROKEN} if lost else {"size": 13},
    )  # fmt: skip
