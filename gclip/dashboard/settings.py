"""A comparison as a value: which runs stand side by side, and the link that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, field_validator

from gclip import clipping
from gclip.clipping import Chain, Clipper, NoClip, PerLayer, quoted
from gclip.training import Config, RunConfig, explain
from gclip.training.config import ClipperField, read_field

MAX_RUNS = 6
Made = TypeVar("Made")

CHANGES = ("learning_rate", "standardize_target", "cell", "weight_gain")
"""Settings in which one run may differ from the others, where its problem has them: honest controls beside clipping."""


class Entry(BaseModel):
    """One run of a comparison: its rule, and what else it does differently (None: as the others do)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clipper: ClipperField = NoClip()
    learning_rate: float | None = None
    standardize_target: bool | None = None
    cell: str | None = None
    weight_gain: float | None = None

    @field_validator("clipper")
    @classmethod
    def _simplest(cls, clipper: Clipper) -> Clipper:
        return simplest(clipper)

    def changes(self) -> dict[str, Any]:
        """Return what this run does differently."""
        return {name: value for name in CHANGES if (value := getattr(self, name)) is not None}

    def spec(self) -> str:
        """Return this run as it stands in a link."""
        return ";".join([repr(self.clipper), *[f"{name}={value}" for name, value in self.changes().items()]])


def simplest(clipper: Clipper) -> Clipper:
    """Leave out of a chain what clips nothing; one rule alone needs no chain."""
    if isinstance(clipper, PerLayer):
        return PerLayer(simplest(clipper.rest), **{name: simplest(rule) for name, rule in clipper.layers})
    if not isinstance(clipper, Chain):
        return clipper
    clipping_ones = [rule for rule in clipper.rules if not isinstance(rule, NoClip)]
    return Chain(*clipping_ones) if len(clipping_ones) > 1 else (*clipping_ones, NoClip())[0]


class Comparison(BaseModel):
    """Runs side by side; ``seeds`` is how many times each is trained, from one seed upwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shared: SerializeAsAny[Config] = RunConfig()
    entries: tuple[Entry, ...] = Field(default=(Entry(),), min_length=1, max_length=MAX_RUNS)
    seeds: Literal[1, 5, 20] = 1

    def configs(self) -> list[list[Config]]:
        """Return each run's configs, one for each seed; the seeds are the same for every run."""
        return [[self._config(entry, seed) for seed in range(self.seeds)] for entry in self.entries]

    def _config(self, entry: Entry, seed: int) -> Config:
        seeds: dict[str, Any] = {name: getattr(self.shared, name) + seed for name in ("init_seed", "batch_seed")}
        return type(self.shared)(**self.shared.model_dump() | {"clipper": entry.clipper} | entry.changes() | seeds)


@dataclass(frozen=True)
class Bench:
    """What a page compares: its problem's settings, what it shows first, and what it offers to add or to load.

    Args:
        prefix: in front of the page's widget keys, so that two pages do not share their settings.
        page: the page on which such runs stand side by side, as in its address.
        sizes: settings that may be too large together, in the order in which a link loses them.
        sections: the shared settings, in groups, in the order of use.
        fixed: settings that are not shared or not the page's to change.
    """

    prefix: str
    page: str
    default: Comparison
    runs: dict[str, Entry]
    sizes: tuple[tuple[str, ...], ...]
    sections: dict[str, tuple[str, ...]]
    rules: tuple[str, ...]
    experiments: dict[str, Comparison] = field(default_factory=dict)
    fixed: tuple[str, ...] = ("clipper",)

    @property
    def kind(self) -> type[Config]:
        """The class of its runs' settings."""
        return type(self.default.shared)

    @property
    def shared(self) -> tuple[str, ...]:
        """Settings that all runs of a comparison have in common, each a parameter of the link."""
        return tuple(name for name in self.kind.model_fields if name not in self.fixed)

    @property
    def changes(self) -> tuple[str, ...]:
        """Settings in which one run may differ from the others."""
        return tuple(name for name in CHANGES if name in self.kind.model_fields)


def write(comparison: Comparison, bench: Bench) -> dict[str, list[str]]:
    """Return the link's parameters: every setting that is not the page's default."""
    params = {}
    for name in bench.shared:
        value = getattr(comparison.shared, name)
        if value != getattr(bench.default.shared, name):
            params[name] = [str(value)]
    if comparison.entries != bench.default.entries:
        params["run"] = [entry.spec() for entry in comparison.entries]
    if comparison.seeds != bench.default.seeds:
        params["seeds"] = [str(comparison.seeds)]
    return params


