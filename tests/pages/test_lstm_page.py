"""LSTM: every control changes the comparison and the link, and each experiment sets all of them."""

from __future__ import annotations

from typing import Any

import pytest
from page_examples import (
    Recorder,
    address,
    fine,
    live_data,
    lstm,
    settings_of,
    widgets_say,
)
from page_examples import add as add_to
from page_examples import in_step as in_step_on
from page_examples import shown as shown_on
from page_examples import specs as specs_on
from streamlit.testing.v1 import AppTest

from gclip.clipping import CLIPPERS, AutoClip, Chain, ClipByNorm, ClipByValue, ClipDerivative, NoClip, PerLayer
from gclip.dashboard.benches import EXPERIMENTS, LSTM
from gclip.dashboard.charts import charts_of
from gclip.dashboard.labels import RULES
from gclip.dashboard.settings import Comparison, Entry, write
from gclip.dashboard.state import AS_SHARED
from gclip.training import RecurrentConfig

pytestmark = pytest.mark.usefixtures("recorder")


def shown(at: AppTest) -> Comparison:
    return shown_on(at, LSTM)


def specs(at: AppTest) -> list[str]:
    return specs_on(at, LSTM)


def in_step(at: AppTest) -> AppTest:
    return in_step_on(at, LSTM)


def add(at: AppTest, preset: str) -> AppTest:
    return add_to(at, preset, LSTM)


def experiment(at: AppTest, name: str) -> AppTest:
    """Press the button of a whole experiment."""
    return fine(at.button(key=f"lstm.experiment.{name}").click().run())


def words(at: AppTest) -> str:
    return " ".join(element.value for element in at.markdown)


def test_the_default_shows_the_exploding_sine(recorder: Recorder) -> None:
    at = in_step(lstm())
    assert shown(at) == LSTM.default
    assert shown(at).shared == RecurrentConfig()
    assert [entry.clipper for entry in shown(at).entries] == [NoClip(), ClipByNorm(0.03)]
    assert recorder.asked == [[config for group in LSTM.default.configs() for config in group]]
    assert address(at) == {}
    assert not at.warning
    assert "Sine wave" in words(at)
    [data] = live_data(at)
    assert list(data["charts"]) == list(charts_of(RecurrentConfig()))
    assert (data["total"], data["bad_step"], len(data["target"])) == (800, None, 50)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_experiment_sets_every_control_and_the_link(name: str, recorder: Recorder) -> None:
    layered = ["PerLayer(ZClip(), output=ClipByNorm(1.0))", "PerLayer(NoClip(), lstm=AutoClip())"]
    at = lstm(run=[*layered, "ZClip();cell=RNN"], optimizer="Adam", hidden_units="9", seeds="5")
    in_step(experiment(at, name))
    comparison = EXPERIMENTS[name]
    assert shown(at) == comparison
    assert widgets_say(at, LSTM) == settings_of(comparison.shared, LSTM)
    assert address(at) == write(comparison, LSTM)
    assert recorder.asked[-1] == [config for group in comparison.configs() for config in group]
    assert list(live_data(at)[0]["charts"]) == list(charts_of(comparison.shared))
    assert f"**{name}.**" in words(at)
    again = in_step(lstm(**address(at)))
    assert shown(again) == comparison


def test_the_experiments_follow_one_another(recorder: Recorder) -> None:
    at = lstm()
    for name in (*EXPERIMENTS, *reversed(EXPERIMENTS)):
        in_step(experiment(at, name))
        assert shown(at) == EXPERIMENTS[name]
        here = [button.key for button in at.button if button.proto.type == "primary"]
        assert here == [f"lstm.experiment.{name}"]
    assert address(at) == {}


def test_the_stories_tell_the_experiments_own_numbers() -> None:
    at = experiment(lstm(), "One bad batch")
    assert "**One bad batch.**" in words(at)
    assert "In step 300 the targets are 100 times what they should be" in words(at)
    at.number_input(key="lstm.shared.bad_step").set_value(40)
    at.number_input(key="lstm.shared.bad_scale").set_value(7.5)
    fine(at.run())
    assert "In step 40 the targets are 7.5 times what they should be" in words(at)
    assert "**One bad batch.**" not in words(at), "what was measured at other settings stays untold"
    assert live_data(at)[0]["bad_step"] == 40
    experiment(at, "True explosion")
    assert "adds up 30 random numbers" in words(at)


