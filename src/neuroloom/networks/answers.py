"""What networks that answer alike share: classes chosen by scores, and one target or several."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, column_or_1d

from neuroloom.errors import DataError


class ByScores(ClassifierMixin):
    """A classifier whose `decision_function` gives one number for two classes, else one per class."""

    classes_: np.ndarray

    def predict(self, X: Any) -> np.ndarray:
        """The class with the highest score, for each row of X."""
        scores = self.decision_function(X)
        apart = scores.ndim == 1 or len(self.classes_) == 2
        return self.classes_[(scores > 0).astype(int) if apart else scores.argmax(axis=1)]


class ByThresholds(ByScores):
    """Threshold units: one for two classes, else one per class; or, for y (rows, units), each with its own column."""

    _labels: Any
    coef_: np.ndarray

    def _unit_targets(self, y: np.ndarray, classes: Any, again: bool) -> np.ndarray:
        """±1 per row and unit; with `again` for the units that there are."""
        if y.ndim == 1 or y.shape[1] == 1:
            labels = self._labels(column_or_1d(y, warn=True), classes, again)
            found = targets_of(labels, len(self.classes_))
        else:
            found = self._by_column(y, classes, again)
        if again and found.shape[1] != len(self.coef_):
            raise DataError(f"{type(self).__name__} expected y for {len(self.coef_)} units, received {found.shape[1]}.")
        return found

    def _by_column(self, y: np.ndarray, classes: Any, again: bool) -> np.ndarray:
        labels = self._labels(y.ravel(), classes, again).reshape(y.shape)
        if len(self.classes_) != 2:
            raise DataError(
                f"{type(self).__name__} expected the same two classes in each column of y, received "
                f"{self.classes_.tolist()}."
            )
        return np.where(labels == 1, 1, -1).astype(np.float32)

    def _scores(self, sums: np.ndarray) -> np.ndarray:
        return sums[:, 0] if sums.shape[1] == 1 else sums


def targets_of(labels: np.ndarray, classes: int) -> np.ndarray:
    """±1 per row and unit: one unit for two classes, else one per class."""
    hit = labels[:, None] == (np.arange(classes) if classes > 2 else np.array([1]))
    return np.where(hit, 1, -1).astype(np.float32)


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
