import os
from collections.abc import Callable, Iterator

import pytest
from app_server import Server
from live_board import Board, Complaints, context, executable, launch
from playwright.sync_api import Browser, BrowserContext, sync_playwright


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own browser; without one the tests are skipped, but never where they must run."""
    if executable() is None:
        reason = "no chromium, chromium-browser or google-chrome on the path"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests; each test takes runs of its own."""
    started = Server(tmp_path_factory.mktemp("home"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def session(browser: Browser) -> BrowserContext:
    """One session of the browser: Streamlit's scripts are fetched once."""
    return context(browser)


@pytest.fixture(scope="session")
def complaints(session: BrowserContext) -> Complaints:
    """What any tab complains of."""
    return Complaints(session)


@pytest.fixture
def tab(session: BrowserContext, complaints: Complaints) -> Iterator[Callable[[], Board]]:
    """A maker of tabs; when the test ends, none may have complained."""
    boards: list[Board] = []

    def make() -> Board:
        boards.append(Board(session.new_page()))
        return boards[-1]

    yield make
    for board in boards:
        board.stop()
    for board in boards:
        board.close()
    errors, away = complaints.errors[:], complaints.away[:]
    complaints.errors.clear()
    complaints.away.clear()
    assert not errors
    assert not away


@pytest.fixture
def board(tab: Callable[[], Board]) -> Board:
    """A tab."""
    return tab()


@pytest.fixture(scope="session")
def opened_tutorial(session: BrowserContext, complaints: Complaints, server: Server) -> Board:
    return Board(session.new_page()).open(f"{server.url}/compare")


@pytest.fixture
def tutorial(opened_tutorial: Board, tab: Callable[[], Board]) -> Board:
    """A tab with the tutorial's three finished runs; tests leave the comparison as it was."""
    opened_tutorial.page.bring_to_front()
    opened_tutorial.press("[data-player=live]")
    opened_tutorial.press(".card >> nth=1")
    opened_tutorial.redraw()
    return opened_tutorial
