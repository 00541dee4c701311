"""What the tutorial's own code costs in Keras 3, in a process of its own for each backend.

    KERAS_BACKEND=torch python tests/bench/keras_tutorial.py

Prints one JSON line. A fit of one epoch builds and compiles everything first, and is reported apart, as is the
import; what is timed is a second fit of 100 epochs, with the validation after each epoch that the tutorial asks for.
Processor time of all threads; the backends are asked for one thread. A fit that would take more than 60 s is cut
short and scaled up.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

EPOCHS = 100
LONGEST = 60.0
"""Seconds that the timed fit may take."""

BACKENDS = ("torch", "tensorflow", "jax")
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class Cost(NamedTuple):
    """Processor seconds of the imports and the data, of the first epoch, and of 100 more, ``epochs`` really trained."""

    imports: float
    first: float
    fit: float
    epochs: int
    train_loss: float


def installed() -> list[str]:
    """Return the backends that this environment has, if it has Keras."""
    return [name for name in BACKENDS if importlib.util.find_spec("keras") and importlib.util.find_spec(name)]


def cost(backend: str) -> Cost:
    """Run the tutorial's code on ``backend`` and return what it said of itself."""
    done = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, **ONE_THREAD, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"{Path(__file__).name} on {backend}: {done.stderr[-1000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def tutorial() -> tuple[Any, dict[str, Any]]:
    """Return the tutorial's compiled model, and what its fit is called with."""
    import keras
    from sklearn.datasets import make_regression

    x, y, *_ = make_regression(n_samples=1000, n_features=20, noise=0.1, random_state=1)
    model = keras.Sequential([keras.Input((20,))])
    model.add(keras.layers.Dense(25, activation="relu", kernel_initializer="he_uniform"))
    model.add(keras.layers.Dense(1, activation="linear"))
    optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9, clipnorm=1.0)
    model.compile(loss="mean_squared_error", optimizer=optimizer)
    return model, {"x": x[:500], "y": y[:500], "validation_data": (x[500:], y[500:]), "verbose": 0}


def measure() -> Cost:
    """Train the tutorial's model in this process, and return what each part of it cost."""
    model, fields = tutorial()
    imports = time.process_time()
    model.fit(**fields, epochs=1)
    first = time.process_time() - imports
    start = time.process_time()
    model.fit(**fields, epochs=2)
    each = (time.process_time() - start) / 2
    epochs = min(EPOCHS, max(2, int(LONGEST / each)))
    start = time.process_time()
    history = model.fit(**fields, epochs=epochs)
    fit = (time.process_time() - start) * EPOCHS / epochs
    return Cost(imports, first, fit, epochs, float(history.history["loss"][-1]))


if __name__ == "__main__":
    print(json.dumps(measure()._asdict()))
