"""Which threshold? Sweeps of hundreds of runs, what they found, and the threshold that they suggest."""

from gclip.sweeping.axes import KINDS, RULES
from gclip.sweeping.results import FATES, Results
from gclip.sweeping.suggest import Suggestion, suggest
from gclip.sweeping.sweep import MAX_RUNS, Sweep
from gclip.sweeping.usual import usual

__all__ = ["FATES", "KINDS", "MAX_RUNS", "RULES", "Results", "Suggestion", "Sweep", "suggest", "usual"]
