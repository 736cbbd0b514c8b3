"""Objects that watch a training and act on it."""

from neuroloom.learning.callbacks.base import Callback, CallbackList, LambdaCallback, TerminateOnNaN
from neuroloom.learning.callbacks.checkpoint import ModelCheckpoint
from neuroloom.learning.callbacks.loggers import CSVLogger, JSONLogger
from neuroloom.learning.callbacks.monitor import EarlyStopping, Monitor
from neuroloom.learning.callbacks.rates import LearningRateScheduler, ReduceLROnPlateau

__all__ = [
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "ModelCheckpoint",
    "LearningRateScheduler",
    "ReduceLROnPlateau",
    "CSVLogger",
    "JSONLogger",
    "TerminateOnNaN",
    "LambdaCallback",
    "Monitor",
]
