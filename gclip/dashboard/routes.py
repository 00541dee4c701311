"""The dashboard's own routes beside Streamlit's: live numbers, the live view's files, and plotly.js."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from pathlib import Path

import plotly
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from gclip.dashboard.feed import feed
from gclip.dashboard.settings import MAX_RUNS
from gclip.dashboard.sweep.feed import watched
from gclip.serving import Snapshot, service
from gclip.training import History, RecurrentConfig

FILES = Path(__file__).parent / "live"
PLOTLY = Path(plotly.__file__).parent / "package_data"
VERSION = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(FILES.iterdir()))).hexdigest()[:12]
"""In the address of the live view's files, so that a browser never mixes two versions of them."""

MAX_SEEDS = 20


async def live(request: Request) -> Response:
    """Answer ``?run=KEY.KEY&since=STEPS.EPOCHS.MARKS&label=NAME&run=...`` with what is new of each run."""
    query = request.query_params
    runs = [text.split(".") for text in query.getlist("run")]
    labels = query.getlist("label") or [f"Run {i + 1}" for i in range(len(runs))]
    try:
        since = [[max(0, int(count)) for count in text.split(".")] for text in query.getlist("since")]
    except ValueError:
        since = []
    shaped = len(runs) == len(since) == len(labels) and all(len(counts) == 3 for counts in since)
    if not shaped or not 1 <= len(runs) <= MAX_RUNS or max(map(len, runs)) > MAX_SEEDS:
        return PlainTextResponse(
            f"run, since and label must be given equally often, 1 to {MAX_RUNS} times, "
            f"as run=KEY.KEY (at most {MAX_SEEDS}), since=0.0.0 and label=TEXT.",
            status_code=400,
        )
    selected = query.get("selected", "0")
    chosen = int(selected) if selected in map(str, range(len(runs))) else 0
    return await run_in_threadpool(_answer, runs, labels, since, chosen)


def _answer(runs: list[list[str]], labels: list[str], since: list[list[int]], chosen: int) -> Response:
    known: list[list[Snapshot]] = []
    for keys in runs:
        snapshots = [service().snapshot(key) for key in keys]
        found = [snapshot for snapshot in snapshots if snapshot and isinstance(snapshot.record, History)]
        if len(found) < len(keys):
            return PlainTextResponse("This server does not know that run; reload the page.", status_code=404)
        known.append(found)
    # They differ in what they record and are asked, so that there is no sentence nor chart for both.
    if len({_experiment(snapshot) for group in known for snapshot in group}) > 1:
        return PlainTextResponse(
            "These runs are of different experiments, which cannot be compared side by side.", status_code=400
        )
    return Response(feed(known, labels, since, chosen), media_type="application/octet-stream")


def _experiment(snapshot: Snapshot) -> tuple[Hashable, ...]:
    """Return what the runs of a comparison must share."""
    config = snapshot.config
    return (type(config), config.problem if isinstance(config, RecurrentConfig) else "")


async def sweep(request: Request) -> Response:
    """Answer ``?<a sweep's link>&since=VERSION`` with what is new of it, or that it is unknown; 204 if nothing is."""
    # As it stands in the address: what is no UTF-8 must not fail either.
    query, _, since = request.scope["query_string"].decode("latin-1").rpartition("since=")
    answer = await run_in_threadpool(lambda: watched(query.rstrip("&")).answer(since))
    if answer is None:
        # It happens whenever a learner chooses another sweep, so it must be no error in the browser's console.
        return JSONResponse({"unknown": "This server does not know these runs; reload the page."})
    return Response(answer, media_type="application/json") if answer else Response(status_code=204)


def routes() -> list[BaseRoute]:
    """Return the routes to hand to `st.App`."""
    return [
        Route("/gclip/live", live),
        Route("/gclip/sweep", sweep),
        Mount(f"/gclip/static/{VERSION}", StaticFiles(directory=FILES)),
        Mount("/gclip/plotly", StaticFiles(directory=PLOTLY)),
    ]
