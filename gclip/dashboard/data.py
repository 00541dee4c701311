"""The data's own page furniture: what the target looks like before anything is trained on it."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gclip.dashboard.words import number
from gclip.training import Config, RunConfig
from gclip.training.problems import make_data

COLOR = "#0B84D8"


def targets(config: Config) -> np.ndarray:
    """Return all targets of the problem, training half first, scaled as the config says."""
    assert isinstance(config, RunConfig)
    data = make_data(config)
    return np.concatenate([data.y_train.numpy(), data.y_test.numpy()])


def target_figure(config: Config) -> go.Figure:
    """Return the histogram of the target above its box plot, on one axis."""
    y = targets(config)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.75, 0.25], vertical_spacing=0.04)
    figure.add_trace(go.Histogram(x=y, nbinsx=50, marker_color=COLOR, name="rows"), row=1, col=1)
    figure.add_trace(go.Box(x=y, marker_color=COLOR, name="", boxpoints="outliers"), row=2, col=1)
    figure.update_layout(showlegend=False, height=320, margin={"l": 50, "r": 10, "t": 10, "b": 40}, bargap=0.05)
    figure.update_yaxes(title_text="rows", row=1, col=1)
    figure.update_xaxes(title_text="target", row=2, col=1)
    return figure


def target_words(config: Config) -> str:
    """Say what the target's size means for the first gradient."""
    y = targets(config)
    size = number(y.std())
    facts = f"{len(y):,} targets from {number(y.min())} to {number(y.max())}, standard deviation {size}."
    if y.std() > 10:
        return f"{facts} Errors this large make a squared-error gradient of the same size: that is what explodes."
    if not 1 / 3 < y.std() < 3:
        return f"{facts} Errors start near {size}."
    calm = ": at the tutorial's learning rate nothing explodes" if _is_gentle(config) else ""
    return f"{facts} At this scale errors and gradients start near 1{calm}."


def _is_gentle(config: Config) -> bool:
    """Say whether the run is trained as gently as the tutorial's: longer steps explode at any scale."""
    usual = RunConfig()
    bounds = ("learning_rate", "momentum", "hidden_units", "hidden_layers")
    within = all(getattr(config, name) <= getattr(usual, name) for name in bounds)
    return within and config.batch_size >= usual.batch_size
