from typing import Any

import pytest
from dashboard_examples import PROBLEMS, RECURRENT, RULES, recurrent

import gclip
from gclip.training import History, RunConfig


@pytest.fixture(scope="session")
def real() -> dict[str, History]:
    """Real runs of the tutorial's length, by name."""
    return dict(zip(RULES, gclip.run([RunConfig(clipper=rule) for rule in RULES.values()]), strict=True))


@pytest.fixture(scope="session")
def overflown() -> list[History]:
    """Real runs over five seeds whose weights stay finite and whose loss does not."""
    settings: dict[str, Any] = {"clipper": "AutoClip(10.0)", "learning_rate": 10, "epochs": 20}
    return gclip.run([RunConfig(**settings, init_seed=seed, batch_seed=seed) for seed in range(5)])


@pytest.fixture(scope="session")
def lost() -> dict[str, History]:
    """Real runs that were clipped and whose weights were lost all the same, by their rule."""
    rules = ("AdaptiveGradientClip(10.0)", "ClipByTensorNorm(1e30)")
    configs = [RunConfig(clipper=rule, learning_rate=10, epochs=6) for rule in rules]
    return dict(zip(rules, gclip.run(configs), strict=True))


@pytest.fixture(scope="session")
def through_time() -> dict[str, dict[str, History]]:
    """Real runs of recurrent networks, by problem and name."""
    configs = [recurrent(problem, **settings) for problem in PROBLEMS for settings in RECURRENT.values()]
    histories = iter(gclip.run(configs))
    return {problem: {name: next(histories) for name in RECURRENT} for problem in PROBLEMS}


@pytest.fixture(scope="session")
def over_seeds() -> dict[str, list[History]]:
    """Real runs over five seeds at a learning rate at which some diverge and some do not, and clipped ones."""
    settings: dict[str, Any] = {"epochs": 3, "learning_rate": 0.0022}
    rules = {"unclipped": "NoClip()", "clipped": "ClipByNorm(1.0)"}
    configs = [
        RunConfig(clipper=rule, init_seed=seed, batch_seed=seed, **settings)
        for rule in rules.values()
        for seed in range(5)
    ]
    histories = gclip.run(configs)
    return {"unclipped": histories[:5], "clipped": histories[5:]}
