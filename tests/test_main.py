"""The command line: ``python -m gclip run``."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gclip
from gclip.__main__ import main

SHORT = {"epochs": 2, "clipper": "ClipByNorm(1.0)"}


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(("ending", "load"), [(".csv", pd.read_csv), (".parquet", pd.read_parquet)])
def test_every_step_is_written(tmp_path: Path, ending: str, load, capsys: pytest.CaptureFixture[str]) -> None:
    config, output = written(tmp_path, [SHORT, {"epochs": 2}]), tmp_path / f"steps{ending}"
    assert main(["run", str(config), "--output", str(output)]) == 0
    table = load(output)
    clipped, unclipped = gclip.run([gclip.RunConfig(**SHORT), gclip.RunConfig(epochs=2)])
    rows = table[table["clipper"] == repr(clipped.config.clipper)]
    np.testing.assert_allclose(rows["loss"], clipped.loss, rtol=1e-6)
    np.testing.assert_allclose(rows["test_loss"].dropna(), clipped.test_loss, rtol=1e-6)
    assert len(table) == clipped.steps_done + unclipped.steps_done
    assert f"diverged at step {unclipped.diverged_at}" in capsys.readouterr().out


def test_a_run_whose_loss_is_infinite_has_diverged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = {"epochs": 2, "clipper": "AutoClip(10.0)", "learning_rate": 10}
    assert main(["run", str(written(tmp_path, lost))]) == 0
    [history] = gclip.run([gclip.RunConfig(**lost)])
    assert history.diverged_at is None
    assert f"AutoClip(clip_percentile=10.0, window=inf): diverged at step {history.lost_at}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"epochs": 0}, ["epochs is '0'", "from 1"]),
        ({"colour": 1}, ["colour is not a setting"]),
        ({"clipper": "ClipByNorm(0)"}, ["max_norm is 0", "greater than 0"]),
        ("{", ["cannot be read as JSON"]),
        ([], ["allowed is one JSON object"]),
        ([3], ["allowed is one JSON object"]),
    ],
    ids=str,
)
def test_bad_input_gets_a_sentence(
    tmp_path: Path, content: object, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(written(tmp_path, content))]) == 2
    said = capsys.readouterr().err
    assert all(word in said for word in words)
    assert not list(tmp_path.glob("*.csv"))


def test_output_that_cannot_be_written_is_refused_before_training(tmp_path: Path, capsys) -> None:
    assert main(["run", str(written(tmp_path, SHORT)), "-o", str(tmp_path / "steps.xlsx")]) == 2
    assert "allowed are files ending in" in capsys.readouterr().err
    assert main(["run", str(tmp_path / "missing.json")]) == 2
