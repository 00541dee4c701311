"""Frameworks: what is typed is computed, kept in the link, and read back from it, whatever the link says."""

from __future__ import annotations

import random

import pytest
from page_examples import MAIN, ROOT, Recorder, address, fine, opened
from streamlit.testing.v1 import AppTest

from gclip.dashboard.frameworks import calls
from gclip.dashboard.frameworks.inputs import DEFAULTS, EXAMPLES, FIELDS, read
from gclip.dashboard.frameworks.words import conclusion, moral, rows
from gclip.dashboard.notices import plain

FRAMEWORKS = ROOT / "pages" / "frameworks.py"

pytestmark = pytest.mark.usefixtures("recorder")


def page(**link: str) -> AppTest:
    """Open the page by a link."""
    return opened(FRAMEWORKS, {name: [text] for name, text in link.items()})


def typed(at: AppTest, **texts: str) -> AppTest:
    """Type into fields."""
    for name, text in texts.items():
        at.text_input(key=name).set_value(text)
    return fine(at.run())


def click(at: AppTest, example: str) -> AppTest:
    return fine(at.button(key=f"example.{example}").click().run())


def texts(at: AppTest) -> str:
    """Return all that the page says."""
    return "\n".join(element.value for element in (*at.markdown, *at.caption, *at.code))


def computes(at: AppTest, **expected: str) -> AppTest:
    """Return a page whose table, sentences and link are those of the texts expected to be in force."""
    inputs, _, refused = read(DEFAULTS | expected, {})
    assert not refused
    results = calls.results(inputs)
    table = at.table[0].value.to_dict("records")
    assert table == rows(results, inputs)
    assert conclusion(results, inputs) in texts(at)
    assert moral(results) in texts(at)
    assert address(at) == {name: [text] for name, text in expected.items() if text != DEFAULTS[name]}
    return at


def test_the_oracles_numbers_are_on_the_page() -> None:
    at = computes(page())
    assert not at.warning
    table = {(row["Library"], row["Call"]): row for row in at.table[0].value.to_dict("records")}
    by_all, by_variable = table["Keras 3", "`global_clipnorm`"], table["Keras 3", "`clipnorm`"]
    assert (by_all["Weight"], by_all["Bias"], by_all["Cosine"]) == ("0.597, 0.796", "0.0995", "1.000")
    assert (by_variable["Weight"], by_variable["Bias"], by_variable["Cosine"]) == ("0.6, 0.8", "0.5", "0.934")
    assert table["Keras 2.2–2.3", "`clipnorm`"]["Weight"] == "0.597, 0.796"
    assert "**[0.6, 0.8] [0.5]**" in texts(at)


def test_the_page_trains_nothing(recorder: Recorder) -> None:
    click(page(), "A NaN")
    assert not recorder.asked


def test_the_page_runs_by_itself_and_in_the_application() -> None:
    at = opened(MAIN)
    title = fine(at.switch_page(str(FRAMEWORKS)).run()).title[0].value
    assert title == page().title[0].value


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_one_click_and_one_link(example: str) -> None:
    weight, bias = EXAMPLES[example]
    at = computes(click(page(), example), weight=weight, bias=bias)
    assert (at.text_input(key="weight").value, at.text_input(key="bias").value) == (weight, bias)
    assert not at.warning
    again = page(**{name: text for name, [text] in address(at).items()})
    assert again.table[0].value.equals(at.table[0].value)


CHANGED = {"weight": "-2, 0.5", "bias": "1, 2, nan", "threshold": "2.5", "weight_length": "3", "bias_length": "0"}


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_changes_the_page_and_the_link(name: str) -> None:
    at = page()
    before = at.table[0].value
    computes(typed(at, **{name: CHANGED[name]}), **{name: CHANGED[name]})
    assert not at.table[0].value.equals(before)
    computes(typed(at, **{name: DEFAULTS[name]}))


def test_a_link_fills_every_field() -> None:
    at = computes(page(**CHANGED), **CHANGED)
    assert {name: at.text_input(key=name).value for name in FIELDS} == CHANGED
    computes(fine(at.run()), **CHANGED)


