"""What a learner takes away: tables of all steps, and scripts of each run."""

from __future__ import annotations

import importlib
import io

import pandas as pd
import pytest

import gclip
from gclip.dashboard import exports
from gclip.dashboard.labels import run_label
from gclip.dashboard.settings import Comparison, Entry
from gclip.serving import Snapshot
from gclip.training import RunConfig

COMPARISON = Comparison(
    shared=RunConfig(epochs=2), entries=(Entry(), Entry(clipper="ClipByNorm(1.0)", learning_rate=0.002)), seeds=5
)


class Shelf:
    def __init__(self, snapshots: dict[str, Snapshot]) -> None:
        self.snapshot = snapshots.get


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    configs = [config for group in COMPARISON.configs() for config in group]
    made = {h.config.key: Snapshot(h.config.key, h.config, "done", None, "", h) for h in gclip.run(configs)}
    filled = Shelf(made)
    monkeypatch.setattr(importlib.import_module("gclip.serving.service"), "_service", lambda: filled)
    return filled


@pytest.mark.parametrize(("name", "read"), [("CSV", pd.read_csv), ("Parquet", pd.read_parquet)])
def test_a_download_holds_every_step_of_every_seed(shelf: Shelf, name: str, read) -> None:
    table = read(io.BytesIO(exports._download(COMPARISON, exports.FORMATS[name][0])))
    assert len(table) == 2 * 5 * 32
    assert list(table["run"].unique()) == [run_label(entry) for entry in COMPARISON.entries]
    assert table.groupby(["run", "init_seed"]).size().eq(32).all()
    assert table.groupby(["run", "init_seed"])["test_loss"].count().max() == 2


@pytest.mark.parametrize("library", exports.SCRIPTS)
def test_the_script_of_a_run_can_be_compiled(library: str) -> None:
    script = exports.SCRIPTS[library](COMPARISON.configs()[1][0])
    compile(script, library, "exec")
    assert "0.002" in script


def test_a_download_before_the_server_knows_the_runs_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("gclip.serving.service"), "_service", lambda: Shelf({}))
    assert exports._download(COMPARISON, exports.FORMATS["CSV"][0]) is not None
