"""The page Sweep in a browser: it fills in, keeps its zoom, leads to the runs, and is taken away."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_server import Server
from live_board import Board
from playwright.sync_api import Download, TimeoutError

pytestmark = pytest.mark.browser

CURVE = 'figure[data-chart="curve"]'
LOSSES = "document.querySelector('figure[data-chart=curve] .plot')?.data?.find((trace) => trace.meta === 'test').y"
RANGE = "document.querySelector('figure[data-chart=curve] .plot')._fullLayout.xaxis2.range"
SHOWN = f"({LOSSES} ?? []).filter((y) => y !== null).length"
UPDATES = "Number(document.querySelector('figure[data-chart=curve]').dataset.filled)"
OUTCOME = "probe.root?.dataset.outcome"
SLOW: dict[str, Any] = {"epochs": 1250, "hidden_units": 128, "count": 12, "seeds": 4}
"""Settings of a sweep that still trains when a test has done with it, on a fast machine and on a busy one."""


def sweep(server: Server, board: Board, charts: int = 2, state: str = "final", **settings: object) -> Board:
    """Open a sweep and wait until it is in this state."""
    return board.open(server.link(page="sweep", **settings), state, charts)


def press(board: Board, place: Callable[[], tuple[float, float]], words: str = "") -> None:
    """Press the mouse at a place once the chart tells of it there: it may still move while the page is drawn."""
    label = board.page.locator(".hoverlayer .hovertext", has_text=words).first
    for _ in range(20):
        board.page.mouse.move(0, 0)
        board.page.mouse.move(*place(), steps=3)
        with contextlib.suppress(TimeoutError):
            label.wait_for(timeout=2_000)
            break
    assert label.is_visible()
    board.page.mouse.down()
    board.page.mouse.up()


def inside(board: Board, selector: str, right: float = 0.5, at: int = 0) -> Callable[[], tuple[float, float]]:
    """Return a place in the middle of an element's height, so far to its right."""

    def place() -> tuple[float, float]:
        box = board.page.locator(selector).nth(at).bounding_box()
        assert box
        return box["x"] + right * box["width"], box["y"] + box["height"] / 2

    return place


def click(board: Board, selector: str, at: int) -> None:
    """Click a mark of a chart."""
    press(board, inside(board, selector, at=at))


def test_a_curve_fills_in_and_a_click_on_it_opens_its_runs(server: Server, board: Board):
    # Long enough to be seen in mid-training, also where the browser starts slowly.
    board.page.goto(server.link(page="sweep", init_seed=40, count=12, seeds=5, epochs=1200))
    board.until(f"probe.state === 'training' && {SHOWN} > 0")
    board.until("probe.root.querySelector('figcaption b').textContent.includes('of 1200 epochs')")
    board.until("probe.state === 'final'")
    assert board.get(SHOWN) == 12
    assert board.get(f"{LOSSES}[0] > 100 * Math.min(...{LOSSES})")
    assert board.page.locator(f"{CURVE} .note li").count() == 4
    assert board.page.get_by_text("Suggested threshold").is_visible()
    assert not board.page.locator("[data-stop]").is_enabled()
    here = board.page.url

    click(board, f"{CURVE} .subplot.x2y2 .scatterlayer .trace:last-child .point", 5)
    board.page.wait_for_url("**/compare?**")
    board.until("probe.cards().length === 2 && probe.state === 'final'")
    assert board.names()[0] == "No clipping"
    assert board.names()[1].startswith("Norm ≤ ")
    assert "seeds=5" in board.page.url

    board.page.go_back()
    board.until(f"probe.state === 'final' && {SHOWN} === 12")
    assert board.page.url == here
    board.page.go_forward()
    board.until("probe.cards().length === 2")


def test_a_zoom_outlives_new_numbers_and_stop_keeps_what_is_there(server: Server, board: Board):
    sweep(server, board, state="training", init_seed=41, **SLOW)
    board.until(f"{SHOWN} === 12")
    board.get("document.querySelector('figure[data-chart=curve] .plot').same = true")
    box = board.page.locator(f"{CURVE} .nsewdrag").nth(1).bounding_box()
    assert box
    board.page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    board.page.mouse.down()
    board.page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"], steps=4)
    board.page.mouse.up()
    board.until(f"{RANGE}[0] > -1")
    zoomed, updates = board.get(RANGE), board.get(UPDATES)
    board.until(f"{UPDATES} > {updates + 1}")
    assert board.get(RANGE) == zoomed
    assert board.get("document.querySelector('figure[data-chart=curve] .plot').same")

    board.press("[data-stop]")
    board.until(f"{OUTCOME} === 'stopped'")
    assert board.get(SHOWN) == 12
    assert board.get("probe.say").startswith("Stopped")
    assert not board.page.get_by_text("Suggested threshold").is_visible()
    board.press("[data-again]")
    board.until(f"{OUTCOME} === 'training'")
    assert board.get(RANGE) == zoomed