def test_moving_a_threshold_trains_that_run_alone_anew() -> None:
    at = lstm()
    before = live_data(at)[0]["groups"]
    at.select_slider(key="lstm.run1.rule0.ClipByNorm.max_norm").set_value(10.0)
    in_step(at.run())
    assert shown(at).entries[1].clipper == ClipByNorm(10.0)
    after = live_data(at)[0]["groups"]
    assert [old["keys"] == new["keys"] for old, new in zip(before, after, strict=True)] == [True, False]


@pytest.mark.parametrize("name", [name for name in LSTM.rules if name != "ClipByNorm"])
def test_choosing_a_rule_starts_it_at_its_default(name: str) -> None:
    at = lstm()
    at.selectbox(key="lstm.run1.rule0").select(name)
    in_step(at.run())
    assert shown(at).entries == (Entry(), Entry(clipper=CLIPPERS[name]()))


def test_the_menu_offers_every_rule_by_its_name() -> None:
    at = lstm()
    assert at.selectbox(key="lstm.run0.rule0").options == [RULES[name] for name in LSTM.rules]
    assert RULES["ClipDerivative"] in at.selectbox(key="lstm.run0.rule0").options
    for place in ("1", "lstm", "output"):
        offered = at.selectbox(key=f"lstm.run0.rule{place}").options
        assert RULES["ClipDerivative"] not in offered, "it acts before the gradient is finished"
        assert (RULES["NoClip"] in offered) == (place != "1")


def test_graves_rule_has_two_bounds() -> None:
    at = add(lstm(), "Graves: derivatives inside the cell")
    assert shown(in_step(at)).entries[2].clipper == ClipDerivative(3e-5, 3e-4)
    at.select_slider(key="lstm.run2.rule0.ClipDerivative.gate_clip").set_value(0.01)
    at.select_slider(key="lstm.run2.rule0.ClipDerivative.output_clip").set_value(0.1)
    assert shown(in_step(at.run())).entries[2].clipper == ClipDerivative(0.01, 0.1)
    at.selectbox(key="lstm.run2.rule1").select("ClipByNorm")
    assert shown(in_step(at.run())).entries[2].clipper == Chain(ClipDerivative(0.01, 0.1), ClipByNorm(1.0))


def test_one_layer_may_have_a_rule_of_its_own() -> None:
    at = lstm()
    at.selectbox(key="lstm.run1.ruleoutput").select("AutoClip")
    at.selectbox(key="lstm.run1.rulelstm").select("ClipByValue")
    in_step(at.run())
    assert shown(at).entries[1].clipper == PerLayer(ClipByNorm(0.03), lstm=ClipByValue(5.0), output=AutoClip())
    at.select_slider(key="lstm.run1.rulelstm.ClipByValue.clip_value").set_value(0.1)
    in_step(at.run())
    assert shown(at).entries[1].clipper == PerLayer(ClipByNorm(0.03), lstm=ClipByValue(0.1), output=AutoClip())
    for place in ("lstm", "output"):
        at.selectbox(key=f"lstm.run1.rule{place}").select("")
    assert shown(in_step(at.run())) == LSTM.default


def test_a_rule_inside_the_cell_knows_no_layers_and_says_so() -> None:
    at = lstm()
    at.selectbox(key="lstm.run1.rule0").select("ClipDerivative")
    at.selectbox(key="lstm.run1.ruleoutput").select("ClipByNorm")
    fine(at.run())
    assert "ClipDerivative acts on the whole backward pass" in at.warning[0].value
    assert shown(at) == LSTM.default
    at.selectbox(key="lstm.run1.ruleoutput").select("")
    assert shown(in_step(at.run())).entries[1].clipper == ClipDerivative()


