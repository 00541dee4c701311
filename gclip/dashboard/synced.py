"""A page's settings, held in step between its widgets, the address bar and the session."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import streamlit as st
from pydantic import ValidationError

from gclip.dashboard.settings import Bench
from gclip.training import explain

Value = TypeVar("Value")


class Synced(ABC, Generic[Value]):
    """One page's settings in this session; `sync` decides at the start of each run of the page which of them holds."""

    HELD: ClassVar[str] = "comparison"
    """The settings in force, among the page's values."""

    bench: Bench
    """What the page's runs share, and what stands in front of the keys of its widgets and values."""

    @property
    @abstractmethod
    def drawn(self) -> bool:
        """Whether the page's widgets are there, as they are not when the learner comes back to it."""

    @abstractmethod
    def read(self, link: Mapping[str, Sequence[str]]) -> tuple[Value, list[str]]:
        """Return what a link says, and sentences for what was refused."""

    @abstractmethod
    def write(self, value: Value) -> dict[str, list[str]]:
        """Return the link's parameters."""

    @abstractmethod
    def load(self, value: Value) -> None:
        """Set every widget to what ``value`` says."""

    @abstractmethod
    def gather(self) -> Value:
        """Return what the widgets say.

        Raises:
            pydantic.ValidationError: if a setting, or settings together, are out of range.
            ValueError: likewise.
        """

    def key(self, name: str) -> str:
        """Key of a widget or a value of this page."""
        return f"{self.bench.prefix}{name}"

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value of this page."""
        return st.session_state.get(self.key(name), default)

    def set(self, name: str, value: Any) -> None:
        """Set a value of this page."""
        st.session_state[self.key(name)] = value

    def sync(self) -> tuple[Value, list[str]]:
        """Return the settings in force, and sentences for what was refused.

        A moved widget wins over the address bar, which may lag behind it; an address that changed with no
        widget moved is a pasted link or the back button.
        """
        held: Value | None = self.get(self.HELD)
        link = _link()
        if held is None:
            return self._take(*self.read(link))
        if not self.drawn:
            return self._take(*(self.read(link) if link else (held, [])))
        try:
            gathered = self.gather()
        except ValueError as error:
            return held, explain(error) if isinstance(error, ValidationError) else [str(error)]
        if gathered != held:
            return self._take(gathered, [], reload=False)
        if link != self.get("written"):
            return self._take(*self.read(link))
        return held, self.get("refused", [])

    def _take(self, value: Value, refused: list[str], reload: bool = True) -> tuple[Value, list[str]]:
        if reload:
            self.load(value)
        self.set(self.HELD, value)
        self.set("refused", refused)
        return value, refused

    def publish(self, value: Value) -> None:
        """Write the settings to the address bar, so that the link there is always the one to share."""
        params = self.write(value)
        self.set("written", params)
        if _link() != params:
            st.query_params.from_dict(params)


def _link() -> dict[str, list[str]]:
    """Return the address bar's parameters."""
    return {name: st.query_params.get_all(name) for name in st.query_params}
