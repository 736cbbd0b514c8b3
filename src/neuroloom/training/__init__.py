"""Learning: one step, one loop, and what watches it."""

from neuroloom.training.callbacks import CallbackList
from neuroloom.training.fitting import Course
from neuroloom.training.history import History
from neuroloom.training.loop import Runner, compilations
from neuroloom.training.plan import Plan
from neuroloom.training.predicting import predict
from neuroloom.training.progress import Progress
from neuroloom.training.step import Target, Task

__all__ = [
    "CallbackList", "Course", "History", "Plan", "Progress", "Runner", "Target", "Task", "compilations", "predict",
]  # fmt: skip