def test_one_run_may_have_another_cell() -> None:
    at = lstm()
    at.selectbox(key="lstm.run0.change.cell").select("RNN")
    in_step(at.run())
    assert shown(at).entries[0] == Entry(cell="RNN")
    assert [group[0].layers[0] for group in shown(at).configs()] == ["rnn", "lstm"]
    assert live_data(at)[0]["groups"][0]["label"] == "No clipping · RNN"
    at.selectbox(key="lstm.run0.rulernn").select("ClipByNorm")
    in_step(at.run())
    assert shown(at).entries[0] == Entry(cell="RNN", clipper=PerLayer(NoClip(), rnn=ClipByNorm(1.0)))
    at.selectbox(key="lstm.run0.change.cell").select(AS_SHARED)
    fine(at.run())
    assert "names the layer 'rnn'; this network has lstm and output" in at.warning[0].value
    at.selectbox(key="lstm.run0.rulernn").select("")
    assert shown(in_step(at.run())) == LSTM.default


def test_one_run_may_have_a_weight_gain_of_its_own() -> None:
    at = lstm()
    at.selectbox(key="lstm.run1.change.weight_gain").set_value("2.5")
    in_step(at.run())
    assert shown(at).entries[1] == Entry(clipper=ClipByNorm(0.03), weight_gain=2.5)
    assert [getattr(group[0], "weight_gain", None) for group in shown(at).configs()] == [0.0, 2.5]
    at.selectbox(key="lstm.run1.change.weight_gain").select(AS_SHARED)
    assert shown(in_step(at.run())) == LSTM.default


@pytest.mark.parametrize("text", ["steep", "-1", "16.1", "nan", "inf", "<b>", "1; 2", ""])
def test_a_weight_gain_that_is_none_is_refused_in_a_sentence(text: str) -> None:
    at = lstm()
    at.selectbox(key="lstm.run0.change.weight_gain").set_value(text)
    fine(at.run())
    assert "weight\\_gain is" in at.warning[0].value
    assert shown(at) == LSTM.default
    at.selectbox(key="lstm.run0.change.weight_gain").set_value("0")
    assert not in_step(at.run()).warning


CHANGED: dict[str, Any] = {
    "learning_rate": 0.003,
    "momentum": 0.5,
    "optimizer": "Adam",
    "steps": 40,
    "batch_size": 5,
    "problem": "sum",
    "sequence_length": 20,
    "bad_scale": 10.0,
    "bad_step": 30,
    "cell": "RNN",
    "hidden_units": 10,
    "weight_gain": 2.5,
    "init_seed": 5,
    "batch_seed": 6,
}


@pytest.mark.parametrize("name", LSTM.shared)
def test_each_shared_setting_changes_all_runs_and_the_link(name: str) -> None:
    at = lstm()
    kind = at.button_group if isinstance(CHANGED[name], str) else at.number_input
    kind(key=f"lstm.shared.{name}").set_value(CHANGED[name])
    in_step(at.run())
    assert address(at) == {name: [str(CHANGED[name])]}
    assert {getattr(group[0], name) for group in shown(at).configs()} == {CHANGED[name]}
    kind = at.button_group if isinstance(CHANGED[name], str) else at.number_input
    kind(key=f"lstm.shared.{name}").set_value(RecurrentConfig.model_fields[name].default)
    assert address(in_step(at.run())) == {}


def test_a_link_sets_every_control() -> None:
    runs = [
        "PerLayer(ClipByNorm(max_norm=2.5, norm_type=inf), rnn=NoClip());learning_rate=0.002",
        "Chain(ClipDerivative(gate_clip=0.1, output_clip=1.0), ClipByValue(clip_value=0.5));cell=LSTM;weight_gain=3.5",
    ]
    link = {name: str(value) for name, value in CHANGED.items()}
    at = in_step(lstm(**link, run=runs, seeds="5"))
    assert widgets_say(at, LSTM) == CHANGED == settings_of(shown(at).shared, LSTM)
    assert specs(at) == runs
    state = at.session_state
    assert [state[f"lstm.run0.rule{place}"] for place in ("0", "1", "rnn")] == ["ClipByNorm", "", "NoClip"]
    assert [state[f"lstm.run1.rule{place}"] for place in ("0", "1")] == ["ClipDerivative", "ClipByValue"]
    assert [state[f"lstm.run1.change.{name}"] for name in LSTM.changes] == [AS_SHARED, "LSTM", "3.5"]
    assert state["lstm.run0.change.learning_rate"] == "0.002"
    before = shown(at)
    assert shown(in_step(at.run())) == before


