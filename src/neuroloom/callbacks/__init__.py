"""Objects that watch a training and act on it (see `neuroloom.learning.callbacks`)."""

from neuroloom.callbacks.tensorboard import TensorBoard
from neuroloom.calls import public
from neuroloom.learning.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    JSONLogger,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)

__all__ = [
    "Callback", "EarlyStopping", "ModelCheckpoint", "LearningRateScheduler", "ReduceLROnPlateau", "CSVLogger",
    "JSONLogger", "TerminateOnNaN", "LambdaCallback",
    "TensorBoard",
]  # fmt: skip

public(__name__)
