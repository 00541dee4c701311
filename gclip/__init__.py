"""gclip: learn gradient clipping by experiment.

The folders, from the bottom up; imports run down only:

* `gclip.clipping`: what we teach, one clipping rule a file, torch only;
* `gclip.training`: how a network is trained, and what is measured on the way;
* `gclip.sweeping`: which threshold: many runs under many thresholds, what they found, and what they suggest;
* `gclip.export`: the same run as a script for PyTorch, Lightning, Keras or Optax; histories and sweeps as tables;
* `gclip.serving`: where runs are trained and kept, for many people at once;
* `gclip.commands`: the command line, ``python -m gclip``;
* `gclip.dashboard`: how they are shown.

In a notebook the first two are enough::

    import gclip
    from gclip.clipping import ClipByNorm

    unclipped, clipped = gclip.run([gclip.RunConfig(), gclip.RunConfig(clipper=ClipByNorm(1.0))])
    print(unclipped.diverged_at, clipped.test_loss[-1])
"""

import os

# MKL chooses a matrix product's kernel by where its operands happen to lie in memory, and so may round the same lane
# differently in different company. This asks for one kernel; it holds only if set before the first product.
os.environ.setdefault("MKL_CBWR", "AUTO")

from gclip.training import Chunk, Event, History, RecurrentConfig, RunConfig, Summary, explain, run, train

__all__ = ["Chunk", "Event", "History", "RecurrentConfig", "RunConfig", "Summary", "explain", "run", "train"]
