"""Train without a browser: ``python -m gclip run CONFIG.json`` writes the history and prints the verdict."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from tqdm import tqdm

from gclip.clipping import quoted
from gclip.export import tables
from gclip.training import Config, History, explain, one_thread, restore, train


class RefusedError(Exception):
    """What was asked for cannot be done; the message says why in plain words."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 with a plain sentence on standard error."""
    parser = argparse.ArgumentParser("python -m gclip", description="Learn gradient clipping by experiment.")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("run", help="train the runs of a JSON file and write every step's measurements")
    command.add_argument("config", type=Path, help="one run's settings as a JSON object, or a list of several")
    command.add_argument("-o", "--output", type=Path, help="a .csv or .parquet file (default: beside CONFIG, as .csv)")
    options = parser.parse_args(argv)
    try:
        run(options.config, options.output or options.config.with_suffix(".csv"))
    except RefusedError as refused:
        print(refused, file=sys.stderr)
        return 2
    return 0


def run(config: Path, output: Path) -> None:
    """Train what ``config`` says, with a progress bar, and write ``output``."""
    if output.suffix not in tables.WRITERS:
        raise RefusedError(f"output is {str(output)!r}; allowed are files ending in {' or '.join(tables.WRITERS)}.")
    configs = read(config)
    histories = [History(c) for c in configs]
    with one_thread(), tqdm(total=sum(c.steps for c in configs), unit="step", desc="training") as bar:
        for chunk in train(configs):
            for lane, i in enumerate(chunk.runs):
                histories[i].append(chunk.of_lane(lane), chunk.events.get(lane, []))
            bar.update(len(chunk.steps) * len(chunk.runs))
    labels = [repr(c.clipper) for c in configs]
    try:
        output.write_bytes(tables.WRITERS[output.suffix](tables.steps_table(labels, histories)))
    except OSError as error:
        raise RefusedError(f"{output} cannot be written: {error.strerror}.") from error
    for history in histories:
        print(summary(history))
    print(f"Every step is in {output}.")


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


def summary(history: History) -> str:
    """Say in one line how a run ended."""
    if history.diverged_at is not None:
        return f"{history.config.clipper!r}: diverged at step {history.diverged_at}"
    losses = f"train loss {history.train_loss[-1]:.6g}, test loss {history.test_loss[-1]:.6g}"
    return f"{history.config.clipper!r}: {history.verdict}, {losses}"


if __name__ == "__main__":
    sys.exit(main())
