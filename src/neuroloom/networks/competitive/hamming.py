"""Lippmann's Hamming network: exemplars compared bit by bit, and a net in which the best match wins."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_sample_weight

from neuroloom import ops
from neuroloom.config import Number, PositiveInt
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError
from neuroloom.networks.base import Network, costs, direct
from neuroloom.typing import Array


class HammingNetwork(ClassifierMixin, Network):
    """The class whose exemplar shares the most bits with the input, found by neurons that inhibit each other.

    Inputs are patterns of ±1 (1 where X is above 0). Each class has one exemplar e_j: the row that stands for it, or of
    several rows the value that most have (±: 1). A layer counts equal bits, and MAXNET, in which each unit holds all
    others down, goes on until one is above 0 (f cuts below 0):

        y_j = (N + x·e_j) / 2;   then   y_j ← f(y_j - ε Σ_{k ≠ j} y_k),   ε < 1/classes

    This is the best classifier for bits that are flipped independently of each other with equal probability. Equally
    good matches hold each other down for ever: the first of them is the answer.

    Args:
        inhibition: ε; None is 1 / (classes + 1). It has to be below 1 / (classes - 1), or all may fall silent.
        max_steps: most steps of MAXNET.

    Attributes:
        exemplars_: e, (classes, features), of -1 and 1.
        votes_: Σ of ±1 over the rows of each class, (classes, features).
        classes_: the labels.

    Source: R. Lippmann, "An introduction to computing with neural nets", IEEE ASSP Magazine 4 (1987).

    >>> X = [[1, 1, 1, -1, -1, -1], [1, -1, 1, -1, 1, -1]]
    >>> net = HammingNetwork().fit(X, ["halves", "stripes"])
    >>> net.matches([[1, 1, -1, -1, -1, -1]])
    array([[5., 3.]])
    >>> print(net.predict([[1, 1, -1, -1, -1, -1]]))
    ['halves']
    """

    inhibition: (
        Annotated[float, Number(0, 1, open_low=True, open_high=True, expects="a number between 0 and 1")] | None
    ) = None
    max_steps: PositiveInt = 1000

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> HammingNetwork:
        """Take the exemplar of each label from its rows of X; a weight of 2 counts a row twice."""
        if hasattr(self, "votes_"):
            del self.votes_
        return self.partial_fit(X, y, sample_weight=sample_weight)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> HammingNetwork:
        """Count these rows in addition. The first call has to name all classes that will come."""
        again = hasattr(self, "votes_")
        self._start(again)
        X, y = self._rows(X, y, reset=not again)
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        with warnings.catch_warnings():  # a class per row is what this network is for
            warnings.filterwarnings("ignore", "The number of unique classes")
            labels = self._labels(y, classes, again)
        self._inhibition(self._checked())
        votes = self.votes_ if again else np.zeros((len(self.classes_), X.shape[1]))
        hot = (labels == np.arange(len(self.classes_))[:, None]) * weight
        self.votes_: np.ndarray = votes + hot @ _signs(X)
        self.exemplars_ = np.where(self.votes_ >= 0, 1.0, -1.0).astype(np.float32)
        return self

    def matches(self, X: Any) -> np.ndarray:
        """The number of bits that each row of X shares with each exemplar: (rows, classes)."""
        X = _signs(self._rows(X, reset=False))
        return self._answer(equal_bits, X, self.exemplars_)

    def compete(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """MAXNET: its last activations, (rows, classes), and the steps that each row took, (rows,)."""
        p, matches = self._checked(), self.matches(X)
        return self._answer(maxnet, matches, self._inhibition(p), p.max_steps)

    def predict(self, X: Any) -> np.ndarray:
        """The label of each row of X."""
        winners = self.compete(X)[0].argmax(axis=1)
        return self.classes_[winners]

    def _inhibition(self, p: SimpleNamespace) -> float:
        n = len(self.classes_)
        if p.inhibition is not None and p.inhibition * (n - 1) >= 1:
            raise ConfigurationError(
                f"HammingNetwork expected inhibition to be below 1 / (classes - 1) = {1 / (n - 1):.4g}, "
                f"received {p.inhibition}."
            )
        return p.inhibition or 1 / (n + 1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # of each feature it sees the sign only
        return tags


@direct
def equal_bits(engine: Engine, x: Array, exemplars: Array) -> Array:
    """(N + x·e) / 2."""
    return (x.shape[1] + x @ exemplars.T) / 2


@costs(lambda a: (60 + a.y.size / 100) * a.limit)
def maxnet(engine: Engine, y: Array, inhibition: Array, limit: Array) -> tuple[Array, Array]:
    """Each row of y (n, units) until its positive units are equal, mostly one: the activations, and steps per row."""

    def undecided(y: Array) -> Array:
        top = ops.max(y, axis=1, keepdims=True)
        return ops.any((y > 0) & (y < top), axis=1)

    def step(i: Any, state: Any) -> Any:
        y, steps = state
        going = undecided(y)
        others = ops.sum(y, axis=1, keepdims=True) - y
        y = ops.where(going[:, None], ops.maximum(y - inhibition * others, 0.0), y)
        return (y, steps + ops.cast(going, "int32")), ops.any(undecided(y))

    return engine.loop(0, limit, step, (y, ops.cast(y[:, 0] * 0, "int32")))


def _signs(X: np.ndarray) -> np.ndarray:
    return np.where(X > 0, 1.0, -1.0)
