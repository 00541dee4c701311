"""A run as a script to take away: the same numbers in PyTorch and Lightning, the same idea in Keras and Optax."""

from gclip.export.keras_script import keras
from gclip.export.lightning_script import lightning
from gclip.export.optax_script import optax
from gclip.export.torch_script import pytorch

__all__ = ["keras", "lightning", "optax", "pytorch"]
