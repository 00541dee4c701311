"""A worker in which training raises for batch seed 666, and kills its own process for batch seed 667."""

import os
import signal
from collections.abc import Iterator, Sequence

from gclip.serving import worker
from gclip.training import Chunk, Record, RunConfig, train


def spoilt(configs: Sequence[RunConfig], record: type[Record]) -> Iterator[Chunk]:
    for chunk in train(configs, record):
        yield chunk
        if any(config.batch_seed == 666 for config in configs):
            raise ZeroDivisionError("no\nsuch number")
        if any(config.batch_seed == 667 for config in configs):
            os.kill(os.getpid(), signal.SIGKILL)


worker.train = spoilt  # type: ignore[assignment]
worker.main()
