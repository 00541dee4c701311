"""What the commands read and write, and how they refuse it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from gclip.clipping import quoted
from gclip.export import tables
from gclip.training import Config, explain, restore


class RefusedError(Exception):
    """What was asked for cannot be done; the message says why in plain words."""


def writer(output: Path) -> Callable[[pd.DataFrame], bytes]:
    """Return what makes a table into such a file.

    Raises:
        RefusedError: if the file's ending names none.
    """
    if output.suffix not in tables.WRITERS:
        raise RefusedError(f"output is {str(output)!r}; allowed are files ending in {' or '.join(tables.WRITERS)}.")
    if not output.parent.is_dir():
        raise RefusedError(f"output is {str(output)!r}; its folder does not exist.")
    return tables.WRITERS[output.suffix]


def write(output: Path, table: pd.DataFrame) -> None:
    """Write a table in the format that the file's ending says."""
    try:
        output.write_bytes(writer(output)(table))
    except OSError as error:
        raise RefusedError(f"{output} cannot be written: {error.strerror}.") from error


def read(path: Path) -> list[Config]:
    """Return the runs that a JSON file describes.

    Raises:
        RefusedError: if the file cannot be read, is not JSON, or a setting is out of range.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RefusedError(f"{path} cannot be read as JSON: {error}.") from error
    items = content if isinstance(content, list) else [content]
    if not items or not all(isinstance(item, dict) for item in items):
        raise RefusedError(
            f"{path} holds {quoted(content)}; allowed is one JSON object of settings, or a list of them."
        )
    try:
        return [restore(item) for item in items]
    except ValidationError as error:
        raise RefusedError("\n".join(explain(error))) from error
