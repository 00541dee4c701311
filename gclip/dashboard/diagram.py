"""The formula in two dimensions: a gradient, the ball of allowed ones, and what each rule makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch

from gclip.clipping import ClipByNorm, ClipByValue, Clipper
from gclip.dashboard.palette import OTHERS, UNCLIPPED
from gclip.dashboard.words import number

NORM_NAMES = {1.0: "1", 2.0: "2", float("inf"): "\\infty"}


def clip(rule: Clipper, gradient: Sequence[float]) -> np.ndarray:
    """Return what ``rule`` makes of one gradient vector: the library's own code, not a copy of it."""
    grads = {"g": torch.tensor([list(gradient)], dtype=torch.float64)}
    return rule.clip(grads, rule.init(grads), grads).grads["g"][0].numpy()


def measure(rule: Clipper, gradient: Sequence[float]) -> float:
    """Return the number that ``rule`` compares with its threshold."""
    grads = {"g": torch.tensor([list(gradient)], dtype=torch.float64)}
    return float(rule.measure(grads, grads)[0])


def ball(norm_type: float, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the outline of all vectors whose norm is ``threshold``."""
    angle = np.linspace(0, 2 * np.pi, 241)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    return tuple(threshold * circle / np.linalg.norm(circle, ord=norm_type, axis=0))


def formula(rule: ClipByNorm, gradient: Sequence[float]) -> list[str]:
    """Return the clipping formula with the current numbers in it, as lines of LaTeX."""
    norm, tau = measure(rule, gradient), rule.max_norm
    length = rf"\lVert g\rVert_{{{NORM_NAMES.get(rule.norm_type, f'{rule.norm_type:g}')}}}"
    if norm < tau:
        return [rf"{length} = {number(norm)} < \tau = {tau:g}", r"g \leftarrow g \;\text{(unchanged)}"]
    x, y = clip(rule, gradient)
    return [
        rf"{length} = {number(norm)} \ge \tau = {tau:g}",
        rf"g \leftarrow \frac{{\tau}}{{{length}}}\,g = \frac{{{tau:g}}}{{{number(norm)}}}\,g = ({x:.2f},\ {y:.2f})",
    ]


def figure(rule: ClipByNorm, by_value: ClipByValue, gradient: Sequence[float]) -> go.Figure:
    """Return the drawing: raw gradient, the gradient clipped by norm and by value, and both rules' regions."""
    x, y = ball(rule.norm_type, rule.max_norm)
    c = by_value.clip_value
    chart = go.Figure(
        [
            go.Scatter(
                x=x, y=y, mode="lines", fill="toself", line_color=OTHERS[0].color, opacity=0.25, hoverinfo="skip"
            ),
            go.Scatter(
                x=[-c, c, c, -c, -c], y=[-c, -c, c, c, -c], mode="lines", hoverinfo="skip",
                line={"color": OTHERS[1].color, "dash": "dot", "width": 1},
            ),
        ]
    )  # fmt: skip
    arrows = [
        ("raw g", gradient, UNCLIPPED.color, 2, 14),
        ("by value", clip(by_value, gradient), OTHERS[1].color, 3, 14),
        ("by norm", clip(rule, gradient), OTHERS[0].color, 4, -14),
    ]
    for name, (to_x, to_y), color, width, shift in arrows:
        chart.add_annotation(
            x=to_x, y=to_y, ax=0, ay=0, axref="x", ayref="y", arrowcolor=color, arrowwidth=width, arrowhead=3, text=""
        )
        chart.add_annotation(
            x=to_x, y=to_y, text=name, font={"color": color, "size": 13}, showarrow=False, yshift=shift
        )
    span = 1.25 * max(3.0, abs(gradient[0]), abs(gradient[1]))
    chart.update_xaxes(range=[-span, span], title_text="g₁", zeroline=True)
    chart.update_yaxes(range=[-span, span], title_text="g₂", scaleanchor="x", zeroline=True)
    chart.update_layout(height=430, showlegend=False, margin={"l": 50, "r": 10, "t": 10, "b": 40})
    return chart


def norm_label(p: float) -> str:
    """Name a norm type."""
    return {1.0: "L1", 2.0: "L2 (length)", float("inf"): "max"}[p]


def conclusion(rule: ClipByNorm, by_value: ClipByValue, gradient: Sequence[float]) -> str:
    """Say what clipping by norm and by value did to this gradient's direction."""
    raw, clipped = np.asarray(gradient, dtype=float), clip(by_value, gradient)
    sizes = np.linalg.norm(raw) * np.linalg.norm(clipped)
    if not sizes:
        return "A zero gradient stays zero under every rule."
    if measure(rule, gradient) < rule.max_norm:
        return "The gradient lies inside the shaded ball: clipping by norm leaves it alone."
    angle = np.degrees(np.arccos(np.clip(raw @ clipped / sizes, -1, 1)))
    turned = f"turned it by {angle:.0f}°" if angle >= 0.5 else "kept its direction"
    return f"Clipping by norm shortened the arrow to the ball and kept its direction; clipping by value {turned}."
