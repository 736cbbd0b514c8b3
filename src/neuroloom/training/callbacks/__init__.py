"""Objects that watch a training and act on it."""

from neuroloom.training.callbacks.base import Callback, CallbackList, LambdaCallback, TerminateOnNaN
from neuroloom.training.callbacks.checkpoint import ModelCheckpoint
from neuroloom.training.callbacks.loggers import CSVLogger, JSONLogger
from neuroloom.training.callbacks.monitor import EarlyStopping, Monitor
from neuroloom.training.callbacks.rates import LearningRateScheduler, ReduceLROnPlateau

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