def test_a_pasted_link_wins_over_what_was_typed_before() -> None:
    at = typed(page(), weight="7, 7")
    at.query_params.clear()
    at.query_params["bias"] = "9"
    computes(fine(at.run()), bias="9")
    at.query_params.clear()
    computes(fine(at.run()))


def test_what_is_typed_wins_over_the_address_bar_behind_it() -> None:
    at = typed(page(), weight="7, 7")
    at.query_params.clear()
    computes(typed(at, bias="9"), weight="7, 7", bias="9")


def test_who_comes_back_finds_what_was_there() -> None:
    at = opened(MAIN)
    fine(at.switch_page(str(FRAMEWORKS)).run())
    typed(at, weight="7, 7")
    fine(at.switch_page(str(ROOT / "pages" / "start.py")).run())
    at.query_params.clear()
    fine(at.switch_page(str(FRAMEWORKS)).run())
    assert at.text_input(key="weight").value == "7, 7"
    computes(at, weight="7, 7")


@pytest.mark.parametrize("name", FIELDS)
def test_nonsense_is_refused_and_the_last_good_value_stays(name: str) -> None:
    at = typed(page(), **{name: CHANGED[name]})
    typed(at, **{name: "three"})
    computes(at, **{name: CHANGED[name]})
    assert plain(f"{FIELDS[name].label} is 'three'") in at.warning[0].value
    assert plain(f"It stays at {CHANGED[name]}.") in at.warning[0].value
    fine(at.run())
    assert at.warning
    computes(typed(at, **{name: CHANGED[name]}), **{name: CHANGED[name]})
    assert not at.warning


@pytest.mark.parametrize("library", calls.LIBRARIES)
def test_each_library_has_its_lines(library: str) -> None:
    at = page(threshold="2.5")
    at.button_group(key="library").set_value(library)
    fine(at.run())
    lines = [call.line(2.5) for call in calls.CALLS if call.library == library]
    assert [code.value for code in at.code][-len(lines) :] == lines


GARBAGE = ["", " ", "-1", "1e999", "9" * 400, "1e-320", "0x10", "1_0", "٣", "½", "None", "[]", "{}", "a" * 3000, "\x00",
           "<script>alert(1)</script>", "[a](javascript:alert(1))", "$x$ **b** `c` :smile:", "'; DROP TABLE runs; --",
           "{{7*7}}", "__import__('os')", "ß\u202etxet", "\n\n# x", "1,2,3,4,5", "nan,,nan"]  # fmt: skip


def link_of(chance: random.Random) -> dict[str, str]:
    """Return a link with some settings right, some wrong, and some that are none of the page's."""
    right = dict(chance.sample(sorted(CHANGED.items()), chance.randint(0, 3)))
    wrong = {chance.choice([*FIELDS, "run", "foo", "<b>", "bias "]): chance.choice(GARBAGE) for _ in range(3)}
    return right | wrong


@pytest.mark.parametrize("seed", range(40))
def test_a_link_edited_by_hand_never_breaks_the_page(seed: int) -> None:
    link = link_of(random.Random(seed))
    _, in_force, refused = read(DEFAULTS | {name: text for name, text in link.items() if name in FIELDS}, {})
    at = computes(page(**link), **in_force)
    strangers = [name for name in link if name not in FIELDS]
    assert bool(at.warning) == bool(refused or strangers)
    for sentence in refused:
        assert plain(sentence) in at.warning[0].value
    for name in strangers:
        assert plain(f"{name!r} is not a setting") in at.warning[0].value


def test_a_setting_that_is_given_twice_is_read_once() -> None:
    at = opened(FRAMEWORKS, {"weight": ["1, 2", "5, 6"]})
    computes(at, weight="5, 6")


def test_charts_draw_every_element_and_say_it_in_words() -> None:
    charts = page().get("plotly_chart")
    assert len(charts) == 4
    assert "One norm for all: 0.597, 0.796, 0.0995, shortened" in charts[1].proto.alt
