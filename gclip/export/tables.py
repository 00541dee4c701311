"""Histories as tables, for spreadsheets and notebooks."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd

from gclip.training import History
from gclip.training.history import PER_STEP

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
