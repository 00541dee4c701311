"""What the tests of the pages share: opening a page as a browser would, and reading what it shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from gclip.dashboard.benches import COMPARE as COMPARE_BENCH
from gclip.dashboard.labels import run_label
from gclip.dashboard.settings import Bench, Comparison, read, write
from gclip.training import Config, History, Record

ROOT = Path(__file__).parents[2]
START, COMPARE, LSTM = (ROOT / "pages" / f"{name}.py" for name in ("start", "compare", "lstm"))
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


def lstm(**link: str | list[str]) -> AppTest:
    """Open the LSTM page by a link."""
    return opened(LSTM, {name: [value] if isinstance(value, str) else value for name, value in link.items()})


def fine(at: AppTest) -> AppTest:
    """Return a page that shows no exception."""
    assert not at.exception, at.exception[0].value
    return at


def shown(at: AppTest, bench: Bench = COMPARE_BENCH) -> Comparison:
    """Return the comparison on show."""
    return at.session_state[f"{bench.prefix}comparison"]


def address(at: AppTest) -> dict[str, list[str]]:
    """Return what the address bar says."""
    return {name: [values] if isinstance(values, str) else list(values) for name, values in at.query_params.items()}


def specs(at: AppTest, bench: Bench = COMPARE_BENCH) -> list[str]:
    """Return the runs on show as a link writes them."""
    return [entry.spec() for entry in shown(at, bench).entries]


def in_step(at: AppTest, bench: Bench = COMPARE_BENCH) -> AppTest:
    """Return a page on which comparison, address bar, live view and what is trained say the same."""
    comparison = shown(at, bench)
    assert address(at) == write(comparison, bench)
    assert read(address(at), bench) == (comparison, [])
    [data] = live_data(at)
    keys = [[config.key for config in group] for group in comparison.configs()]
    assert [group["keys"] for group in data["groups"]] == keys
    assert [group["label"] for group in data["groups"]] == [run_label(entry) for entry in comparison.entries]
    return fine(at)


def add(at: AppTest, preset: str, bench: Bench = COMPARE_BENCH) -> AppTest:
    """Add one of the page's runs by its name."""
    at.selectbox(key=f"{bench.prefix}preset").select(preset).run()
    button = next(button for button in at.button if button.label == "Add this run")
    return fine(button.click().run())


def live_data(at: AppTest) -> list[dict[str, Any]]:
    """Return what each live view on the page was handed."""
    return [json.loads(view.proto.json or view.proto.mixed.json) for view in at.get("bidi_component")]


def widgets_say(at: AppTest, bench: Bench = COMPARE_BENCH) -> dict[str, Any]:
    """Return what the controls of the shared settings say."""
    return {name: at.session_state[f"{bench.prefix}shared.{name}"] for name in bench.shared}


def settings_of(config: Config, bench: Bench = COMPARE_BENCH) -> dict[str, Any]:
    return {name: getattr(config, name) for name in bench.shared}


class Recorder:
    """A service that trains nothing and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[Config]] = []
        self.stopped: list[str] = []
        self.says: list[str] = []

    def submit(self, configs: Sequence[Config], owner: str, record: type[Record] = History) -> list[str]:
        self.asked.append(list(configs))
        return [record.key_of(config) for config in configs]

    def stop(self, owner: str) -> None:
        self.stopped.append(owner)

    def notices(self) -> list[str]:
        return self.says

    def snapshot(self, key: str) -> None:
        return None

    def nothing(self, *args: object) -> None:
        """Do nothing."""

    keep = release = warm = nothing
