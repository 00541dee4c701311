"""``python -m gclip sweep`` trains one network under many thresholds over several seeds, and suggests one of them."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tqdm import tqdm

from gclip.clipping import quoted
from gclip.commands import files
from gclip.commands.files import RefusedError
from gclip.commands.report import report
from gclip.export import tables
from gclip.serving import Service, Snapshot, home
from gclip.serving.store import MEMORY_ONLY
from gclip.sweeping import KINDS, RULES, Results, Sweep, usual
from gclip.training import Config, RunConfig, Summary, explain
from gclip.training.networks import network_of

EPILOG = "The defaults are those of the tutorial's network; a recurrent one has ranges of its own and fewer runs."

HELP = "train one network under many thresholds over several seeds, and suggest one"

CHOICES: dict[str, dict[str, str]] = {
    "rule": {rule.title.lower().replace(" ", "-"): name for name, rule in RULES.items()},
    "kind": {name.replace("_", "-"): name for name in KINDS},
}
"""How options name what `Sweep` calls otherwise; its own words will do as well."""

NORM, AGC = (usual("curve", rule) for rule in ("ClipByNorm", "AdaptiveGradientClip"))
RATES, BOTH = (usual(kind, "ClipByNorm") for kind in ("learning_rate", "both"))

OPTIONS = {
    "kind": "curve (default); or a map: learning-rate (threshold by learning rate) or both (norm by value, in one run)",
    "rule": "whose threshold: norm (default), tensor-norm, value or agc",
    "low": f"lowest threshold (default: {NORM.low:g}; agc {AGC.low:g}; of both {BOTH.low:g})",
    "high": f"highest threshold (default: {NORM.high:g}; agc {AGC.high:g})",
    "count": f"number of thresholds, even on a log scale (default: {NORM.count}; in a map {RATES.count})",
    "seeds": f"seeds for each threshold (default: {NORM.seeds}; in a map {RATES.seeds})",
    "other_low": f"a map's lowest learning rate (default: {RATES.other_low:g}) or value ({BOTH.other_low:g})",
    "other_high": f"a map's highest learning rate (default: {RATES.other_high:g}) or value ({BOTH.other_high:g})",
    "other_count": f"number of learning rates or value thresholds of a map (default: {RATES.other_count})",
}
"""The fields of `Sweep` that are options, and what they are for."""

ONCE_MORE = "So the next call trains them again."


def add_options(command: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    command.epilog = EPILOG
    command.add_argument("config", type=Path, nargs="?", help="settings as a JSON object (default: the tutorial's)")
    for name, text in OPTIONS.items():
        command.add_argument(option(name), metavar=name.split("_")[-1].upper(), help=text)
    command.add_argument("-o", "--output", type=Path, help="a .csv or .parquet file for one row per run")


def main(options: argparse.Namespace) -> int:
    """Train the sweep, print what it found, and write it if asked; return 1 if a run could not be trained."""
    if options.output:
        files.writer(options.output)
    sweep = read(options)
    results, troubles = train(sweep)
    print(report(results))
    if options.output:
        files.write(options.output, tables.sweep_table(results))
        print(f"Every run is in {options.output}.")
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 0 if all(summary and summary.done for summary in results.summaries) else 1


def read(options: argparse.Namespace) -> Sweep:
    """Return the sweep that the options describe.

    Raises:
        RefusedError: a sentence for each option that is out of range, or of no use.
    """
    given = {name: value for name in OPTIONS if (value := getattr(options, name)) is not None}
    words = {name: word(name, given.get(name, next(iter(known)))) for name, known in CHOICES.items()}
    useless(words, given)
    shared = shared_settings(options.config)
    begun = usual(**words, network=network_of(shared))
    own: dict[str, Any] = {name: getattr(begun, name) for name in OPTIONS} | given | words | {"shared": shared}
    try:
        return Sweep(**own)
    except ValidationError as error:
        raise RefusedError("\n".join(refusal(text) for text in explain(error, Sweep))) from error


def word(name: str, text: str) -> str:
    """Return what `Sweep` calls a kind or a rule."""
    known = CHOICES[name]
    if text not in known and text not in known.values():
        raise RefusedError(f"{option(name)} is {quoted(text)}; allowed are {', '.join(known)}.")
    return known.get(text, text)


def shared_settings(path: Path | None) -> Config:
    """Return the settings that all runs share."""
    configs = files.read(path) if path else [RunConfig()]
    if len(configs) > 1:
        raise RefusedError(f"{path} holds {len(configs)} runs; allowed is one JSON object of settings.")
    return configs[0]


def useless(words: dict[str, str], given: dict[str, str]) -> None:
    """Refuse options that this kind of sweep would pass over in silence."""
    second = next((name for name in given if name.startswith("other")), None)
    if words["kind"] == "curve" and second:
        raise RefusedError(
            f"{option(second)} is {given[second]}; allowed only with --kind learning-rate or --kind both: "
            "a curve has no second axis."
        )
    if words["kind"] == "both" and words["rule"] != "ClipByNorm":
        raise RefusedError(f"--rule is {given['rule']}; allowed with --kind both is norm, which is followed by value.")


def option(name: str) -> str:
    """Return the option that stands for a field."""
    return "--" + name.replace("_", "-")


def refusal(text: str) -> str:
    """Name options in a sentence where `Sweep` names its fields."""
    fields = "|".join(OPTIONS)
    return re.sub(rf"(?<=^)({fields})\b|(?<=below )({fields})\b", lambda found: option(found[0]), text)


def train(sweep: Sweep) -> tuple[Results, list[str]]:
    """Train what the store has not yet, on all cores; return what was found, and sentences on what went wrong."""
    configs = sweep.configs()
    service = Service(workers())
    try:
        keys = service.submit(configs, "command line", record=Summary)
        bar = tqdm(total=sum(config.steps for config in configs), unit="step", unit_scale=True, desc="starting")
        with bar:
            snapshots = watch(service, keys, bar)
    finally:
        service.close()
    troubles = [notice.replace(MEMORY_ONLY, ONCE_MORE) for notice in service.notices()]
    troubles += dict.fromkeys(snapshot.message for snapshot in snapshots if snapshot.state == "failed")
    return Results(sweep, [s.record if isinstance(s.record, Summary) else None for s in snapshots]), troubles


def workers() -> int:
    """Return the number of worker processes: GCLIP_WORKERS, or one for each core, since no page needs one here."""
    try:
        return home.workers() if os.environ.get("GCLIP_WORKERS") else home.cores()
    except ValueError as error:
        raise RefusedError(str(error)) from error


def watch(service: Service, keys: list[str], bar: tqdm) -> list[Snapshot]:
    """Wait until no run waits or is trained, and return the last pictures of them."""
    while True:
        snapshots = [snapshot for key in keys if (snapshot := service.snapshot(key))]
        if new := sum(snapshot.record.steps_done for snapshot in snapshots) - bar.n:
            bar.set_description("training", refresh=False)
            bar.update(new)
        if not any(snapshot.state in ("waiting", "training") for snapshot in snapshots):
            return snapshots
        time.sleep(0.2)
