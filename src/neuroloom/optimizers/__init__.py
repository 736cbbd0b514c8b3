"""Update rules and learning-rate schedules, with the names and defaults of Keras 3."""

from typing import Any

from neuroloom import config
from neuroloom.calls import public
from neuroloom.optimizers import schedules
from neuroloom.optimizers.adagrad import Adagrad
from neuroloom.optimizers.adam import Adam, AdamW
from neuroloom.optimizers.base import Optimizer
from neuroloom.optimizers.rmsprop import RMSprop
from neuroloom.optimizers.sgd import SGD

__all__ = ["Optimizer", "SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "schedules", "get"]

public(__name__)


def get(spec: Any) -> Optimizer:
    """An optimizer from itself, its name, its class or its configuration.

    >>> get("rmsprop")
    RMSprop()
    """
    return config.get("optimizer", spec)
