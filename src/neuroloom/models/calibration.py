"""Whether predicted probabilities are what they say: of all answers given with 80 per cent, are 80 per cent right?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom import plots
from neuroloom.config import Integer
from neuroloom.data.sources import sample_count
from neuroloom.errors import DataError, ShapeError
from neuroloom.models.model import _checked

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Calibration:
    """Figures of calibration. An answer is the most probable class, its confidence c that probability.

    Attributes:
        error: the expected calibration error Σ (nᵦ / n) |accuracyᵦ - confidenceᵦ| over bins b of confidence.
        brier: the Brier score, the mean of Σₖ (pₖ - [y is k])²; for one unit of (p - y)², half as much.
        accuracy: the share of right answers.
        confidences, accuracies, counts: the reliability curve, (bins,): the mean confidence and the share of right
            answers in each of the bins (i / bins, (i + 1) / bins], NaN where it is empty; and how many fall into it.

    Sources: Brier, Verification of forecasts expressed in terms of probability, 1950. Guo et al., On calibration of
    modern neural networks, 2017.
    """

    error: float
    brier: float
    accuracy: float
    confidences: np.ndarray
    accuracies: np.ndarray
    counts: np.ndarray

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """The reliability curve; with `path`, also as a file."""
        figure = plots.reliability(self.confidences, self.accuracies, self.counts)
        if path is not None:
            figure.savefig(path, dpi=200)
        return figure

    def __repr__(self) -> str:
        return f"<Calibration: error {self.error:.4f}, Brier score {self.brier:.4f}, accuracy {self.accuracy:.4f}>"


def calibration(y: Any, p: Any, bins: int = 10) -> Calibration:
    """The calibration of probabilities.

    Args:
        y: classes, whole numbers of shape (samples,) or (samples, 1), or one-hot rows.
        p: probabilities, (samples, classes), or (samples, 1) or (samples,) of class 1.
        bins: of equal width between 0 and 1.

    Raises:
        DataError: p are no probabilities, or y no classes of them.

    >>> calibration([1, 1, 0, 1], [0.9, 0.9, 0.9, 0.9])  # 90 per cent sure, 75 per cent right
    <Calibration: error 0.1500, Brier score 0.2100, accuracy 0.7500>
    """
    bins = _checked("bins", bins, Integer(1))
    p = _probabilities(np.asarray(p, np.float64))
    labels = _labels(np.asarray(y), p.shape[1])
    sample_count(y=labels, probabilities=p)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    means = [np.bincount(place, values, bins) / np.where(counts, counts, np.nan) for values in (confidence, right)]
    squares = np.sum((p - np.eye(p.shape[1])[labels]) ** 2, axis=1)
    return Calibration(
        error=float(np.nansum(counts * np.abs(means[0] - means[1])) / len(labels)),
        brier=float(squares.mean() / (2 if p.shape[1] == 2 else 1)),
        accuracy=float(right.mean()),
        confidences=means[0],
        accuracies=means[1],
        counts=counts,
    )


def _probabilities(p: np.ndarray) -> np.ndarray:
    """(samples, classes), checked; one column means two classes."""
    if p.ndim == 1 or p.shape[1:] == (1,):
        p = p.reshape(-1, 1)
        p = np.concatenate([1 - p, p], axis=1)
    if p.ndim != 2:
        raise ShapeError(f"calibration expected probabilities of shape (samples, classes), received {p.shape}.")
    if not (np.all(p >= -1e-6) and np.all(p <= 1 + 1e-6) and np.allclose(p.sum(axis=1), 1, atol=1e-3)):
        raise DataError(
            "calibration expected probabilities: numbers from 0 to 1 that sum to 1 in each row. End the network in "
            "sigmoid or softmax."
        )
    return p


def _labels(y: np.ndarray, classes: int) -> np.ndarray:
    """Class numbers, checked."""
    if y.ndim == 2 and y.shape[1] == classes and classes > 1:
        one_hot = np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
        y = y.argmax(axis=1) if one_hot else y
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or not np.isin(y, np.arange(classes)).all():
        raise DataError(f"calibration expected in y a class from 0 to {classes - 1} per sample.")
    return y.astype(np.int64)
