"""A sweep as a table: one row per run."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gclip
from gclip.clipping import Chain, ClipByNorm, ClipByValue, parse
from gclip.export import tables
from gclip.sweeping import Results, Sweep
from gclip.training import Event, RecurrentConfig, RunConfig, Summary

SMALL: dict[str, Any] = {"shared": RunConfig(epochs=2, init_seed=3), "low": 0.1, "high": 1000, "count": 3, "seeds": 2}


@pytest.fixture(scope="module")
def curve() -> Results:
    sweep = Sweep(**SMALL)
    return Results(sweep, gclip.run(sweep.configs(), Summary))


@pytest.mark.parametrize(("ending", "load"), [(".csv", pd.read_csv), (".parquet", pd.read_parquet)])
def test_every_run_has_a_row(curve: Results, ending: str, load: Any) -> None:
    table = load(io.BytesIO(tables.WRITERS[ending](tables.sweep_table(curve))))
    assert list(table) == [
        *("clipper", "threshold", "init_seed", "batch_seed", "epochs", "train_loss", "test_loss", "clip_rate"),
        *("diverged_at", "p1", "p10", "p50", "p90", "p99", "verdict", "key"),
    ]
    for row, config, record in zip(table.to_dict("records"), curve.sweep.configs(), curve.summaries, strict=True):
        assert record
        assert parse(row["clipper"]) == config.clipper == ClipByNorm(row["threshold"])
        assert (row["init_seed"], row["batch_seed"]) == (config.init_seed, config.batch_seed)
        assert (row["epochs"], row["verdict"], row["key"]) == (2, record.verdict, config.key)
        assert row["test_loss"] == pytest.approx(record.test_loss[-1])
        assert row["clip_rate"] == pytest.approx(record.clip_rate[-1])
        assert [row["p1"], row["p10"], row["p50"], row["p90"], row["p99"]] == pytest.approx(record.percentiles[0])


@pytest.mark.parametrize(("kind", "name"), [("learning_rate", "learning_rate"), ("both", "clip_value")])
def test_a_map_names_its_second_axis(kind: Any, name: str) -> None:
    sweep = Sweep(kind=kind, other_low=0.01, other_high=0.1, other_count=2, **SMALL)
    table = tables.sweep_table(Results(sweep, [None] * 12))
    assert list(table)[1:3] == ["threshold", name]
    for row, config in zip(table.to_dict("records"), sweep.configs(), strict=True):
        norm = ClipByNorm(row["threshold"])
        assert config.clipper == (Chain(norm, ClipByValue(row[name])) if kind == "both" else norm)
        assert kind == "both" or config.learning_rate == row[name]


def test_a_recurrent_run_is_counted_in_steps() -> None:
    sweep = Sweep(shared=RecurrentConfig(steps=40), low=0.1, high=1000, count=3, seeds=2)
    begun = Summary(sweep.configs()[0])
    begun.append({name: np.ones(1, np.float32) for name in ("train_loss", "test_loss", "clip_rate")}, [])
    table = tables.sweep_table(Results(sweep, [begun, *[None] * 5]))
    assert list(table["steps"]) == [20, 0, 0, 0, 0, 0]
    assert "epochs" not in table


def test_runs_that_are_not_done_have_gaps(curve: Results) -> None:
    begun = Summary(curve.sweep.configs()[0])
    row = {name: np.ones(1, np.float32) for name in ("train_loss", "test_loss", "clip_rate")}
    begun.append(row, [Event("weight", 7, "output.bias")])
    table = tables.sweep_table(Results(curve.sweep, [begun, *[None] * 5]))
    assert list(table["epochs"]) == [1, 0, 0, 0, 0, 0]
    assert list(table["verdict"]) == ["diverged", *["untrained"] * 5]
    gaps = {name: list(table[name].isna()) for name in ("diverged_at", "test_loss", "p50")}
    assert gaps == {"diverged_at": [False] + [True] * 5, "test_loss": [False] + [True] * 5, "p50": [True] * 6}
    assert tables.csv(table).decode().splitlines()[1].split(",")[-9:-7] == ["1.0", "7"]
