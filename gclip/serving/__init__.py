"""Where runs are trained and kept: worker processes, a fair queue, a store; shared by everybody on this server."""

from gclip.serving.runs import Snapshot
from gclip.serving.service import Service, service
from gclip.serving.waiting import QueueFull

__all__ = ["QueueFull", "Service", "Snapshot", "service"]
