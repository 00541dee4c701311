"""Links: what is written is read back, and what is refused takes nothing else with it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode

import hypothesis.strategies as some
import pytest
from dashboard_examples import BENCHES, entries, links, recurrent_entries
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from pydantic import ValidationError

from gclip.clipping import CLIPPERS, Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, Clipper, NoClip, PerLayer, quoted
from gclip.dashboard.benches import COMPARE, EXPERIMENTS, LSTM, REGRESSION_RUNS, RULES
from gclip.dashboard.settings import CHANGES, MAX_RUNS, Bench, Comparison, Entry, read, simplest, write
from gclip.training import Config, RecurrentConfig, RunConfig

often = hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])

Refusal = tuple[str, str, str]

REFUSED: list[Refusal] = [
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

REFUSED_LSTM: list[Refusal] = [
    ("learning_rate", "-2", "above 0"),
    ("momentum", "1", "below 1"),
    ("optimizer", "adam", "SGD or Adam or RMSprop"),
    ("batch_size", "129", "from 1 up to 128"),
    ("hidden_units", "129", "from 1 up to 128"),
    ("init_seed", "-1", "from 0"),
    ("batch_seed", "1e3", "a whole number"),
    ("problem", "cosine", "sine or characters or sum"),
    ("cell", "GRU", "LSTM or RNN"),
    ("steps", "810", "in steps of 20"),
    ("sequence_length", "1", "from 2 up to 200"),
    ("weight_gain", "16.5", "from 0 up to 16"),
    ("bad_scale", "-1", "from 0"),
    ("bad_step", "1.5", "a whole number from 0"),
]
KEPT_LSTM: dict[str, tuple[str, Any]] = {
    "learning_rate": ("0.003", 0.003),
    "momentum": ("0.5", 0.5),
    "optimizer": ("Adam", "Adam"),
    "batch_size": ("5", 5),
    "hidden_units": ("10", 10),
    "init_seed": ("5", 5),
    "batch_seed": ("6", 6),
    "problem": ("sum", "sum"),
    "cell": ("RNN", "RNN"),
    "steps": ("400", 400),
    "sequence_length": ("20", 20),
    "weight_gain": ("2.5", 2.5),
    "bad_scale": ("10", 10.0),
    "bad_step": ("40", 40),
}

ON_BENCH = {"compare": (COMPARE, REFUSED, KEPT), "lstm": (LSTM, REFUSED_LSTM, KEPT_LSTM)}
EACH = [(bench, kept, refusal) for bench, refused, kept in ON_BENCH.values() for refusal in refused]
EACH_IDS = [f"{name}-{refusal[0]}-{refusal[1][:9]}" for name, (_, all_, _) in ON_BENCH.items() for refusal in all_]
each_refusal = pytest.mark.parametrize(("bench", "kept", "refusal"), EACH, ids=EACH_IDS)
each_bench = pytest.mark.parametrize("bench", BENCHES.values(), ids=list(BENCHES))


def usual(bench: Bench, name: str) -> Any:
    """Return what a setting is where a link says nothing."""
    return getattr(bench.default.shared, name)


@often
@given(links)
def test_what_is_written_is_read_back(link: tuple[Comparison, Bench]) -> None:
    comparison, bench = link
    assert read(write(comparison, bench), bench) == (comparison, [])


@often
@given(links)
def test_a_link_survives_the_address_bar(link: tuple[Comparison, Bench]) -> None:
    comparison, bench = link
    query = urlencode(write(comparison, bench), doseq=True)
    assert read(parse_qs(query, keep_blank_values=True), bench) == (comparison, [])


@often
@given(links)
def test_the_same_comparison_asks_for_the_same_runs(link: tuple[Comparison, Bench]) -> None:
    comparison, bench = link
    again, _ = read(write(comparison, bench), bench)
    keys = [[config.key for config in group] for group in comparison.configs()]
    assert [[config.key for config in group] for group in again.configs()] == keys


@often
@given(entries)
def test_a_run_is_written_in_one_parameter(entry: Entry) -> None:
    found, refused = read({"run": [entry.spec()]}, COMPARE)
    assert found.entries == (entry,)
    assert not refused


@often
@given(some.sampled_from(["LSTM", "RNN"]).flatmap(lambda cell: some.tuples(some.just(cell), recurrent_entries(cell))))
def test_a_recurrent_run_is_written_in_one_parameter(case: tuple[str, Entry]) -> None:
    cell, entry = case
    found, refused = read({"run": [entry.spec()], "cell": [cell]}, LSTM)
    assert found.entries == (entry,)
    assert not refused


@each_bench
def test_the_default_comparison_has_an_empty_link(bench: Bench) -> None:
    assert write(bench.default, bench) == {}
    assert read({}, bench) == (bench.default, [])


@each_bench
def test_a_link_holds_only_what_is_not_the_default(bench: Bench) -> None:
    changed = bench.default.shared.model_copy(update={"hidden_units": 7})
    assert write(bench.default.model_copy(update={"shared": changed}), bench) == {"hidden_units": ["7"]}
    assert write(bench.default.model_copy(update={"seeds": 5}), bench) == {"seeds": ["5"]}
    assert set(write(bench.default.model_copy(update={"entries": (Entry(),)}), bench)) == {"run"}


def test_every_setting_is_in_the_examples() -> None:
    for bench, refused, kept in ON_BENCH.values():
        assert set(kept) == set(bench.shared) == {name for name, _, _ in refused}
        assert set(bench.shared) == {name for names in bench.sections.values() for name in names}
        assert all(value != usual(bench, name) for name, (_, value) in kept.items())


@each_refusal
def test_a_refused_field_is_named_with_value_and_what_is_allowed(bench: Bench, kept: dict, refusal: Refusal) -> None:
    name, text, allowed = refusal
    comparison, refused = read({name: [text]}, bench)
    assert comparison == bench.default
    assert len(refused) == 1
    assert refused[0].startswith(f"{name} is {quoted(text)}; allowed is ")
    assert allowed in refused[0]
    assert refused[0].endswith(".")


@each_refusal
def test_a_hand_edited_link_loses_nothing_else(bench: Bench, kept: dict, refusal: Refusal) -> None:
    name, text, _ = refusal
    link = {other: [good] for other, (good, _) in kept.items()} | {name: [text], "run": RUNS, "seeds": ["5"]}
    comparison, refused = read(link, bench)
    values = {other: value for other, (_, value) in kept.items()} | {name: usual(bench, name)}
    assert {other: getattr(comparison.shared, other) for other in bench.shared} == values
    assert comparison.seeds == 5
    assert comparison.entries == (
        Entry(clipper=ClipByNorm(2.5, norm_type=float("inf"))),
        Entry(learning_rate=0.001),
    )
    assert len(refused) == 1


@pytest.mark.parametrize("name", ON_BENCH)
def test_every_refused_field_has_its_own_sentence(name: str) -> None:
    bench, all_refused, _ = ON_BENCH[name]
    last = {name: [text] for name, text, _ in all_refused}
    _, refused = read(last, bench)
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
    ("NoClip();cell=RNN", "only learning_rate and standardize_target may be changed"),
    ("ClipDerivative(1.0, 2.0)", "ClipDerivative is not for this page; allowed are NoClip, ClipByNorm"),
    ("PerLayer(ClipByNorm(1.0), lstm=ClipByNorm(2.0))", "names the layer 'lstm'; this network has hidden and output"),
    ("PerLayer(ClipByNorm(1.0))", "PerLayer"),
    ("PerLayer(Chain(ClipByNorm(1.0), NoClip(), NoClip(), ClipByValue(1.0)), output=NoClip())", "more than two"),
    ("PerLayer(NoClip(), output=Chain(ClipByNorm(1.0), ClipByValue(1.0)))", "for one layer"),
    ("Chain(PerLayer(NoClip(), output=ClipByNorm(1.0)), ClipByValue(1.0))", "within another"),
    ("AutoClip(clip_percentile=101)", "clip_percentile is 101"),
    ("ZClip(alpha=1)", "alpha is 1"),
    ("NoClip();learning_rate", "may be changed"),
    ("NoClip();learning_rate=0.1;learning_rate=0.2", "may be changed"),
    ("NoClip();learning_rate=-1", "learning_rate is '-1'; allowed is a number above 0"),
    ("NoClip();standardize_target=raw", "standardize_target is 'raw'; allowed is true or false"),
    ("<script>alert(1)</script>", "allowed is a rule such as"),
    ("ClipByNorm(" + "1" * 600 + ")", "max_norm is 1111"),
    ("ClipByNorm(" + "1" * 2100 + ")", "allowed is a rule such as"),
    ("(" * 400, "allowed is a rule such as"),
]


@pytest.mark.parametrize(("spec", "says"), BAD_RUNS)
def test_a_refused_run_says_why_and_the_others_stay(spec: str, says: str) -> None:
    comparison, refused = read({"run": [RUNS[0], spec, RUNS[1]], "epochs": ["7"]}, COMPARE)
    assert [entry.spec() for entry in comparison.entries] == RUNS
    assert comparison.shared.epochs == 7
    assert len(refused) == 1
    assert refused[0].startswith("run is ")
    assert says in refused[0]
    assert len(refused[0]) < 400


def test_when_every_run_is_refused_the_default_ones_are_shown() -> None:
    comparison, refused = read({"run": ["x", "y"]}, COMPARE)
    assert comparison.entries == COMPARE.default.entries
    assert len(refused) == 2


def test_more_runs_than_six_are_named_and_the_first_six_shown() -> None:
    specs = [f"ClipByValue(clip_value={i}.0)" for i in range(1, 10)]
    comparison, refused = read({"run": specs}, COMPARE)
    assert [entry.spec() for entry in comparison.entries] == specs[:MAX_RUNS]
    assert refused == ["run is given 9 times; allowed are 6. The first 6 are shown."]


@pytest.mark.parametrize("text", ["0", "2", "-1", "1.0", "five", "", "nan", "2" * 100])
def test_seeds_are_one_five_or_twenty(text: str) -> None:
    comparison, refused = read({"seeds": [text], "epochs": ["7"]}, COMPARE)
    assert (comparison.seeds, comparison.shared.epochs) == (1, 7)
    assert len(refused) == 1
    assert "seeds is " in refused[0]
    assert "1, 5 and 20" in refused[0]


def test_an_unknown_name_is_told() -> None:
    comparison, refused = read({"epoch": ["7"], "clipper": ["NoClip()"], "x" * 500: ["1"]}, COMPARE)
    assert comparison == COMPARE.default
    assert [sentence[:9] for sentence in refused] == ["'epoch' i", "'clipper'", "'xxxxxxxx"]
    assert max(map(len, refused)) < 120


def test_a_name_given_twice_means_the_last_one() -> None:
    assert read({"epochs": ["7", "8"]}, COMPARE)[0].shared.epochs == 8


CROSS = [
    ({"epochs": "2000", "batch_size": "1"}, "epochs is 2000 at batch_size 1: 1,000,000 steps; allowed are 20,000"),
    ({"epochs": "1300"}, "epochs is 1300 at batch_size 32"),
    ({"batch_size": "1", "epochs": "50"}, "epochs is 50 at batch_size 1"),
    ({"hidden_units": "512", "hidden_layers": "8", "epochs": "1000"}, "hidden_units is 512 in 8 layers"),
]


@pytest.mark.parametrize(("link", "says"), CROSS)
def test_fields_that_do_not_fit_together_are_refused_and_the_rest_stays(link: dict[str, str], says: str) -> None:
    rest = {"learning_rate": ["0.003"], "loss": ["MAE"], "noise": ["2.5"], "init_seed": ["5"], "run": RUNS}
    comparison, refused = read(rest | {name: [text] for name, text in link.items()}, COMPARE)
    assert len(refused) == 1
    assert says in refused[0]
    shared = comparison.shared
    assert isinstance(shared, RunConfig)
    assert (shared.learning_rate, shared.loss, shared.noise, shared.init_seed) == (0.003, "MAE", 2.5, 5)
    assert [entry.spec() for entry in comparison.entries] == RUNS
    assert comparison.configs()


def test_sizes_that_fit_stay_when_others_do_not() -> None:
    link = {"epochs": ["2000"], "batch_size": ["1"], "hidden_units": ["10"], "n_features": ["9"]}
    comparison, _ = read(link, COMPARE)
    assert isinstance(comparison.shared, RunConfig)
    assert (comparison.shared.hidden_units, comparison.shared.n_features) == (10, 9)


def test_a_band_over_seeds_beyond_the_last_seed_falls_back_to_one() -> None:
    comparison, refused = read({"init_seed": ["2147483647"], "seeds": ["5"], "run": RUNS}, COMPARE)
    assert (comparison.seeds, comparison.shared.init_seed) == (1, 2**31 - 1)
    assert [entry.spec() for entry in comparison.entries] == RUNS
    assert len(refused) == 1
    assert "init_seed is '2147483648'" in refused[0]


GARBAGE = some.one_of(some.text(), some.sampled_from(["RNN", "0", "2", "nan", "1e999", "-1", "characters", "100"]))
RUN_GARBAGE = some.one_of(
    some.text(), some.builds("{}({});{}={}".format, some.sampled_from(list(CLIPPERS)), GARBAGE, GARBAGE, GARBAGE)
)


@each_bench
@often
@given(some.data())
def test_any_text_gives_a_comparison_that_can_be_trained(bench: Bench, data: some.DataObject) -> None:
    names = some.sampled_from([*bench.shared, "seeds", "x"])
    link = data.draw(some.dictionaries(names, some.lists(GARBAGE, min_size=1)))
    link |= {"run": data.draw(some.lists(RUN_GARBAGE, max_size=8))}
    comparison, refused = read(link, bench)
    assert comparison.configs()
    assert all(sentence.endswith(".") and len(sentence) < 400 for sentence in refused)
    assert read(write(comparison, bench), bench) == (comparison, [])


@pytest.mark.parametrize("letter", ["x", "'", "\x1f", "\U00018cd6"], ids=["letter", "quote", "control", "astral"])
@pytest.mark.parametrize("form", ["{}", "NoClip({}=1)", "PerLayer(NoClip(), {}=NoClip())", "{}()", "NoClip();{}=1"])
@each_bench
def test_a_sentence_stays_one_that_can_be_read(bench: Bench, form: str, letter: str) -> None:
    text = letter * 900
    link = {name: [text] for name in bench.shared} | {text: ["1"], "seeds": [text], "run": [form.format(text)]}
    _, refused = read(link, bench)
    assert len(refused) == len(bench.shared) + 3
    assert max(map(len, refused)) < 400


BAD_LSTM_RUNS = [
    ("NoClip();standardize_target=True", "only learning_rate"),
    ("NoClip();cell=GRU", "cell is 'GRU'; allowed is LSTM or RNN"),
    ("NoClip();weight_gain=17", "weight_gain is '17'; allowed is a number from 0 up to 16"),
    ("NoClip();weight_gain=nan", "weight_gain is 'nan'"),
    ("PerLayer(ClipByNorm(1.0), hidden=ClipByNorm(2.0))", "names the layer 'hidden'; this network has lstm and output"),
    ("PerLayer(ClipByNorm(1.0), lstm=ClipByNorm(2.0));cell=RNN", "'lstm'; this network has rnn and output"),
    ("PerLayer(ClipDerivative(1.0, 2.0), output=ClipByNorm(1.0))", "acts on the whole backward pass"),
    ("PerLayer(NoClip(), output=ClipDerivative(1.0, 2.0))", "acts on the whole backward pass"),
    ("Chain(ClipByNorm(1.0), ClipDerivative(1.0, 2.0))", "allowed is the first place"),
    ("ClipDerivative(0, 1)", "gate_clip is 0"),
]


@pytest.mark.parametrize(("spec", "says"), BAD_LSTM_RUNS)
def test_a_refused_recurrent_run_says_why_and_the_others_stay(spec: str, says: str) -> None:
    runs = ["ClipDerivative(gate_clip=0.1, output_clip=1.0);cell=RNN;weight_gain=2.0", "NoClip();learning_rate=0.001"]
    comparison, refused = read({"run": [runs[0], spec, runs[1]], "steps": ["400"]}, LSTM)
    assert [entry.spec() for entry in comparison.entries] == runs
    assert comparison.shared.steps == 400
    assert len(refused) == 1
    assert refused[0].startswith("run is ")
    assert says in refused[0]


CROSS_LSTM = [
    ({"steps": "4000", "batch_size": "128", "hidden_units": "128"}, "hidden_units is 128 over 50 time steps and 4000"),
    ({"hidden_units": "128", "sequence_length": "200", "steps": "4000"}, "allowed are 4e+11"),
    ({"problem": "characters", "bad_scale": "10"}, "bad_scale is 10; allowed is 1 where the targets are characters"),
]


@pytest.mark.parametrize(("link", "says"), CROSS_LSTM)
def test_recurrent_fields_that_do_not_fit_together_are_refused_and_the_rest_stays(link: dict, says: str) -> None:
    rest = {"learning_rate": ["0.003"], "optimizer": ["Adam"], "weight_gain": ["2.5"], "init_seed": ["5"], "run": RUNS}
    comparison, refused = read(rest | {name: [text] for name, text in link.items()}, LSTM)
    assert len(refused) == 1
    assert says in refused[0]
    shared = comparison.shared
    assert isinstance(shared, RecurrentConfig)
    assert (shared.learning_rate, shared.optimizer, shared.weight_gain, shared.init_seed) == (0.003, "Adam", 2.5, 5)
    assert [entry.spec() for entry in comparison.entries] == RUNS
    assert comparison.configs()


MIXED: list[tuple[Bench, Config, tuple[Entry, ...]]] = [
    (
        COMPARE,
        RunConfig(epochs=3, init_seed=7, batch_seed=70),
        (Entry(), Entry(clipper=ClipByNorm(1.0), learning_rate=0.5), Entry(standardize_target=True)),
    ),
    (
        LSTM,
        RecurrentConfig(steps=40, init_seed=7, batch_seed=70),
        (Entry(), Entry(cell="RNN", weight_gain=3.0), Entry(clipper="ClipDerivative(1.0, 2.0)", weight_gain=0.0)),
    ),
]


@pytest.mark.parametrize(("bench", "shared", "entries"), MIXED, ids=list(BENCHES))
def test_runs_share_all_but_what_they_change(bench: Bench, shared: Config, entries: tuple[Entry, ...]) -> None:
    comparison = Comparison(shared=shared, entries=entries, seeds=5)
    for entry, group in zip(entries, comparison.configs(), strict=True):
        assert [(config.init_seed, config.batch_seed) for config in group] == [(7 + i, 70 + i) for i in range(5)]
        for config in group:
            assert type(config) is bench.kind
            differs = {name for name in bench.shared if getattr(config, name) != getattr(comparison.shared, name)}
            assert differs <= {*entry.changes(), "init_seed", "batch_seed"}
            assert config.clipper == entry.clipper
            assert {name: getattr(config, name) for name in entry.changes()} == entry.changes()


def test_a_comparison_has_one_to_six_runs() -> None:
    with pytest.raises(ValidationError):
        Comparison(entries=())
    with pytest.raises(ValidationError):
        Comparison(entries=(Entry(),) * 7)


def test_the_presets_are_the_tutorials_runs_and_the_remedies_beside_clipping() -> None:
    rules = [entry.clipper for entry in REGRESSION_RUNS.values()]
    assert rules[:3] == [NoClip(), ClipByNorm(1.0), ClipByValue(5.0)]
    assert Chain(ClipByNorm(1.0), ClipByValue(0.1)) in rules
    assert {name for entry in REGRESSION_RUNS.values() for name in entry.changes()} == set(COMPARE.changes)
    assert COMPARE.default.entries == tuple(REGRESSION_RUNS.values())[:3]


def test_the_experiments_put_a_clipped_run_beside_the_unclipped_one() -> None:
    assert LSTM.default == EXPERIMENTS["Sine wave"]
    assert len({experiment.shared.key for experiment in EXPERIMENTS.values()}) == len(EXPERIMENTS)
    for experiment in EXPERIMENTS.values():
        unclipped, clipped = experiment.entries
        assert (unclipped, type(clipped.clipper), clipped.changes()) == (Entry(), ClipByNorm, {})
        assert read(write(experiment, LSTM), LSTM) == (experiment, [])


@each_bench
def test_each_preset_can_be_trained_and_linked(bench: Bench) -> None:
    assert len({entry.spec() for entry in bench.runs.values()}) == len(bench.runs)
    for entry in bench.runs.values():
        comparison = Comparison(shared=bench.default.shared, entries=(entry, Entry(clipper=ClipByTensorNorm(1.0))))
        assert read(write(comparison, bench), bench) == (comparison, [])
        assert len(comparison.configs()) == 2


@each_bench
def test_each_rule_of_a_page_may_stand_in_a_link(bench: Bench) -> None:
    assert set(CLIPPERS) - {"Chain", "PerLayer", "ClipDerivative"} == set(RULES) <= set(bench.rules)
    runs = [f"{name}()" for name in bench.rules[:MAX_RUNS]], [f"{name}()" for name in bench.rules[MAX_RUNS:]]
    for specs in runs:
        comparison, refused = read({"run": specs}, bench)
        assert refused == []
        assert [entry.clipper for entry in comparison.entries] == [CLIPPERS[spec[:-2]]() for spec in specs]


def test_each_page_changes_what_its_networks_have() -> None:
    assert COMPARE.changes == ("learning_rate", "standardize_target")
    assert LSTM.changes == ("learning_rate", "cell", "weight_gain")
    assert {*COMPARE.changes, *LSTM.changes} == set(CHANGES)
    assert len({bench.prefix for bench in BENCHES.values()}) == len(BENCHES)


@pytest.mark.parametrize(
    ("rule", "simple"),
    [
        (Chain(NoClip(), ClipByNorm(1.0)), ClipByNorm(1.0)),
        (Chain(NoClip(), NoClip()), NoClip()),
        (Chain(ClipByNorm(1.0), ClipByValue(1.0)), Chain(ClipByNorm(1.0), ClipByValue(1.0))),
        (PerLayer(Chain(ClipByNorm(1.0), NoClip()), output=NoClip()), PerLayer(ClipByNorm(1.0), output=NoClip())),
        (PerLayer(NoClip(), output=Chain(NoClip(), ClipByNorm(2.0))), PerLayer(NoClip(), output=ClipByNorm(2.0))),
    ],
    ids=repr,
)
def test_what_clips_nothing_is_left_out_of_a_chain(rule: Clipper, simple: Clipper) -> None:
    assert simplest(rule) == Entry(clipper=rule).clipper == simple
