"""The sweep's route: a small answer, made once for everybody, and nothing where nothing is new."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from sweep_examples import LEARNED, NAN, SLOW, made
from test_routes import get

from gclip.dashboard.sweep.feed import watched
from gclip.dashboard.sweep.settings import write
from gclip.serving import Snapshot
from gclip.sweeping import Results

QUERY = [("low", "1"), ("high", "8"), ("count", "4"), ("seeds", "1"), ("epochs", "2")]
ROWS = [[SLOW], [LEARNED], [8.0], [NAN]]


class Shelf:
    """A service that has a sweep's runs, as far as they have come."""

    def __init__(self) -> None:
        self.runs: dict[str, Snapshot] = {}
        self.asked = 0

    def put(self, results: Results, state: Any, place: int | None = None, message: str = "") -> None:
        for summary in results.summaries:
            assert summary
            self.runs[summary.key] = Snapshot(summary.key, summary.config, state, place, message, summary)

    def snapshot(self, key: str) -> Snapshot | None:
        self.asked += 1
        return self.runs.get(key)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    filled = Shelf()
    monkeypatch.setattr(importlib.import_module("gclip.serving.service"), "_service", lambda: filled)
    monkeypatch.setattr("gclip.dashboard.sweep.feed.FRESH", 0.0)
    watched.cache_clear()
    yield filled
    watched.cache_clear()


def ask(since: str = "") -> tuple[int, Any]:
    status, _, body = get("/gclip/sweep", [*QUERY, ("since", since)])
    return status, json.loads(body) if status == 200 else body


def test_runs_that_the_server_does_not_know_are_asked_for_anew(shelf: Shelf) -> None:
    status, answer = ask()
    assert (status, list(answer)) == (200, ["unknown"])


def test_the_answer_grows_with_the_runs_and_says_nothing_twice(shelf: Shelf) -> None:
    shelf.put(made(ROWS, done=1), "training")
    status, early = ask()
    assert status == 200
    assert (early["state"], early["final"], early["done"], early["when"]) == (
        "training",
        False,
        0.5,
        "after 1 of 2 epochs",
    )
    assert early["suggestion"] is None
    assert ask(early["version"]) == (204, b"")
    shelf.put(made(ROWS), "done")
    status, end = ask(early["version"])
    assert status == 200
    assert (end["state"], end["final"], end["done"], end["when"]) == ("done", True, 1, "")
    assert end["charts"]["curve"]["traces"]["test"]["y"] == [15_000, 10, 8, None]
    assert end["charts"]["curve"]["notes"]
    assert ask(end["version"]) == (204, b"")


def test_a_suggestion_comes_with_reasons_and_limits_and_as_a_line(shelf: Shelf) -> None:
    shelf.put(made(ROWS), "done")
    _, end = ask()
    assert end["suggestion"]["threshold"] in (2, 4)
    assert end["suggestion"]["reasons"]
    assert end["suggestion"]["limits"]
    assert any("suggested" in note["text"] for note in end["charts"]["curve"]["layout"]["annotations"])


def test_stopped_runs_are_final_and_keep_what_they_have(shelf: Shelf) -> None:
    shelf.put(made(ROWS, done=1), "stopped")
    _, answer = ask()
    assert (answer["state"], answer["final"]) == ("stopped", True)
    assert answer["say"].startswith("Stopped")
    assert answer["suggestion"] is None


def test_runs_that_are_all_held_up_say_by_how_many(shelf: Shelf) -> None:
    shelf.put(made(ROWS, done=0), "waiting", 8)
    assert ask()[1]["when"] == ""
    assert ask()[1]["say"] == "Waiting: 7 runs of others come first."
    shelf.put(made(ROWS, done=1), "training")
    assert ask()[1]["say"] == ""


def test_what_holds_the_runs_up_is_told_anew_whenever_it_changes(shelf: Shelf) -> None:
    shelf.put(made(ROWS, done=0), "waiting", 8)
    version = ask()[1]["version"]
    assert ask(version) == (204, b"")
    for place, message, said in [
        (3, "", "Waiting: 2 runs of others come first."),
        (1, "", ""),
        (1, "A worker died; café.", "A worker died; café."),
        (1, "It & others=1 wait.", "It & others=1 wait."),
    ]:
        shelf.put(made(ROWS, done=0), "waiting", place, message)
        status, answer = ask(version)
        assert (status, answer["say"]) == (200, said)
        version = answer["version"]
        # It goes back as it is, at the end of an address.
        assert version == quote(version)
        assert ask(version) == (204, b"")


def test_thirty_who_look_at_the_same_sweep_cost_as_much_as_one(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gclip.dashboard.sweep.feed.FRESH", 60.0)
    shelf.put(made(ROWS), "done")
    answers = [ask() for _ in range(30)]
    assert all(answer == answers[0] for answer in answers)
    assert shelf.asked == 4


def test_runs_that_are_asked_for_anew_are_looked_at_anew(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gclip.dashboard.sweep.feed.FRESH", 60.0)
    shelf.put(made(ROWS, done=1), "stopped")
    assert ask()[1]["final"]
    shelf.put(made(ROWS, done=1), "waiting")
    assert ask()[1]["final"]
    watched("&".join(f"{name}={text}" for name, text in QUERY)).renew()
    assert not ask()[1]["final"]


def test_recurrent_runs_are_counted_in_steps_and_lead_to_the_lstm_page(shelf: Shelf) -> None:
    link = [("network", "characters"), ("low", "1"), ("high", "8"), ("count", "4"), ("seeds", "1"), ("steps", "40")]
    sweep = watched("&".join("=".join(pair) for pair in link)).sweep
    shelf.put(made([[3.0], [1.0], [0.1], [9.0]], done=1, shared=sweep.shared), "training")
    answer = json.loads(get("/gclip/sweep", [*link, ("since", "")])[2])
    assert answer["when"] == "after 20 of 40 steps"
    start = "lstm?learning_rate=20.0&momentum=0.0&hidden_units=64&problem=characters&steps=40&run=NoClip%28%29&"
    assert watched("&".join("=".join(pair) for pair in link)).cells[0][2].startswith(start)


def test_cells_lead_to_the_compare_page(shelf: Shelf) -> None:
    link = "&".join(f"{name}={text}" for name, text in QUERY)
    seen = watched(link)
    assert write(seen.sweep)["epochs"] == ["2"]
    [row] = seen.cells
    assert row[2] == "compare?epochs=2&run=NoClip%28%29&run=ClipByNorm%28max_norm%3D4.0%2C+norm_type%3D2.0%29"
