"""The charts' figures: one empty trace in each run's style for each line, nothing from outside, plain JSON."""

from __future__ import annotations

import json

import pytest

from gclip.clipping import Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, Clipper, NoClip
from gclip.dashboard.figures import CHARTS, TUTORIAL, Drawn, figure, hint
from gclip.dashboard.live import describe
from gclip.dashboard.palette import styles
from gclip.dashboard.settings import PRESETS, Comparison, Entry
from gclip.training import RunConfig
from gclip.training.mlp import shapes

TENSORS = tuple(shapes(RunConfig()))
LOOKS = styles([RunConfig(), RunConfig(clipper=ClipByNorm(1.0)), RunConfig(clipper=ClipByValue(5.0))])
RUNS = tuple(Drawn(look, norm_threshold=i == 1) for i, look in enumerate(LOOKS))
SIX = Comparison(entries=tuple(PRESETS.values()))


def spec(name: str, relative: bool = False) -> dict:
    return json.loads(str(figure(name, RUNS, TENSORS, relative).to_json()))


def described(comparison: Comparison) -> dict:
    keys = [[config.key for config in group] for group in comparison.configs()]
    return describe(comparison, keys, tuple(CHARTS))


@pytest.mark.parametrize("name", CHARTS)
def test_each_chart_is_plain_json_with_nothing_from_outside(name: str) -> None:
    text = str(figure(name, RUNS, TENSORS, relative=False).to_json())
    assert json.loads(text)["layout"]["height"] == 300
    assert "http" not in text
    assert "cdn" not in text.lower()
    assert "NaN" not in text


@pytest.mark.parametrize("name", CHARTS)
def test_there_is_one_trace_for_each_run_and_line(name: str) -> None:
    lines = CHARTS[name].lines
    per_line = [len(TENSORS) if line.kind == "layers" else 1 for line in lines]
    thresholds = sum(line.series == "threshold" for line in lines)
    traces = spec(name)["data"]
    assert len(traces) == len(RUNS) * sum(per_line) - 2 * thresholds
    names = [tuple(trace["meta"][part] for part in ("run", "series", "kind", "tensor")) for trace in traces]
    assert len(set(names)) == len(names)
    assert {trace["meta"]["run"] for trace in traces} == {0, 1, 2}


@pytest.mark.parametrize("name", CHARTS)
def test_each_trace_has_its_runs_colour_and_no_data(name: str) -> None:
    for trace in spec(name)["data"]:
        look = LOOKS[trace["meta"]["run"]]
        assert trace["line"]["color"] == trace["marker"]["color"] == look.color
        assert not {"x", "y"} & set(trace)


@pytest.mark.parametrize("name", CHARTS)
def test_each_chart_names_its_axes_and_keeps_what_the_reader_zoomed(name: str) -> None:
    layout = spec(name)["layout"]
    assert layout["xaxis"]["title"]["text"] == CHARTS[name].x
    assert layout["yaxis"]["title"]["text"] == CHARTS[name].y
    assert layout["yaxis"]["type"] == ("log" if CHARTS[name].log else "linear")
    assert layout["uirevision"] == "keep"


@pytest.mark.parametrize("name", CHARTS)
def test_where_scales_differ_losses_are_relative(name: str) -> None:
    title = spec(name, relative=True)["layout"]["yaxis"]["title"]["text"]
    assert ("predicting the mean" in title) == (CHARTS[name].y == "loss")


def test_layers_are_told_apart_by_dash() -> None:
    dashes = [trace["line"]["dash"] for trace in spec("layers")["data"] if trace["meta"]["run"] == 0]
    assert len(set(dashes)) == len(TENSORS) == 4
    assert all(tensor in hint("layers", TENSORS) for tensor in TENSORS)


@pytest.mark.parametrize(
    ("rule", "drawn"),
    [
        (NoClip(), False),
        (ClipByNorm(1.0), True),
        (ClipByNorm(1.0, norm_type=1.0), False),
        (ClipByNorm(1.0, norm_type=float("inf")), False),
        (ClipByTensorNorm(1.0), False),
        (ClipByValue(5.0), False),
        (Chain(ClipByNorm(1.0), ClipByValue(0.1)), True),
        (Chain(ClipByValue(0.1), ClipByNorm(1.0)), False),
    ],
    ids=repr,
)
def test_only_an_l2_norm_rule_draws_its_threshold_among_norms(rule: Clipper, drawn: bool) -> None:
    traces = described(Comparison(entries=(Entry(clipper=rule),)))["charts"]["norms"]["figure"]["data"]
    assert ("threshold" in [trace["meta"]["series"] for trace in traces]) == drawn


def test_what_the_browser_is_handed_is_strict_json() -> None:
    text = json.dumps(described(SIX), allow_nan=False)
    assert "http" not in text
    assert len(text) < 120_000
    assert set(described(SIX)["charts"]) == set(CHARTS)


def test_the_browser_is_told_each_run() -> None:
    comparison = Comparison(entries=SIX.entries, seeds=5)
    data = described(comparison)
    groups = data["groups"]
    assert [len(group["keys"]) for group in groups] == [5] * 6
    assert len({group["color"] for group in groups}) == len({group["symbol"] for group in groups}) == 6
    assert [group["movable"] for group in groups] == [not isinstance(e.clipper, NoClip) for e in SIX.entries]
    assert data["selected"] == 1
    assert (data["total"], data["steps_per_epoch"], data["tensors"]) == (1600, 16, list(TENSORS))


def test_losses_are_scaled_only_where_runs_cannot_be_compared_otherwise() -> None:
    assert {group["scale"] for group in described(Comparison())["groups"]} == {1.0}
    mixed = described(Comparison(entries=(Entry(), Entry(standardize_target=True))))["groups"]
    assert mixed[0]["scale"] == pytest.approx(26269, rel=1e-3)
    assert mixed[1]["scale"] == pytest.approx(1, rel=0.3)


def test_the_tutorials_losses_stand_only_beside_the_tutorials_runs() -> None:
    assert [mark["value"] for mark in described(Comparison())["tutorial"]] == list(TUTORIAL.values())
    assert described(Comparison(shared=RunConfig(init_seed=3)))["tutorial"]
    others = (RunConfig(epochs=99), RunConfig(data_seed=2), RunConfig(loss="MAE"), RunConfig(standardize_target=True))
    assert not any(described(Comparison(shared=shared))["tutorial"] for shared in others)
