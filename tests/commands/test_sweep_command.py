"""The command line: ``python -m gclip sweep``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import gclip
from gclip.__main__ import main
from gclip.commands import sweep as command
from gclip.commands.report import report
from gclip.serving import Service
from gclip.serving.process import Pool
from gclip.sweeping import Results, Sweep, usual
from gclip.training import RecurrentConfig, RunConfig, Summary

SMALL = ["--low", "0.5", "--high", "500", "--count", "3", "--seeds", "2"]
EPOCHS = 10


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the store, and one worker process."""
    monkeypatch.setenv("GCLIP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GCLIP_WORKERS", "1")
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sweep]:
    """The sweeps that the command would train; it gets nothing for them."""
    sweeps: list[Sweep] = []

    def train(sweep: Sweep) -> tuple[Results, list[str]]:
        sweeps.append(sweep)
        return Results(sweep, [None] * len(sweep.configs())), []

    monkeypatch.setattr(command, "train", train)
    return sweeps


def settings(folder: Path, content: object) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_a_sweep_is_trained_once_and_is_there_for_the_dashboard(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config, output = settings(home, {"epochs": EPOCHS}), home / "sweep.csv"
    assert main(["sweep", config, *SMALL, "-o", str(output)]) == 0
    first, bar = capsys.readouterr()
    sweep = Sweep(shared=RunConfig(epochs=EPOCHS), low=0.5, high=500, count=3, seeds=2)
    alone = Results(sweep, gclip.run(sweep.configs(), Summary))
    table = pd.read_csv(output)
    assert list(table["test_loss"]) == pytest.approx(alone.values("test_loss").ravel().tolist())
    assert first.startswith(report(alone))
    assert "100%" in bar

    monkeypatch.setattr(Pool, "fill", lambda pool: pytest.fail("a worker was started") if pool.wanted else None)
    assert main(["sweep", config, *SMALL]) == 0
    assert capsys.readouterr().out.strip() == report(alone).strip()
    dashboard = Service()
    found = [dashboard.snapshot(Summary.key_of(config)) for config in sweep.configs()]
    dashboard.close()
    assert all(snapshot and snapshot.state == "done" for snapshot in found)


def test_a_store_that_cannot_be_written_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "file").touch()
    monkeypatch.setenv("GCLIP_HOME", str(home / "file"))
    monkeypatch.setattr(command, "watch", lambda service, keys, bar: [service.snapshot(key) for key in keys])
    assert main(["sweep", *SMALL]) == 1, "the runs were not waited for"
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert "So the next call trains them again." in said
    assert "server" not in said


def test_ctrl_c_ends_the_workers(home: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    made: list[Service] = []

    def interrupted(service: Service, keys: list[str], bar: object) -> None:
        made.append(service)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "watch", interrupted)
    assert main(["sweep", *SMALL]) == 130
    assert capsys.readouterr().err.endswith("Stopped.\n")
    (process,) = made[0]._scheduler.pool.processes
    assert process.child.poll() is not None


@pytest.mark.parametrize(
    ("options", "sweep"),
    [
        ([], Sweep()),
        (["--rule", "tensor-norm", "--seeds", "4"], Sweep(rule="ClipByTensorNorm", seeds=4)),
        (["--rule", "ClipByValue", "--low", "1e-3"], Sweep(rule="ClipByValue", low=0.001)),
        (["--rule", "agc"], usual("curve", "AdaptiveGradientClip")),
        (["--kind", "learning-rate", "--rule", "value"], usual("learning_rate", "ClipByValue")),
        (
            ["--kind", "both", "--other-low", "0.2", "--other-high", "0.3", "--other-count", "4", "--high", "7"],
            Sweep(kind="both", low=0.1, high=7, count=16, seeds=3, other_low=0.2, other_high=0.3, other_count=4),
        ),
    ],
    ids=str,
)
def test_options_say_what_is_swept(asked: list[Sweep], options: list[str], sweep: Sweep) -> None:
    main(["sweep", *options])
    assert asked == [sweep]


