"""Learning: one step, one loop, and what watches it."""

from neuroloom.learning.callbacks import CallbackList
from neuroloom.learning.history import History
from neuroloom.learning.loop import Runner, compilations
from neuroloom.learning.plan import Plan
from neuroloom.learning.predicting import predict
from neuroloom.learning.progress import Progress
from neuroloom.learning.supervised import Supervised, Target
from neuroloom.learning.trainer import Trainer

__all__ = [
    "CallbackList", "History", "Plan", "Progress", "Runner", "Supervised", "Target", "Trainer", "compilations",
    "predict",
]  # fmt: skip
