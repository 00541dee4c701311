"""Compare: every control changes the comparison and the link, and every link sets the controls."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest
from page_examples import (
    Recorder,
    add,
    address,
    compare,
    fine,
    in_step,
    live_data,
    settings_of,
    shown,
    specs,
    widgets_say,
)
from streamlit.testing.v1 import AppTest

from gclip.clipping import CLIPPERS, Chain, ClipByNorm, ClipByValue, NoClip, PerLayer
from gclip.dashboard.benches import COMPARE, REGRESSION_RUNS, RULES
from gclip.dashboard.settings import Comparison, Entry
from gclip.dashboard.state import AS_SHARED
from gclip.training import RunConfig

pytestmark = pytest.mark.usefixtures("recorder")
INF = float("inf")


def test_the_default_shows_the_tutorials_three_runs(recorder: Recorder) -> None:
    at = in_step(compare())
    assert shown(at) == COMPARE.default
    assert [entry.clipper for entry in shown(at).entries] == [NoClip(), ClipByNorm(1.0), ClipByValue(5.0)]
    assert recorder.asked == [[config for group in COMPARE.default.configs() for config in group]]
    assert address(at) == {}


def test_moving_a_threshold_trains_that_run_alone_anew() -> None:
    at = compare()
    before = live_data(at)[0]["groups"]
    at.select_slider(key="run1.rule0.ClipByNorm.max_norm").set_value(10.0)
    in_step(at.run())
    assert shown(at).entries[1].clipper == ClipByNorm(10.0)
    after = live_data(at)[0]["groups"]
    assert [old["keys"] == new["keys"] for old, new in zip(before, after, strict=True)] == [True, False, True]


@pytest.mark.parametrize("rule", [CLIPPERS[name]() for name in RULES], ids=repr)
@pytest.mark.parametrize("run", [0, 2])
def test_choosing_a_rule_starts_it_at_its_default(run: int, rule: Any) -> None:
    at = compare()
    at.selectbox(key=f"run{run}.rule0").select(type(rule).__name__)
    in_step(at.run())
    assert shown(at).entries[run].clipper == rule
    others = [i for i in range(3) if i != run]
    assert [shown(at).entries[i] for i in others] == [COMPARE.default.entries[i] for i in others]


@pytest.mark.parametrize("p", [1.0, 3.0, INF])
def test_choosing_a_norm_type(p: float) -> None:
    at = compare()
    at.button_group(key="run1.rule0.ClipByNorm.norm_type").set_value(p)
    in_step(at.run())
    assert shown(at).entries[1].clipper == ClipByNorm(1.0, norm_type=p)


@pytest.mark.parametrize("second", ["ClipByNorm", "ClipByTensorNorm", "ClipByValue"])
def test_adding_and_taking_away_a_second_rule(second: str) -> None:
    at = compare()
    at.selectbox(key="run1.rule1").select(second)
    in_step(at.run())
    rule = shown(at).entries[1].clipper
    assert isinstance(rule, Chain)
    assert rule.rules[0] == ClipByNorm(1.0)
    assert type(rule.rules[1]).__name__ == second
    name = "clip_value" if second == "ClipByValue" else "max_norm"
    at.select_slider(key=f"run1.rule1.{second}.{name}").set_value(0.1)
    in_step(at.run())
    moved = shown(at).entries[1].clipper
    assert isinstance(moved, Chain)
    assert getattr(moved.rules[1], name) == 0.1
    assert moved.rules[0] == ClipByNorm(1.0)
    at.selectbox(key="run1.rule1").select("")
    in_step(at.run())
    assert shown(at).entries[1].clipper == ClipByNorm(1.0)


def test_one_layer_may_have_a_rule_of_its_own() -> None:
    at = compare()
    at.selectbox(key="run1.ruleoutput").select("ClipByValue")
    in_step(at.run())
    assert shown(at).entries[1].clipper == PerLayer(ClipByNorm(1.0), output=ClipByValue(5.0))
    at.select_slider(key="run1.ruleoutput.ClipByValue.clip_value").set_value(0.1)
    at.selectbox(key="run1.rulehidden").select("NoClip")
    in_step(at.run())
    assert shown(at).entries[1].clipper == PerLayer(ClipByNorm(1.0), hidden=NoClip(), output=ClipByValue(0.1))
    at.selectbox(key="run1.rule1").select("ClipByNorm")
    at.selectbox(key="run1.rulehidden").select("")
    in_step(at.run())
    both = Chain(ClipByNorm(1.0), ClipByNorm(1.0))
    assert shown(at).entries[1].clipper == PerLayer(both, output=ClipByValue(0.1))
    at.selectbox(key="run1.rule1").select("")
    at.selectbox(key="run1.ruleoutput").select("")
    in_step(at.run())
    assert shown(at) == COMPARE.default


def test_a_link_sets_the_rules_of_layers() -> None:
    run = (
        "PerLayer(Chain(ClipByNorm(max_norm=2.0, norm_type=1.0), ClipByValue(clip_value=0.3)), "
        "hidden=NoClip(), output=ZClip(z_thresh=3.3, alpha=0.9, warmup_steps=7, clip_factor=0.5, eps=1e-05, "
        "max_grad_norm=inf))"
    )
    at = in_step(compare(run=[run, "NoClip()"]))
    assert specs(at) == [run, "NoClip()"]
    state = at.session_state
    rules = [state[f"run0.rule{place}"] for place in ("0", "1", "hidden", "output")]
    assert rules == ["ClipByNorm", "ClipByValue", "NoClip", "ZClip"]
    assert [state[f"run1.rule{place}"] for place in ("0", "1")] == ["NoClip", ""]
    assert shown(in_step(at.run())).entries[0].spec() == run
    fine(at.button(key="remove0").click().run())
    assert specs(in_step(at)) == ["NoClip()"]


def test_a_layer_that_the_network_no_longer_has_is_refused_until_its_rule_goes() -> None:
    at = compare(run="PerLayer(ClipByNorm(1.0), hidden=ClipByNorm(2.0))")
    before = shown(at)
    at.number_input(key="shared.hidden_layers").set_value(2)
    fine(at.run())
    assert "names the layer 'hidden'" in at.warning[0].value
    assert shown(at) == before
    at.selectbox(key="run0.rulehidden").select("")
    in_step(at.run())
    assert not at.warning
    assert shown(at).entries == (Entry(clipper=ClipByNorm(1.0)),)
    assert shown(at).shared == RunConfig(hidden_layers=2)
    at.selectbox(key="run0.rulehidden2").select("ClipByValue")
    assert shown(in_step(at.run())).entries[0].clipper == PerLayer(ClipByNorm(1.0), hidden2=ClipByValue(5.0))


@pytest.mark.parametrize("name", RULES)
def test_every_hyperparameter_of_a_rule_has_a_control(name: str) -> None:
    at = compare(run=f"{name}()")
    keys = {widget.key for widget in (*at.select_slider, *at.button_group)}
    for spec in fields(CLIPPERS[name]):
        assert f"run0.rule0.{name}.{spec.name}" in keys
        if "low" not in spec.metadata:
            continue
        key = f"run0.rule0.{name}.{spec.name}"
        places = [float(option) for option in at.select_slider(key=key).options]
        for place in (places[2], places[-1]):
            value = int(place) if place.is_integer() and spec.metadata.get("whole") else place
            at.select_slider(key=key).set_value(value)
            in_step(at.run())
            assert not at.warning, at.warning[0].value
            assert getattr(shown(at).entries[0].clipper, spec.name) == place


def test_one_run_may_take_a_learning_rate_of_its_own() -> None:
    at = compare()
    at.selectbox(key="run0.change.learning_rate").set_value("0.0005")
    in_step(at.run())
    assert shown(at).entries[0] == Entry(learning_rate=0.0005)
    assert [config[0].learning_rate for config in shown(at).configs()] == [0.0005, 0.01, 0.01]
    in_step(at.run())
    at.selectbox(key="run0.change.learning_rate").select(AS_SHARED)
    assert shown(in_step(at.run())) == COMPARE.default


@pytest.mark.parametrize("text", ["fast", "-1", "0", "nan", "1e9", "<b>", "0.1; 0.2"])
def test_a_learning_rate_that_is_none_is_refused_in_a_sentence(text: str) -> None:
    at = compare()
    at.selectbox(key="run0.change.learning_rate").set_value(text)
    fine(at.run())
    assert "learning\\_rate is" in at.warning[0].value
    assert shown(at) == COMPARE.default
    at.selectbox(key="run0.change.learning_rate").set_value("0.001")
    assert not in_step(at.run()).warning


def test_one_run_may_take_a_scaled_target() -> None:
    at = compare()
    at.selectbox(key="run0.change.standardize_target").select("True")
    in_step(at.run())
    assert shown(at).entries[0] == Entry(standardize_target=True)
    at.selectbox(key="run0.change.standardize_target").select("False")
    assert shown(in_step(at.run())).entries[0] == Entry(standardize_target=False)


@pytest.mark.parametrize("seeds", [5, 20])
def test_choosing_seeds(seeds: int) -> None:
    at = compare()
    at.button_group(key="seeds").set_value(seeds)
    in_step(at.run())
    assert shown(at).seeds == seeds
    assert address(at) == {"seeds": [str(seeds)]}


CHANGED: dict[str, Any] = {
    "learning_rate": 0.003,
    "momentum": 0.5,
    "optimizer": "Adam",
    "loss": "Huber",
    "epochs": 7,
    "batch_size": 50,
    "hidden_units": 10,
    "hidden_layers": 2,
    "standardize_target": True,
    "standardize_inputs": True,
    "n_samples": 400,
    "n_features": 9,
    "n_informative": 3,
    "noise": 2.5,
    "data_seed": 4,
    "init_seed": 5,
    "batch_seed": 6,
}


def control(at: AppTest, name: str) -> Any:
    """Return the control of a shared setting."""
    kind = {bool: at.toggle, str: at.button_group}.get(type(CHANGED[name]), at.number_input)
    return kind(key=f"shared.{name}")


@pytest.mark.parametrize("name", COMPARE.shared)
def test_each_shared_setting_changes_all_runs_and_the_link(name: str) -> None:
    at = compare()
    control(at, name).set_value(CHANGED[name])
    in_step(at.run())
    assert address(at) == {name: [str(CHANGED[name])]}
    assert {getattr(group[0], name) for group in shown(at).configs()} == {CHANGED[name]}
    control(at, name).set_value(RunConfig.model_fields[name].default)
    assert address(in_step(at.run())) == {}


def test_a_link_sets_every_control() -> None:
    runs = [
        "ClipByNorm(max_norm=2.5, norm_type=inf);learning_rate=0.002",
        "Chain(ClipByTensorNorm(max_norm=10.0), ClipByValue(clip_value=0.5));standardize_target=True",
    ]
    link = {name: str(value) for name, value in CHANGED.items()}
    at = in_step(compare(**link, run=runs, seeds="5"))
    assert widgets_say(at) == CHANGED == settings_of(shown(at).shared)
    assert specs(at) == runs
    state = at.session_state
    assert (state["run0.rule0"], state["run0.rule1"], state["seeds"]) == ("ClipByNorm", "", 5)
    assert (state["run0.rule0.ClipByNorm.max_norm"], state["run0.rule0.ClipByNorm.norm_type"]) == (2.5, INF)
    assert (state["run1.rule0"], state["run1.rule1"]) == ("ClipByTensorNorm", "ClipByValue")
    assert state["run1.rule1.ClipByValue.clip_value"] == 0.5
    assert (state["run0.change.learning_rate"], state["run1.change.learning_rate"]) == ("0.002", AS_SHARED)
    assert state["run1.change.standardize_target"] == "True"
    before = shown(at)
    assert shown(in_step(at.run())) == before


def test_a_pasted_link_wins_over_what_was_on_show() -> None:
    at = compare(epochs="7", seeds="5")
    at.query_params.clear()
    at.query_params["run"] = ["NoClip()", "ClipByValue(clip_value=0.25)"]
    in_step(at.run())
    assert shown(at) == Comparison(entries=(Entry(), Entry(clipper=ClipByValue(0.25))))
    at.query_params.clear()
    assert shown(in_step(at.run())) == COMPARE.default


def test_a_moved_control_wins_over_the_address_bar_behind_it() -> None:
    at = compare(epochs="7")
    at.number_input(key="shared.epochs").set_value(8)
    assert address(in_step(at.run())) == {"epochs": ["8"]}


@pytest.mark.parametrize("value", ["0.12345", "1234.5", "1e-05", "123456789.0", "inf", "3.3333333333"])
@pytest.mark.parametrize("rule", ["ClipByNorm", "ClipByTensorNorm", "ClipByValue"])
def test_a_threshold_off_the_sliders_grid_is_kept_exactly(rule: str, value: str) -> None:
    at = in_step(compare(run=f"{rule}({value})"))
    for epochs in (7, 8):
        at.number_input(key="shared.epochs").set_value(epochs)
        in_step(at.run())
        held = shown(at).entries[0].clipper
        assert getattr(held, "clip_value" if rule == "ClipByValue" else "max_norm") == float(value)


@pytest.mark.parametrize("run", ["ClipByNorm(0.9999999)", "ClipByNorm(1.0, norm_type=1.9999999)"])
def test_a_threshold_hardly_off_the_grid_is_kept_exactly(run: str) -> None:
    at = in_step(compare(run=run))
    before = shown(at)
    assert shown(fine(at.run())) == before


@pytest.mark.parametrize("run", ["Chain(ClipByNorm(1.0))", "Chain(ClipByNorm(1.0), NoClip())"])
def test_a_chain_that_does_nothing_more_is_on_show_as_it_will_stay(run: str) -> None:
    at = in_step(compare(run=run))
    before = shown(at)
    assert shown(fine(at.run())) == before


@pytest.mark.parametrize("preset", REGRESSION_RUNS)
def test_each_preset_can_be_added(preset: str) -> None:
    at = in_step(add(compare(), preset))
    assert shown(at).entries == (*COMPARE.default.entries, REGRESSION_RUNS[preset])
    assert at.selectbox(key="preset").value is None


def test_runs_can_be_added_up_to_six() -> None:
    at = compare()
    for count, preset in enumerate(list(REGRESSION_RUNS)[3:6], start=4):
        assert len(shown(in_step(add(at, preset))).entries) == count
    assert shown(at).entries == tuple(REGRESSION_RUNS.values())[:6]
    assert not [button for button in at.button if button.label == "Add this run"]
    assert len({group["color"] for group in live_data(at)[0]["groups"]}) == 6


@pytest.mark.parametrize("first", [0, 1, 2])
def test_removing_a_run_keeps_the_others(first: int) -> None:
    at = compare(run=["NoClip()", "ClipByNorm(3.0);learning_rate=0.002", "Chain(ClipByNorm(2.0), ClipByValue(0.5))"])
    entries = list(shown(at).entries)
    del entries[first]
    fine(at.button(key=f"remove{first}").click().run())
    assert list(shown(in_step(at)).entries) == entries
    assert list(shown(in_step(at.run())).entries) == entries


def test_runs_can_be_removed_down_to_one() -> None:
    at = compare()
    for left in (2, 1):
        in_step(fine(at.button(key="remove0").click().run()))
        assert len(shown(at).entries) == left
    assert specs(at) == ["ClipByValue(clip_value=5.0)"]
    assert at.button(key="remove0").disabled


def test_a_run_added_after_one_was_removed_is_the_preset() -> None:
    at = compare(run=["NoClip()", "Chain(ClipByNorm(2.0), ClipByValue(0.5));learning_rate=0.002"])
    fine(at.button(key="remove1").click().run())
    in_step(add(at, "Tutorial, clipnorm 1"))
    assert shown(at).entries == (Entry(), REGRESSION_RUNS["Tutorial, clipnorm 1"])


def test_settings_that_do_not_fit_together_keep_the_last_comparison() -> None:
    at = compare(hidden_units="10")
    before, link = shown(at), address(at)
    at.number_input(key="shared.epochs").set_value(2000)
    at.number_input(key="shared.batch_size").set_value(1)
    fine(at.run())
    assert "epochs is 2000 at batch\\_size 1\\: 1,000,000 steps; allowed are 20,000" in at.warning[0].value
    assert (shown(at), address(at)) == (before, link)
    assert at.number_input(key="shared.epochs").value == 2000
    assert fine(at.run()).warning
    at.number_input(key="shared.batch_size").set_value(250)
    assert not in_step(at.run()).warning
    assert (shown(at).shared.epochs, shown(at).shared.batch_size, shown(at).shared.hidden_units) == (2000, 250, 10)


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 0.0), ("momentum", 1.0)])
def test_a_limit_that_is_itself_not_allowed_is_refused_in_a_sentence(name: str, value: float) -> None:
    at = compare()
    at.number_input(key=f"shared.{name}").set_value(value)
    fine(at.run())
    assert name.replace("_", "\\_") in at.warning[0].value
    assert shown(at) == COMPARE.default


def test_a_run_can_be_removed_while_settings_do_not_fit_together() -> None:
    at = compare()
    at.number_input(key="shared.epochs").set_value(2000)
    at.number_input(key="shared.batch_size").set_value(1)
    fine(at.run())
    fine(at.button(key="remove0").click().run())


def test_a_run_added_while_settings_do_not_fit_together_comes_when_they_do() -> None:
    at = compare()
    at.number_input(key="shared.epochs").set_value(2000)
    fine(at.run())
    add(at, "Tutorial, clipnorm 1")
    at.number_input(key="shared.epochs").set_value(10)
    in_step(at.run())
    assert len(shown(at).entries) == 4
    assert shown(at).shared.epochs == 10


HOSTILE = {
    "epochs": "<script>alert(1)</script>",
    "loss": "[click](javascript:alert(1))",
    "noise": "$x^2$ **bold** `code` :smile: :red[x]",
    "run": "![image](https://example.com/x.png)",
    "# heading <img src=x onerror=alert(1)>": "1",
    "__proto__": "~~x~~",
    "a\n\n- b\n": "1",
}


def test_markdown_in_hostile_values_is_escaped() -> None:
    at = compare(**HOSTILE)
    [warning] = at.warning
    items = warning.value.split("\n")[2:]
    assert len(items) == len(HOSTILE)
    for item in items:
        assert item.startswith("- ")
        assert not re.search(r"(?<!\\)[<>\[\]()*_`$:!#~|{}]", item[2:].replace(r"\\", "")), item
    assert shown(at) == COMPARE.default
    assert address(at) == {}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_hostile_value_gets_a_warning_and_no_exception(name: str) -> None:
    at = compare(**{name: HOSTILE[name]}, epochs_="x")
    assert len(at.warning) == 1
    assert shown(at) == COMPARE.default


def test_of_very_many_refusals_the_first_are_told_and_the_others_counted() -> None:
    at = compare(**{f"unknown{i}": "1" for i in range(50)})
    items = at.warning[0].value.split("\n")[2:]
    assert len(items) == 9
    assert items[-1] == "- and 42 more."


def test_a_refused_setting_stays_told_until_something_changes() -> None:
    at = compare(epochs="0")
    assert len(fine(at.run()).warning) == 1
    at.number_input(key="shared.epochs").set_value(7)
    assert not in_step(at.run()).warning


def test_the_page_says_what_differs_between_its_runs() -> None:
    at = compare()
    assert "**the rule is all that differs.**" in at.markdown[0].value
    add(at, "No clipping, scaled target")
    assert "**the rule and the scale of the target are all that differ.**" in at.markdown[0].value


def test_the_page_tells_the_datas_facts() -> None:
    at = compare()
    captions = " ".join(caption.value for caption in at.caption)
    assert "1,000 targets" in captions
    at.toggle(key="shared.standardize_target").set_value(True)
    fine(at.run())
    assert "nothing explodes" in " ".join(caption.value for caption in at.caption)
    at.number_input(key="shared.learning_rate").set_value(0.5)
    fine(at.run())
    assert "nothing explodes" not in " ".join(caption.value for caption in at.caption)


@pytest.mark.parametrize("library", ["PyTorch", "Keras"])
def test_the_script_of_each_run_is_on_the_page(library: str) -> None:
    at = compare()
    at.button_group(key="script_library").set_value(library)
    for run in range(3):
        at.selectbox(key="script_run").set_value(run)
        fine(at.run())
        assert library.lower().replace("pytorch", "torch") in at.code[0].value


def test_the_script_panel_survives_the_removal_of_its_run() -> None:
    at = compare()
    at.selectbox(key="script_run").set_value(2)
    fine(at.run())
    fine(at.button(key="remove0").click().run())
    in_step(at)
