"""The comparison of this browser session, held in step between the widgets, the address bar and the page.

Widgets live under the keys made here; see `Synced.sync`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import streamlit as st

from gclip.clipping import CLIPPERS, Chain, Clipper, NoClip, PerLayer
from gclip.dashboard.settings import MAX_RUNS, Bench, Comparison, Entry, read, write
from gclip.dashboard.synced import Synced
from gclip.training.config import read_field

AS_SHARED = "as the others"
"""What a run's own setting says when it does nothing differently."""

IN_CHAIN = ("0", "1")
"""Places of the rules that a run's whole gradient goes through; other places are names of layers."""


@dataclass(frozen=True)
class State(Synced[Comparison]):
    """One page's comparison in this session."""

    bench: Bench

    @property
    def drawn(self) -> bool:
        """Whether the page's widgets are there, as they are not when the learner comes back to it."""
        return self.rule_key(0, "0") in st.session_state

    def read(self, link: Mapping[str, Sequence[str]]) -> tuple[Comparison, list[str]]:
        """Return the comparison that a link says, and sentences for what was refused."""
        return read(link, self.bench)

    def write(self, value: Comparison) -> dict[str, list[str]]:
        """Return the link's parameters."""
        return write(value, self.bench)

    def rule_key(self, run: int, place: str) -> str:
        """Key of the rule of a run: place 0 comes first, place 1 after it, or a layer's own."""
        return self.key(f"run{run}.rule{place}")

    def parameter_key(self, run: int, place: str, rule: str, name: str) -> str:
        """Key of one hyperparameter of a rule of a run."""
        return self.key(f"run{run}.rule{place}.{rule}.{name}")

    def change_key(self, run: int, name: str) -> str:
        """Key of what a run does differently from the others."""
        return self.key(f"run{run}.change.{name}")

    def load(self, value: Comparison) -> None:
        """Set every widget to what a comparison says."""
        self.set("runs", len(value.entries))
        self.set("seeds", value.seeds)
        for name in self.bench.shared:
            self.set(f"shared.{name}", getattr(value.shared, name))
        for run, entry in enumerate(value.entries):
            self.load_entry(run, entry)

    def load_entry(self, run: int, entry: Entry) -> None:
        """Set the widgets of one run."""
        rules = placed(entry.clipper)
        for place in {*IN_CHAIN, *self.places(run), *rules}:
            rule = rules.get(place)
            st.session_state[self.rule_key(run, place)] = type(rule).__name__ if rule else ""
            for spec in fields(rule) if rule else ():
                key = self.parameter_key(run, place, type(rule).__name__, spec.name)
                st.session_state[key] = getattr(rule, spec.name)
        for name in self.bench.changes:
            value = getattr(entry, name)
            st.session_state[self.change_key(run, name)] = AS_SHARED if value is None else str(value)

    def places(self, run: int) -> list[str]:
        """Return the places at which this run has a widget for a rule."""
        start = self.rule_key(run, "")
        keys = [str(key).removeprefix(start) for key in st.session_state if str(key).startswith(start)]
        return sorted(place for place in keys if "." not in place)

    def gather(self) -> Comparison:
        """Return the comparison that the widgets say.

        Raises:
            pydantic.ValidationError: if a setting, or settings together, are out of range.
            ValueError: likewise, for what one run does differently.
        """
        usual = self.bench.default.shared
        shared = type(usual)(**{n: self.get(f"shared.{n}", getattr(usual, n)) for n in self.bench.shared})
        entries = tuple(self._gather_entry(run) for run in range(self.get("runs")))
        comparison = Comparison(shared=shared, entries=entries, seeds=self.get("seeds", 1))
        comparison.configs()
        return comparison

    def _gather_entry(self, run: int) -> Entry:
        chain = Chain(*[self._gather_rule(run, place) or NoClip() for place in IN_CHAIN])
        named = {place: self._gather_rule(run, place) for place in self.places(run) if place not in IN_CHAIN}
        layers = {name: rule for name, rule in named.items() if rule}
        texts = {name: st.session_state.get(self.change_key(run, name), AS_SHARED) for name in self.bench.changes}
        changes = {n: read_field(n, text, self.bench.kind) for n, text in texts.items() if text != AS_SHARED}
        return Entry(clipper=PerLayer(chain, **layers) if layers else chain, **changes)

    def _gather_rule(self, run: int, place: str) -> Clipper | None:
        name = st.session_state.get(self.rule_key(run, place), "NoClip" if place == "0" else "")
        if not name:
            return None
        keys = {spec.name: self.parameter_key(run, place, name, spec.name) for spec in fields(CLIPPERS[name])}
        return CLIPPERS[name](**{n: st.session_state[key] for n, key in keys.items() if key in st.session_state})

    def add(self, entry: Entry) -> None:
        """Add a run."""
        runs = self.get("runs")
        if runs < MAX_RUNS:
            self.load_entry(runs, entry)
            self.set("runs", runs + 1)

    def remove(self, run: int) -> None:
        """Remove a run; those after it move up."""
        try:
            entries = [self._gather_entry(i) for i in range(self.get("runs"))]
        except ValueError:
            # A setting of one run does not fit, and its box may be the one to go: take what was last in force.
            entries = list(self.get("comparison").entries)
        del entries[run]
        for i, entry in enumerate(entries):
            self.load_entry(i, entry)
        self.set("runs", len(entries))

    def set_threshold(self, run: int, value: float) -> None:
        """Move the first threshold of a run's first rule to ``value``."""
        name = st.session_state.get(self.rule_key(run, "0"), "NoClip")
        lanewise = [spec.name for spec in fields(CLIPPERS[name]) if spec.metadata.get("lanewise")]
        if lanewise and value > 0:
            st.session_state[self.parameter_key(run, "0", name, lanewise[0])] = float(value)


def placed(clipper: Clipper) -> dict[str, Clipper]:
    """Return the rules of a run by their place."""
    rest, layers = (clipper.rest, dict(clipper.layers)) if isinstance(clipper, PerLayer) else (clipper, {})
    members = rest.rules if isinstance(rest, Chain) else (rest,)
    return dict(zip(IN_CHAIN, members, strict=False)) | layers
