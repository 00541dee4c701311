"""How a network is trained: run configs, problems, models, the stacked loop, records and verdicts."""

from gclip.training.config import Config, RunConfig, explain
from gclip.training.history import History
from gclip.training.loop import one_thread, run, train
from gclip.training.record import Chunk, Event, Record
from gclip.training.recurrent_config import RecurrentConfig
from gclip.training.summary import Summary
from gclip.training.tasks import restore

__all__ = [
    "Chunk",
    "Config",
    "Event",
    "History",
    "Record",
    "RecurrentConfig",
    "RunConfig",
    "Summary",
    "explain",
    "one_thread",
    "restore",
    "run",
    "train",
]
