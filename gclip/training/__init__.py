"""How a network is trained: run configs, problems, models, the stacked loop, histories and verdicts."""

from gclip.training.config import Config, RunConfig, explain
from gclip.training.history import Chunk, Event, History
from gclip.training.loop import one_thread, run, train
from gclip.training.recurrent_config import RecurrentConfig
from gclip.training.tasks import restore

__all__ = [
    "Chunk",
    "Config",
    "Event",
    "History",
    "RecurrentConfig",
    "RunConfig",
    "explain",
    "one_thread",
    "restore",
    "run",
    "train",
]
