"""Links: what is written is read back, and what is refused takes nothing else with it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode

import hypothesis.strategies as some
import pytest
from dashboard_examples import comparisons, entries
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from pydantic import ValidationError

from gclip.clipping import Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, NoClip
from gclip.dashboard.settings import CHANGES, MAX_RUNS, PRESETS, SHARED, Comparison, Entry, read, write
from gclip.training import RunConfig

often = hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

REFUSED = [
    ("learning_rate", "0", "above 0"),
    ("learning_rate", "-1", "above 0"),
    ("learning_rate", "nan", "above 0"),
    ("learning_rate", "inf", "up to 1,000"),
    ("learning_rate", "1001", "up to 1,000"),
    ("momentum", "1", "below 1"),
    ("momentum", "-0.1", "from 0"),
    ("optimizer", "sgd", "SGD or Adam or RMSprop"),
    ("loss", "hinge", "MSE or MAE or Huber"),
    ("epochs", "0", "from 1 up to 2,000"),
    ("epochs", "1.5", "a whole number"),
    ("epochs", "9" * 400, "a whole number"),
    ("batch_size", "", "from 1 up to 1,000"),
    ("hidden_units", "513", "up to 512"),
    ("hidden_layers", "many", "from 1 up to 8"),
    ("standardize_target", "perhaps", "true or false"),
    ("standardize_inputs", "2", "true or false"),
    ("n_samples", "19", "from 20 up to 10,000"),
    ("n_features", "1e2", "a whole number from 1"),
    ("n_informative", "201", "up to 200"),
    ("noise", "1e999", "up to 1,000"),
    ("data_seed", "-1", "from 0"),
    ("init_seed", "2147483648", "up to 2,147,483,647"),
    ("batch_seed", "true", "a whole number"),
]

KEPT: dict[str, tuple[str, Any]] = {
    "learning_rate": ("0.003", 0.003),
    "momentum": ("0.5", 0.5),
    "optimizer": ("Adam", "Adam"),
    "loss": ("MAE", "MAE"),
    "epochs": ("7", 7),
    "batch_size": ("50", 50),
    "hidden_units": ("10", 10),
    "hidden_layers": ("2", 2),
    "standardize_target": ("True", True),
    "standardize_inputs": ("True", True),
    "n_samples": ("400", 400),
    "n_features": ("9", 9),
    "n_informative": ("3", 3),
    "noise": ("2.5", 2.5),
    "data_seed": ("4", 4),
    "init_seed": ("5", 5),
    "batch_seed": ("6", 6),
}
RUNS = ["ClipByNorm(max_norm=2.5, norm_type=inf)", "NoClip();learning_rate=0.001"]


@often
@given(comparisons)
def test_what_is_written_is_read_back(comparison: Comparison) -> None:
    assert read(write(comparison)) == (comparison, [])


@often
@given(comparisons)
def test_a_link_survives_the_address_bar(comparison: Comparison) -> None:
    query = urlencode(write(comparison), doseq=True)
    assert read(parse_qs(query, keep_blank_values=True)) == (comparison, [])


@often
@given(comparisons)
def test_the_same_comparison_asks_for_the_same_runs(comparison: Comparison) -> None:
    again, _ = read(write(comparison))
    keys = [[config.key for config in group] for group in comparison.configs()]
    assert [[config.key for config in group] for group in again.configs()] == keys


@often
@given(entries)
def test_a_run_is_written_in_one_parameter(entry: Entry) -> None:
    found, refused = read({"run": [entry.spec()]})
    assert found.entries == (entry,)
    assert not refused


def test_the_default_comparison_has_an_empty_link() -> None:
    assert write(Comparison()) == {}
    assert read({}) == (Comparison(), [])


def test_a_link_holds_only_what_is_not_the_default() -> None:
    assert write(Comparison(shared=RunConfig(epochs=7))) == {"epochs": ["7"]}
    assert write(Comparison(seeds=5)) == {"seeds": ["5"]}
    assert set(write(Comparison(entries=(Entry(),)))) == {"run"}


def test_every_setting_is_in_the_examples() -> None:
    assert set(KEPT) == set(SHARED) == {name for name, _, _ in REFUSED}


@pytest.mark.parametrize(("name", "text", "allowed"), REFUSED)
def test_a_refused_field_is_named_with_value_and_what_is_allowed(name: str, text: str, allowed: str) -> None:
    comparison, refused = read({name: [text]})
    assert comparison == Comparison()
    assert len(refused) == 1
    assert refused[0].startswith(f"{name} is {text[:60]!r}; allowed is ")
    assert allowed in refused[0]
    assert refused[0].endswith(".")


@pytest.mark.parametrize(("name", "text", "allowed"), REFUSED)
def test_a_hand_edited_link_loses_nothing_else(name: str, text: str, allowed: str) -> None:
    link = {other: [good] for other, (good, _) in KEPT.items()} | {name: [text], "run": RUNS, "seeds": ["5"]}
    comparison, refused = read(link)
    default = RunConfig.model_fields[name].default
    values = {other: value for other, (_, value) in KEPT.items()} | {name: default}
    assert {other: getattr(comparison.shared, other) for other in SHARED} == values
    assert comparison.seeds == 5
    assert comparison.entries == (
        Entry(clipper=ClipByNorm(2.5, norm_type=float("inf"))),
        Entry(learning_rate=0.001),
    )
    assert len(refused) == 1


def test_every_refused_field_has_its_own_sentence() -> None:
    last = {name: [text] for name, text, _ in REFUSED}
    _, refused = read(last)
    assert [sentence.split(" is ")[0] for sentence in refused] == list(last)


BAD_RUNS = [
    ("", "clipper is ''"),
    ("ClipByNorm(max_norm=0)", "max_norm is 0; allowed is a number greater than 0"),
    ("ClipByNorm(nan)", "max_norm is nan"),
    ("ClipByNorm(-inf)", "max_norm is -inf"),
    ("ClipByNorm(1.0, norm_type=0.5)", "norm_type is 0.5; allowed is a number >= 1"),
    ("ClipByNorm(1.0, norm=2)", "does not fit"),
    ("ClipByNorm(max_norm=1.0, max_norm=2.0)", "gives one number twice"),
    ("ClipByNorm(", "allowed is a rule such as"),
    ("clip(1)", "allowed are NoClip"),
    ("__import__('os').system('true')", "allowed are NoClip"),
    ("NoClip(1)", "does not fit"),
    ("ClipByValue(True)", "where a number is needed"),
    ("Chain()", "rules is empty"),
    ("Chain(NoClip(), NoClip(), NoClip())", "more than two rules"),
    ("Chain(Chain(NoClip()), NoClip())", "within another"),
    ("NoClip();epochs=3", "only learning_rate and standardize_target may be changed"),
    ("NoClip();learning_rate", "may be changed"),
    ("NoClip();learning_rate=0.1;learning_rate=0.2", "may be changed"),
    ("NoClip();learning_rate=-1", "learning_rate is '-1'; allowed is a number above 0"),
    ("NoClip();standardize_target=raw", "standardize_target is 'raw'; allowed is true or false"),
    ("<script>alert(1)</script>", "allowed is a rule such as"),
    ("ClipByNorm(" + "1" * 600 + ")", "allowed is a rule such as"),
    ("(" * 400, "allowed is a rule such as"),
]


@pytest.mark.parametrize(("spec", "says"), BAD_RUNS)
def test_a_refused_run_says_why_and_the_others_stay(spec: str, says: str) -> None:
    comparison, refused = read({"run": [RUNS[0], spec, RUNS[1]], "epochs": ["7"]})
    assert [entry.spec() for entry in comparison.entries] == RUNS
    assert comparison.shared.epochs == 7
    assert len(refused) == 1
    assert refused[0].startswith("run is ")
    assert says in refused[0]


def test_when_every_run_is_refused_the_default_ones_are_shown() -> None:
    comparison, refused = read({"run": ["x", "y"]})
    assert comparison.entries == Comparison().entries
    assert len(refused) == 2


def test_more_runs_than_six_are_named_and_the_first_six_shown() -> None:
    specs = [f"ClipByValue(clip_value={i}.0)" for i in range(1, 10)]
    comparison, refused = read({"run": specs})
    assert [entry.spec() for entry in comparison.entries] == specs[:MAX_RUNS]
    assert refused == ["run is given 9 times; allowed are 6. The first 6 are shown."]


@pytest.mark.parametrize("text", ["0", "2", "-1", "1.0", "five", "", "nan", "2" * 100])
def test_seeds_are_one_five_or_twenty(text: str) -> None:
    comparison, refused = read({"seeds": [text], "epochs": ["7"]})
    assert (comparison.seeds, comparison.shared.epochs) == (1, 7)
    assert len(refused) == 1
    assert "seeds is " in refused[0]
    assert "1, 5 and 20" in refused[0]


def test_an_unknown_name_is_told() -> None:
    comparison, refused = read({"epoch": ["7"], "clipper": ["NoClip()"], "x" * 500: ["1"]})
    assert comparison == Comparison()
    assert [sentence[:9] for sentence in refused] == ["'epoch' i", "'clipper'", "'xxxxxxxx"]
    assert max(map(len, refused)) < 120


def test_a_name_given_twice_means_the_last_one() -> None:
    assert read({"epochs": ["7", "8"]})[0].shared.epochs == 8


CROSS = [
    ({"epochs": "2000", "batch_size": "1"}, "epochs is 2000 at batch_size 1: 1,000,000 steps; allowed are 20,000"),
    ({"epochs": "1300"}, "epochs is 1300 at batch_size 32"),
    ({"batch_size": "1", "epochs": "50"}, "epochs is 50 at batch_size 1"),
    ({"hidden_units": "512", "hidden_layers": "8", "epochs": "1000"}, "hidden_units is 512 in 8 layers"),
]


@pytest.mark.parametrize(("link", "says"), CROSS)
def test_fields_that_do_not_fit_together_are_refused_and_the_rest_stays(link: dict[str, str], says: str) -> None:
    rest = {"learning_rate": ["0.003"], "loss": ["MAE"], "noise": ["2.5"], "init_seed": ["5"], "run": RUNS}
    comparison, refused = read(rest | {name: [text] for name, text in link.items()})
    assert len(refused) == 1
    assert says in refused[0]
    shared = comparison.shared
    assert (shared.learning_rate, shared.loss, shared.noise, shared.init_seed) == (0.003, "MAE", 2.5, 5)
    assert [entry.spec() for entry in comparison.entries] == RUNS
    assert comparison.configs()


def test_sizes_that_fit_stay_when_others_do_not() -> None:
    link = {"epochs": ["2000"], "batch_size": ["1"], "hidden_units": ["10"], "n_features": ["9"]}
    comparison, _ = read(link)
    assert (comparison.shared.hidden_units, comparison.shared.n_features) == (10, 9)


def test_a_band_over_seeds_beyond_the_last_seed_falls_back_to_one() -> None:
    comparison, refused = read({"init_seed": ["2147483647"], "seeds": ["5"], "run": RUNS})
    assert (comparison.seeds, comparison.shared.init_seed) == (1, 2**31 - 1)
    assert [entry.spec() for entry in comparison.entries] == RUNS
    assert len(refused) == 1
    assert "init_seed is '2147483648'" in refused[0]


@often
@given(some.dictionaries(some.sampled_from([*SHARED, "run", "seeds", "x"]), some.lists(some.text(), min_size=1)))
def test_any_text_gives_a_comparison_that_can_be_trained(link: dict[str, list[str]]) -> None:
    comparison, refused = read(link)
    assert comparison.configs()
    assert all(sentence.endswith(".") and len(sentence) < 400 for sentence in refused)
    assert read(write(comparison)) == (comparison, [])


def test_runs_share_all_but_what_they_change() -> None:
    entries = (Entry(), Entry(clipper=ClipByNorm(1.0), learning_rate=0.5), Entry(standardize_target=True))
    comparison = Comparison(shared=RunConfig(epochs=3, init_seed=7, batch_seed=70), entries=entries, seeds=5)
    for entry, group in zip(entries, comparison.configs(), strict=True):
        assert [(config.init_seed, config.batch_seed) for config in group] == [(7 + i, 70 + i) for i in range(5)]
        for config in group:
            differs = {name for name in SHARED if getattr(config, name) != getattr(comparison.shared, name)}
            assert differs <= {*entry.changes(), "init_seed", "batch_seed"}
            assert config.clipper == entry.clipper
            assert {name: getattr(config, name) for name in entry.changes()} == entry.changes()


def test_a_comparison_has_one_to_six_runs() -> None:
    with pytest.raises(ValidationError):
        Comparison(entries=())
    with pytest.raises(ValidationError):
        Comparison(entries=(Entry(),) * 7)


def test_the_presets_are_the_tutorials_runs_and_the_remedies_beside_clipping() -> None:
    rules = [entry.clipper for entry in PRESETS.values()]
    assert rules[:3] == [NoClip(), ClipByNorm(1.0), ClipByValue(5.0)]
    assert Chain(ClipByNorm(1.0), ClipByValue(0.1)) in rules
    assert {name for entry in PRESETS.values() for name in entry.changes()} == set(CHANGES)
    assert Comparison().entries == tuple(PRESETS.values())[:3]
    assert len({entry.spec() for entry in PRESETS.values()}) == len(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_can_be_trained_and_linked(name: str) -> None:
    comparison = Comparison(entries=(PRESETS[name], Entry(clipper=ClipByTensorNorm(1.0))))
    assert read(write(comparison)) == (comparison, [])
    assert len(comparison.configs()) == 2
