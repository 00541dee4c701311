"""Sweeps that are trained once for all tests of this folder."""

import pytest

import gclip
from gclip.sweeping import Results, Sweep
from gclip.training import Summary


@pytest.fixture(scope="session")
def trained() -> Results:
    """A small real curve of the tutorial's network, from too tight to too loose."""
    sweep = Sweep(shared=gclip.RunConfig(epochs=30), low=0.01, high=1000, count=11, seeds=3)
    return Results(sweep, gclip.run(sweep.configs(), Summary))
