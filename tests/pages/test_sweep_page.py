"""Sweep: what is chosen is trained, kept in the link, and read back from it, whatever the link says."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from page_examples import COMPARE, MAIN, ROOT, Recorder, address, fine, live_data, opened
from streamlit.testing.v1 import AppTest
from test_frameworks_page import GARBAGE

from gclip.dashboard.notices import SHOWN, plain
from gclip.dashboard.sweep.feed import watched
from gclip.dashboard.sweep.networks import BENCHES, TITLES
from gclip.dashboard.sweep.settings import KINDS, read, write
from gclip.serving import Service
from gclip.serving.waiting import QueueFull
from gclip.sweeping import Sweep, usual
from gclip.training import Summary

SWEEP = ROOT / "pages" / "sweep.py"

KEPT = {"rule": "ClipByValue", "high": "50.0", "count": "9", "seeds": "3", "epochs": "7", "loss": "MAE"}


def page(**link: str) -> AppTest:
    """Open the page by a link."""
    return opened(SWEEP, {name: [text] for name, text in link.items()})


def sweep_of(at: AppTest) -> Sweep:
    return at.session_state["sweep.sweep"]


def in_step(at: AppTest) -> AppTest:
    """Return a page on which settings, address bar, widgets and charts say the same."""
    sweep = sweep_of(at)
    assert address(at) == write(sweep)
    assert at.button_group(key="sweep.kind").value == sweep.kind
    assert at.number_input(key="sweep.high").value == sweep.high
    assert at.button_group(key="sweep.network").value == sweep.network
    length = "steps" if sweep.shared.RECURRENT else "epochs"
    assert at.number_input(key=f"sweep.shared.{length}").value == getattr(sweep.shared, length)
    [data] = live_data(at)
    assert read({n: [v] for n, v in (pair.split("=") for pair in data["query"].split("&") if pair)}) == (sweep, [])
    assert list(data["charts"]) == (["curve", "budget"] if sweep.kind == "curve" else ["map"])
    return fine(at)


def set_(at: AppTest, **values: Any) -> AppTest:
    for name, value in values.items():
        widget = at.button_group if name in ("network", "kind", "rule") else at.number_input
        widget(key=f"sweep.{name.replace('__', '.')}").set_value(value)
    return fine(at.run())


def test_the_page_asks_for_all_its_runs_in_short(recorder: Recorder) -> None:
    at = in_step(page())
    assert recorder.asked == [usual("curve", "ClipByNorm").configs()]
    assert address(at) == {}
    assert at.sidebar.caption[0].value == "192 runs in all; at most 600. They take a few seconds on two free cores."


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", ["ClipByNorm", "AdaptiveGradientClip"])
def test_each_kind_begins_with_its_own_range(recorder: Recorder, kind: str, rule: str) -> None:
    other = "learning_rate" if kind == "curve" else "curve"
    at = set_(set_(page(kind=other, rule="ClipByValue", high="50"), rule=rule), kind=kind)
    assert sweep_of(in_step(at)) == usual(kind, rule)
    assert len(recorder.asked[-1]) <= 600


@pytest.mark.parametrize("network", TITLES)
def test_each_network_begins_with_its_own_ranges_and_settings(recorder: Recorder, network: str) -> None:
    other = "sum" if network == "regression" else "regression"
    at = set_(page(network=other, rule="ClipByValue", high="50", learning_rate="0.5"), network=network)
    assert sweep_of(in_step(at)) == usual("curve", "ClipByValue", network)
    assert recorder.asked[-1] == usual("curve", "ClipByValue", network).configs()
    titles = {TITLES[network], "Regression MLP"} - {TITLES["regression"]}
    assert all(any(title in text.value for text in at.markdown) for title in titles)
    at = set_(at, kind="learning_rate")
    assert sweep_of(in_step(at)) == usual("learning_rate", "ClipByValue", network)
    assert "sweep.shared.problem" not in {group.key for group in at.button_group}


def test_a_bad_batch_that_is_taken_back_leaves_a_sine_wave(recorder: Recorder) -> None:
    at = set_(page(network="bad_batch", count="5"), shared__bad_scale=1.0)
    assert (sweep_of(in_step(at)).network, sweep_of(at).count) == ("sine", 5)
    at = set_(at, shared__bad_scale=100.0)
    assert sweep_of(in_step(at)).network == "bad_batch"


def test_settings_of_a_network_outlive_another_page(recorder: Recorder) -> None:
    at = opened(MAIN)
    fine(at.switch_page(str(SWEEP)).run())
    set_(at, network="characters")
    set_(at, shared__steps=200, seeds=1)
    before = sweep_of(in_step(at))
    at.query_params.clear()
    fine(at.switch_page(str(COMPARE)).run())
    at.query_params.clear()
    fine(at.switch_page(str(SWEEP)).run())
    assert sweep_of(in_step(at)) == before


def test_each_control_changes_the_sweep_and_the_link(recorder: Recorder) -> None:
    at = page(kind="learning_rate")
    changed = {
        "low": 0.1,
        "high": 20.0,
        "count": 5,
        "seeds": 2,
        "other_low": 0.002,
        "other_high": 0.05,
        "other_count": 3,
    }
    for name, value in changed.items():
        at = in_step(set_(at, **{name: value}))
    at = in_step(set_(at, shared__epochs=7))
    assert address(at) == {"kind": ["learning_rate"], **{n: [str(v)] for n, v in changed.items()}, "epochs": ["7"]}
    assert len(recorder.asked[-1]) == 30
    assert "sweep.shared.learning_rate" not in {field.key for field in at.number_input}


def test_a_link_fills_every_control(recorder: Recorder) -> None:
    at = in_step(page(**KEPT))
    assert {name: texts for name, [texts] in address(at).items()} == KEPT
    assert not at.warning


def test_the_link_wins_when_it_is_pasted_and_the_control_when_it_is_moved(recorder: Recorder) -> None:
    at = set_(page(), count=10)
    at.query_params.clear()
    at.query_params["seeds"] = "2"
    in_step(fine(at.run()))
    assert address(at) == {"seeds": ["2"]}
    at.query_params.clear()
    in_step(set_(at, count=7))
    assert address(at) == {"seeds": ["2"], "count": ["7"]}


def test_who_comes_back_finds_the_sweep_again(recorder: Recorder) -> None:
    at = opened(MAIN)
    fine(at.switch_page(str(SWEEP)).run())
    set_(at, kind="both")
    set_(at, other_high=5.0, seeds=2)
    before = sweep_of(in_step(at))
    at.query_params.clear()
    fine(at.switch_page(str(COMPARE)).run())
    at.query_params.clear()
    fine(at.switch_page(str(SWEEP)).run())
    assert sweep_of(in_step(at)) == before


def test_settings_that_do_not_go_together_leave_the_last_good_sweep(recorder: Recorder) -> None:
    at = set_(page(), low=5.0)
    at = set_(at, high=2.0)
    assert plain("low is 5; allowed is a number below high, which is 2.") in at.warning[0].value
    assert (sweep_of(at).low, sweep_of(at).high) == (5, 1000)
    in_step(set_(at, low=1.0))
    assert not at.warning


def test_a_full_queue_is_told(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise QueueFull("Too many wait.")

    monkeypatch.setattr(recorder, "submit", full)
    at = page()
    assert at.warning[0].value == "Too many wait."
    assert not live_data(at)


def test_each_cell_leads_to_its_runs_on_the_compare_page(recorder: Recorder) -> None:
    [data] = live_data(page(kind="both", epochs="7"))
    assert len(data["cells"]) == 12
    assert {len(row) for row in data["cells"]} == {16}
    name, _, query = data["cells"][3][2].partition("?")
    assert name == "compare"
    assert "epochs=7&run=NoClip%28%29&run=Chain%28ClipByNorm" in query


def test_a_real_sweep_is_trained_and_taken_away(trainer: Service) -> None:
    at = page(count="3", seeds="2", epochs="2")
    [data] = live_data(at)
    seen = watched(data["query"])
    end = time.monotonic() + 120
    while seen.results().done < 1:
        assert time.monotonic() < end
        time.sleep(0.1)
    labels = [button.proto.label for button in at.get("download_button")]
    assert labels == ["Every run as CSV", "Every run as Parquet"]
    assert all(isinstance(summary, Summary) for summary in seen.results().summaries)
    assert seen.answer("")


PARAMETERS = [
    "network",
    "kind",
    "rule",
    "low",
    "high",
    "count",
    "seeds",
    "other_low",
    "other_high",
    "other_count",
    "epochs",
    "loss",
]
RIGHT = {**KEPT, "network": "sine", "steps": "40", "kind": "learning_rate", "other_low": "0.002", "other_count": "4"}


def link_of(chance: random.Random) -> dict[str, str]:
    """Return a link with some settings right, some wrong, and some that are none of the page's."""
    right = dict(chance.sample(sorted(RIGHT.items()), chance.randint(0, 5)))
    names = [*PARAMETERS, *BENCHES["regression"].shared, "run", "foo", "<b>"]
    return right | {chance.choice(names): chance.choice([*GARBAGE, "0", "1e9", "600", "1"]) for _ in range(3)}


@pytest.mark.parametrize("seed", range(60))
def test_a_link_edited_by_hand_never_breaks_the_page(recorder: Recorder, seed: int) -> None:
    link = link_of(random.Random(seed))
    sweep, refused = read({name: [text] for name, text in link.items()})
    at = in_step(page(**link))
    assert sweep_of(at) == sweep
    assert bool(at.warning) == bool(refused)
    for sentence in refused[:SHOWN]:
        assert plain(sentence) in at.warning[0].value
