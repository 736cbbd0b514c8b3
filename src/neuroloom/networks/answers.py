"""What networks that answer alike share: classes chosen by scores, and one target or several."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Tags


class ByScores(ClassifierMixin):
    """A classifier whose `decision_function` gives one number for two classes, else one per class."""

    classes_: np.ndarray

    def predict(self, X: Any) -> np.ndarray:
        """The class with the highest score, for each row of X."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]


class ManyTargets(RegressorMixin):
    """A regressor of one target, y of shape (rows,), or of several, (rows, targets)."""

    def _columns(self, y: np.ndarray) -> np.ndarray:
        """y as (rows, targets); keeps which of the two it was."""
        self.single_: bool = y.ndim == 1
        return y[:, None] if self.single_ else y

    def _as_given(self, answers: np.ndarray) -> np.ndarray:
        """Answers, (rows, targets), in the shape that y had."""
        return answers[:, 0] if self.single_ else answers

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
