"""Each page runs by itself and through the application's own script, and trains what it shows."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from page_examples import (
    COMPARE,
    LSTM,
    MAIN,
    START,
    Recorder,
    add,
    compare,
    fine,
    in_step,
    live_data,
    lstm,
    opened,
    shown,
)
from starlette.requests import Request
from streamlit.testing.v1 import AppTest

from gclip.clipping import ClipByNorm, NoClip
from gclip.dashboard.benches import LSTM as LSTM_BENCH
from gclip.dashboard.routes import live
from gclip.serving import Service
from gclip.serving.wire import unpack


def answer(groups: list[dict[str, Any]]) -> tuple[int, bytes]:
    """Ask for the numbers of a live view's runs, as its script does."""
    pairs = [pair for g in groups for pair in (("run", ".".join(g["keys"])), ("since", "0.0.0"), ("label", g["label"]))]
    scope = {"type": "http", "method": "GET", "query_string": urlencode(pairs).encode(), "headers": []}
    response = asyncio.run(live(Request(scope)))
    return response.status_code, bytes(response.body)


def trained(groups: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Wait until all runs of a live view have ended."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        status, body = answer(groups)
        assert status == 200
        header, arrays = unpack(body)
        if all(run["final"] for run in header["runs"]):
            return header, arrays
        time.sleep(0.1)
    raise AssertionError("waited in vain")


@pytest.mark.parametrize("page", [START, COMPARE, LSTM, MAIN], ids=lambda page: page.stem)
def test_a_page_runs_and_runs_again(trainer: Service, page: Path) -> None:
    at = opened(page)
    assert at.title
    assert not at.warning
    title = at.title[0].value
    assert fine(at.run()).title[0].value == title


def test_the_application_leads_to_the_compare_page(trainer: Service) -> None:
    at = opened(MAIN)
    assert at.title[0].value == opened(START).title[0].value
    fine(at.switch_page(str(COMPARE)).run())
    assert len(live_data(at)) == 1


def test_the_application_leads_to_the_lstm_page(trainer: Service) -> None:
    at = opened(MAIN)
    fine(at.switch_page(str(LSTM)).run())
    [data] = live_data(at)
    assert "flow" in data["charts"]
    assert at.title[0].value == "Gradients through time: a small LSTM"


def visit(at: AppTest, page: Path) -> AppTest:
    """Go to another page by the menu, which empties the address bar."""
    at.query_params.clear()
    return fine(at.switch_page(str(page)).run())


def test_two_pages_keep_their_settings_apart(recorder: Recorder) -> None:
    at = visit(opened(MAIN), COMPARE)
    at.number_input(key="shared.hidden_units").set_value(7)
    at.select_slider(key="run1.rule0.ClipByNorm.max_norm").set_value(10.0)
    at.selectbox(key="run0.ruleoutput").select("ClipByValue")
    at.selectbox(key="run0.change.learning_rate").set_value("0.002")
    at.button_group(key="seeds").set_value(5)
    regression = shown(in_step(fine(at.run())))
    assert (regression.shared.hidden_units, regression.seeds) == (7, 5)

    visit(at, LSTM)
    assert shown(in_step(at, LSTM_BENCH), LSTM_BENCH) == LSTM_BENCH.default
    at.number_input(key="lstm.shared.hidden_units").set_value(9)
    at.selectbox(key="lstm.run1.rule0").select("AutoClip")
    at.selectbox(key="lstm.run0.rulelstm").select("ClipByNorm")
    at.selectbox(key="lstm.run1.change.cell").select("RNN")
    fine(at.run())
    add(at, "ZClip", LSTM_BENCH)
    recurrent = shown(in_step(at, LSTM_BENCH), LSTM_BENCH)
    assert (recurrent.shared.hidden_units, len(recurrent.entries), recurrent.seeds) == (9, 3, 1)

    for _ in range(2):
        visit(at, COMPARE)
        assert shown(in_step(at)) == regression
        assert at.number_input(key="shared.hidden_units").value == 7
        visit(at, LSTM)
        assert shown(in_step(at, LSTM_BENCH), LSTM_BENCH) == recurrent
        assert at.selectbox(key="lstm.run1.change.cell").value == "RNN"
        assert at.selectbox(key="lstm.run0.rulelstm").value == "ClipByNorm"
        visit(at, START)
    visit(at, LSTM)
    fine(at.button(key="lstm.remove2").click().run())
    visit(at, COMPARE)
    at.number_input(key="shared.hidden_units").set_value(8)
    assert shown(in_step(at.run())).entries == regression.entries
    visit(at, LSTM)
    assert shown(in_step(at, LSTM_BENCH), LSTM_BENCH).entries == recurrent.entries[:2]


def test_the_script_panels_of_two_pages_do_not_meet(recorder: Recorder) -> None:
    at = visit(opened(MAIN), COMPARE)
    at.selectbox(key="script_run").set_value(2)
    at.button_group(key="script_library").set_value("Keras")
    fine(at.run())
    for page in (LSTM, COMPARE):
        visit(at, page)


def test_the_start_page_trains_nothing_before_it_is_asked(trainer: Service) -> None:
    assert not live_data(opened(START))
    assert not any(trainer._watches.values())


def test_the_button_trains_two_runs_and_draws_them_live(trainer: Service) -> None:
    at = opened(START)
    fine(at.button[0].click().run())
    [data] = live_data(at)
    assert [group["detail"] for group in data["groups"]] == [repr(NoClip()), repr(ClipByNorm(1.0))]
    assert set(data["charts"]) == {"norms", "loss"}
    header, arrays = trained(data["groups"])
    assert [run["tone"] for run in header["runs"]] == ["diverged", "learned"]
    assert len(arrays["0.loss"]) == len(arrays["1.loss"]) == data["total"] == 1600
    assert {"norms", "loss"} <= set(header["notes"])


def test_the_button_may_be_pressed_again(trainer: Service) -> None:
    at = opened(START)
    fine(at.button[0].click().run())
    before = at.get("bidi_component")[0].proto.id
    fine(at.button[0].click().run())
    [view] = at.get("bidi_component")
    assert view.proto.id != before


def test_the_compare_page_trains_what_it_shows(trainer: Service) -> None:
    at = compare(epochs="5")
    [data] = live_data(at)
    header, arrays = trained(data["groups"])
    assert [run["done"] for run in header["runs"]] == [80, 80, 80]
    assert header["runs"][0]["tone"] == "diverged"
    assert all(len(arrays[f"{i}.test_loss"]) == 5 for i in range(3))


def test_the_lstm_page_trains_what_it_shows(trainer: Service) -> None:
    [data] = live_data(lstm(steps="60", hidden_units="8", run=["NoClip()", "ClipByNorm(0.03)", "ZClip();cell=RNN"]))
    header, arrays = trained(data["groups"])
    assert [run["done"] for run in header["runs"]] == [60, 60, 60]
    for i in range(3):
        assert arrays[f"{i}.flow"].shape == (22, 51)
        assert arrays[f"{i}.sample"].shape == (3, 50)
    assert set(data["charts"]) <= set(header["notes"]) | {"elements"}


def test_seeds_are_trained_for_every_run(trainer: Service) -> None:
    [data] = live_data(compare(epochs="3", seeds="5"))
    header, arrays = trained(data["groups"])
    assert [len(group["keys"]) for group in data["groups"]] == [5, 5, 5]
    assert len(header["runs"][0]["diverged"]) == 5
    assert (arrays["1.loss.low"] <= arrays["1.loss"]).all()


def test_the_service_keeps_to_its_own_folder(trainer: Service, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert list(tmp_path_factory.getbasetemp().glob("home*/runs.sqlite"))
