"""Put the live comparison on a page: hand runs to the trainer, and the charts to the browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st
from streamlit.components.v2 import component
from streamlit.runtime.scriptrunner import get_script_run_ctx

from gclip.clipping import AdaGC, AutoClip, Chain, ClipByNorm, NoClip, NormalizeGradient, ZClip
from gclip.dashboard.charts import CHARTS, TUTORIAL
from gclip.dashboard.figures import Drawn, drawing, hint
from gclip.dashboard.labels import no_what_if, run_label
from gclip.dashboard.palette import Style, styles
from gclip.dashboard.routes import FILES, VERSION
from gclip.dashboard.settings import Comparison
from gclip.dashboard.state import State
from gclip.serving import QueueFull, service
from gclip.training import Config, RecurrentConfig, RunConfig
from gclip.training.recurrence import sample_target
from gclip.training.sequences import alphabet
from gclip.training.tasks import task_of

BOUND_L2 = (ClipByNorm, NormalizeGradient, AutoClip, ZClip, AdaGC)
"""Rules whose threshold bounds the length of the whole gradient: drawn among the norms, also where it moves."""

_component: Any = component(
    "gclip_live",
    html=(FILES / "live.html").read_text(),
    css=(FILES / "live.css").read_text(),
    js=(FILES / "bootstrap.js").read_text(),
    isolate_styles=False,
)


@st.cache_resource(scope="session", on_release=lambda owner: service().release(owner), show_spinner=False)
def _owner(session: str) -> str:
    return session


def owner() -> str:
    """Return this browser session's name for the trainer; when the session ends, so do its unfinished runs."""
    context = get_script_run_ctx()
    name = _owner(context.session_id if context else "alone")
    service().keep(name)
    return name


def show(
    comparison: Comparison, *, key: str, charts: tuple[str, ...], state: State | None = None, **options: Any
) -> Any:
    """Train ``comparison`` and draw it live; tell the page what the learner does in it.

    Args:
        state: the page's widgets, if the learner may move a threshold from within the charts.
        options: see `describe`; they replace what it says.
    """
    groups = comparison.configs()
    configs = [config for group in groups for config in group]
    keys = [config.key for config in configs]
    try:
        if keys != st.session_state.get("stopped"):
            service().submit(configs, owner())
    except QueueFull as full:
        st.warning(str(full), icon="⏳")
        return None
    size = comparison.seeds
    named = [keys[i * size : (i + 1) * size] for i in range(len(groups))]
    # The attempt makes the data differ where nothing else does: equal data would not reach the browser again.
    data = describe(comparison, named, charts) | options | {"attempt": st.session_state.get("attempt", 0)}
    actions = {"threshold": partial(_move, key, state), "stop": partial(stop, keys), "again": train_again}
    return _component(key=key, data=data, **{f"on_{name}_change": action for name, action in actions.items()})


def _move(key: str, state: State | None) -> None:
    """Set the threshold that the learner chose in the what-if panel."""
    chosen = st.session_state[key].get("threshold") or {}
    if state and {"run", "value"} <= set(chosen):
        state.set_threshold(int(chosen["run"]), float(chosen["value"]))


def stop(keys: list[str]) -> None:
    """Stop the runs on show, and remember not to start them again when the page runs next."""
    service().stop(owner())
    st.session_state["stopped"] = keys
    if any((known := service().snapshot(key)) and known.state in ("waiting", "training") for key in keys):
        st.toast("Somebody else watches some of these runs: they go on.")


def train_again() -> None:
    """Train stopped or failed runs again, or runs that a server started anew no longer knows."""
    st.session_state["stopped"] = None
    st.session_state["attempt"] = st.session_state.get("attempt", 0) + 1


def describe(comparison: Comparison, keys: list[list[str]], charts: tuple[str, ...]) -> dict[str, Any]:
    """Return all that the browser needs to draw the comparison, save the numbers."""
    configs = [group[0] for group in comparison.configs()]
    looks = styles(configs)
    relative = len({_unit(config) for config in configs}) > 1
    runs = tuple(Drawn(look, _bounds_norm(config)) for look, config in zip(looks, configs, strict=True))
    tensors = common_names([tuple(task_of(config).shapes(config)) for config in configs])
    labels = [run_label(entry) for entry in comparison.entries]
    groups = [_group(*run, relative) for run in zip(keys, labels, configs, looks, strict=True)]
    return {
        "version": VERSION,
        "groups": groups,
        "charts": {name: describe_chart(name, runs, tensors, relative) for name in charts},
        "tensors": list(tensors),
        "total": configs[0].steps,
        "steps_per_epoch": configs[0].steps_per_epoch,
        "epochs": isinstance(configs[0], RunConfig),
        "tutorial": _tutorial(configs, relative),
        "selected": next((i for i, config in enumerate(configs) if not isinstance(config.clipper, NoClip)), 0),
        **_answers(configs[0]),
    }


def common_names(tensors: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Name the tensors of all runs: where an LSTM stands beside an RNN, their first layer is just recurrent."""
    if len(set(tensors)) == 1:
        return tensors[0]
    return tuple(re.sub("^(lstm|rnn)\\.", "recurrent.", name) for name in tensors[0])


def _group(keys: list[str], label: str, config: Config, look: Style, relative: bool) -> dict[str, Any]:
    """Return what the browser needs to know of one run."""
    return {
        "keys": keys,
        "label": label,
        "detail": repr(config.clipper),
        "color": look.color,
        "symbol": look.symbol,
        "scale": task_of(config).baseline(config)[1] if relative else 1.0,
        "movable": not isinstance(config.clipper, NoClip) and not no_what_if(config.clipper),
        "no_what_if": no_what_if(config.clipper),
        "what_if": "first rule: " if isinstance(config.clipper, Chain) else "",
    }


def _unit(config: Config) -> tuple[Any, ...]:
    """Return what losses must share to be compared as they are."""
    return (config.loss, config.standardize_target) if isinstance(config, RunConfig) else ()


def _answers(config: Config) -> dict[str, Any]:
    """Return what the network should answer, the letters it writes with, and the step of a bad batch."""
    if not isinstance(config, RecurrentConfig):
        return {"target": [], "alphabet": "", "bad_step": None}
    return {
        "target": sample_target(config).tolist(),
        "alphabet": alphabet() if config.problem == "characters" else "",
        "bad_step": config.bad_step if config.has_bad_step else None,
    }


def describe_chart(name: str, runs: tuple[Drawn, ...], tensors: tuple[str, ...], relative: bool) -> dict[str, Any]:
    """Return what the browser needs to draw one chart."""
    chart = CHARTS[name]
    return {
        "title": chart.title,
        "hint": hint(name, tensors),
        "figure": drawing(name, runs, tensors, relative),
        "log": chart.log,
        "linked": chart.linked,
        "loss": chart.y == "loss",
    }


def _tutorial(configs: list[Config], relative: bool) -> list[dict[str, Any]]:
    """Return the tutorial's printed losses as marks, where the runs are the tutorial's own."""
    plain = configs[0].model_copy(update={"clipper": NoClip(), "init_seed": 0, "batch_seed": 0})
    if relative or plain != RunConfig():
        return []
    return [{"text": f"the tutorial printed: {name}: {value:g}", "value": value} for name, value in TUTORIAL.items()]


def _bounds_norm(config: Config) -> bool:
    """Say whether the run's first threshold bounds the L2 norm of the whole gradient."""
    rule = config.clipper
    first = rule.rules[0] if isinstance(rule, Chain) else rule
    return isinstance(first, BOUND_L2) and getattr(first, "norm_type", 2) == 2
