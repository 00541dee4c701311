"""A tab of a browser with the live board in it, as the tests and the benchmark drive and read it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app_server import PATIENCE
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    Request,
    TimeoutError,
)

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PROBES = ("/_stcore/health", "/_stcore/host-config")
"""Where Streamlit itself looks in vain, once, when a page is opened by a deep link."""

STEP_CHARTS = {"loss", "norms", "epochs", "rate", "cosine", "rule", "layers"}
CHARTS = STEP_CHARTS | {"histogram", "elements"}
LONG: dict[str, Any] = {"epochs": 1000, "seeds": 5, "hidden_units": 128, "hidden_layers": 2}
"""Settings of runs that are still training when a test has done with them."""

WIDE, TALL = 1400, 2800
"""A window in which all charts are in view at once: those that are not are not drawn while runs train."""


def executable() -> str | None:
    """Return the path of a browser of this machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def launch(playwright: Playwright) -> Browser:
    """Start the browser with a fresh profile."""
    return playwright.chromium.launch(executable_path=executable(), args=FLAGS)


def context(browser: Browser) -> BrowserContext:
    """Return a fresh session of the browser; its tabs carry the probe."""
    opened = browser.new_context(viewport={"width": WIDE, "height": TALL})
    opened.set_default_timeout(1000 * PATIENCE)
    opened.add_init_script(path=Path(__file__).with_name("probe.js"))
    return opened


class Complaints:
    """What must not happen in any tab: errors on the console or in the page, requests that leave this machine."""

    def __init__(self, opened: BrowserContext) -> None:
        self.errors: list[str] = []
        self.away: list[str] = []
        opened.on("console", self._console)
        opened.on("weberror", lambda error: self.errors.append(str(error.error)))
        opened.on("request", self._request)

    def excuse(self, *words: str) -> None:
        """Forget errors with these words in them, which a test has brought about."""
        self.errors = [error for error in self.errors if not any(word in error for word in words)]

    def _console(self, message: ConsoleMessage) -> None:
        url = message.location.get("url", "")
        probe = "404" in message.text and url.endswith(PROBES)
        if message.type == "error" and not probe:
            self.errors.append(f"{message.text} {url}".strip())

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            self.away.append(request.url)


class Board:
    """One tab; what it reads of the live board comes from probe.js."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[list[str]] = []
        page.on("request", self._ask)

    def open(self, url: str, state: str = "final", charts: int = len(CHARTS)) -> Board:
        """Go to an address and wait until the board is in this state, and all its charts are drawn."""
        self.page.goto(url)
        self.until(f"probe.state === '{state}' && probe.ready({charts})")
        if state == "final":
            self.redraw()
        return self

    def first_answer(self, action: Callable[[], object]) -> list[dict[str, Any]]:
        """Return what the server first tells of each run after an action."""
        if self.get("Boolean(globalThis.probe)"):
            self.get("probe.first = null")
        action()
        self.until("probe.first")
        return self.get("probe.first")

    def until(self, condition: str) -> None:
        """Wait until a JavaScript condition holds in the page."""
        self.page.wait_for_function(condition, polling=50)

    def get(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.page.evaluate(expression)

    def cards(self) -> list[dict[str, Any]]:
        """Return what the cards say."""
        return self.get("probe.cards()")

    def names(self) -> list[str]:
        """Return the runs' names, as the cards show them."""
        return [card["name"] for card in self.cards()]

    def charts(self) -> dict[str, dict[str, Any]]:
        """Return what the charts show, all at one moment."""
        return self.get("probe.charts()")

    def steps(self) -> int:
        """Return how many steps are drawn."""
        return int(self.get("probe.head")) + 1

    def settle(self) -> None:
        """Wait until nothing trains and the charts show the end of it."""
        self.until("probe.state === 'final'")
        self.redraw()

    def redraw(self) -> None:
        """Wait until what has happened so far is drawn."""
        self.get("probe.quiet()")

    def press(self, selector: str) -> None:
        """Press a button of the board."""
        self.page.locator(f".gclip {selector}").click()

    def slider(self, label: str) -> Locator:
        """Return a threshold slider at the side, by its name."""
        return self.page.get_by_test_id("stSlider").filter(has_text=label).locator("input[type=range]")

    def move(self, label: str, keys: str = "ArrowRight") -> None:
        """Move a slider by keys, and wait until the address and the board have followed."""
        url, names = self.page.url, self.names()
        self.slider(label).focus()
        for key in keys.split():
            self.page.keyboard.press(key)
        self.page.wait_for_function("(url) => location.href !== url", arg=url, polling=50)
        self.page.wait_for_function("(names) => `${probe.names}` !== `${names}`", arg=names, polling=50)

    def zoom(self, name: str) -> tuple[float, ...]:
        """Drag over the middle of a chart; return the steps that it then shows."""
        box = self.page.locator(f'figure[data-chart="{name}"] .nsewdrag').bounding_box()
        assert box
        across = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + 0.2 * box["width"], across)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + 0.5 * box["width"], across, steps=4)
        self.page.mouse.up()
        self.until(f"probe.charts()['{name}'].range[0] > 0")
        self.redraw()
        return tuple(self.charts()[name]["range"])

    def ranges(self) -> set[tuple[float, ...]]:
        """Return the ranges of steps that the charts over steps show."""
        return {tuple(chart["range"]) for chart in self.charts().values() if chart["linked"]}

    def stop(self) -> None:
        """Press Stop, if anything trains, so that it does not hold up others."""
        if self.get("globalThis.probe?.state") in ("training", "hidden"):
            # What was training a moment ago may have ended by now, and its button with it.
            with suppress(TimeoutError):
                self.page.locator(".gclip [data-stop]").click(timeout=2000)

    def close(self) -> None:
        """Close the tab when it has stopped, or when somebody else still wants its runs."""
        with suppress(TimeoutError):
            self.page.wait_for_function("globalThis.probe?.state !== 'training'", timeout=2000)
        self.page.close()

    def _ask(self, request: Request) -> None:
        if "/gclip/live?" in request.url:
            query = [part.partition("=") for part in urlsplit(request.url).query.split("&")]
            self.asked.append([value for name, _, value in query if name == "run"])
