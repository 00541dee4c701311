"""How soon a moved slider shows new numbers, and how smoothly the charts follow training, in a real browser.

    python tests/bench/browser.py

All times are taken inside the page. A move runs from the release of the slider's key to the first frame in which the
loss chart shows numbers of the new run, in a window of 1400 x 900.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from app_server import Server  # pyright: ignore[reportMissingImports]
from live_board import LONG, Board, context, executable, launch  # pyright: ignore[reportMissingImports]

MOVES = 50
WATCHED = 8
"""Seconds over which updates are counted."""

LOWEST, NORM = "ClipByNorm(max_norm=0.01)", "ClipByNorm(max_norm=1.0)"
ALL = 2800
WINDOWS = {"charts in view of 1400 x 900": 900, "all charts in view": ALL}


def move(board: Any, key: str) -> float:
    """Move the slider by one place; return the seconds until new numbers are drawn."""
    name = board.names()[1]
    board.get("probe.arm(1)")
    board.page.keyboard.press(key)
    took = board.get("probe.timed") / 1000
    board.until(f"probe.names[1] !== '{name}' && probe.state === 'final'")
    return took


def moves(board: Any, server: Any) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Move a threshold up, which trains, and down again, which finds the runs; return seconds, and what was seen."""
    board.page.set_viewport_size({"width": 1400, "height": min(WINDOWS.values())})
    board.open(server.link("NoClip()", LOWEST, "ClipByValue(clip_value=5.0)"))
    board.get("probe.watch()")
    board.slider("max_norm").focus()
    ways = {"slider moved, run trained anew": "ArrowRight", "slider moved back, run known": "ArrowLeft"}
    took = {way: [move(board, key) for _ in range(MOVES)] for way, key in ways.items()}
    return took, board.get("probe.seen")


def updates(board: Any, server: Any, height: int) -> tuple[list[float], dict[str, Any], bool]:
    """Watch a long run train, then zoom; return each chart's updates a second, what was seen, and if the zoom held."""
    board.page.set_viewport_size({"width": 1400, "height": height})
    board.open(server.link("NoClip()", NORM, init_seed=height, **LONG), "training")
    board.until("probe.head > 50")
    board.get("probe.watch()")
    rates = board.get(f"probe.rates({WATCHED})")
    seen, chosen = board.get("probe.seen"), board.zoom("loss")
    zoomed = board.get(f"probe.rates({WATCHED / 4})")
    held = zoomed["loss"] > 0 and tuple(board.get("probe.charts().loss.range")) == chosen
    board.press("[data-stop]")
    board.settle()
    return [rate for rate in rates.values() if rate or height == ALL], seen, held


def line(what: str, values: Sequence[float], worst: float, target: str, met: bool) -> None:
    verdict = f"{target:<12}{'met' if met else 'NOT MET'}"
    print(f"{what:<52}{len(values):>4}{statistics.median(values):>9.2f}{worst:>9.2f}   {verdict}")


def main() -> int:
    if executable() is None:
        print("There is no chromium, chromium-browser or google-chrome on the path.")
        return 1
    rates, seen, held = {}, [], []
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server, browser = Server(Path(home)), launch(playwright)
        try:
            board = Board(context(browser).new_page())
            took, watched = moves(board, server)
            seen.append(watched)
            for window, height in WINDOWS.items():
                rates[window], watched, kept = updates(board, server, height)
                seen.append(watched)
                held.append(kept)
        finally:
            browser.close()
            server.stop()
    print(f"{'seconds':<52}{'n':>4}{'median':>9}{'95th':>9}   target of the 95th")
    for (way, values), target in zip(took.items(), (0.5, 0.3), strict=True):
        late = statistics.quantiles(values, n=20)[-1]
        line(way, values, late, f"<= {target:g} s", late <= target)
    print(
        f"\n{'updates a second and chart, while training':<52}{'n':>4}{'median':>9}{'least':>9}   target of the least"
    )
    for window, values in rates.items():
        line(window, values, min(values), ">= 5", min(values) >= 5)
    frames = sum(watched["frames"] for watched in seen)
    print(f"\nin {frames} frames")
    for fault in ("blank", "remounted"):
        charts = [chart for watched in seen for chart in watched[fault]]
        verdict = "met" if not charts else f"NOT MET: {', '.join(sorted(set(charts)))}"
        print(f"{'charts ' + fault:<52}{len(charts):>4}   target 0   {verdict}")
    print(f"{'zoom kept':<52}{sum(held):>4} of {len(held)}   {'met' if all(held) else 'NOT MET'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
