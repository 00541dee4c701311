"""The board while runs train: zoom, stop, a dead worker, and the moment on show."""

import pytest
from app_server import Server
from live_board import CHARTS, LONG, STEP_CHARTS, Board

pytestmark = pytest.mark.browser

NORM = "ClipByNorm(max_norm=1.0)"


def test_a_zoom_is_that_of_all_step_charts_and_survives_training(server: Server, board: Board):
    board.open(server.link("NoClip()", NORM, init_seed=10, **LONG), "training")
    board.until("probe.head > 50")
    chosen = board.zoom("loss")
    assert board.ranges() == {chosen}
    before = {name: chart["updates"] for name, chart in board.charts().items()}
    for name in CHARTS:
        board.until(f"probe.updates('{name}') > {before[name] + 3}")
    assert board.ranges() == {chosen}
    board.press("[data-zoom=all]")
    board.until("probe.charts().loss.range[0] < 0")
    board.redraw()
    assert len(board.ranges()) == 1


def test_charts_are_never_remounted_nor_blank(server: Server, board: Board):
    board.open(server.link("NoClip()", NORM, epochs=1000, init_seed=11), "training")
    board.until("probe.head > 50")
    board.get("probe.watch()")
    board.settle()
    for _ in range(2):
        board.move("max_norm")
        board.settle()
    seen = board.get("probe.seen")
    assert seen["frames"] > 10
    assert seen["remounted"] == []
    assert seen["blank"] == []


def test_stop_stops_and_train_again_goes_to_the_end(server: Server, board: Board):
    board.open(server.link("NoClip()", NORM, init_seed=12, **LONG | {"epochs": 500, "seeds": 1}), "training")
    board.until("probe.head > 50")
    board.press("[data-stop]")
    board.settle()
    assert {card["title"] for card in board.cards()} == {"Stopped"}
    assert 50 < board.steps() < 8000
    assert board.page.locator("[data-stop]").is_disabled()
    board.press("[data-again]")
    board.until("probe.head === 7999")
    board.settle()
    assert {card["state"] for card in board.cards()} == {"done"}


def agree(board: Board) -> int:
    """Assert that all lines in the charts over steps end at the same moment; return it."""
    shown = board.charts()
    lines = {name: [t for t in shown[name]["traces"] if "lines" in t["mode"] and not t["fill"]] for name in STEP_CHARTS}
    ends = {name: {line["end"] for line in lines[name] if line["points"]} for name in STEP_CHARTS}
    last_epoch = ends.pop("epochs")
    (head,) = set.union(*ends.values())
    epochs = (head + 1) // 16
    assert last_epoch == ({epochs * 16 - 1} if epochs else set())
    return head


MOMENTS = [
    ("start", "", 0),
    ("forward", "", 1),
    ("forward", "", 2),
    ("back", "", 1),
    ("scrubber", "6", 6),
    ("forward", "", 7),
    ("scrubber", "150", 150),
]


def test_all_charts_show_the_same_moment(tutorial: Board):
    for control, value, step in MOMENTS:
        place = tutorial.page.locator(f"[data-player={control}]")
        _ = place.fill(value) if value else place.click()
        tutorial.until(f"probe.head === {step}")
        tutorial.redraw()
        assert agree(tutorial) == step
        assert bool(tutorial.charts()["loss"]["bands"]) == (step >= 7)
    assert tutorial.cards()[1]["title"] == "At step 150"
    tutorial.press("[data-player=live]")
    tutorial.redraw()
    assert tutorial.cards()[1]["title"] == "Learned"
    assert tutorial.steps() == 1600


def test_slow_motion_plays_and_pauses(tutorial: Board):
    tutorial.page.locator("[data-player=speed]").select_option("10")
    tutorial.until("probe.head < 100")
    for step in (9, 14):
        tutorial.until(f"probe.head >= {step}")
        tutorial.redraw()
        assert step <= agree(tutorial) < 1000
    tutorial.press("[data-player=play]")
    tutorial.redraw()
    head, paused = agree(tutorial), tutorial.get("performance.now()")
    tutorial.until(f"performance.now() > {paused + 500}")
    assert agree(tutorial) == head
    tutorial.press("[data-player=forward]")
    tutorial.redraw()
    assert agree(tutorial) == head + 1
