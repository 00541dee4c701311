"""``python -m gclip run CONFIG.json`` writes every step of some runs and prints their verdicts."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from gclip.commands.files import read, write, writer
from gclip.export import tables
from gclip.training import History, one_thread, train

HELP = "train the runs of a JSON file and write every step's measurements"


def add_options(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.add_argument("config", type=Path, help="one run's settings as a JSON object, or a list of several")
    command.add_argument("-o", "--output", type=Path, help="a .csv or .parquet file (default: beside CONFIG, as .csv)")


def main(options: argparse.Namespace) -> int:
    """Train what the file says, with a progress bar, and write every step."""
    output = options.output or options.config.with_suffix(".csv")
    writer(output)
    configs = read(options.config)
    histories = [History(c) for c in configs]
    with one_thread(), tqdm(total=sum(c.steps for c in configs), unit="step", desc="training") as bar:
        for chunk in train(configs):
            for lane, i in enumerate(chunk.runs):
                histories[i].append(chunk.of_lane(lane), chunk.events.get(lane, []))
            bar.update(len(chunk.steps) * len(chunk.runs))
    write(output, tables.steps_table([repr(c.clipper) for c in configs], histories))
    for history in histories:
        print(summary(history))
    print(f"Every step is in {output}.")
    return 0


def summary(history: History) -> str:
    """Say in one line how a run ended."""
    if history.lost:
        return f"{history.config.clipper!r}: diverged at step {history.lost_at}"
    losses = f"train loss {history.train_loss[-1]:.6g}, test loss {history.test_loss[-1]:.6g}"
    return f"{history.config.clipper!r}: {history.verdict}, {losses}"
