"""What the tests of the pages share: opening a page as a browser would, and reading what it shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from gclip.dashboard.settings import SHARED, Comparison
from gclip.training import RunConfig

ROOT = Path(__file__).parents[2]
START, COMPARE = ROOT / "pages" / "start.py", ROOT / "pages" / "compare.py"
MAIN = ROOT / "gclip" / "dashboard" / "main.py"

Link = Mapping[str, Sequence[str]]


def opened(page: Path, link: Link | None = None) -> AppTest:
    """Open a page by a link."""
    at = AppTest.from_file(page, default_timeout=60)
    for name, values in (link or {}).items():
        at.query_params[name] = list(values)
    return fine(at.run())


def compare(**link: str | list[str]) -> AppTest:
    """Open the Compare page by a link."""
    return opened(COMPARE, {name: [value] if isinstance(value, str) else value for name, value in link.items()})


def fine(at: AppTest) -> AppTest:
    """Return a page that shows no exception."""
    assert not at.exception, at.exception[0].value
    return at


def shown(at: AppTest) -> Comparison:
    """Return the comparison on show."""
    return at.session_state["comparison"]


def address(at: AppTest) -> dict[str, list[str]]:
    """Return what the address bar says."""
    return {name: [values] if isinstance(values, str) else list(values) for name, values in at.query_params.items()}


def specs(at: AppTest) -> list[str]:
    """Return the runs on show as a link writes them."""
    return [entry.spec() for entry in shown(at).entries]


def live_data(at: AppTest) -> list[dict[str, Any]]:
    """Return what each live view on the page was handed."""
    return [json.loads(view.proto.json or view.proto.mixed.json) for view in at.get("bidi_component")]


def widgets_say(at: AppTest) -> dict[str, Any]:
    """Return what the controls of the shared settings say."""
    return {name: at.session_state[f"shared.{name}"] for name in SHARED}


def settings_of(config: RunConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in SHARED}


class Recorder:
    """A service that trains nothing and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[RunConfig]] = []
        self.stopped: list[str] = []
        self.says: list[str] = []

    def submit(self, configs: Sequence[RunConfig], owner: str) -> list[str]:
        self.asked.append(list(configs))
        return [config.key for config in configs]

    def stop(self, owner: str) -> None:
        self.stopped.append(owner)

    def notices(self) -> list[str]:
        return self.says

    def snapshot(self, key: str) -> None:
        return None

    def nothing(self, *args: object) -> None:
        """Do nothing."""

    keep = release = warm = nothing
