"""What the Compare page shows of finished runs."""

from typing import Literal
from urllib.parse import quote

import pytest
from app_server import Server
from live_board import CHARTS, STEP_CHARTS, TALL, Board

pytestmark = pytest.mark.browser

SIX = [
    "NoClip()",
    "ClipByNorm(max_norm=1.0)",
    "ClipByNorm(max_norm=30.0, norm_type=inf)",
    "ClipByTensorNorm(max_norm=3.0)",
    "ClipByValue(clip_value=5.0)",
    "Chain(ClipByNorm(max_norm=1.0), ClipByValue(clip_value=0.1))",
]


def test_the_tutorial_runs_are_compared_and_explained(tutorial: Board):
    assert tutorial.names() == ["No clipping", "Norm ≤ 1", "Value ≤ 5"]
    assert [card["title"] for card in tutorial.cards()] == ["Diverged at step 7", "Learned", "Learned"]
    charts = tutorial.charts()
    assert set(charts) == CHARTS
    assert all(trace["drawn"] for trace in charts["loss"]["traces"] + charts["histogram"]["traces"])
    notes = tutorial.page.locator(".gclip figure .note").all_text_contents()
    assert all(note.strip() for note in notes)


def test_divergence_is_marked_on_every_step_chart(tutorial: Board):
    charts = tutorial.charts()
    assert {name for name, chart in charts.items() if chart["linked"]} == STEP_CHARTS
    for name in STEP_CHARTS:
        assert charts[name]["bands"] == [7], name
        assert charts[name]["labels"] == ["✕ diverged: step 7"], name
    assert _crosses(tutorial) == {"loss": 6, "norms": 5, "cosine": 7}
    tutorial.page.locator(".gclip .card").first.click()
    tutorial.redraw()
    assert _crosses(tutorial)["layers"] <= 7


def _crosses(board: Board) -> dict[str, int]:
    """Return at which step each chart has the cross of the first run."""
    return {
        name: trace["at"]
        for name, chart in board.charts().items()
        for trace in chart["traces"]
        if chart["linked"] and trace.get("run") == 0 and trace["symbol"] == "x" and trace["points"] == 1
    }


def test_bands_over_five_seeds(server: Server, board: Board):
    board.open(server.link("NoClip()", "ClipByNorm(max_norm=1.0)", seeds=5, epochs=20))
    assert "of 5 seeds" in board.cards()[0]["title"]
    charts = board.charts()
    bands = {name: [t["run"] for t in chart["traces"] if t["fill"] == "toself"] for name, chart in charts.items()}
    for name in ("loss", "norms", "cosine"):
        assert set(bands[name]) == {0, 1}, name
    assert 1 in bands["epochs"]
    assert "/5 seeds, from step" in charts["loss"]["labels"][0]


def test_six_runs_each_with_its_own_look(server: Server, board: Board):
    board.open(server.link(*SIX, epochs=20, init_seed=600))
    assert len({card["name"] for card in board.cards()}) == 6
    for name in ("loss", "norms", "rate"):
        colors = {trace["run"]: trace["color"] for trace in board.charts()[name]["traces"] if "run" in trace}
        assert len(set(colors.values())) == len(colors) == 6, name
    assert board.page.get_by_role("button", name="Add this run").count() == 0


def test_what_if_changes_its_numbers_and_its_button_sets_the_threshold(tutorial: Board):
    slider, table = tutorial.page.get_by_label("What-if threshold"), tutorial.page.locator(".whatif tbody")
    seen = []
    for exponent in ("1", "2.7"):
        slider.fill(exponent)
        tutorial.redraw()
        seen.append((tutorial.page.locator(".whatif output").text_content(), table.text_content()))
    assert seen[0][0] == "10"
    assert seen[0][1] != seen[1][1]
    tutorial.page.locator(".whatif .use").click()
    tutorial.until("probe.names[1] === 'Norm ≤ 501'")
    tutorial.settle()
    assert "max_norm%3D501.0" in tutorial.page.url
    assert tutorial.slider("max_norm").get_attribute("aria-valuetext") == "501"
    assert tutorial.names()[2] == "Value ≤ 5"
    tutorial.page.go_back()
    tutorial.until("probe.names[1] === 'Norm ≤ 1'")


HOSTILE = {
    "run": "<img src=x onerror=alert(1)>",
    "epochs": "1e99",
    "learning_rate": "nan",
    "seeds": "-7",
    "[a](javascript:alert(1))": "$x$",
    "momentum": "'; DROP TABLE runs; --" + "x" * 500,
    "n_samples": "\u202e\x00",
}


def test_a_hostile_link_is_answered_in_sentences(server: Server, board: Board):
    query = "&".join(f"{quote(name)}={quote(text)}" for name, text in HOSTILE.items())
    board.open(f"{server.url}/compare?{query}&run={quote('ClipByNorm(max_norm=-1)')}&run={quote('NoClip()')}")
    alert = board.page.get_by_test_id("stAlert").first
    for words in ("epochs is '1e99'", "learning_rate is 'nan'", "seeds is '-7'", "not a setting", "clip"):
        assert words in alert.inner_text(), words
    assert alert.locator("a, img, script, .katex").count() == 0
    assert board.page.get_by_test_id("stException").count() == 0
    assert "Traceback" not in board.page.inner_text("body")
    assert board.names() == ["No clipping"]
    assert board.cards()[0]["title"] == "Diverged at step 7"


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("page", ["", "compare"])
def test_nothing_is_wider_than_the_window_in_light_and_dark(server: Server, board: Board, page: str, width: int):
    board.page.set_viewport_size({"width": width, "height": TALL})
    if page:
        board.open(f"{server.url}/{page}")
    else:
        board.page.goto(server.url)
        board.page.locator(".katex-html").last.wait_for()
    for scheme, color in BACKGROUNDS.items():
        board.page.emulate_media(color_scheme=scheme)
        board.until(f"getComputedStyle(document.querySelector('.stApp')).backgroundColor === '{color}'")
        board.redraw()
        assert board.get("document.documentElement.scrollWidth - innerWidth") <= 0
        assert board.get(SPILLED) == []


BACKGROUNDS: dict[Literal["light", "dark"], str] = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 27)"}

SPILLED = """[...document.querySelectorAll('[data-testid=stMain], .gclip, .gclip .card, .gclip figure')]
    .filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => `${box.className || box.dataset.chart}`)"""
