"""What a learner sees when a worker dies, or the whole server."""

import os
import signal
from collections.abc import Iterator

import pytest
from app_server import Server
from live_board import LONG, Board, Complaints
from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

NORM = "ClipByNorm(max_norm=1.0)"
CUT_OFF = (
    "ERR_CONNECTION_REFUSED",
    "/gclip/live?",
    "/_stcore/health",
    "server is not responding",
    "when disconnected from server",
)
"""What the browser and Streamlit write to the console while a server is away, or has forgotten a run."""


@pytest.fixture(scope="module")
def frail(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that these tests may harm, with one worker: a run that loses two is given up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GCLIP_WORKERS", "1")
        started = Server(tmp_path_factory.mktemp("frail"))
        yield started
        started.stop()


def test_a_killed_worker_costs_the_learner_a_sentence(frail: Server, board: Board):
    board.open(frail.link("NoClip()", NORM, init_seed=13, **LONG | {"epochs": 600, "seeds": 1}), "training")
    board.until("probe.head > 50")
    (worker,) = frail.workers()
    os.kill(worker, signal.SIGKILL)
    board.until("probe.cards()[1].text.includes('signal 9')")
    board.until("probe.state === 'final'")
    cards = board.cards()
    assert [card["state"] for card in cards] == ["done", "done"]
    assert all("gives the same numbers" in card["text"] for card in cards)
    assert board.steps() == 600 * 16
    assert worker not in frail.workers()


def test_a_server_that_comes_back_is_told_of_and_found_again(frail: Server, board: Board, complaints: Complaints):
    board.open(frail.link("NoClip()", NORM, init_seed=6, **LONG), "training")
    board.until("probe.head > 50")
    frail.stop()
    board.until("probe.say.includes('does not answer')")
    steps = board.steps()
    frail.start()
    board.until(f"probe.say === '' && probe.state === 'training' && probe.head > {steps}")
    complaints.excuse(*CUT_OFF)
