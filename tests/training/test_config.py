"""A run config: what it refuses and in which words, and that its key names its numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from gclip import RunConfig, explain
from gclip.clipping import (
    CLIPPERS,
    Chain,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    ClipDerivative,
    NoClip,
    PerLayer,
    quoted,
)
from gclip.training import Config, RecurrentConfig, restore
from gclip.training import config as config_module
from gclip.training.config import MAX_STEPS

NAN, INF = math.nan, math.inf
REALS = ["learning_rate", "momentum", "noise"]
WHOLES = ["epochs", "batch_size", "hidden_units", "hidden_layers", "n_samples", "n_features", "n_informative"]
SEEDS = ["data_seed", "init_seed", "batch_seed"]
WORDS = {"optimizer": ("SGD", "Adam", "RMSprop"), "loss": ("MSE", "MAE", "Huber")}
RECURRENT_REALS = ["learning_rate", "momentum", "weight_gain", "bad_scale"]
RECURRENT_WHOLES = ["steps", "sequence_length", "batch_size", "hidden_units", "bad_step"]
RECURRENT_WORDS = {"problem": ("sine", "characters", "sum"), "cell": ("LSTM", "RNN"), "optimizer": WORDS["optimizer"]}

NUMBERS: list[tuple[type[Config], str]] = [
    *[(RunConfig, name) for name in (*REALS, *WHOLES, *SEEDS)],
    *[(RecurrentConfig, name) for name in (*RECURRENT_REALS, *RECURRENT_WHOLES, "init_seed", "batch_seed")],
]
CHOICES = [
    *[(RunConfig, name, words) for name, words in WORDS.items()],
    *[(RecurrentConfig, name, words) for name, words in RECURRENT_WORDS.items()],
]


def refusal(kind: type[Config] = RunConfig, /, **fields: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        kind(**fields)
    return explain(caught.value)


def label(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else str(value)


# ---- what is refused

NOT_NUMBERS = [NAN, INF, -INF, "nan", "inf", "abc", "", None, [1], {}, True, False, -1, 1e308, 10**400]


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda v: repr(v)[:12])
@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=label)
def test_what_is_no_number_in_range_is_refused_by_name_with_value(kind: type[Config], name: str, value: Any) -> None:
    (sentence,) = refusal(kind, **{name: value})
    assert sentence.startswith(f"{name} is {quoted(str(value))}; allowed is a ")
    assert sentence.endswith(".")
    assert len(sentence) < 200


LIMITS: list[tuple[type[Config], str, float, str]] = [
    (RunConfig, "learning_rate", 0, "above 0"),
    (RunConfig, "learning_rate", 1000.1, "up to 1,000"),
    (RunConfig, "momentum", 1, "below 1"),
    (RunConfig, "epochs", 0, "from 1"),
    (RunConfig, "epochs", 2001, "up to 2,000"),
    (RunConfig, "epochs", 1.5, "whole"),
    (RunConfig, "batch_size", 0, "from 1"),
    (RunConfig, "hidden_units", 513, "up to 512"),
    (RunConfig, "hidden_layers", 9, "up to 8"),
    (RunConfig, "n_samples", 19, "from 20"),
    (RunConfig, "n_features", 201, "up to 200"),
    (RunConfig, "init_seed", 2**31, "up to 2,147,483,647"),
    (RunConfig, "init_seed", 0.5, "whole"),
    (RecurrentConfig, "steps", 0, "from 20"),
    (RecurrentConfig, "steps", 4020, "up to 4,000"),
    (RecurrentConfig, "steps", 30, "in steps of 20"),
    (RecurrentConfig, "steps", 20.5, "whole"),
    (RecurrentConfig, "sequence_length", 1, "from 2"),
    (RecurrentConfig, "sequence_length", 201, "up to 200"),
    (RecurrentConfig, "batch_size", 0, "from 1"),
    (RecurrentConfig, "batch_size", 129, "up to 128"),
    (RecurrentConfig, "hidden_units", 129, "up to 128"),
    (RecurrentConfig, "weight_gain", -0.5, "from 0"),
    (RecurrentConfig, "weight_gain", 17, "up to 16"),
    (RecurrentConfig, "bad_scale", -1, "from 0"),
    (RecurrentConfig, "bad_step", 4001, "up to 4,000"),
    (RecurrentConfig, "learning_rate", 0, "above 0"),
    (RecurrentConfig, "momentum", 1, "below 1"),
    (RecurrentConfig, "batch_seed", 2**31, "up to 2,147,483,647"),
]


@pytest.mark.parametrize(("kind", "name", "value", "limit"), LIMITS, ids=label)
def test_limits_are_named(kind: type[Config], name: str, value: float, limit: str) -> None:
    (sentence,) = refusal(kind, **{name: value})
    assert limit in sentence


@pytest.mark.parametrize(("kind", "name", "words"), CHOICES, ids=label)
@pytest.mark.parametrize("value", ["", "sgd", "nothing", 3, None, True])
def test_words_are_named(kind: type[Config], name: str, words: tuple[str, ...], value: Any) -> None:
    (sentence,) = refusal(kind, **{name: value})
    assert name in sentence
    assert all(word in sentence for word in words)


def test_every_refused_field_gets_its_own_sentence() -> None:
    sentences = refusal(learning_rate=0, epochs="many", loss="MSLE", standardize_target="perhaps")
    assert [sentence.split()[0] for sentence in sentences] == ["learning_rate", "loss", "epochs", "standardize_target"]


@pytest.mark.parametrize(
    ("kind", "name"), [(RunConfig, "momentun"), (RunConfig, "cell"), (RecurrentConfig, "epochs")], ids=label
)
def test_an_unknown_field_is_refused_and_the_known_ones_are_named(kind: type[Config], name: str) -> None:
    (sentence,) = refusal(kind, **{name: 3})
    assert sentence.startswith(f"{name} is not a setting; allowed are ")
    assert all(name in sentence for name in kind.model_fields)


def test_too_many_steps_are_refused_with_their_number() -> None:
    (sentence,) = refusal(epochs=2000, batch_size=1)
    assert "1,000,000 steps" in sentence
    assert f"{MAX_STEPS:,}" in sentence
    assert RunConfig(epochs=1250, batch_size=32).steps == MAX_STEPS


def test_too_much_work_is_refused() -> None:
    (sentence,) = refusal(hidden_units=512, hidden_layers=8, epochs=200)
    assert "multiply-adds" in sentence


def test_too_long_a_recurrent_run_is_refused_and_told_what_to_do() -> None:
    (sentence,) = refusal(RecurrentConfig, hidden_units=128, sequence_length=200, steps=4000, batch_size=128)
    assert "128 over 200 time steps and 4000 steps" in sentence
    assert sentence.endswith("Take a smaller network or fewer steps.")


def test_characters_cannot_be_scaled() -> None:
    (sentence,) = refusal(RecurrentConfig, problem="characters", bad_scale=100)
    assert sentence == "bad_scale is 100; allowed is 1 where the targets are characters."


def test_a_derivative_clip_outside_a_recurrent_network_is_refused() -> None:
    for rule in (ClipDerivative(), Chain(ClipDerivative(), ClipByNorm(1.0)), "ClipDerivative(gate_clip=1)"):
        (sentence,) = refusal(clipper=rule)
        assert sentence == "clipper is ClipDerivative, which acts inside a recurrent network; this is none."
        assert RecurrentConfig(clipper=rule).key


@pytest.mark.parametrize(
    ("kind", "fields", "wrong", "there"),
    [
        (RunConfig, {}, "lstm", "hidden and output"),
        (RunConfig, {"hidden_layers": 2}, "hidden", "hidden1 and hidden2 and output"),
        (RecurrentConfig, {}, "hidden", "lstm and output"),
        (RecurrentConfig, {"cell": "RNN"}, "lstm", "rnn and output"),
    ],
    ids=label,
)
def test_a_layer_that_is_not_there_is_refused_and_those_there_are_named(
    kind: type[Config], fields: dict[str, Any], wrong: str, there: str
) -> None:
    for rule in (PerLayer(NoClip(), **{wrong: ClipByNorm(1.0)}), Chain(PerLayer(NoClip(), **{wrong: NoClip()}))):
        (sentence,) = refusal(kind, clipper=rule, **fields)
        assert sentence == f"clipper names the layer {wrong!r}; this network has {there}."


HOSTILE = [
    "",
    "NoClipping",
    "NoClip()\x00",
    "\ud800",
    "lambda: 1",
    "__import__('os').system('true')",
    "().__class__.__bases__[0]",
    "Chain()",
    "Chain(1)",
    "Chain(rules=(NoClip(),))",
    "ClipByNorm('1')",
    "ClipByNorm(True)",
    "ClipByNorm(nan)",
    "ClipByNorm(0)",
    "ClipByNorm(-1)",
    "ClipByNorm(1, .5)",
    "ClipByNorm(1, 2, 3)",
    "ClipByNorm(c=1)",
    "ClipByNorm(*[1])",
    "ClipByNorm(**{'max_norm': 1})",
    "ClipByNorm(1 + 1)",
    "ClipByNorm(9**9**9)",
    f"ClipByNorm({'9' * 400})",
    f"ClipByNorm({'9' * 5000})",
    f"ClipByNorm({'-' * 5000}1)",
    f"ClipByNorm({'1+' * 2000}1)",
    "(" * 5000,
    f"{'Chain(' * 50}NoClip(){')' * 50}",
    f"Chain({'NoClip(), ' * 20_000})",
]


@pytest.mark.parametrize("kind", [RunConfig, RecurrentConfig])
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:30])
def test_hostile_clipper_texts_are_refused_in_a_sentence(text: str, kind: type[Config]) -> None:
    (sentence,) = refusal(kind, clipper=text)
    assert "clip" in sentence.lower() or sentence.startswith("Chain")
    assert len(sentence) < 600


@pytest.mark.parametrize("value", [3, None, ClipByNorm, {"max_norm": 1}, b"NoClip()", [NoClip()]], ids=repr)
def test_what_is_no_rule_is_refused(value: Any) -> None:
    (sentence,) = refusal(clipper=value)
    assert all(name in sentence for name in CLIPPERS)


UNWRITABLE: Any = [(Chain, (3,)), (ClipByNorm, (torch.ones(2),)), (Chain, (Chain(Chain(Chain(NoClip()))),))]


@pytest.mark.parametrize(("kind", "args"), UNWRITABLE, ids=str)
def test_a_rule_that_cannot_be_written_and_read_back_is_refused(kind: Any, args: Any) -> None:
    # Else its key could not be asked for again by anyone. The rule itself may already refuse to be made.
    try:
        rule = kind(*args)
    except ValueError:
        return
    assert len(refusal(clipper=rule)) == 1


# ---- what it is

SAMPLES: list[Config] = [
    RunConfig(),
    RunConfig(clipper=ClipByNorm(0.1, norm_type=INF), learning_rate=1 / 3, momentum=0.0),
    RunConfig(clipper=ClipByTensorNorm(2.5), optimizer="Adam", loss="Huber", hidden_layers=3),
    RunConfig(clipper=Chain(ClipByNorm(1.0), Chain(ClipByValue(0.5))), init_seed=2**31 - 1, standardize_target=True),
    RecurrentConfig(),
    RecurrentConfig(clipper=Chain(ClipDerivative(0.1, 1.0), ClipByNorm(1.0)), problem="sum", cell="RNN"),
    RecurrentConfig(clipper=PerLayer(NoClip(), lstm=ClipByNorm(0.1)), bad_scale=100, weight_gain=1 / 3, steps=40),
]


@pytest.mark.parametrize("config", SAMPLES, ids=lambda c: repr(c.clipper))
def test_json_there_and_back(config: Config) -> None:
    again = type(config).model_validate_json(config.model_dump_json())
    assert again == config
    assert again.key == config.key
    assert again.clipper == config.clipper


def test_one_field_tells_which_kind_is_meant() -> None:
    assert restore({"cell": "RNN", "steps": 100}) == RecurrentConfig(cell="RNN", steps=100)
    assert restore({"bad_scale": 100.0}) == RecurrentConfig(bad_scale=100.0)
    assert restore({"learning_rate": 0.5}) == RunConfig(learning_rate=0.5)


@pytest.mark.parametrize("mode", ["json", "python"])
@pytest.mark.parametrize("config", SAMPLES, ids=lambda c: repr(c.clipper))
def test_what_was_dumped_is_restored_as_what_it_was(config: Config, mode: str) -> None:
    again = restore(config.model_dump(mode=mode))
    assert type(again) is type(config)
    assert again == config
    assert again.key == config.key
    with pytest.raises(ValidationError):
        restore(config.model_dump(mode=mode) | {"batch_size": -1})


EQUAL: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"clipper": ClipByNorm(1)}, {"clipper": ClipByNorm(1.0)}),
    ({"clipper": ClipByNorm(1)}, {"clipper": "ClipByNorm(1)"}),
    ({"clipper": "ClipByNorm( max_norm = 1.0,norm_type=2 )"}, {"clipper": ClipByNorm(1.0, 2.0)}),
    ({"learning_rate": 1}, {"learning_rate": 1.0}),
    ({"learning_rate": "0.01"}, {}),
    ({"momentum": -0.0}, {"momentum": 0}),
    ({"noise": -0.0}, {"noise": 0.0}),
    ({"epochs": 100.0}, {"epochs": 100}),
    ({"epochs": "100"}, {}),
    ({"standardize_target": 1}, {"standardize_target": True}),
    ({"init_seed": 3, "epochs": 2}, {"epochs": 2, "init_seed": 3}),
]


@pytest.mark.parametrize(("one", "other"), EQUAL, ids=str)
def test_equal_configs_have_equal_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b = RunConfig(**one), RunConfig(**other)
    assert a == b
    assert hash(a) == hash(b)
    assert a.key == b.key


CHANGES: dict[type[Config], dict[str, Any]] = {
    RunConfig: {
        "clipper": NoClip(),
        "optimizer": "Adam",
        "loss": "MAE",
        "standardize_target": True,
        "standardize_inputs": True,
        **dict.fromkeys(REALS, 0.25),
        **dict.fromkeys(WHOLES, 30),
        **dict.fromkeys(SEEDS, 7),
        "hidden_layers": 2,
    },
    RecurrentConfig: {
        "clipper": NoClip(),
        "optimizer": "Adam",
        "problem": "sum",
        "cell": "RNN",
        **dict.fromkeys(RECURRENT_REALS, 0.25),
        **dict.fromkeys(RECURRENT_WHOLES, 30),
        **dict.fromkeys(["init_seed", "batch_seed"], 7),
        "steps": 40,
    },
}


@pytest.mark.parametrize(("kind", "name"), [(k, name) for k in CHANGES for name in k.model_fields], ids=label)
def test_every_field_changes_the_key(kind: type[Config], name: str) -> None:
    base = kind(clipper=ClipByValue(1.0))
    assert base.model_copy(update={name: CHANGES[kind][name]}).key != base.key


def test_two_kinds_never_share_a_key_or_a_batch() -> None:
    assert RecurrentConfig().key != RunConfig().key
    assert RecurrentConfig().stack_key != RunConfig().stack_key


def test_the_key_is_sixteen_hex_digits_that_stay() -> None:
    # Stored runs are found by it: it may change only together with NUMERICS_VERSION or the fields.
    assert RunConfig().key == RunConfig().key
    assert len(RunConfig().key) == 16
    assert int(RunConfig().key, 16) >= 0


def test_another_numerics_version_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = RunConfig().key
    monkeypatch.setattr(config_module, "NUMERICS_VERSION", config_module.NUMERICS_VERSION + 1)
    assert RunConfig().key != before


def test_a_config_is_frozen_and_hashable() -> None:
    config = RunConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.epochs = 3
    assert hash(config) == hash(RunConfig())


@pytest.mark.parametrize(
    ("samples", "batch", "steps"), [(1000, 32, 16), (1000, 500, 1), (1000, 1000, 1), (999, 499, 1), (21, 3, 4)]
)
def test_steps_in_an_epoch_count_the_smaller_last_batch(samples: int, batch: int, steps: int) -> None:
    config = RunConfig(n_samples=samples, batch_size=batch, epochs=3)
    assert config.steps_per_epoch == steps
    assert config.steps == 3 * steps


SHAPE: dict[type[Config], set[str]] = {
    RunConfig: {
        "optimizer", "loss", "epochs", "batch_size", "hidden_units", "hidden_layers", "n_samples", "n_features",
    },
    RecurrentConfig: {"optimizer", "batch_size", "hidden_units", "problem", "cell", "steps", "sequence_length"},
}  # fmt: skip


@pytest.mark.parametrize("kind", SHAPE)
def test_runs_that_differ_in_rule_or_seed_share_a_batch_and_others_do_not(kind: type[Config]) -> None:
    base = kind(clipper=ClipByValue(1.0))
    changed = {name: base.model_copy(update={name: value}) for name, value in CHANGES[kind].items()}
    assert set(changed) == set(kind.model_fields)
    assert {name for name, config in changed.items() if config.stack_key != base.stack_key} == SHAPE[kind]
