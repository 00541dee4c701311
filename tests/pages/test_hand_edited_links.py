"""A thousand links edited by hand, carelessly or with ill will: a page, its warnings, and never an exception."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from page_examples import COMPARE, LSTM, Recorder, address, opened, shown

from gclip.clipping import Chain, PerLayer
from gclip.dashboard.benches import COMPARE as COMPARE_BENCH
from gclip.dashboard.benches import LSTM as LSTM_BENCH
from gclip.dashboard.controls import NORMS
from gclip.dashboard.labels import run_label
from gclip.dashboard.notices import SHOWN, plain
from gclip.dashboard.settings import MAX_RUNS, Bench, Comparison, read, write

Link = dict[str, list[str]]

REGRESSION: Link = {
    "learning_rate": ["0.003"],
    "momentum": ["0.5"],
    "optimizer": ["Adam"],
    "loss": ["Huber"],
    "epochs": ["7"],
    "batch_size": ["50"],
    "hidden_units": ["10"],
    "hidden_layers": ["2"],
    "standardize_target": ["True"],
    "standardize_inputs": ["True"],
    "n_samples": ["400"],
    "n_features": ["9"],
    "n_informative": ["3"],
    "noise": ["2.5"],
    "data_seed": ["4"],
    "init_seed": ["5"],
    "batch_seed": ["6"],
    "seeds": ["5"],
}
RECURRENT: Link = {
    "learning_rate": ["0.3"],
    "momentum": ["0.5"],
    "optimizer": ["Adam"],
    "batch_size": ["5"],
    "hidden_units": ["10"],
    "problem": ["sum"],
    "cell": ["RNN"],
    "steps": ["400"],
    "sequence_length": ["20"],
    "weight_gain": ["2.5"],
    "bad_scale": ["10"],
    "bad_step": ["40"],
    "init_seed": ["5"],
    "batch_seed": ["6"],
    "seeds": ["5"],
}
RUNS = [
    *(entry.spec() for entry in COMPARE_BENCH.runs.values()),
    "ClipByNorm(max_norm=2.5, norm_type=inf)",
    "ClipByTensorNorm(max_norm=0.3);learning_rate=0.002;standardize_target=False",
    "Chain(ClipByValue(clip_value=0.1), ClipByNorm(max_norm=10.0, norm_type=1.0))",
    "PerLayer(Chain(ClipByNorm(1.0), ClipByValue(0.1)), output=ZClip(z_thresh=3.0), hidden=NoClip())",
    "AdaGC(max_norm=1.0, warmup_steps=7)",
]
RECURRENT_RUNS = [
    *(entry.spec() for entry in LSTM_BENCH.runs.values()),
    "PerLayer(AutoClip(clip_percentile=10.0), output=ClipByNorm(max_norm=10.0));weight_gain=3.0",
    "Chain(ClipDerivative(gate_clip=0.1, output_clip=1.0), ClipByNorm(max_norm=0.5));cell=RNN;learning_rate=0.5",
    "ClipByBlockRMS(threshold=0.3);cell=LSTM;weight_gain=0.0",
]
ON_PAGE = {COMPARE: (COMPARE_BENCH, REGRESSION, RUNS), LSTM: (LSTM_BENCH, RECURRENT, RECURRENT_RUNS)}
each_page = pytest.mark.parametrize("page", ON_PAGE, ids=lambda page: page.stem)
TEXTS = [
    *(
        "nan",
        "inf",
        "-inf",
        "-1",
        "0",
        "-0",
        "1e308",
        "1e999",
        "9" * 400,
        "1e-320",
        "0x10",
        "1_0",
        "1,5",
        "",
        " ",
        "+1",
    ),
    *(
        "None",
        "null",
        "true",
        "[]",
        "{}",
        "undefined",
        "characters",
        "7.0",
        "٣",
        "½",
        "⑦",
        "ß\u202etxet",
        "\ud7ff",
        "\x00",
        "\n\n# x",
    ),
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "$x$ **b** `c` :smile:"),
    *("'; DROP TABLE runs; --", "../../etc/passwd", "%00", "&amp;", "{{7*7}}", "__import__('os')", "a" * 3000),
]

Mutation = Callable[[random.Random, Link], None]


def some_name(chance: random.Random, link: Link) -> str:
    return chance.choice(list(link) or ["epochs"])


def other_text(chance: random.Random, link: Link) -> None:
    link[some_name(chance, link)] = [chance.choice(TEXTS)]


def other_number(chance: random.Random, link: Link) -> None:
    number = chance.choice([-1, 1]) * 10 ** chance.uniform(-12, 12)
    link[some_name(chance, link)] = [repr(number) if chance.random() < 0.5 else str(int(number))]


def other_character(chance: random.Random, link: Link) -> None:
    values = link.get(some_name(chance, link)) or [""]
    at = chance.randrange(len(values))
    text = values[at] or "x"
    place = chance.randrange(len(text))
    values[at] = text[:place] + chance.choice("0123456789.,-+e()=;<>&%$[]'\"é\u2028 ") + text[place + 1 :]


def truncated(chance: random.Random, link: Link) -> None:
    values = link.get(some_name(chance, link)) or [""]
    at = chance.randrange(len(values))
    values[at] = values[at][: chance.randrange(len(values[at]) + 1)]


def duplicated(chance: random.Random, link: Link) -> None:
    values = link.get(some_name(chance, link)) or [""]
    values += [chance.choice(values), chance.choice(TEXTS)] * chance.randrange(1, 5)


def deleted(chance: random.Random, link: Link) -> None:
    link.pop(some_name(chance, link), None)


def wrong_name(chance: random.Random, link: Link) -> None:
    name = some_name(chance, link)
    link[chance.choice([name.upper(), name + "s", name[1:] or "x", chance.choice(TEXTS)])] = link.pop(name, ["1"])


def swapped(chance: random.Random, link: Link) -> None:
    one, other = some_name(chance, link), some_name(chance, link)
    link[one], link[other] = link.get(other, ["1"]), link.get(one, ["1"])


MUTATIONS: list[Mutation] = [
    other_text,
    other_text,
    other_number,
    other_number,
    other_character,
    truncated,
    duplicated,
    deleted,
    wrong_name,
    swapped,
]


def edited(page: Path, seed: int) -> Link:
    """Return a valid link to a page with one to four things changed."""
    chance = random.Random(seed)
    _, valid, runs = ON_PAGE[page]
    names = chance.sample(list(valid), chance.randrange(1, 6))
    link = {name: list(valid[name]) for name in names} | {"run": chance.sample(runs, chance.randrange(1, 7))}
    for _ in range(chance.randrange(1, 5)):
        chance.choice(MUTATIONS)(chance, link)
    return link


def in_effect(name: str, text: str, comparison: Comparison) -> bool:
    """Say whether a link's text is what a comparison does, judged by Python's own reading of it."""
    value = comparison.seeds if name == "seeds" else getattr(comparison.shared, name)
    if isinstance(value, bool):
        return text.strip().lower() in (
            ("true", "1", "on", "t", "y", "yes") if value else ("false", "0", "off", "f", "n", "no")
        )
    if isinstance(value, str):
        return text == value
    try:
        return float(text) == value
    except ValueError:
        return False


def check_nothing_is_lost_silently(link: Link, bench: Bench, comparison: Comparison, refused: list[str]) -> None:
    """Check that all that a link says is in effect, or named in a sentence."""
    together = any("steps; allowed" in sentence or "multiply-adds" in sentence for sentence in refused)
    sizes = {name for names in bench.sizes for name in names} if together else set()
    band = {"seeds"} if any(sentence.startswith(("init_seed is", "batch_seed is")) for sentence in refused) else set()
    for name, values in link.items():
        if name == "run":
            continue
        named = any(sentence.startswith((f"{name} is ", repr(name)[:50])) for sentence in refused)
        known = name in bench.shared or name == "seeds"
        kept = known and in_effect(name, values[-1], comparison)
        assert kept or named or name in sizes | band, (name, values, refused)
    check_runs(link.get("run", []), bench, comparison, refused)


def check_runs(runs: list[str], bench: Bench, comparison: Comparison, refused: list[str]) -> None:
    refusals = sum(sentence.startswith("run is ") and "run is given" not in sentence for sentence in refused)
    asked = len(runs[:MAX_RUNS])
    if refusals == asked:
        assert comparison.entries == bench.default.entries
    else:
        assert len(comparison.entries) == asked - refusals
    assert (len(runs) > MAX_RUNS) == any("run is given" in sentence for sentence in refused)


def check_it_can_be_shown(bench: Bench, comparison: Comparison) -> None:
    """Check what the controls and the charts rely on."""
    assert 1 <= len(comparison.entries) <= MAX_RUNS
    configs = [config for group in comparison.configs() for config in group]
    assert {(type(config), len(config.key)) for config in configs} == {(bench.kind, 16)}
    for entry, [config, *_] in zip(comparison.entries, comparison.configs(), strict=True):
        rest, layers = entry.clipper, {}
        if isinstance(rest, PerLayer):
            rest, layers = rest.rest, dict(rest.layers)
        rules = rest.rules if isinstance(rest, Chain) else (rest,)
        assert 1 <= len(rules) <= 2
        assert set(layers) <= set(config.layers)
        assert all(type(rule).__name__ in bench.rules for rule in (*rules, *layers.values()))
        assert all(getattr(rule, "norm_type", 2.0) in NORMS or getattr(rule, "norm_type", 2.0) >= 1 for rule in rules)
        assert set(entry.changes()) <= set(bench.changes)
        assert run_label(entry)
    assert bench.kind.model_validate(comparison.shared.model_dump()) == comparison.shared


@each_page
@pytest.mark.parametrize("seed", range(0, 850, 50))
def test_whatever_a_link_says_a_comparison_is_read_from_it(page: Path, seed: int) -> None:
    bench = ON_PAGE[page][0]
    for link in (edited(page, one) for one in range(seed, seed + 50)):
        comparison, refused = read(link, bench)
        check_nothing_is_lost_silently(link, bench, comparison, refused)
        check_it_can_be_shown(bench, comparison)
        assert read(write(comparison, bench), bench) == (comparison, [])
        assert all(len(plain(sentence)) < 1000 and "\n" not in sentence for sentence in refused)


SHOWN_SEEDS = [*((COMPARE, seed) for seed in range(850, 1000, 15)), *((LSTM, seed) for seed in range(850, 910, 10))]


@pytest.mark.parametrize(("page", "seed"), SHOWN_SEEDS, ids=[f"{page.stem}-{seed}" for page, seed in SHOWN_SEEDS])
def test_whatever_a_link_says_the_page_is_shown(recorder: Recorder, page: Path, seed: int) -> None:
    bench = ON_PAGE[page][0]
    for link in (edited(page, one) for one in range(seed, seed + (15 if page == COMPARE else 10))):
        at = opened(page, link)
        comparison, refused = read(link, bench)
        assert shown(at, bench) == comparison
        assert recorder.asked[-1] == [config for group in comparison.configs() for config in group]
        assert address(at) == write(comparison, bench)
        assert len(at.warning) == bool(refused)
        told = at.warning[0].value.split("\n")[2:] if refused else []
        assert told[:SHOWN] == [f"- {plain(sentence)}" for sentence in refused[:SHOWN]]
        assert len(told) == min(len(refused), SHOWN + 1)


@each_page
def test_the_links_are_as_odd_as_they_should_be(page: Path) -> None:
    links = [edited(page, seed) for seed in range(1000)]
    refusals = [len(read(link, ON_PAGE[page][0])[1]) for link in links]
    assert sum(count == 0 for count in refusals) > 50
    assert sum(count > 0 for count in refusals) > 600
    assert len({str(link) for link in links}) > 990
    assert edited(page, 7) == edited(page, 7)


@each_page
def test_the_valid_links_are_valid(page: Path) -> None:
    bench, valid, runs = ON_PAGE[page]
    layers = {"cell": ["LSTM"]} if page == LSTM else {"hidden_layers": ["1"]}
    for run in runs:
        assert read(valid | layers | {"run": [run]}, bench)[1] == []
    assert set(valid) == {*bench.shared, "seeds"}
