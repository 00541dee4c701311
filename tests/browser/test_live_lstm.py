"""What the LSTM page shows of recurrent runs, while they train and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Literal

import pytest
from app_server import PATIENCE, Server
from live_board import TALL, WIDE, Board, Complaints
from playwright.sync_api import BrowserContext, TimeoutError

pytestmark = pytest.mark.browser

STEP_CHARTS = {"loss", "norms", "flow", "ratio", "tests", "rate", "rule", "cosine", "layers"}
COUNT = len(STEP_CHARTS) + 2
"""Charts over steps, the histogram, and what the networks answer."""

NORM, RNN = "ClipByNorm(max_norm=0.5)", "ClipByNorm(max_norm=0.5);cell=RNN"
SMALL: dict[str, Any] = {"hidden_units": 8, "sequence_length": 20, "batch_size": 4, "learning_rate": 0.3, "steps": 200}
LONG: dict[str, Any] = SMALL | {"steps": 4000, "sequence_length": 60, "hidden_units": 16, "batch_size": 16}


def link(server: Server, *runs: str, **settings: object) -> str:
    return server.link(*(runs or ("NoClip()", NORM)), page="lstm", **SMALL | settings)


def opened(server: Server, board: Board, *runs: str, **settings: object) -> Board:
    """Open the page and wait for the end of its runs, with all charts in view."""
    board.page.set_viewport_size({"width": WIDE, "height": TALL + 1000})
    return board.open(link(server, *runs, **settings), charts=COUNT)


@pytest.fixture(scope="module")
def opened_waves(session: BrowserContext, complaints: Complaints, server: Server) -> Iterator[Board]:
    board = opened(server, Board(session.new_page()), "NoClip()", NORM, RNN, init_seed=2)
    yield board
    board.close()


@pytest.fixture
def waves(opened_waves: Board, tab: Callable[[], Board]) -> Board:
    """A tab with three finished runs on waves; tests leave the comparison as it was."""
    opened_waves.page.bring_to_front()
    opened_waves.press("[data-player=live]")
    opened_waves.press(".card >> nth=1")
    opened_waves.redraw()
    return opened_waves


def drawn(board: Board, chart: str) -> dict[int, int]:
    """Return how many points of each run a chart shows."""
    traces = [trace for trace in board.charts()[chart]["traces"] if "run" in trace]
    return {i: sum(t["drawn"] for t in traces if t["run"] == i) for i in {t["run"] for t in traces}}


def test_characters_are_written_live(server: Server, board: Board):
    board.page.set_viewport_size({"width": WIDE, "height": TALL + 1000})
    board.open(link(server, "NoClip()", NORM, problem="characters", **LONG | {"init_seed": 1}), "training", COUNT)
    board.until("probe.texts[1].written.length >= 60")
    before, cells, updates = watched(board)
    board.until(f"probe.head > {board.steps() + 100}")
    after, more_cells, more_updates = watched(board)
    assert [text["name"] for text in before] == board.names() == ["No clipping", "Norm ≤ 0.5"]
    assert [len(text["written"].replace("↵\n", "\n")) for text in before + after] == [60] * 4
    assert before != after
    assert (more_cells > cells, more_updates > updates) == (True, True)
    assert {card["tone"] for card in board.cards()} == {"training"}
    board.press("[data-stop]")
    board.settle()
    check_nothing_is_too_wide(board)


def watched(board: Board) -> tuple[list[dict[str, str]], int, int]:
    """Return what is written now, how much of the flow is drawn, and how often the losses were drawn."""
    board.redraw()
    return board.get("probe.texts"), board.charts()["flow"]["traces"][0]["cells"], board.get("probe.updates('loss')")


def test_every_chart_fills(waves: Board):
    board, charts = waves, waves.charts()
    assert board.names() == ["No clipping", "Norm ≤ 0.5", "Norm ≤ 0.5 · RNN"]
    assert {name for name, chart in charts.items() if chart["linked"]} == STEP_CHARTS
    assert set(charts) == STEP_CHARTS | {"histogram", "sample"}
    for name in ("loss", "norms", "ratio", "tests", "rate", "cosine", "histogram", "sample"):
        assert set(drawn(board, name)) == {0, 1, 2}, name
        assert all(drawn(board, name).values()), name
    (flow,) = charts["flow"]["traces"]
    assert (flow["run"], flow["rows"], flow["points"]) == (1, 21, 29)
    assert flow["cells"] == flow["rows"] * flow["points"]
    assert [trace["points"] for trace in charts["sample"]["traces"]] == [20] * 4
    assert "target" in [trace["name"] for trace in charts["sample"]["traces"]]
    assert (
        {trace["run"] for trace in charts["rule"]["traces"]}
        == {trace["run"] for trace in charts["layers"]["traces"]}
        == {1}
    )
    notes = board.page.locator(".gclip figure .note").all_text_contents()
    assert len(notes) == COUNT
    assert all(note.strip() for note in notes)
    assert board.page.locator("[data-zoom=epoch]").is_hidden()
    assert board.page.locator("[data-zoom=bad]").is_hidden()
    board.press(".card >> nth=2")
    board.redraw()
    (other,) = board.charts()["flow"]["traces"]
    assert (other["run"], other["cells"]) == (2, flow["cells"])
    assert other["sum"] != flow["sum"]


def test_sums_are_drawn_beside_the_right_answers(server: Server, board: Board):
    opened(server, board, problem="sum", init_seed=3)
    traces = board.charts()["scatter"]["traces"]
    assert [(trace["name"], trace["points"]) for trace in traces][1:] == [("No clipping", 40), ("Norm ≤ 0.5", 40)]
    assert (traces[0]["name"], traces[0]["mode"], traces[0]["points"]) == ("target", "lines", 2)


def test_the_bad_batch_is_marked_and_can_be_looked_at_closely(server: Server, board: Board):
    opened(server, board, bad_scale=100, bad_step=80, init_seed=4)
    charts = board.charts()
    for name in STEP_CHARTS:
        assert charts[name]["lines"] == [80], name
        assert "bad batch" in "".join(charts[name]["labels"]), name
    assert charts["sample"]["lines"] == []
    board.press("[data-zoom=bad]")
    board.until("probe.charts().loss.range[0] > 0")
    board.redraw()
    assert board.ranges() == {(65, 125)}
    board.press("[data-zoom=all]")
    board.until("probe.charts().loss.range[0] < 0")
    board.page.locator("[data-player=scrubber]").fill("79")
    board.redraw()
    early = board.charts()
    assert not any(80 in chart["lines"] or "bad batch" in "".join(chart["labels"]) for chart in early.values())
    assert early["loss"]["traces"][0]["end"] == 79
    board.press("[data-player=forward]")
    board.redraw()
    assert 80 in board.charts()["loss"]["lines"]


def test_at_an_earlier_moment_flow_sample_and_tests_are_those_of_that_moment(waves: Board):
    board = waves
    for step, marks, evaluations, sample in ((10, 11, 0, 0), (39, 21, 2, 20), (199, 29, 10, 20)):
        board.page.locator("[data-player=scrubber]").fill(str(step))
        board.until(f"probe.head === {step}")
        board.redraw()
        charts = board.charts()
        assert charts["flow"]["traces"][0]["points"] == charts["ratio"]["traces"][0]["points"] == marks
        assert {trace["points"] for trace in charts["sample"]["traces"] if "run" in trace} == {sample}
        assert max(trace["points"] for trace in charts["tests"]["traces"]) == evaluations


def test_a_slider_retrains_its_run_alone_and_the_link_shows_the_same(server: Server, tab: Callable[[], Board]):
    board = opened(server, tab(), "NoClip()", "AutoClip(clip_percentile=10.0)", NORM, init_seed=5)
    keys = board.asked[-1]
    cells = board.page.locator(".whatif tbody tr").all_text_contents()
    assert ["its threshold moves" in cell for cell in cells] == [False, True, False]
    board.move("max_norm")
    board.settle()
    assert board.names() == ["No clipping", "AutoClip 10 %", "Norm ≤ 0.63"]
    assert [a == b for a, b in zip(keys, board.asked[-1], strict=True)] == [True, True, False]
    second = tab()
    runs = second.first_answer(lambda: opened_at(second, board.page.url))
    assert all(run["final"] and run["state"] == "done" for run in runs)
    assert second.cards() == board.cards()
    assert second.page.url == board.page.url


def opened_at(board: Board, url: str) -> Board:
    return board.open(url, charts=COUNT)


def test_a_refresh_in_mid_run_finds_the_run_and_goes_on(server: Server, board: Board):
    board.open(link(server, **LONG | {"init_seed": 6}), "training", COUNT)
    board.until("probe.head > 50")
    steps = board.steps()
    runs = board.first_answer(board.page.reload)
    assert min(run["done"] for run in runs) >= steps
    board.until(f"probe.state === 'training' && probe.head > {runs[0]['done']}")


ORDER = """probe.figures.map((figure) => [figure.dataset.chart, figure.getBoundingClientRect()])
    .sort(([, a], [, b]) => Math.round((a.top - b.top) / 50) || a.left - b.left).map(([name]) => name)"""
"""The charts as the reader sees them, line by line."""


def test_another_experiment_brings_its_own_charts_in_their_places(server: Server, board: Board):
    opened(server, board, init_seed=7)
    order = board.get(ORDER)
    board.page.get_by_role("button", name="Characters", exact=True).click()
    board.until(f"probe.head > 20 && probe.ready({COUNT}) && probe.texts.length === 2")
    board.redraw()
    assert all(text["written"] for text in board.get("probe.texts"))
    assert "problem=characters" in board.page.url
    changed = ["text" if name == "sample" else name for name in order]
    assert board.get(ORDER) == changed


SPILLED = """[...document.querySelectorAll('[data-testid=stMain], .gclip, .gclip .card, .gclip figure')]
    .filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => `${box.className || box.dataset.chart}`)"""
BACKGROUND = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
BACKGROUNDS: dict[Literal["light", "dark"], str] = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 27)"}


def check_nothing_is_too_wide(board: Board) -> None:
    """Check that no part of the page is wider than the window, light or dark, on a desk or on a phone."""
    for width in (WIDE, 390):
        board.page.set_viewport_size({"width": width, "height": TALL + 1000})
        for scheme in ("dark", "light"):
            board.page.emulate_media(color_scheme=scheme)
            board.until(f"{BACKGROUND} === '{BACKGROUNDS[scheme]}'")
            # Plotly follows the window a moment later.
            with suppress(TimeoutError):
                board.page.wait_for_function(f"{SPILLED}.length === 0", timeout=1000 * PATIENCE)
            assert board.get("document.documentElement.scrollWidth - innerWidth") <= 0
            assert board.get(SPILLED) == []


LOOSE = """[...document.querySelectorAll('.gclip figure .main-svg')].some((drawing) =>
    Math.abs(drawing.getBoundingClientRect().width - drawing.closest('.plot').clientWidth) > 4)"""


def test_the_charts_take_the_room_that_the_closed_side_leaves(waves: Board):
    before = waves.get("document.querySelector('.gclip .plot').clientWidth")
    waves.page.get_by_test_id("stSidebar").hover()
    waves.page.get_by_test_id("stSidebarCollapseButton").locator("button").click()
    waves.until(f"document.querySelector('.gclip .plot').clientWidth > {before + 50}")
    try:
        with suppress(TimeoutError):
            waves.page.wait_for_function(f"!{LOOSE}", timeout=1000 * PATIENCE)
        assert not waves.get(LOOSE)
    finally:
        waves.page.get_by_test_id("stExpandSidebarButton").click()
        waves.until(f"document.querySelector('.gclip .plot').clientWidth <= {before + 2}")


def test_nothing_is_wider_than_the_window_in_light_and_dark(waves: Board):
    check_nothing_is_too_wide(waves)
    assert waves.page.get_by_test_id("stException").count() == 0
