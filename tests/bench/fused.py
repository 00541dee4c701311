"""The hand-fused C loop of fused.c: compiled when it is needed, called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gclip import RunConfig
from gclip.training import mlp
from gclip.training.problems import make_data

SOURCE = Path(__file__).with_name("fused.c")
FLAGS = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
VECTOR = 16
"""Units are padded to a multiple of it, as fused.c does."""

Train = Callable[[RunConfig], float]


def fused_loop(folder: Path, config: RunConfig) -> Train | str:
    """Return what trains a run of ``config``'s sizes in C and returns its train loss, or a sentence why not."""
    compiler = next(filter(shutil.which, ("gcc", "cc", "clang")), None)
    if compiler is None:
        return "skipped: there is no C compiler (gcc, cc or clang) on the path."
    library, sizes = folder / "fused.so", [f"-DFEATURES={config.n_features}", f"-DUNITS={config.hidden_units}"]
    done = subprocess.run(
        [compiler, *FLAGS, *sizes, "-o", str(library), str(SOURCE), "-lm"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return f"skipped: {compiler} could not compile it: {' '.join(done.stderr.split())[:200]}"
    train = ctypes.CDLL(str(library)).train
    train.restype = ctypes.c_float
    return lambda config: call(train, config)


def call(train: Callable[..., float], config: RunConfig) -> float:
    """Train one run, clipped by norm 1, and return its train loss."""
    data, net = make_data(config), flat_params(config)
    x, y = (np.ascontiguousarray(part.numpy()) for part in (data.x_train, data.y_train))
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (net, x, y)]
    numbers = [ctypes.c_float(value) for value in (1.0, config.learning_rate, config.momentum)]
    return train(*pointers, len(x), config.epochs, config.batch_size, *numbers, ctypes.c_uint(config.batch_seed))


def flat_params(config: RunConfig) -> np.ndarray:
    """Return the run's initial weights as fused.c's ``Net``: inputs first, units padded with zeros."""
    fresh = {name: param.numpy() for name, param in mlp.initialise(config).items()}
    rows = np.vstack([fresh["hidden.weight"].T, fresh["hidden.bias"][None], fresh["output.weight"]])
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % VECTOR)))
    return np.append(padded.ravel(), fresh["output.bias"]).astype(np.float32)
