"""The charts' figures: one empty trace in each run's style for each line, nothing from outside, plain JSON."""

from __future__ import annotations

import json

import pytest

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    Chain,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    ClipDerivative,
    Clipper,
    NoClip,
    NormalizeGradient,
    PerLayer,
    ZClip,
)
from gclip.dashboard.benches import COMPARE, EXPERIMENTS, LSTM, REGRESSION_RUNS
from gclip.dashboard.charts import CHARTS, COMPARISON, TUTORIAL, charts_of
from gclip.dashboard.figures import Drawn, figure, hint
from gclip.dashboard.labels import no_what_if
from gclip.dashboard.live import describe
from gclip.dashboard.palette import styles
from gclip.dashboard.settings import Comparison, Entry
from gclip.training import RecurrentConfig, RunConfig
from gclip.training.mlp import shapes
from gclip.training.recurrence import sample_target
from gclip.training.recurrent import shapes as recurrent_shapes
from gclip.training.sequences import zen

TENSORS = tuple(shapes(RunConfig()))
LOOKS = styles([RunConfig(), RunConfig(clipper=ClipByNorm(1.0)), RunConfig(clipper=ClipByValue(5.0))])
RUNS = tuple(Drawn(look, norm_threshold=i == 1) for i, look in enumerate(LOOKS))
SIX = Comparison(entries=tuple(REGRESSION_RUNS.values())[:6])


def spec(name: str, relative: bool = False) -> dict:
    return json.loads(str(figure(name, RUNS, TENSORS, relative).to_json()))


def described(comparison: Comparison) -> dict:
    keys = [[config.key for config in group] for group in comparison.configs()]
    return describe(comparison, keys, charts_of(comparison.shared))


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
    thresholds = sum(line.series == "threshold" and line.kind != "chosen" for line in lines)
    traces = spec(name)["data"]
    assert len(traces) == len(RUNS) * sum(per_line) - 2 * thresholds
    names = [tuple(trace["meta"][part] for part in ("run", "series", "kind", "tensor")) for trace in traces]
    assert len(set(names)) == len(names)
    assert {trace["meta"]["run"] for trace in traces} == ({0, 1, 2} if lines else set())


@pytest.mark.parametrize("name", CHARTS)
def test_each_trace_has_its_runs_colour_and_no_data(name: str) -> None:
    for trace in spec(name)["data"]:
        look = LOOKS[trace["meta"]["run"]]
        if trace["type"] == "scatter":
            assert trace["line"]["color"] == trace["marker"]["color"] == look.color
        assert not {"x", "y", "z"} & set(trace)


def test_only_the_flow_is_a_heat_map() -> None:
    kinds = {name: {trace["type"] for trace in spec(name)["data"]} for name in CHARTS}
    assert {name for name, kind in kinds.items() if kind == {"heatmap"}} == {"flow"}
    assert kinds["text"] == set()
    assert all(kind == {"scatter"} for name, kind in kinds.items() if name not in ("flow", "text"))


@pytest.mark.parametrize("shared", [COMPARE.default.shared, *[e.shared for e in EXPERIMENTS.values()]], ids=repr)
def test_each_page_has_its_own_charts(shared: RunConfig | RecurrentConfig) -> None:
    names = charts_of(shared)
    assert len(set(names)) == len(names)
    assert set(names) <= set(CHARTS)
    recurrent = {"flow", "ratio", "tests"} | {"sine": {"sample"}, "characters": {"text"}, "sum": {"scatter"}}.get(
        getattr(shared, "problem", ""), set()
    )
    shown = {"flow", "ratio", "tests", "sample", "text", "scatter"} & set(names)
    assert shown == (recurrent if isinstance(shared, RecurrentConfig) else set())
    assert ("epochs" in names) == isinstance(shared, RunConfig)


def test_every_chart_is_on_some_page() -> None:
    shared = [COMPARE.default.shared, *[experiment.shared for experiment in EXPERIMENTS.values()]]
    assert {name for config in shared for name in charts_of(config)} == set(CHARTS)


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
        (NormalizeGradient(1.0), True),
        (AutoClip(10.0), True),
        (ZClip(), True),
        (AdaGC(), True),
        (AdaptiveGradientClip(0.1), False),
        (ClipByBlockRMS(1.0), False),
        (PerLayer(ClipByNorm(1.0), output=ClipByNorm(10.0)), False),
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
    assert set(described(SIX)["charts"]) == set(COMPARISON)