def read(params: Mapping[str, Sequence[str]], bench: Bench) -> tuple[Comparison, list[str]]:
    """Return the comparison that a link's parameters say, and a sentence for each that was refused.

    What is refused falls back to its default; nothing else is lost.
    """
    refused: list[str] = []
    fields = {
        name: _read_field(name, values, bench, refused) for name, values in params.items() if name in bench.shared
    }
    shared = _read_shared({name: value for name, value in fields.items() if value is not None}, bench, refused)
    entries = _read_entries(params.get("run", []), shared, bench, refused)
    seeds = _read_seeds(params.get("seeds", ["1"])[-1], refused)
    unknown = [name for name in params if name not in ("run", "seeds", *bench.shared)]
    refused += [f"{quoted(name)} is not a setting of this page; it was ignored." for name in unknown]
    return _fit(shared, entries, seeds, refused), refused


def _read_field(name: str, values: Sequence[str], bench: Bench, refused: list[str]) -> Any:
    try:
        return read_field(name, values[-1], bench.kind)
    except ValueError as error:
        refused.append(str(error))
        return None


def _read_shared(fields: dict[str, Any], bench: Bench, refused: list[str]) -> Config:
    usual = bench.default.shared.model_dump()
    return fitted(lambda given: bench.kind(**usual | given), fields, bench.sizes, refused)


def fitted(
    make: Callable[[dict[str, Any]], Made], fields: dict[str, Any], sizes: Sequence[tuple[str, ...]], refused: list[str]
) -> Made:
    """Return ``make(fields)``; of settings that are too large together, only as many go as must.

    Args:
        sizes: settings that may be too large together, in the order in which they go.
        refused: gets a sentence if any had to go.
    """
    left = list(sizes)
    while True:
        try:
            return make(fields)
        except ValidationError as error:
            sentence = explain(error)[0]
            # One sentence for each setting that is named: a second on the same one would only tell of the default.
            refused += [sentence] if sentence.split()[0] not in [old.split()[0] for old in refused] else []
        if not left:
            return make({})
        # The field that the sentence names goes first, with those that make it too large.
        too_large = next((names for names in left if sentence.split()[0] in names), left[0])
        left.remove(too_large)
        fields = {name: value for name, value in fields.items() if name not in too_large}


def _read_entries(specs: Sequence[str], shared: Config, bench: Bench, refused: list[str]) -> tuple[Entry, ...]:
    entries = [entry for spec in specs[:MAX_RUNS] if (entry := _read_entry(spec, shared, bench, refused))]
    if len(specs) > MAX_RUNS:
        refused.append(f"run is given {len(specs)} times; allowed are {MAX_RUNS}. The first {MAX_RUNS} are shown.")
    return tuple(entries) or bench.default.entries


def _read_entry(spec: str, shared: Config, bench: Bench, refused: list[str]) -> Entry | None:
    rule, *changes = spec.split(";")
    try:
        clipper = clipping.parse(rule)
        check_shown(clipper, bench)
        fields = dict(change.split("=", 1) for change in changes if "=" in change)
        if len(fields) < len(changes) or not set(fields) <= set(bench.changes):
            names = " and ".join(bench.changes)
            raise ValueError(f"after the rule, only {names} may be changed, as ;learning_rate=0.001")
        entry = Entry(clipper=clipper, **{name: read_field(name, text, bench.kind) for name, text in fields.items()})
        Comparison(shared=shared, entries=(entry,)).configs()
        return entry
    except ValidationError as error:
        refused.append(f"run is {quoted(spec)}; {explain(error)[0]}")
    except ValueError as error:
        refused.append(f"run is {quoted(spec)}; {str(error).rstrip('.')}.")
    return None


def check_shown(clipper: Clipper, bench: Bench) -> None:
    """Refuse rules for which a page has no widgets.

    Raises:
        ValueError: for chains within rules, chains of more than two rules, and rules of other pages.
    """
    rest, layers = (clipper.rest, dict(clipper.layers)) if isinstance(clipper, PerLayer) else (clipper, {})
    members = rest.rules if isinstance(rest, Chain) else (rest,)
    if len(members) > 2 or any(isinstance(rule, Chain | PerLayer) for rule in (*members, *layers.values())):
        raise ValueError("a Chain of more than two rules, or within another, or for one layer, is not for this page")
    for rule in (*members, *layers.values()):
        if type(rule).__name__ not in bench.rules:
            raise ValueError(f"{type(rule).__name__} is not for this page; allowed are {', '.join(bench.rules)}")


def _read_seeds(text: str, refused: list[str]) -> Literal[1, 5, 20]:
    match text:
        case "1":
            return 1
        case "5":
            return 5
        case "20":
            return 20
    refused.append(f"seeds is {quoted(text)}; allowed are 1, 5 and 20.")
    return 1


def _fit(shared: Config, entries: tuple[Entry, ...], seeds: Literal[1, 5, 20], refused: list[str]) -> Comparison:
    """Return the whole; a seed so high that a band over seeds would leave its range falls back."""
    comparison = Comparison(shared=shared, entries=entries, seeds=seeds)
    try:
        comparison.configs()
    except ValidationError as error:
        refused += [f"seeds is {seeds}: {sentence}" for sentence in explain(error)[:1]]
        return Comparison(shared=shared, entries=entries)
    return comparison
