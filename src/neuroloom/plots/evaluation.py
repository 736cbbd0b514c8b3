"""How good predictions are: classes confused, and errors of a regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import DataError, ShapeError
from neuroloom.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANY_CLASSES = 12  # from here on a cell holds its count only
TOO_MANY_CLASSES = 25  # and from here on its colour only


def confusion_matrix(matrix: Any, names: Sequence[str] | None = None) -> Figure:
    """Which classes are taken for which others: counts, coloured and (for few classes) given as shares of the row.

    Args:
        matrix: (classes, classes) counts; rows are the true classes, columns the predicted ones.
        names: what to call the classes; 0, 1, 2, ... by default.

    Raises:
        ShapeError: the matrix is not square, or there are not as many names as classes.
        DataError: a count is negative or not finite.

    >>> figure = confusion_matrix([[8, 2], [1, 9]], ["cat", "dog"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['8\\n80 %', '2\\n20 %', '1\\n10 %', '9\\n90 %']
    """
    counts = _counts(matrix)
    n = len(counts)
    labels = [str(i) for i in range(n)] if names is None else [str(name) for name in names]
    if len(labels) != n:
        raise ShapeError(f"confusion_matrix expected {n} names, one per class, received {len(labels)}.")
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    size = float(np.clip(0.62 * n, 2.6, 9))
    figure = style.blank(size + 1.1, size + 0.7)
    axes = figure.add_subplot()
    style.plain(axes, "", "Predicted class", "True class")
    mesh = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _class_labels(axes, labels)
    _cell_texts(axes, counts, shares)
    if n >= MANY_CLASSES:
        _colour_bar(axes, mesh)
    return figure


def _colour_bar(axes: Axes, mesh: Any) -> None:
    bar = axes.figure.colorbar(mesh, cax=axes.inset_axes((1.03, 0, 0.025, 1)), ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0 %", "50 %", "100 %"])
    bar.set_label("Share of the true class", fontsize=style.LABEL, color=style.INK)
    bar.ax.tick_params(labelsize=style.SMALL, labelcolor=style.INK, color=style.FAINT, length=3)
    bar.outline.set_visible(False)


def _counts(matrix: Any) -> np.ndarray:
    counts = np.asarray(matrix, np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ShapeError(
            f"confusion_matrix expected shape (classes, classes), received {counts.shape}. "
            f"sklearn.metrics.confusion_matrix(y_true, y_pred) makes such a matrix from labels."
        )
    if not (np.isfinite(counts) & (counts >= 0)).all():
        raise DataError(f"confusion_matrix expected counts of at least 0, received {counts.min()}.")
    return counts


def _class_labels(axes: Axes, labels: list[str]) -> None:
    step = max(1, len(labels) // TOO_MANY_CLASSES)
    at = range(0, len(labels), step)
    tilt = 40 if max(map(len, labels)) > 4 else 0
    axes.set_xticks(at, labels[::step], rotation=tilt, ha="right" if tilt else "center", rotation_mode="anchor")
    axes.set_yticks(at, labels[::step])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if len(labels) < TOO_MANY_CLASSES:  # white lines between the cells
        axes.set_xticks(np.arange(len(labels) - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(len(labels) - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)


def _cell_texts(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    n = len(counts)
    if n >= TOO_MANY_CLASSES:
        return
    for (row, column), count in np.ndenumerate(counts):
        text = f"{count:g}" + (f"\n{shares[row, column]:.0%}".replace("%", " %") if n < MANY_CLASSES else "")
        colour = "white" if shares[row, column] > 0.55 else style.INK if count else style.FAINT
        axes.text(column, row, text, ha="center", va="center", fontsize=style.SMALL, color=colour)


def residuals(y: Any, predicted: Any) -> Figure:
    """A regression's errors: predictions against true values, and the distribution of predicted - true.

    R² = 1 - Σ(predicted - true)² / Σ(true - mean)², RMSE = √(mean (predicted - true)²).

    Args:
        y: (n,) or (n, 1) true values.
        predicted: as many predictions.

    Raises:
        ShapeError: the arrays do not have one number per sample, or not equally many.
        DataError: a value is not finite, or there is none.
    """
    true, guess = _column(y, "y"), _column(predicted, "predicted")
    if true.shape != guess.shape:
        raise ShapeError(f"residuals expected equally many numbers, received {len(true)} and {len(guess)}.")
    figure = style.blank(7.6, 3.5)
    left, right = figure.subplots(1, 2)
    _scatter(left, true, guess)
    _histogram(right, guess - true)
    return figure


def _column(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ShapeError(
            f"residuals expected {name} of shape (n,) or (n, 1), received {array.shape}. Draw one output at a time."
        )
    if not array.size or not np.isfinite(array).all():
        raise DataError(f"residuals expected finite numbers in {name}, received {'NaN' if array.size else 'none'}.")
    return array


def _scatter(axes: Axes, true: np.ndarray, guess: np.ndarray) -> None:
    spread = ((true - true.mean()) ** 2).sum()
    error = ((guess - true) ** 2).sum()
    score = f"R² = {1 - error / spread:.3f}, " if spread else ""
    style.plain(axes, f"{score}RMSE = {np.sqrt(error / len(true)):.4g}", "True value", "Predicted value")
    low, high = min(true.min(), guess.min()), max(true.max(), guess.max())
    margin = 0.04 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color=style.FAINT, linewidth=0.9, linestyle=(0, (2, 2)), zorder=3)
    alpha = float(np.clip(30 / np.sqrt(len(true)), 0.08, 0.8))
    axes.scatter(true, guess, s=14, color=style.BLUE, alpha=alpha, linewidths=0, rasterized=len(true) > 3000)
    axes.set(xlim=limits, ylim=limits, aspect="equal")


def _histogram(axes: Axes, error: np.ndarray) -> None:
    style.plain(axes, "Distribution of the errors", "Predicted − true", "Samples")
    bins = int(np.clip(np.sqrt(len(error)), 5, 50))
    axes.hist(error, bins=bins, color=style.BLUE, alpha=0.85, edgecolor="white", linewidth=0.6)
    axes.axvline(0, color=style.FAINT, linewidth=0.9, linestyle=(0, (2, 2)))
    mean = error.mean()
    axes.axvline(mean, color=style.ORANGE, linewidth=1.4)
    above: Any = {"transform": axes.get_xaxis_transform(), "va": "top", "fontsize": style.SMALL}
    axes.text(mean, 1.0, f" mean {mean:.3g}", color=style.ORANGE, **above)