def test_the_browser_is_told_each_run() -> None:
    comparison = Comparison(entries=SIX.entries, seeds=5)
    data = described(comparison)
    groups = data["groups"]
    assert [len(group["keys"]) for group in groups] == [5] * 6
    assert len({group["color"] for group in groups}) == len({group["symbol"] for group in groups}) == 6
    assert [group["movable"] for group in groups] == [False, True, True, True, True, False]
    assert [group["no_what_if"] for group in groups] == [""] * 5 + ["its threshold moves"]
    assert data["selected"] == 1
    assert (data["total"], data["steps_per_epoch"], data["tensors"]) == (1600, 16, list(TENSORS))


def test_losses_are_scaled_only_where_runs_cannot_be_compared_otherwise() -> None:
    assert {group["scale"] for group in described(COMPARE.default)["groups"]} == {1.0}
    mixed = described(Comparison(entries=(Entry(), Entry(standardize_target=True))))["groups"]
    assert mixed[0]["scale"] == pytest.approx(26269, rel=1e-3)
    assert mixed[1]["scale"] == pytest.approx(1, rel=0.3)


def test_the_tutorials_losses_stand_only_beside_the_tutorials_runs() -> None:
    assert [mark["value"] for mark in described(COMPARE.default)["tutorial"]] == list(TUTORIAL.values())
    assert described(Comparison(shared=RunConfig(init_seed=3)))["tutorial"]
    others = (RunConfig(epochs=99), RunConfig(data_seed=2), RunConfig(loss="MAE"), RunConfig(standardize_target=True))
    assert not any(described(Comparison(shared=shared))["tutorial"] for shared in others)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_recurrent_comparison_is_strict_json_too(name: str) -> None:
    experiment = EXPERIMENTS[name]
    data = described(experiment.model_copy(update={"entries": (*experiment.entries, *list(LSTM.runs.values())[2:6])}))
    text = json.dumps(data, allow_nan=False)
    assert "http" not in text
    assert len(text) < 120_000
    assert set(data["charts"]) == set(charts_of(experiment.shared))
    assert (data["total"], data["steps_per_epoch"], data["epochs"]) == (experiment.shared.steps, 20, False)
    assert (data["tutorial"], {group["scale"] for group in data["groups"]}) == ([], {1.0})
    names = [name.replace("lstm.", "recurrent.") for name in recurrent_shapes(data_config(experiment))]
    assert data["tensors"] == names, "an RNN stands beside the LSTM: their first layer has a name for both"
    assert described(experiment)["tensors"] == list(recurrent_shapes(data_config(experiment)))
    assert [group["label"] for group in data["groups"]][2:4] == ["No clipping · RNN", "Norm ≤ 1 · RNN"]


def data_config(comparison: Comparison) -> RecurrentConfig:
    assert isinstance(comparison.shared, RecurrentConfig)
    return comparison.shared


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_browser_is_told_the_right_answers_the_letters_and_the_bad_step(name: str) -> None:
    config = data_config(EXPERIMENTS[name])
    data = described(EXPERIMENTS[name])
    assert data["target"] == sample_target(config).tolist()
    assert len(data["target"]) == {"sine": config.sequence_length, "characters": 0, "sum": 40}[config.problem]
    assert data["alphabet"] == ("".join(sorted(set(zen()))) if config.problem == "characters" else "")
    assert data["bad_step"] == (300 if name == "One bad batch" else None)


def test_a_bad_batch_that_is_as_good_as_the_others_is_not_marked() -> None:
    for scale, steps, step in ((1.0, 80, None), (0.0, 80, 40), (2.0, 80, 40), (2.0, 40, None)):
        shared = RecurrentConfig(bad_scale=scale, bad_step=40, steps=steps)
        assert described(Comparison(shared=shared))["bad_step"] == step


def test_the_regression_has_no_answers_to_draw() -> None:
    data = described(COMPARE.default)
    assert (data["target"], data["alphabet"], data["bad_step"], data["epochs"]) == ([], "", None, True)


@pytest.mark.parametrize("rule", [AutoClip(10.0), ZClip(), AdaGC(), NormalizeGradient(), ClipDerivative()], ids=repr)
def test_a_rule_without_an_answer_says_why_and_cannot_be_moved_from_the_chart(rule: Clipper) -> None:
    for clipper in (rule, Chain(rule, ClipByValue(1.0))):
        [group] = described(Comparison(shared=RecurrentConfig(), entries=(Entry(clipper=clipper),)))["groups"]
        assert group["no_what_if"] == no_what_if(clipper) != ""
        assert not group["movable"]


def test_the_layers_of_both_cells_have_as_many_lines() -> None:
    cells = [tuple(recurrent_shapes(RecurrentConfig(cell=cell))) for cell in ("LSTM", "RNN")]
    assert len({len(tensors) for tensors in cells}) == 1
    for tensors in cells:
        assert all(f": {tensor}" in hint("layers", tensors) for tensor in tensors)
