"""The sweep of this browser session, held in step between the widgets, the address bar and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from gclip.dashboard.sweep.networks import BENCHES
from gclip.dashboard.sweep.settings import CHOICES, MAP_FIELDS, fields_of, make, read, write
from gclip.dashboard.synced import Synced
from gclip.sweeping import Sweep
from gclip.sweeping.usual import usual


class SweepState(Synced[Sweep]):
    """The Sweep page's settings in this session."""

    HELD = "sweep"
    bench = BENCHES["regression"]

    def sync(self) -> tuple[Sweep, list[str]]:
        """Return the settings in force, and sentences for what was refused; the page's controls are its network's."""
        sweep, refused = super().sync()
        self.bench = BENCHES[sweep.network]
        return sweep, refused

    @property
    def drawn(self) -> bool:
        """Whether the page's widgets are there, as they are not when the learner comes back to it."""
        return self.key("kind") in st.session_state

    def read(self, link: Mapping[str, Sequence[str]]) -> tuple[Sweep, list[str]]:
        """Return the sweep that a link says, and sentences for what was refused."""
        return read(link)

    def write(self, value: Sweep) -> dict[str, list[str]]:
        """Return the link's parameters."""
        return write(value)

    def load(self, value: Sweep) -> None:
        """Set every widget to what a sweep says."""
        for name in CHOICES:
            self.set(name, getattr(value, name))
        for name in BENCHES[value.network].shared:
            self.set(f"shared.{name}", getattr(value.shared, name))
        self._load_own(value)

    def _load_own(self, value: Sweep) -> None:
        for name in MAP_FIELDS:
            self.set(name, getattr(value, name))

    def renew(self) -> None:
        """Begin with what is usual for the kind and the rule that were just chosen."""
        self._load_own(usual(self.get("kind"), self.rule, self.get("network")))

    def renew_network(self) -> None:
        """Begin with what is usual for the network that was just chosen, under the same rule."""
        self.load(usual(self.get("kind"), self.rule, self.get("network")))

    @property
    def rule(self) -> str:
        """The rule chosen; its control is not shown where both norm and value are swept."""
        held: Sweep = self.get(self.HELD)
        return self.get("rule", held.rule)

    def gather(self) -> Sweep:
        """Return the sweep that the widgets say; what is not shown is as it was.

        Raises:
            pydantic.ValidationError: if a setting, or settings together, are out of range.
        """
        held: Sweep = self.get(self.HELD)
        network, kind = self.get("network"), self.get("kind")
        begun = usual(kind, self.rule, network)
        usually = held.shared if held.network == network else begun.shared
        fields = {name: self.get(name, getattr(begun, name)) for name in fields_of(kind)}
        fields |= {n: self.get(f"shared.{n}", getattr(usually, n)) for n in BENCHES[network].shared}
        sweep = make(network, kind, self.rule, fields)
        self.set("network", sweep.network)  # A sine wave that is given a bad batch is the network of that name.
        return sweep
