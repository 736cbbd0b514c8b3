"""Fuzzy ARTMAP: adaptive resonance that learns classes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from neuroloom.config import Real
from neuroloom.networks.resonance.art import Share, _Boxes


class ARTMAP(ClassifierMixin, _Boxes):
    """Fuzzy ARTMAP: boxes of one class each, made as small as the examples ask for.

    As `FuzzyART`, with a class for each category, that of its first example. Where the winner J for an example is of
    another class, it is reset and vigilance rises for this example (match tracking):

        ρ ← |I ∧ w_J| / d + ε

    and the search goes on; if none is left, a new category of the example's class has w = I. The answer for a row is
    the class of the category of largest choice T.

    With fast learning (β = 1) and ε ≥ 0, a pass that changes nothing leaves no example of the training wrong: a winner
    that vigilance was raised for has a larger T than one before it as soon as the example lies in its box. It comes
    to that unless equal rows have different classes; then ε < 0 keeps them from making new categories in each pass.

    Args:
        vigilance: ρ at the start of each search; 0 makes the fewest categories.
        choice: α. Near 0 a row that lies in boxes goes to the smallest of them.
        learning_rate: β; 1 is fast learning.
        fast_commit: whether a new category takes its first row in at once, however small β.
        epsilon: ε.
        bounds: (low, high): what becomes 0 and 1 in each feature. None: the smallest and largest number of each
            feature in the rows of `fit`, or of the first `partial_fit`. Numbers beyond count as the bound.
        max_categories: how many there may be. Examples that find none when all are in use are not learned (a warning
            says how many).
        max_iter: most passes over the examples, in their order.

    Attributes:
        templates_: w, (categories, 2 · features).
        category_labels_: the class of each category, as a position in `classes_`.
        boxes_: the corners of each category's box in units of X, (categories, 2, features).
        lower_, upper_: the bounds of each feature.
        n_categories_: how many there are.
        classes_: the labels.
        n_iter_: passes done.

    Source: G. Carpenter, S. Grossberg, N. Markuzon, J. Reynolds, D. Rosen, "Fuzzy ARTMAP: a neural network architecture
    for incremental supervised learning of analog multidimensional maps", IEEE Trans. Neural Networks 3 (1992), whose
    second module ART_b is here the label itself; ε < 0 after G. Carpenter, N. Markuzon, "ARTMAP-IC and medical
    diagnosis", Neural Networks 11 (1998). artlib calls this SimpleARTMAP and makes one pass unless told otherwise.

    >>> X, y = [[1, 1], [3, 3], [2, 2], [9, 9]], ["out", "out", "in", "far"]
    >>> net = ARTMAP(bounds=(0, 10)).fit(X, y)
    >>> print(net.predict(X), net.n_categories_)
    ['out' 'out' 'in' 'far'] 3
    """

    vigilance: Share = 0.0
    epsilon: Real = 0.001

    def fit(self, X: Any, y: Any) -> ARTMAP:
        """Learn from X (examples, features) with labels y, in passes until one changes nothing."""
        return self._learn(X, y, None, False)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> ARTMAP:
        """Learn these examples in addition, in one pass. The first call has to name all classes that will come."""
        return self._learn(X, y, classes, hasattr(self, "templates_"), 1)

    def predict(self, X: Any) -> np.ndarray:
        """The label of each row of X."""
        X = self._rows(X, reset=False)
        p = self._checked()
        found = self._winners(p, self._coded(p, X), vigilance=-2.0)  # below every match: one always wins
        return self.classes_[self.category_labels_[found]]

    def _learn(self, X: Any, y: Any, classes: Any, again: bool, passes: int | None = None) -> ARTMAP:
        p = self._start(again)
        X, y = self._rows(X, y, reset=not again)
        labels = self._labels(y, classes, again)
        if not again:
            self._bound(p, X)
        self.category_labels_: np.ndarray = self._resonate(
            p, self._coded(p, X), labels, again, passes or p.max_iter
        )  # fmt: skip
        return self

    def _marks(self) -> np.ndarray:
        return self.category_labels_

    def _settings(self, p: SimpleNamespace) -> dict[str, float]:
        return super()._settings(p) | {"epsilon": p.epsilon}
