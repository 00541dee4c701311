"""The start page: one button, one explosion, in slow motion."""

import re

import pytest
from app_server import Server
from live_board import Board

pytestmark = pytest.mark.browser

PAUSE = "document.querySelector('[data-player=play]').click()"


def test_the_button_shows_the_explosion_and_what_prevents_it(server: Server, board: Board):
    board.page.goto(server.url)
    board.page.get_by_role("button", name=re.compile("explode")).click()
    board.until("probe.cards()[0]?.title.startsWith('At step')")
    # Paused by the page itself, at the moment that it is seen: the slow motion does not wait for a test.
    board.until(f"probe.cards()[0].tone === 'diverged' && ({PAUSE}, true)")
    board.redraw()
    unclipped, clipped = board.cards()
    assert unclipped["title"] == "Diverged at step 7"
    assert board.steps() > 7
    assert clipped["tone"] == "training"
    charts = board.charts()
    assert set(charts) == {"norms", "loss"}
    assert all(chart["bands"] == [7] and chart["labels"] == ["✕ diverged: step 7"] for chart in charts.values())

    board.press("[data-player=live]")
    board.settle()
    unclipped, clipped = board.cards()
    assert (unclipped["title"], clipped["title"]) == ("Diverged at step 7", "Learned")
    assert clipped["numbers"][2] == "1"
