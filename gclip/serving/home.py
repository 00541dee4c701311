"""Where gclip keeps its store, and how many workers it starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def home() -> Path:
    """Return gclip's folder: GCLIP_HOME, or one in the platform's place for caches."""
    if folder := os.environ.get("GCLIP_HOME"):
        return Path(folder).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~\\AppData\\Local")).expanduser() / "gclip"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/gclip").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "gclip"


def workers() -> int:
    """Return the number of worker processes: GCLIP_WORKERS, or all cores but one, but both of two.

    Workers are nice: where there are only two cores, the pages take what they need of the second one.

    Raises:
        ValueError: if GCLIP_WORKERS is not a whole number from 1 on.
    """
    text = os.environ.get("GCLIP_WORKERS", "")
    if not text:
        return min(cores(), max(2, cores() - 1))
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"GCLIP_WORKERS is {text!r}; it should be a whole number from 1 on.")
    return int(text)


def cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
