"""How a network is trained: run configs, problems, models, the stacked loop, histories and verdicts."""

from gclip.training.config import RunConfig, explain
from gclip.training.history import Chunk, Event, History
from gclip.training.loop import one_thread, run, train

__all__ = ["Chunk", "Event", "History", "RunConfig", "explain", "one_thread", "run", "train"]
