"""What the live view's own modules draw, asked of them in a browser: no server, and runs that are made up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from gclip.dashboard.routes import FILES

pytestmark = pytest.mark.browser

SETUP = """async () => {
  const [{ RunData }, { traces }, { WhatIf }] = await Promise.all(
    ["series", "draw", "whatif"].map((name) => import(`/${name}.js`)));
  const column = (values) => ({ data: Float32Array.from(values), rows: values.length, width: 1 });
  globalThis.run = ({ columns, seeds = 1, diverged = [] }) => {
    const made = new RunData(Array(seeds).fill("key"), null);
    const arrays = Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, column(values)]));
    made.append({ ...made.info, final: true, diverged }, arrays);
    return made;
  };
  globalThis.drawn = (kind, told, view) => {
    const chart = { id: "norms", log: true, figure: { data: [{ meta: { run: 0, kind, series: "total_norm" } }] } };
    const [{ x, y }] = traces(chart, [run(told)], { labels: ["a"], scales: [1], tutorial: [], target: [], ...view });
    return { x, y };
  };
  globalThis.WhatIf = WhatIf;
}"""


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Iterator[Page]:
    """An empty page with the modules loaded, each file as it lies on the disk."""
    page = browser.new_page()
    page.route("**/*", _give)
    page.goto("http://127.0.0.1/")
    page.evaluate(SETUP)
    yield page
    page.close()


def _give(route: Route) -> None:
    name = PurePosixPath(urlsplit(route.request.url).path).name
    _ = route.fulfill(path=FILES / name) if name else route.fulfill(body="", content_type="text/html")


def drawn(
    modules: Page, kind: str, clipped: Iterable[float], head: int | None = None, epoch: int = 16, **told: Any
) -> dict[int, float | None]:
    """Return what is drawn of a run with these flags, by step."""
    flags = list(clipped)
    columns = {"loss": flags, "clipped": flags, "total_norm": [1 + i % 7 for i in range(len(flags))]}
    view = {"head": len(flags) - 1 if head is None else head, "stepsPerEpoch": epoch, "total": len(flags)}
    drawing = modules.evaluate("([...args]) => drawn(...args)", [kind, {"columns": columns} | told, view])
    return dict(zip(drawing["x"], drawing["y"], strict=True))


def only(steps: int, *clipped: int) -> list[float]:
    return [float(i in clipped) for i in range(steps)]


@pytest.mark.parametrize("step", [0, 1, 301, 599])
def test_the_only_clipped_step_has_its_tick(modules: Page, step: int):
    assert drawn(modules, "clipped", only(600, step)) == {step: 1 + step % 7}


def test_no_clipped_step_is_far_from_a_tick_and_ticks_do_not_crowd(modules: Page):
    steps = [i for i in range(20_000) if (i * i) % 97 == 1 or 7000 < i < 9000]
    for head in (19_999, 12_345, 59):
        ticks = drawn(modules, "clipped", only(20_000, *steps), head)
        seen = [step for step in steps if step <= head]
        assert set(ticks) <= set(seen)
        assert len(ticks) <= 61
        assert all(min(abs(step - tick) for tick in ticks) < 20_000 / 60 + 1 for step in seen)


@pytest.mark.parametrize("step", [33, 12_347, 19_999])
def test_the_clip_rate_passes_over_no_step(modules: Page, step: int):
    rates = drawn(modules, "rate", only(20_000, step))
    assert max(rate for rate in rates.values() if rate is not None) == pytest.approx(1 / 66)
    assert max(rates) == 19_999


def test_the_clip_rate_is_that_of_one_epoch(modules: Page):
    rates = drawn(modules, "rate", only(64, *range(16, 32)))
    assert [rates[i] for i in (0, 15, 16, 23, 31, 39, 47, 63)] == [0, 0, 1 / 16, 0.5, 1, 0.5, 0, 0]


def test_the_clip_rate_ends_where_the_run_diverges(modules: Page):
    rates = drawn(modules, "rate", [1.0] * 50 + [0.0] * 50, diverged=[50])
    assert list(rates.values()) == [1.0] * 50 + [None] * 50


def test_a_seed_that_has_diverged_does_not_lower_the_others_clip_rate(modules: Page):
    flags = [1.0] * 50 + [0.75] * 30 + [0.0] * 20
    rates = drawn(modules, "rate", flags, seeds=4, diverged=[50, 80, 80, 80])
    assert list(rates.values()) == [1.0] * 80 + [None] * 20


def asked(modules: Page, *runs: dict[str, Any], selected: int = 0) -> dict[str, float]:
    """Return the ends of the what-if slider, where it begins, and the threshold that is told of."""
    return modules.evaluate(
        """([told, selected]) => {
          const panel = new WhatIf(null, () => {}, () => {});
          const groups = told.map(() => ({ label: "a", color: "red", no_what_if: "", what_if: "", movable: true }));
          panel.render(told.map(run), groups, { selected, head: 10_000 });
          const { min, max, value } = panel.slider;
          return { min: Number(min), max: Number(max), at: Number(value), told: Math.log10(panel.value) };
        }""",
        [runs, selected],
    )


def measured(*norms: float, **told: Any) -> dict[str, Any]:
    return {"columns": {"loss": norms, "measured": norms}} | told


def test_the_what_if_slider_has_its_usual_ends_where_the_norms_lie_between_them(modules: Page):
    panel = asked(modules, measured(*[0.5, 10, 10, 10, 2000]))
    assert (panel["min"], panel["max"], panel["at"]) == (-3, 4, 1)


@pytest.mark.parametrize(("norm", "ends"), [(3e7, (-3, 8)), (2e-6, (-6, 4)), (1e9, (-3, 9))])
def test_the_what_if_slider_reaches_every_norm_and_begins_at_the_median(
    modules: Page, norm: float, ends: tuple[float, float]
):
    panel = asked(modules, measured(*[norm] * 9))
    assert (panel["min"], panel["max"]) == ends
    assert panel["at"] == pytest.approx(panel["told"], abs=1e-6)
    assert 10 ** panel["told"] == pytest.approx(norm, rel=0.03)


def test_an_exploded_run_stretches_the_what_if_slider_only_while_it_is_chosen(modules: Page):
    runs = measured(*[1.0] * 9), measured(*[1e3, 1e6, 1e9, 1e12, 1e15], diverged=[5])
    assert asked(modules, *runs)["max"] == 4
    panel = asked(modules, *runs, selected=1)
    assert (panel["max"], panel["at"]) == (15, 9)


def test_what_is_not_finite_or_zero_does_not_move_the_what_if_sliders_ends(modules: Page):
    panel = asked(modules, measured(*[0, 1, 1, 1, 1, 1, float("inf"), float("nan")]), measured(*[0.0] * 9))
    assert (panel["min"], panel["max"]) == (-3, 4)


def test_what_if_counts_norms_of_zero_and_infinite_ones_too(modules: Page):
    row = modules.evaluate(
        """() => {
          const panel = new WhatIf(null, () => {}, () => {});
          panel.value = 1;
          const run = { columns: { measured: { data: Float32Array.of(0, 0.5, 2, Infinity, NaN), rows: 5 } } };
          return panel.row(run, { label: "a", color: "red", no_what_if: "", what_if: "" }, 9).textContent;
        }"""
    )
    assert "50 % of 4 steps" in row
