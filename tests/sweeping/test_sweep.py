"""Which runs a sweep is made of, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gclip.clipping import CLIPPERS, Chain, ClipByNorm, ClipByValue
from gclip.sweeping import MAX_RUNS, Sweep, usual
from gclip.sweeping.sweep import Kind, Rule
from gclip.training import RecurrentConfig, RunConfig, explain
from gclip.training.networks import NETWORKS

SMALL: dict[str, Any] = {"low": 0.1, "high": 10.0, "count": 3, "seeds": 2}
MAP: dict[str, Any] = SMALL | {"other_low": 0.001, "other_high": 0.1, "other_count": 3}
KINDS, RULES = Kind.__args__, Rule.__args__


@pytest.mark.parametrize("rule", RULES)
def test_a_curve_has_every_seed_at_every_threshold(rule: Rule) -> None:
    shared = RunConfig(epochs=3, init_seed=5, batch_seed=7, learning_rate=0.02)
    sweep = Sweep(shared=shared, rule=rule, **SMALL)
    assert sweep.thresholds == (0.1, 1.0, 10.0)
    assert sweep.shape == (1, 3, 2)
    assert sweep.configs() == [
        shared.model_copy(update={"clipper": CLIPPERS[rule](t), "init_seed": 5 + s, "batch_seed": 7 + s})
        for t in (0.1, 1.0, 10.0)
        for s in (0, 1)
    ]


@pytest.mark.parametrize("kind", ["learning_rate", "both"])
def test_a_map_has_them_at_every_place_of_its_second_axis(kind: Kind) -> None:
    sweep = Sweep(kind=kind, **MAP)
    configs = np.array(sweep.configs(), dtype=object).reshape(sweep.shape)
    assert sweep.others == (0.001, 0.01, 0.1)
    for (o, t, s), config in np.ndenumerate(configs):
        other, norm = sweep.others[o], ClipByNorm(sweep.thresholds[t])
        assert config.clipper == (Chain(norm, ClipByValue(other)) if kind == "both" else norm)
        assert config.learning_rate == (other if kind == "learning_rate" else 0.01)
        assert config.init_seed == config.batch_seed == s


def test_thresholds_are_even_on_a_log_scale_and_have_three_digits() -> None:
    thresholds = Sweep(low=0.01, high=1000, count=24).thresholds
    assert (thresholds[0], thresholds[-1], len(thresholds)) == (0.01, 1000, 24)
    np.testing.assert_allclose(np.diff(np.log(thresholds)), np.log(1e5) / 23, atol=0.01)
    assert all(float(f"{threshold:.3g}") == threshold for threshold in thresholds)


def test_thresholds_that_round_to_the_same_are_trained_once() -> None:
    sweep = Sweep(low=1, high=1.02, count=9, seeds=2)
    assert sweep.thresholds == (1.0, 1.01, 1.02)
    assert len({config.key for config in sweep.configs()}) == len(sweep.configs()) == 6


def test_recurrent_networks_are_swept_too() -> None:
    sweep = Sweep(shared=RecurrentConfig(steps=20), **SMALL)
    assert {type(config) for config in sweep.configs()} == {RecurrentConfig}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"low": 5, "high": 5}, "low is 5; allowed is a number below high, which is 5."),
        (
            {"kind": "both", "other_low": 2, "other_high": 1},
            "other_low is 2; allowed is a number below other_high, which is 1.",
        ),
        ({"low": 0}, "low is '0'; allowed is a number from 1e-06 up to 1,000,000."),
        ({"high": "wide"}, "high is 'wide'; allowed is a number from 1e-06 up to 1,000,000."),
        ({"high": float("nan")}, "high is 'nan'; allowed is a number from 1e-06 up to 1,000,000."),
        ({"count": 1}, "count is '1'; allowed is a whole number from 2 up to 48."),
        ({"seeds": True}, "seeds is 'True'; allowed is a whole number from 1 up to 20."),
        ({"rule": "ZClip"}, f"rule is 'ZClip'; allowed is {' or '.join(RULES)}."),
        ({"kind": "cube"}, "kind is 'cube'; allowed is curve or learning_rate or both."),
        ({"width": 3}, f"width is not a setting; allowed are {', '.join(Sweep.model_fields)}."),
        (
            {"count": 31, "seeds": 20},
            f"seeds is 20: 620 runs in all; allowed are {MAX_RUNS}. Take fewer seeds or thresholds.",
        ),
        (
            {"shared": RunConfig(epochs=500, hidden_units=512, hidden_layers=2)},
            "count is 24: 3.9e+13 multiply-adds in all; allowed are 4e+12. "
            "Take fewer thresholds, seeds or epochs, or a smaller network.",
        ),
        (
            {"shared": RunConfig(batch_seed=2**31 - 8), "seeds": 9},
            "batch_seed is 2147483640; allowed is a number up to 2147483639, for 9 seeds from there.",
        ),
    ],
    ids=str,
)
def test_what_is_out_of_range_gets_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Sweep(**fields)
    assert explain(refused.value, Sweep) == [sentence]


def test_the_last_possible_seeds_can_be_trained() -> None:
    sweep = Sweep(shared=RunConfig(init_seed=2**31 - 8), seeds=8)
    assert sweep.configs()[-1].init_seed == 2**31 - 1


def test_the_second_axis_of_a_curve_may_be_anything() -> None:
    assert Sweep(other_low=1, other_high=0.5).others == (0.01,)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", RULES)
def test_every_usual_sweep_can_be_asked_for(kind: str, rule: str, network: str) -> None:
    begun = usual(kind, rule, network)
    assert (begun.network, begun.unit) == (network, "epoch" if network == "regression" else "step")
    assert begun.kind == kind
    assert begun.rule == ("ClipByNorm" if kind == "both" else rule)
    assert begun.shared == NETWORKS[network]
