"""A run as a script that a learner can take away: PyTorch for the same numbers, Keras for the same idea."""

from gclip.export.keras_script import keras
from gclip.export.torch_script import pytorch

__all__ = ["keras", "pytorch"]