def test_a_file_says_what_the_runs_share(asked: list[Sweep], tmp_path: Path) -> None:
    main(["sweep", settings(tmp_path, {"steps": 40, "cell": "RNN"})])
    assert asked[0].shared == RecurrentConfig(steps=40, cell="RNN")
    first = usual("curve", "ClipByNorm", "sine")
    assert (asked[0].thresholds, asked[0].seeds) == (first.thresholds, first.seeds)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--low abc", "--low is 'abc'; allowed is a number from 1e-06"),
        ("--low -1", "--low is '-1'; allowed is a number"),
        ("--low 5 --high 5", "--low is 5; allowed is a number below --high, which is 5."),
        ("--kind both --other-low 20", "--other-low is 20; allowed is a number below --other-high, which is 10."),
        ("--seeds 0", "--seeds is '0'; allowed is a whole number from 1 up to 20."),
        ("--count 48 --seeds 20", "--seeds is 20: 960 runs in all; allowed are 600."),
        ("--rule nrom", "--rule is 'nrom'; allowed are norm, tensor-norm, value, agc."),
        ("--kind cube", "--kind is 'cube'; allowed are curve, learning-rate, both."),
        ("--kind both --rule value", "--rule is value; allowed with --kind both is norm"),
        ("--other-low 3", "--other-low is 3; allowed only with --kind learning-rate or --kind both"),
        ("-o sweep.xlsx", "allowed are files ending in .csv or .parquet."),
        ("-o no/such/folder/sweep.csv", "its folder does not exist."),
        ("missing.json", "missing.json cannot be read as JSON"),
    ],
)
def test_each_bad_option_gets_a_sentence(
    asked: list[Sweep], capsys: pytest.CaptureFixture[str], options: str, words: str
) -> None:
    assert main(["sweep", *options.split()]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert (said.out, asked) == ("", [])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{}, {}], "holds 2 runs; allowed is one JSON object of settings."),
        ({"epochs": 0}, "epochs is '0'; allowed is a whole number from 1 up to 2,000."),
        ({"init_seed": 2**31 - 1}, "init_seed is 2147483647; allowed is a number up to 2147483640, for 8 seeds"),
    ],
    ids=str,
)
def test_each_bad_file_gets_a_sentence(asked: list[Sweep], tmp_path: Path, capsys, content: object, words: str) -> None:
    assert main(["sweep", settings(tmp_path, content)]) == 2
    assert words in capsys.readouterr().err
    assert not asked


def test_a_number_of_workers_that_is_none_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("GCLIP_WORKERS", "many")
    assert main(["sweep", *SMALL]) == 2
    assert "GCLIP_WORKERS is 'many'" in capsys.readouterr().err


def results(**fields: Any) -> Results:
    sweep = Sweep(shared=RunConfig(epochs=EPOCHS), seeds=2, low=0.5, high=500, count=3, **fields)
    return Results(sweep, gclip.run(sweep.configs(), Summary))


def test_the_table_has_a_line_for_each_threshold() -> None:
    found = results()
    text = report(found).splitlines()
    lines = [line.split() for line in text[2:5]]
    assert [line[0] for line in lines] == ["0.5", "15.8", "500"]
    assert lines[1][-5:] == ["1.0000", "2", "0", "0", "0"]
    assert lines[2][-4:] == ["0", "2", "0", "0"]
    low, high = sorted(found.values("test_loss")[0, 1].tolist())
    assert lines[1][3:5] == [f"[{low:.3g},", f"{high:.3g}]"]
    assert "Within 10 % of the best median test loss: 15.8 alone." in text
    assert "Suggested threshold: 15.8" in text


def test_a_map_s_best_threshold_is_told_for_each_place_of_its_second_axis() -> None:
    found = results(kind="learning_rate", other_low=0.001, other_high=0.01, other_count=2)
    text = report(found).splitlines()
    assert [line.split()[0] for line in text[2:4]] == ["0.001", "0.01"]
    best = found.band("test_loss")[0].argmin(1)
    assert [float(line.split()[1]) for line in text[2:4]] == [found.sweep.thresholds[i] for i in best]
    assert "lies at the threshold" in text[-1]


def test_runs_that_could_not_be_trained_are_told_and_nothing_is_suggested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = results()
    missing = Results(found.sweep, [None, *found.summaries[1:]])
    monkeypatch.setattr(command, "train", lambda sweep: (missing, ["This run could not be trained: no memory."]))
    assert main(["sweep"]) == 1
    said = capsys.readouterr()
    assert "No threshold is suggested, since some runs are missing." in said.out
    assert said.err == "This run could not be trained: no memory.\n"


def test_where_nothing_learned_no_threshold_is_suggested() -> None:
    sweep = Sweep(shared=RunConfig(epochs=1), low=0.01, high=0.02, count=2, seeds=1)
    text = report(Results(sweep, gclip.run(sweep.configs(), Summary)))
    assert "No threshold is suggested: at none did most of the seeds learn." in text
