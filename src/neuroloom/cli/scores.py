"""How good predictions are, beside the best guess that looks at no input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from neuroloom import plots
from neuroloom.cli.terminal import digits, show_fact, show_table
from neuroloom.data.targets import Label
from neuroloom.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDEST_MATRIX = 12  # classes whose confusion matrix fits a terminal
LONGEST_NAME = 12


class Scores(Protocol):
    """Predictions of one part of the data, judged."""

    @property
    def head(self) -> tuple[str, str, str]:
        """The head of the table: part and number of rows, model, baseline."""

    @property
    def cells(self) -> list[tuple[str, str, str]]:
        """Its rows: measure, model, baseline."""

    def numbers(self) -> dict[str, float]:
        """The measures, in full precision."""

    def show_errors(self) -> None:
        """Print where predictions are wrong."""

    def figure(self) -> Figure:
        """Draw where predictions are wrong."""

    @property
    def figure_title(self) -> str:
        """What the figure shows."""


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Classes predicted.

    Attributes:
        true, predicted: class numbers, shape (rows,).
        classes: their labels.
        usual: the class number that was most frequent in training: the baseline predicts it always.
    """

    true: np.ndarray
    predicted: np.ndarray
    classes: tuple[Label, ...]
    usual: int

    figure_title = "Confusion matrix"

    @property
    def head(self) -> tuple[str, str, str]:
        return f"Test on {len(self.true):,} rows", "model", f"always {str(self.classes[self.usual])!r}"

    @property
    def cells(self) -> list[tuple[str, str, str]]:
        right = int((self.true == self.predicted).sum())
        n = self.numbers()
        usual = round(n["baseline_accuracy"] * len(self.true))
        return [
            ("accuracy", f"{n['accuracy']:.4f}", f"{n['baseline_accuracy']:.4f}"),
            ("right", f"{right:,}", f"{usual:,}"),
            ("wrong", f"{len(self.true) - right:,}", f"{len(self.true) - usual:,}"),
        ]

    def numbers(self) -> dict[str, float]:
        return {
            "accuracy": float((self.true == self.predicted).mean()),
            "baseline_accuracy": float((self.true == self.usual).mean()),
        }

    @property
    def matrix(self) -> np.ndarray:
        """Counts, shape (classes, classes): rows are true classes, columns predicted ones."""
        n = len(self.classes)
        return np.bincount(self.true * n + self.predicted, minlength=n * n).reshape(n, n)

    def show_errors(self) -> None:
        names = _short(self.classes)
        if len(names) <= WIDEST_MATRIX and sum(len(name) + 2 for name in names) <= 60:
            rows = [[name, *(str(c) if c else "·" for c in row)] for name, row in zip(names, self.matrix, strict=True)]
            show_table(["true \\ predicted", *names], rows)
        elif pairs := self._confusions():
            show_fact("Confused", "; ".join(pairs) + ".")

    def _confusions(self, most: int = 5) -> list[str]:
        """The most frequent confusions in words."""
        wrong = self.matrix - np.diag(np.diag(self.matrix))
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = [(i, j) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[i, j]]
        return [f"{self.classes[i]} taken for {self.classes[j]}: {wrong[i, j]}" for i, j in pairs]

    def figure(self) -> Figure:
        return plots.confusion_matrix(self.matrix, _short(self.classes))


@dataclass(frozen=True, eq=False)
class ValueScores:
    """Numbers predicted.

    Attributes:
        true, predicted: in the units of the table, shape (rows,).
        usual: the mean of the training values: the baseline predicts it always.
    """

    true: np.ndarray
    predicted: np.ndarray
    usual: float

    figure_title = "Predictions and their errors"

    @property
    def head(self) -> tuple[str, str, str]:
        return f"Test on {len(self.true):,} rows", "model", f"always {digits(self.usual, float(self.true.std()))}"

    @property
    def cells(self) -> list[tuple[str, str, str]]:
        n = self.numbers()
        names = {"rmse": "RMSE (root mean squared error)", "mae": "MAE (mean absolute error)", "r2": "R²"}
        return [(name, f"{n[key]:.4g}", f"{n[f'baseline_{key}']:.4g}") for key, name in names.items()]

    def numbers(self) -> dict[str, float]:
        always = np.full_like(self.true, self.usual)
        mine, base = _errors(self.true, self.predicted), _errors(self.true, always)
        return {**mine, **{f"baseline_{name}": value for name, value in base.items()}}

    def show_errors(self) -> None:
        low, middle, high = np.quantile(self.predicted - self.true, [0.05, 0.5, 0.95])
        show_fact("Residuals", f"predicted - true: median {middle:.3g}, 9 of 10 from {low:.3g} to {high:.3g}.")

    def figure(self) -> Figure:
        return plots.residuals(self.true, self.predicted)


def judge(outputs: np.ndarray, target: np.ndarray, preparation: Any, usual: float) -> Scores:
    """The scores of a network's outputs.

    Args:
        outputs: (rows, classes) probabilities, or (rows, 1) standardised values.
        target: (rows,) class numbers or standardised values.
        preparation: knows the classes and the units.
        usual: the baseline, see `usual_target`.
    """
    if preparation.classes:
        return ClassScores(target, outputs.argmax(1), preparation.classes, int(usual))
    return ValueScores(preparation.values(target), preparation.values(outputs[:, 0]), usual)


def usual_target(target: np.ndarray, preparation: Any) -> float:
    """What a guess without inputs says: the most frequent class number, or the mean value."""
    if preparation.classes:
        return int(np.bincount(target).argmax())
    return float(preparation.values(target).mean())


def _errors(true: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """RMSE, MAE and R² = 1 - Σ(predicted - true)² / Σ(true - mean)² (0 where all true values are equal)."""
    if not len(true):
        raise DataError("Scores expected at least one row, received none.")
    error, spread = predicted - true, float(((true - true.mean()) ** 2).sum())
    squared = float((error**2).sum())
    return {
        "rmse": (squared / len(true)) ** 0.5,
        "mae": float(np.abs(error).mean()),
        "r2": 1 - squared / spread if spread else 0.0,
    }


def _short(classes: Sequence[Label]) -> list[str]:
    texts = [str(label) for label in classes]
    return [t if len(t) <= LONGEST_NAME else f"{t[: LONGEST_NAME - 1]}…" for t in texts]
