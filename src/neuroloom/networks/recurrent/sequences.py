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
        found = self.predict(X)
        if self.each_ and sample_weight is not None:
            raise ConfigurationError("score expected no sample_weight, as there is a target at every step.")
        if isinstance(found, list):  # sequences of unequal lengths
            found, y = np.concatenate(found), np.concatenate([np.asarray(part) for part in y])
        wanted = np.asarray(y)
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
        y = np.asarray(y) if isinstance(y, list | tuple) else y
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


class _Unequal(_Sequences):
    """Sequences may be of unequal lengths: then X is a list of arrays, (steps,) or (steps, features).

    Shorter ones are padded inside, and what is padded counts nowhere.
    """

    def _padded(self, X: Any, reset: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """X as (sequences, steps, features), and which steps there are, (sequences, steps); None: all."""
        if reset:
            self.unequal_: bool = unequal(X)
        if not (unequal(X) or getattr(self, "unequal_", False)):
            return self._inputs(X, reset=reset), None
        parts = [np.asarray(part) for part in X]
        parts = [part[:, None] if part.ndim == 1 else part for part in parts]
        if reset:
            self.nested_ = True
        check_is_fitted(self)
        if not self.nested_:
            raise ShapeError(f"{type(self).__name__} was fitted with X (sequences, steps), received unequal lengths.")
        if not all(len(part) for part in parts) or len({part.shape[1:] for part in parts}) != 1:
            raise ShapeError(
                f"{type(self).__name__} expected sequences (steps, features) of one number of features and at least "
                f"one step, received shapes {sorted({part.shape for part in parts})}."
            )
        lengths = np.array([len(part) for part in parts])
        real = np.arange(lengths.max()) < lengths[:, None]
        return scattered(self._rows(np.concatenate(parts), reset=reset), real), real

    def _targets_of(self, X: np.ndarray, real: np.ndarray | None, y: Any, labels: bool) -> np.ndarray:
        """`_targets`; for unequal lengths with a target at every step those of all steps in one row: (steps, ...)."""
        if real is None or not unequal(y):
            found = self._targets(X, y, labels)
            if real is None or not self.each_:
                return found
        parts, lengths = [np.asarray(part) for part in y], real.sum(axis=1).tolist()
        if (labels and any(part.ndim != 1 for part in parts)) or [len(part) for part in parts] != lengths:
            raise ShapeError(
                f"{type(self).__name__} expected targets at every step as a list of arrays as long as the sequences, "
                f"received shapes {[part.shape for part in parts][:5]} for lengths {lengths[:5]}."
            )
        self.each_ = True
        kind = None if labels else "numeric"
        found = check_array(np.concatenate(parts), ensure_2d=False, dtype=kind, input_name="y")
        return found if labels or found.ndim == 2 else found[:, None]


def unequal(X: Any) -> bool:
    """Whether X is a list of sequences of more than one length."""
    if not isinstance(X, list | tuple) and getattr(getattr(X, "dtype", None), "kind", None) != "O":
        return False
    several = all(isinstance(part, list | tuple) or getattr(part, "ndim", 0) for part in X)
    return several and len({len(part) for part in X}) > 1


def scattered(rows: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Rows, (steps of all sequences, columns), at their places: (sequences, steps, columns), 0 elsewhere."""
    found = np.zeros((*real.shape, rows.shape[1]), rows.dtype)
    found[real] = rows
    return found
