"""What the networks with a memory share: sequences as rows, targets after the last step or at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted

from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks.base import Network


class _Scored:
    """Comes before scikit-learn's mixins, whose scores know of no targets at every step."""

    each_: bool
    predict: Any

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of a classifier, R² of a regressor; over all steps where there is a target at every step."""
        found, wanted = self.predict(X), np.asarray(y)
        if self.each_ and sample_weight is not None:
            raise ConfigurationError("score expected no sample_weight, as there is a target at every step.")
        if is_classifier(self):
            return float(accuracy_score(wanted.ravel(), found.ravel(), sample_weight=sample_weight))
        shape = (-1, found.shape[-1]) if found.ndim > 1 else (-1,)
        return float(r2_score(wanted.reshape(shape), found.reshape(shape), sample_weight=sample_weight))


class _Sequences(Network):
    """Rows are sequences: X is (sequences, steps), a number per step, or (sequences, steps, features).

    One long series is X[None]. As sequences do not know of one another, scikit-learn can split, shuffle and predict
    them one by one.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _inputs(self, X: Any, reset: bool = False) -> np.ndarray:
        """X as (sequences, steps, features), float32. Sequences of 3-D X may be of another length than in `fit`."""
        X = np.asarray(X) if isinstance(X, list | tuple) else X
        nested = getattr(X, "ndim", 2) == 3
        if reset:
            self.nested_ = nested
        check_is_fitted(self)
        if nested != self.nested_:
            shapes = ("(sequences, steps)", "(sequences, steps, features)")
            raise ShapeError(f"{type(self).__name__} was fitted with X {shapes[self.nested_]}, received {X.shape}.")
        rows = self._rows(np.reshape(X, (-1, X.shape[2])) if nested else X, reset=reset)
        return np.reshape(rows, X.shape) if nested else rows[:, :, None]

    def _targets(self, X: np.ndarray, y: Any, labels: bool) -> np.ndarray:
        """y checked against X (sequences, steps, features): numbers as (sequences, [steps,] outputs), or labels.

        Sets `each_`: whether there is a target at every step.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        if getattr(y, "ndim", 1) == (2 if labels and self.nested_ else 3):
            self.each_ = True
            found = y
        else:
            self.each_ = False
            found = column_or_1d(y, warn=True) if labels else y
        wanted = X.shape[: 2 if self.each_ else 1]
        kind = None if labels else "numeric"
        found = check_array(found, ensure_2d=False, allow_nd=True, dtype=kind, input_name="y")
        if found.shape[: len(wanted)] != wanted:
            raise ShapeError(
                f"{type(self).__name__} expected a target for each of {wanted[0]} sequences"
                f"{f' and {wanted[1]} steps' if self.each_ else ''}, received y {found.shape}."
            )
        return found
