"""Histories and sweeps as tables, for spreadsheets and notebooks."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gclip.sweeping import FATES, KINDS, Results
from gclip.training import Config, History, Summary
from gclip.training.history import PER_STEP
from gclip.training.summary import PERCENTILES

COLUMNS = tuple(name for name in PER_STEP if name != "layer_norm")


def steps_table(labels: Sequence[str], histories: Sequence[History]) -> pd.DataFrame:
    """Return one row per run and step; at the last step of an epoch, also that epoch's train and test loss."""
    if not histories:
        return pd.DataFrame(columns=["run", "step", *COLUMNS])
    return pd.concat([_table(label, h) for label, h in zip(labels, histories, strict=True)], ignore_index=True)


def _table(label: str, history: History) -> pd.DataFrame:
    config = history.config
    columns = {name: getattr(history, name) for name in COLUMNS}
    columns |= {f"norm {name}": history.layer_norm[:, i] for i, name in enumerate(history.tensors)}
    table = pd.DataFrame(columns)
    ends = range(config.steps_per_epoch - 1, len(table), config.steps_per_epoch)
    for name in ("train_loss", "test_loss"):
        table.loc[ends, name] = getattr(history, name)[: len(ends)]
    about = {
        "run": label,
        "clipper": repr(config.clipper),
        "init_seed": config.init_seed,
        "batch_seed": config.batch_seed,
    }
    for i, (name, value) in enumerate([*about.items(), ("step", range(len(table)))]):
        table.insert(i, name, value)
    return table


def sweep_table(results: Results) -> pd.DataFrame:
    """Return one row per run of a sweep, in the order of `Sweep.configs`, as far as it has been trained.

    A map has its second axis as a column beside the threshold; ``key`` names the run.
    """
    sweep, fates = results.sweep, results.fates().ravel()
    axes = [(threshold, other) for other in sweep.others for threshold in sweep.thresholds for _ in range(sweep.seeds)]
    rows = zip(axes, sweep.configs(), results.summaries, fates, strict=True)
    second = KINDS[sweep.kind].column
    table = pd.DataFrame(
        {"clipper": repr(config.clipper), "threshold": threshold}
        | ({second: other} if second else {})
        | _outcome(config, summary)
        | {"verdict": FATES[fate], "key": config.key}
        for (threshold, other), config, summary, fate in rows
    )
    return table.astype({"diverged_at": "Int64"})


def _outcome(config: Config, summary: Summary | None) -> dict[str, object]:
    """Return the columns that say which seed it was, and how its run went so far."""
    summary = summary or Summary.empty(config)
    last = {name: _last(getattr(summary, name)) for name in ("train_loss", "test_loss", "clip_rate")}
    found = summary.percentiles[0] if len(summary.percentiles) else np.full(len(PERCENTILES), np.nan)
    return (
        {"init_seed": config.init_seed, "batch_seed": config.batch_seed}
        | _trained(config, summary)
        | last
        | {"diverged_at": summary.diverged_at}
        | {f"p{n}": value for n, value in zip(PERCENTILES, found, strict=True)}
    )


def _trained(config: Config, summary: Summary) -> dict[str, object]:
    """Return how far a run has come; a recurrent network knows no epochs."""
    if config.RECURRENT:
        return {"steps": summary.steps_done}
    return {"epochs": summary.steps_done // config.steps_per_epoch}


def _last(rows: np.ndarray) -> float:
    return rows[-1] if len(rows) else np.nan


def csv(table: pd.DataFrame) -> bytes:
    """Return the table as CSV; NaN and Inf are written out."""
    return table.to_csv(index=False, na_rep="NaN").encode()


def parquet(table: pd.DataFrame) -> bytes:
    """Return the table as Parquet."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


WRITERS = {".csv": csv, ".parquet": parquet}
"""The file formats, by ending."""
