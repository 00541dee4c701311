"""The live route: refuses what is malformed, knows what is unknown, and answers what the wire format reads."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from itertools import combinations
from typing import Any
from urllib.parse import urlencode

import pytest
from dashboard_examples import snapshot, until_step
from starlette.applications import Starlette

from gclip.dashboard.feed import feed
from gclip.dashboard.routes import VERSION, routes
from gclip.serving import Snapshot
from gclip.serving.wire import unpack
from gclip.training import History, Summary

Query = Sequence[tuple[str, str]]


class Shelf:
    """A service that has some runs and trains none."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self.runs = {snapshot.key: snapshot for snapshot in snapshots}

    def snapshot(self, key: str) -> Snapshot | None:
        return self.runs.get(key)


@pytest.fixture
def shelf(real: dict[str, History], monkeypatch: pytest.MonkeyPatch) -> Shelf:
    unfinished = snapshot(until_step(real["value 5"], 100), "training")
    filled = Shelf(snapshot(real["unclipped"]), snapshot(real["norm 1"]), unfinished)
    monkeypatch.setattr(importlib.import_module("gclip.serving.service"), "_service", lambda: filled)
    return filled


def get(path: str, query: Query | bytes = (), method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Ask the dashboard's own routes, as a server would, and return status, headers and body."""
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query if isinstance(query, bytes) else urlencode(query).encode(),
        "headers": [],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Starlette(routes=routes())(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


def asked(*keys: str, since: str = "0.0.0") -> list[tuple[str, str]]:
    return [pair for key in keys for pair in (("run", key), ("since", since), ("label", "a"))]


def test_known_runs_are_answered_in_the_wire_format(shelf: Shelf) -> None:
    status, headers, body = get("/gclip/live", asked(*shelf.runs))
    assert status == 200
    assert headers["content-type"] == "application/octet-stream"
    header, arrays = unpack(body)
    assert [run["done"] for run in header["runs"]] == [1600, 1600, 100]
    assert [run["final"] for run in header["runs"]] == [True, True, False]
    assert [len(arrays[f"{i}.loss"]) for i in range(3)] == [1600, 1600, 100]
    assert body == feed([[run] for run in shelf.runs.values()], ["a"] * 3, [[0, 0, 0]] * 3)


def test_only_what_is_new_is_answered(shelf: Shelf) -> None:
    _, arrays = unpack(get("/gclip/live", asked(*shelf.runs, since="90.6.20"))[2])
    assert [len(arrays[f"{i}.loss"]) for i in range(3)] == [1510, 1510, 10]


def test_several_seeds_are_one_run(shelf: Shelf) -> None:
    _, arrays = unpack(get("/gclip/live", asked(".".join(shelf.runs)))[2])
    assert len(arrays["0.loss"]) == len(arrays["0.loss.low"]) == len(arrays["0.loss.high"]) == 100


def test_labels_may_be_left_out_and_hold_any_text(shelf: Shelf) -> None:
    key = list(shelf.runs)[1]
    for label in ("<script>", "ä\n\x00", "&run=x", ""):
        header, _ = unpack(get("/gclip/live", [("run", key), ("since", "0.0.0"), ("label", label)])[2])
        assert header["notes"]["rate"].startswith(label)
    header, _ = unpack(get("/gclip/live", [("run", key), ("since", "0.0.0")])[2])
    assert header["notes"]["rate"].startswith("Run 1 ")


@pytest.mark.parametrize(("selected", "chosen"), [("0", 0), ("1", 1), ("7", 0), ("-1", 0), ("x", 0), ("", 0), ("²", 0)])
def test_the_selected_run_is_spoken_of(shelf: Shelf, selected: str, chosen: int) -> None:
    keys = list(shelf.runs)[:2]
    query = [("selected", selected)]
    for i, key in enumerate(keys):
        query += [("run", key), ("since", "0.0.0"), ("label", f"label {i}")]
    header, _ = unpack(get("/gclip/live", query)[2])
    assert header["notes"]["layers"].startswith(f"label {chosen}")


@pytest.mark.parametrize("selected", ["0005", "000" + "9" * 5000])
def test_a_selected_run_that_is_not_there_is_the_first(shelf: Shelf, selected: str) -> None:
    assert get("/gclip/live", [*asked(*shelf.runs), ("selected", selected)])[0] == 200


MALFORMED: dict[str, Query] = {
    "nothing": [],
    "no since": [("run", "k")],
    "no run": [("since", "0.0.0")],
    "more runs than since": [("run", "k"), ("run", "k"), ("since", "0.0.0")],
    "more labels than runs": [("run", "k"), ("since", "0.0.0"), ("label", "a"), ("label", "b")],
    "two counts": [("run", "k"), ("since", "0.0")],
    "four counts": [("run", "k"), ("since", "0.0.0.0")],
    "no number": [("run", "k"), ("since", "0.x.0")],
    "a fraction": [("run", "k"), ("since", "1e3.0.0")],
    "NaN": [("run", "k"), ("since", "nan.0.0")],
    "empty since": [("run", "k"), ("since", "")],
    "endless number": [("run", "k"), ("since", "9" * 5000 + ".0.0")],
    "seven runs": asked(*"abcdefg"),
    "too many seeds": asked(".".join(["k"] * 21)),
}


@pytest.mark.parametrize("query", MALFORMED.values(), ids=list(MALFORMED))
def test_a_malformed_question_is_answered_by_a_sentence(shelf: Shelf, query: Query) -> None:
    status, headers, body = get("/gclip/live", query)
    assert status == 400
    assert headers["content-type"].startswith("text/plain")
    assert body.decode().startswith("run, since and label must be given equally often")
    assert body.endswith(b".")


def test_a_summary_has_no_steps_to_show_and_is_not_found(shelf: Shelf, real: dict[str, History]) -> None:
    summary = Summary.of(real["norm 1"])
    shelf.runs[summary.key] = Snapshot(summary.key, summary.config, "done", None, "", summary)
    assert get("/gclip/live", asked(summary.key))[0] == 404


@pytest.mark.parametrize("key", ["", "x", "0" * 16, "../../etc/passwd", "a" * 10_000, "\x00", "' OR 1=1 --"])
def test_an_unknown_run_is_not_found(shelf: Shelf, key: str) -> None:
    status, headers, body = get("/gclip/live", asked(key))
    assert status == 404
    assert headers["content-type"].startswith("text/plain")
    assert body.endswith(b".")
    assert get("/gclip/live", asked(*shelf.runs, key))[0] == 404


@pytest.fixture(scope="module")
def of_each_kind(through_time: dict[str, dict[str, History]], real: dict[str, History]) -> dict[str, History]:
    return {"regression": real["norm 1"], **{problem: runs["norm"] for problem, runs in through_time.items()}}


@pytest.mark.parametrize("kinds", [*combinations(("regression", "sine", "characters", "sum"), 2)], ids="-".join)
@pytest.mark.parametrize("together", [" ", "."], ids=["as runs", "as seeds"])
def test_runs_of_different_experiments_are_not_compared(
    shelf: Shelf, of_each_kind: dict[str, History], kinds: tuple[str, str], together: str
) -> None:
    for history in of_each_kind.values():
        shelf.runs[history.config.key] = snapshot(history)
    for names in (kinds, kinds[::-1]):
        keys = [of_each_kind[name].config.key for name in names]
        status, headers, body = get("/gclip/live", asked(*together.join(keys).split()))
        assert status == 400
        assert headers["content-type"].startswith("text/plain")
        assert body.decode() == "These runs are of different experiments, which cannot be compared side by side."
        assert {get("/gclip/live", asked(key))[0] for key in keys} == {200}


@pytest.mark.parametrize("since", ["-5.-5.-5", "999999999999.999999999999.999999999999", "+1.1.1"])
def test_odd_counts_are_answered(shelf: Shelf, since: str) -> None:
    assert get("/gclip/live", asked(*shelf.runs, since=since))[0] == 200


@pytest.mark.parametrize("path", ["/gclip/live", "/gclip/sweep"])
@pytest.mark.parametrize(
    "query", [b"\xdd9", b"low=\xff&since=\xfe", b"run=\xc3&since=0.0.0", b"since=%ff%00", b"&&==&=&"]
)
def test_bytes_that_are_no_text_are_no_error(shelf: Shelf, path: str, query: bytes) -> None:
    status, _, body = get(path, query)
    assert status in (400, 404) or b"unknown" in body


def test_the_route_is_for_reading_only(shelf: Shelf) -> None:
    assert get("/gclip/live", asked(*shelf.runs), method="POST")[0] == 405


@pytest.mark.parametrize("name", ["live.js", "board.js", "series.js", "draw.js", "recurrent.js"])
def test_the_live_views_files_are_served(name: str) -> None:
    status, headers, body = get(f"/gclip/static/{VERSION}/{name}")
    assert status == 200
    assert "javascript" in headers["content-type"]
    assert b"https://" not in body


def test_plotly_comes_from_this_server() -> None:
    status, _, body = get("/gclip/plotly/plotly.min.js")
    assert status == 200
    assert len(body) > 1_000_000


@pytest.mark.parametrize("path", ["/gclip/static/other/live.js", f"/gclip/static/{VERSION}/../feed.py", "/gclip"])
def test_nothing_else_is_served(path: str) -> None:
    assert get(path)[0] == 404
