"""A comparison as a value: which runs stand side by side, and the link that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gclip import clipping
from gclip.clipping import Chain, ClipByNorm, ClipByValue, Clipper, NoClip
from gclip.training import RunConfig, explain
from gclip.training.config import ClipperField, read_field

MAX_RUNS = 6
SHARED = tuple(name for name in RunConfig.model_fields if name != "clipper")
"""Settings that all runs of a comparison have in common, each a parameter of the link."""

CHANGES = ("learning_rate", "standardize_target")
"""Settings in which one run may differ from the others: the honest controls beside clipping."""


SIZES = (("epochs", "batch_size"), ("hidden_units", "hidden_layers"), ("n_features", "n_samples"))
"""Settings that may be too large together, in the order in which a link loses them."""


class Entry(BaseModel):
    """One run of a comparison: its rule, and what else it does differently (None: as the others do)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clipper: ClipperField = NoClip()
    learning_rate: float | None = None
    standardize_target: bool | None = None

    @field_validator("clipper")
    @classmethod
    def _simplest(cls, clipper: Clipper) -> Clipper:
        """Leave out of a chain what clips nothing; one rule alone needs no chain."""
        if not isinstance(clipper, Chain):
            return clipper
        clipping_ones = [rule for rule in clipper.rules if not isinstance(rule, NoClip)]
        return Chain(*clipping_ones) if len(clipping_ones) > 1 else (*clipping_ones, NoClip())[0]

    def changes(self) -> dict[str, Any]:
        """Return what this run does differently."""
        return {name: value for name in CHANGES if (value := getattr(self, name)) is not None}

    def spec(self) -> str:
        """Return this run as it stands in a link."""
        return ";".join([repr(self.clipper), *[f"{name}={value!r}" for name, value in self.changes().items()]])


PRESETS = {
    "Tutorial, unclipped": Entry(),
    "Tutorial, clipnorm 1": Entry(clipper=ClipByNorm(1.0)),
    "Tutorial, clipvalue 5": Entry(clipper=ClipByValue(5.0)),
    "Both: norm 1, then value 0.1": Entry(clipper=Chain(ClipByNorm(1.0), ClipByValue(0.1))),
    "No clipping, scaled target": Entry(standardize_target=True),
    "No clipping, lower learning rate": Entry(learning_rate=0.001),
}
"""Runs to add by name: the tutorial's, and the remedies that do without clipping."""


class Comparison(BaseModel):
    """Runs side by side; ``seeds`` is how many times each is trained, from one seed upwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shared: RunConfig = RunConfig()
    entries: tuple[Entry, ...] = Field(default=tuple(PRESETS.values())[:3], min_length=1, max_length=MAX_RUNS)
    seeds: Literal[1, 5, 20] = 1

    def configs(self) -> list[list[RunConfig]]:
        """Return each run's configs, one for each seed; the seeds are the same for every run."""
        return [[self._config(entry, seed) for seed in range(self.seeds)] for entry in self.entries]

    def _config(self, entry: Entry, seed: int) -> RunConfig:
        seeds: dict[str, Any] = {name: getattr(self.shared, name) + seed for name in ("init_seed", "batch_seed")}
        return RunConfig(**self.shared.model_dump() | {"clipper": entry.clipper} | entry.changes() | seeds)


def write(comparison: Comparison) -> dict[str, list[str]]:
    """Return the link's parameters: every setting that is not the default."""
    params = {}
    for name in SHARED:
        value = getattr(comparison.shared, name)
        if value != RunConfig.model_fields[name].default:
            params[name] = [str(value)]
    default = Comparison()
    if comparison.entries != default.entries:
        params["run"] = [entry.spec() for entry in comparison.entries]
    if comparison.seeds != default.seeds:
        params["seeds"] = [str(comparison.seeds)]
    return params


def read(params: Mapping[str, Sequence[str]]) -> tuple[Comparison, list[str]]:
    """Return the comparison that a link's parameters say, and a sentence for each that was refused.

    What is refused falls back to its default; nothing else is lost.
    """
    refused: list[str] = []
    fields = {name: _read_field(name, values, refused) for name, values in params.items() if name in SHARED}
    shared = _read_shared({name: value for name, value in fields.items() if value is not None}, refused)
    entries = _read_entries(params.get("run", []), refused)
    seeds = _read_seeds(params.get("seeds", ["1"])[-1], refused)
    unknown = [name for name in params if name not in ("run", "seeds", *SHARED)]
    refused += [f"{_short(name)} is not a setting of this page; it was ignored." for name in unknown]
    return _fit(shared, entries, seeds, refused), refused


def _read_field(name: str, values: Sequence[str], refused: list[str]) -> Any:
    try:
        return read_field(name, values[-1])
    except ValueError as error:
        refused.append(str(error))
        return None


def _read_shared(fields: dict[str, Any], refused: list[str]) -> RunConfig:
    """Return the shared settings; of sizes that are too large together, only as many go as must."""
    for too_large in ((), *SIZES):
        fields = {name: value for name, value in fields.items() if name not in too_large}
        try:
            return RunConfig(**fields)
        except ValidationError as error:
            refused += [sentence for sentence in explain(error) if not too_large]
    return RunConfig()


def _read_entries(specs: Sequence[str], refused: list[str]) -> tuple[Entry, ...]:
    entries = [entry for spec in specs[:MAX_RUNS] if (entry := _read_entry(spec, refused))]
    if len(specs) > MAX_RUNS:
        refused.append(f"run is given {len(specs)} times; allowed are {MAX_RUNS}. The first {MAX_RUNS} are shown.")
    return tuple(entries) or Comparison().entries


def _read_entry(spec: str, refused: list[str]) -> Entry | None:
    rule, *changes = spec.split(";")
    try:
        clipper = clipping.parse(rule)
        if isinstance(clipper, Chain) and (len(clipper.rules) > 2 or any(isinstance(r, Chain) for r in clipper.rules)):
            raise ValueError("a Chain of more than two rules, or within another, is not for this page")
        fields = dict(change.split("=", 1) for change in changes if "=" in change)
        if len(fields) < len(changes) or not set(fields) <= set(CHANGES):
            raise ValueError(f"after the rule, only {' and '.join(CHANGES)} may be changed, as ;learning_rate=0.001")
        return Entry(clipper=clipper, **{name: read_field(name, text) for name, text in fields.items()})
    except ValueError as error:
        refused.append(f"run is {_short(spec)}; {str(error).rstrip('.')}.")
    return None


def _read_seeds(text: str, refused: list[str]) -> Literal[1, 5, 20]:
    match text:
        case "1":
            return 1
        case "5":
            return 5
        case "20":
            return 20
    refused.append(f"seeds is {_short(text)}; allowed are 1, 5 and 20.")
    return 1


def _fit(shared: RunConfig, entries: tuple[Entry, ...], seeds: Literal[1, 5, 20], refused: list[str]) -> Comparison:
    """Return the whole; a seed so high that a band over seeds would leave its range falls back."""
    comparison = Comparison(shared=shared, entries=entries, seeds=seeds)
    try:
        comparison.configs()
    except ValidationError as error:
        refused += [f"seeds is {seeds}: {sentence}" for sentence in explain(error)[:1]]
        return Comparison(shared=shared, entries=entries)
    return comparison


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