@pytest.mark.parametrize("preset", LSTM.runs)
def test_each_preset_can_be_added_and_removed(preset: str) -> None:
    at = in_step(add(lstm(), preset))
    assert shown(at).entries == (*LSTM.default.entries, LSTM.runs[preset])
    assert at.selectbox(key="lstm.preset").value is None
    fine(at.button(key="lstm.remove2").click().run())
    assert shown(in_step(at)) == LSTM.default


def test_runs_can_be_added_up_to_six_and_removed_down_to_one() -> None:
    at = lstm()
    for count, preset in enumerate(list(LSTM.runs)[2:6], start=3):
        assert len(shown(in_step(add(at, preset))).entries) == count
    assert not [button for button in at.button if button.label == "Add this run"]
    assert len({group["color"] for group in live_data(at)[0]["groups"]}) == 6
    left = list(shown(at).entries)
    while len(left) > 1:
        middle = len(left) // 2
        del left[middle]
        fine(at.button(key=f"lstm.remove{middle}").click().run())
        assert list(shown(in_step(at)).entries) == left
    assert at.button(key="lstm.remove0").disabled


def test_seeds_are_chosen_for_every_run() -> None:
    at = lstm()
    at.button_group(key="lstm.seeds").set_value(20)
    in_step(at.run())
    assert [len(group["keys"]) for group in live_data(at)[0]["groups"]] == [20, 20]
    assert address(at) == {"seeds": ["20"]}


def test_settings_that_do_not_fit_together_keep_the_last_comparison() -> None:
    at = lstm(learning_rate="0.5")
    before, link = shown(at), address(at)
    for name, value in (("hidden_units", 128), ("batch_size", 128), ("steps", 4000)):
        at.number_input(key=f"lstm.shared.{name}").set_value(value)
    fine(at.run())
    assert "hidden\\_units is 128 over 50 time steps and 4000 steps" in at.warning[0].value
    assert (shown(at), address(at)) == (before, link)
    assert fine(at.run()).warning
    at.number_input(key="lstm.shared.steps").set_value(200)
    assert not in_step(at.run()).warning


def test_a_bad_batch_of_characters_is_refused_in_a_sentence() -> None:
    at = experiment(lstm(), "One bad batch")
    at.button_group(key="lstm.shared.problem").set_value("characters")
    fine(at.run())
    assert "allowed is 1 where the targets are characters" in at.warning[0].value
    assert shown(at) == EXPERIMENTS["One bad batch"]
    at.number_input(key="lstm.shared.bad_scale").set_value(1.0)
    in_step(at.run())
    assert not at.warning
    assert live_data(at)[0]["alphabet"]


def test_a_link_of_the_other_page_is_answered_in_sentences() -> None:
    at = lstm(epochs="7", standardize_target="True", hidden_units="9", run="NoClip();standardize_target=True")
    told = at.warning[0].value
    assert all(words in told for words in ("'epochs' is not a setting", "'standardize\\_target' is not", "run is"))
    assert shown(at).shared == RecurrentConfig(hidden_units=9)
    assert shown(at).entries == LSTM.default.entries


HOSTILE = {
    "problem": "<script>alert(1)</script>",
    "cell": "[click](javascript:alert(1))",
    "weight_gain": "$x^2$ **bold** :red[x]",
    "bad_step": "1e999",
    "run": "![image](https://example.com/x.png)",
    "__proto__": "~~x~~",
}


def test_hostile_values_are_told_letter_by_letter_and_do_nothing() -> None:
    at = lstm(**HOSTILE)
    items = at.warning[0].value.split("\n")[2:]
    assert len(items) == len(HOSTILE)
    assert "<script>" not in at.warning[0].value.replace("\\<", "")
    assert shown(at) == LSTM.default
    assert address(at) == {}


@pytest.mark.parametrize("library", ["PyTorch", "Keras"])
def test_the_take_away_panel_answers_for_each_run(library: str) -> None:
    at = lstm(run=["NoClip()", "ClipDerivative(0.1, 1.0)", "ZClip();cell=RNN"])
    at.button_group(key="script_library").set_value(library)
    for run in range(3):
        at.selectbox(key="script_run").set_value(run)
        fine(at.run())
        assert at.code or at.info, "a script, or a sentence that says why there is none"


def test_the_page_leads_to_the_sweep_of_its_network() -> None:
    assert any(text.value.startswith("Which threshold is best?") for text in lstm().caption)
