"""A sweep as a link: what varies from where to where, and the settings that all of its runs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import ValidationError

from gclip.clipping import quoted
from gclip.dashboard.settings import Bench, Comparison, Entry, fitted
from gclip.dashboard.sweep.networks import BENCHES, TITLES
from gclip.sweeping import KINDS, RULES, Sweep
from gclip.sweeping.usual import usual
from gclip.training import Config
from gclip.training.config import read_field
from gclip.training.networks import network_of
from gclip.training.phrases import listed

CURVE_FIELDS = ("low", "high", "count", "seeds")
MAP_FIELDS = (*CURVE_FIELDS, "other_low", "other_high", "other_count")

CHOICES = ("network", "kind", "rule")
"""What a sweep's usual settings follow from."""


def sizes_of(bench: Bench) -> tuple[tuple[str, ...], ...]:
    """Return the settings that may not go together, in the order in which a link loses them."""
    counts, ends = ("seeds", "count", "other_count"), (("low", "high"), ("other_low", "other_high"))
    return (counts, *bench.sizes, *ends, ("init_seed",), ("batch_seed",))


def fields_of(kind: str) -> tuple[str, ...]:
    """Return the settings of a sweep of this kind, beside its rule and what its runs share."""
    return CURVE_FIELDS if kind == "curve" else MAP_FIELDS


def write(sweep: Sweep) -> dict[str, list[str]]:
    """Return the link's parameters: every setting that is not the default."""
    first, begun = usual("curve", "ClipByNorm"), usual(sweep.kind, sweep.rule, sweep.network)
    places: list[tuple[Sweep | Config, Sweep | Config, tuple[str, ...]]] = [
        (first, sweep, CHOICES),
        (begun, sweep, fields_of(sweep.kind)),
        (begun.shared, sweep.shared, BENCHES[sweep.network].shared),
    ]
    return {
        name: [str(getattr(now, name))]
        for default, now, names in places
        for name in names
        if getattr(now, name) != getattr(default, name)
    }


def read(params: Mapping[str, Sequence[str]]) -> tuple[Sweep, list[str]]:
    """Return the sweep that a link's parameters say, and a sentence for each that was refused.

    What is refused falls back to its default; nothing else is lost.
    """
    refused: list[str] = []
    network = _read_network(params.get("network", ["regression"])[-1], refused)
    bench = BENCHES[network]
    choice = {name: _read_one(name, params[name][-1], bench, refused) for name in ("kind", "rule") if name in params}
    kind, rule = choice.get("kind") or "curve", choice.get("rule") or "ClipByNorm"
    known = (*fields_of(kind), *bench.shared)
    fields = {name: _read_one(name, values[-1], bench, refused) for name, values in params.items() if name in known}
    given = {name: value for name, value in fields.items() if value is not None}
    sweep = fitted(partial(make, network, kind, rule), given, sizes_of(bench), refused)
    what = f"{KINDS[kind].title.lower()} of the network {TITLES[network]}"
    unknown = [name for name in params if name not in (*CHOICES, *known)]
    refused += [f"{quoted(name)} is not a setting of a {what}; it was ignored." for name in unknown]
    return sweep, refused


def _read_network(text: str, refused: list[str]) -> str:
    if text in TITLES:
        return text
    refused.append(f"network is {quoted(text)}; allowed are {listed(list(TITLES))}.")
    return "regression"


def _read_one(name: str, text: str, bench: Bench, refused: list[str]) -> Any:
    try:
        return read_field(name, text, bench.kind if name in bench.shared else Sweep)
    except ValueError as error:
        refused.append(str(error))
        return None


def make(network: str, kind: str, rule: str, fields: Mapping[str, Any]) -> Sweep:
    """Return a sweep of settings, its own and those that its runs share; what is not given is as usual.

    Raises:
        pydantic.ValidationError: if a setting, or settings together, are out of range.
    """
    begun, bench = usual(kind, rule, network), BENCHES[network]
    given = {name: value for name, value in fields.items() if name in bench.shared}
    shared = bench.kind(**begun.shared.model_dump() | given)
    own = {name: fields.get(name, getattr(begun, name)) for name in fields_of(kind)}
    return Sweep(**{"kind": kind, "rule": begun.rule, "shared": shared} | own)


def around(comparison: Comparison) -> Sweep:
    """Return the threshold curve that a comparison asks for: its first run under a rule that can be swept, its network.

    A network that is too large for so many runs gives way to the usual one.
    """
    names, network = [type(entry.clipper).__name__ for entry in comparison.entries], network_of(comparison.shared)
    rule = next((name for name in names if name in RULES), "ClipByNorm")
    try:
        return make(network, "curve", rule, comparison.shared.model_dump())
    except ValidationError:
        return usual("curve", rule, network)


def cell(sweep: Sweep, threshold: int, other: int) -> Comparison:
    """Return the runs of one cell, by its positions, beside the unclipped run, for the page that shows them.

    Such a page trains 1, 5 or 20 seeds: as many as the sweep has, or the next fewer.
    """
    shared, second = sweep.shared, sweep.others[other]
    if sweep.kind == "learning_rate":
        shared = shared.model_copy(update={"learning_rate": second})
    clipped = Entry(clipper=sweep.clipper(sweep.thresholds[threshold], second))
    seeds = max(count for count in (1, 5, 20) if count <= sweep.seeds)
    return Comparison.model_validate({"shared": shared, "entries": (Entry(), clipped), "seeds": seeds})