def test_a_map_fills_in_and_its_cells_lead_to_their_runs(server: Server, board: Board):
    sweep(server, board, 1, kind="learning_rate", count=4, other_count=3, seeds=1, epochs=5, init_seed=42)
    coloured = "document.querySelector('figure[data-chart=map] .plot').data.slice(0, 2)"
    assert board.get(f"{coloured}.flatMap((trace) => trace.z.flat()).filter((z) => z !== null).length") == 12
    cell = inside(board, 'figure[data-chart="map"] .nsewdrag', right=0.6)
    press(board, cell, "threshold 21.5, learning rate 0.00316")
    board.page.wait_for_url("**/compare?**")
    board.until("probe.cards().length === 2")
    assert "learning_rate=0.00316" in board.page.url
    assert board.names()[1] == "Norm ≤ 21.5"


def test_another_rule_draws_its_own_curve_at_once(server: Server, board: Board):
    small: dict[str, Any] = {"count": 3, "seeds": 1, "epochs": 2, "init_seed": 43}
    sweep(server, board, **small)
    board.page.get_by_test_id("stButtonGroup").get_by_text("AGC").click()
    board.page.wait_for_url("**rule=AdaptiveGradientClip**")
    board.until("probe.root.querySelector('figcaption b').textContent.endsWith('AGC') && probe.state === 'final'")
    assert board.page.get_by_label("Threshold from").input_value() == "0.001"
    board.page.get_by_test_id("stButtonGroup").get_by_text("Norm × value").click()
    board.until("probe.figures.length === 1 && probe.figures[0].dataset.chart === 'map'")
    board.press("[data-stop]")


def test_a_recurrent_network_is_swept_and_a_click_opens_its_runs_on_the_lstm_page(server: Server, board: Board):
    small: dict[str, Any] = {"count": 3, "seeds": 1, "steps": 20, "init_seed": 45}
    sweep(server, board, network="sine", kind="curve", low=0.01, high=1, **small)
    layout = "document.querySelector('figure[data-chart=curve] .plot')._fullLayout"
    assert board.get(f"{layout}.yaxis2.title.text") == "loss (MSE)"
    titles = board.get("probe.figures.map((figure) => figure.querySelector('.plot')._fullLayout.xaxis.title.text)")
    assert titles[1] == "steps of training"
    click(board, f"{CURVE} .subplot.x2y2 .scatterlayer .trace:last-child .point", 1)
    board.page.wait_for_url("**/lstm?**")
    board.until("probe.cards().length === 2 && probe.state === 'final'")
    assert board.names() == ["No clipping", "Norm ≤ 0.1"]


def test_the_choices_of_a_sweep_wrap_on_a_phone(server: Server, board: Board):
    """Five networks and three kinds of sweep do not fit beside one another."""
    board.page.set_viewport_size({"width": 390, "height": 2000})
    sweep(server, board, count=3, seeds=1, epochs=2, init_seed=46)
    for option in board.page.get_by_test_id("stMain").get_by_test_id("stButtonGroup").get_by_role("radio").all():
        box = option.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 390


def taken(board: Board, press: str) -> Path:
    """Press a button and return the file that it saves."""
    with board.page.expect_download() as waiting:
        board.page.get_by_role("button", name=press).first.click()
    download: Download = waiting.value
    return Path(download.path())


def test_charts_and_numbers_are_taken_away(server: Server, board: Board):
    sweep(server, board, count=3, seeds=1, epochs=2, init_seed=44)
    assert taken(board, "PNG").read_bytes().startswith(b"\x89PNG")
    drawing = taken(board, "SVG").read_text()
    assert drawing.startswith("<svg")
    assert "How well does each threshold do?" in drawing
    table = taken(board, "Every run as CSV").read_text().splitlines()
    assert len(table) == 1 + 3
    assert "ClipByNorm" in table[1]
