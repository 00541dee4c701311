"""The address bar, tabs, refreshes and pages: a comparison is where its link is."""

from collections.abc import Callable

import pytest
from app_server import Server
from live_board import CHARTS, LONG, Board

pytestmark = pytest.mark.browser

NORM, VALUE = "ClipByNorm(max_norm=1.0)", "ClipByValue(clip_value=5.0)"


def test_a_slider_retrains_its_run_alone_and_the_back_button_undoes_it(server: Server, board: Board):
    board.open(server.link("NoClip()", NORM, VALUE, epochs=20, init_seed=1))
    start, keys = board.page.url, board.asked[-1]
    board.move("max_norm")
    board.settle()
    assert board.names() == ["No clipping", "Norm ≤ 1.3", "Value ≤ 5"]
    assert "max_norm%3D1.3" in board.page.url
    assert [a == b for a, b in zip(keys, board.asked[-1], strict=True)] == [True, False, True]
    moved = board.page.url

    for go, url, name in ((board.page.go_back, start, "Norm ≤ 1"), (board.page.go_forward, moved, "Norm ≤ 1.3")):
        runs = board.first_answer(go)
        assert all(run["final"] for run in runs)
        board.until(f"probe.names[1] === '{name}'")
        assert board.page.url == url
        assert board.slider("max_norm").get_attribute("aria-valuetext") == name.split()[-1]


def test_a_pasted_link_shows_the_same_without_training_again(server: Server, tab: Callable[[], Board]):
    first = tab().open(server.link(NORM, VALUE, epochs=20, init_seed=2))
    first.move("max_norm")
    first.settle()
    second = tab()
    runs = second.first_answer(lambda: second.open(first.page.url))
    assert all(run["final"] and run["state"] == "done" for run in runs)
    assert second.asked == [first.asked[-1]]
    assert second.cards() == first.cards()
    assert second.page.url == first.page.url


def test_a_refresh_in_mid_run_finds_the_run_and_goes_on(server: Server, board: Board):
    board.open(server.link("NoClip()", NORM, init_seed=3, **LONG), "training")
    board.until("probe.head > 50")
    steps = board.steps()
    runs = board.first_answer(board.page.reload)
    assert min(run["done"] for run in runs) >= steps
    board.until(f"probe.state === 'training' && probe.head > {runs[0]['done']}")


def test_two_tabs_of_one_link_train_once(server: Server, tab: Callable[[], Board]):
    link = server.link("NoClip()", NORM, init_seed=4, **LONG)
    first = tab().open(link, "training")
    first.until("probe.head > 50")
    second, steps = tab(), first.steps()
    runs = second.first_answer(lambda: second.page.goto(link))
    assert min(run["done"] for run in runs) >= steps
    assert second.asked[0] == first.asked[0]
    first.press("[data-stop]")
    second.until(f"probe.head > {runs[0]['done'] + 100}")
    assert "Stopped" not in [card["title"] for card in second.cards()], "what one stops, the other still wants"


def test_pages_keep_the_comparison(server: Server, board: Board):
    board.open(server.link(NORM, VALUE, epochs=20, init_seed=5))
    board.move("clip_value")
    board.settle()
    cards, url = board.cards(), board.page.url
    for _ in range(2):
        board.page.get_by_role("link", name="Start").click()
        board.page.get_by_text("The formula, with your numbers").wait_for()
        board.page.wait_for_function("!document.querySelector('.gclip')")
        board.page.get_by_role("link", name="Compare", exact=True).click()
        board.until(f"probe.state === 'final' && probe.ready({len(CHARTS)})")
        board.redraw()
        assert board.cards() == cards
        assert board.page.url == url
    assert board.slider("clip_value").get_attribute("aria-valuetext") == cards[1]["name"].split()[-1]
