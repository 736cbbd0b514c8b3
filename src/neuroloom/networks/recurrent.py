"""Elman's and Jordan's networks: a hidden layer that hears its own last state, or the last output."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from neuroloom import ops, optimizers
from neuroloom.config import Fraction, Positive, PositiveInt
from neuroloom.engines import Engine
from neuroloom.networks.answers import ManyTargets
from neuroloom.networks.sequences import _Scored, _Sequences
from neuroloom.typing import Array, Tree

CLIP = 1.0
"""Longest gradient: back-propagation through many steps may give a very long one."""


class _Recurrent(_Sequences):
    """What all four share."""

    n_hidden: PositiveInt = 20
    max_iter: PositiveInt = 500
    learning_rate: Positive = 0.01

    def _learn(self, X: np.ndarray, targets: np.ndarray, classify: bool) -> None:
        """Set the weights for targets (sequences, [steps,] outputs)."""
        p = self._checked()
        targets = np.moveaxis(targets, 1, 0) if self.each_ else targets
        found, self.loss_curve_ = self._run(
            descend, self._first_weights(p, X.shape[2], targets.shape[-1]), _in_time(X), targets.astype(np.float32),
            self._memory(), p.learning_rate, classify=classify, each=self.each_, steps=p.max_iter,
        )  # fmt: skip
        self.input_coef_, self.recurrent_coef_, self.hidden_intercept_, self.coef_, self.intercept_ = found
        self.n_iter_ = p.max_iter

    def _memory(self) -> Any:
        """How much of Jordan's state units remains after a step; None for Elman's network, which has none."""
        p = self._checked()
        return getattr(p, "memory", None)

    def _first_weights(self, p: SimpleNamespace, features: int, outputs: int) -> tuple[np.ndarray, ...]:
        rng = self._generator("weights")
        units = p.n_hidden
        heard = units if self._memory() is None else outputs
        back = np.linalg.qr(rng.normal(size=(max(units, heard),) * 2))[0][:heard, :units]
        return (
            rng.normal(size=(features, units)) / np.sqrt(features + 1), back, np.zeros(units),
            rng.normal(size=(units, outputs)) / np.sqrt(units), np.zeros(outputs),
        )  # fmt: skip

    def _outputs(self, X: Any, classify: bool) -> np.ndarray:
        """(sequences, [steps,] outputs)."""
        rows = _in_time(self._inputs(X))
        weights = (self.input_coef_, self.recurrent_coef_, self.hidden_intercept_, self.coef_, self.intercept_)
        found = self._answer(outputs, weights, rows, self._memory(), classify=classify, each=self.each_)
        return np.moveaxis(found, 0, 1) if self.each_ else found


class _Regressor(_Scored, ManyTargets, _Recurrent):
    """Linear outputs, squared error."""

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from sequences X and targets y; see the class."""
        self._start()
        X = self._inputs(X, reset=True)
        y = self._targets(X, y, labels=False)
        self._learn(X, self._columns(y), classify=False)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """ŷ after the last step, or at every step if it was fitted so."""
        return self._as_given(self._outputs(X, classify=False))


class _Classifier(_Scored, ClassifierMixin, _Recurrent):
    """An output per class with softmax, cross-entropy."""

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from sequences X and labels y; see the class."""
        self._start()
        X = self._inputs(X, reset=True)
        y = self._targets(X, y, labels=True)
        labels = self._labels(y.ravel()).reshape(y.shape)
        self._learn(X, np.eye(len(self.classes_), dtype=np.float32)[labels], classify=True)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class: (sequences, classes), or (sequences, steps, classes)."""
        return self._outputs(X, classify=True)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each sequence, or of each step."""
        likeliest = self.predict_proba(X).argmax(axis=-1)
        return self.classes_[likeliest]


class ElmanRegressor(_Regressor):
    """Elman's network for numbers: a hidden layer that hears its input and its own last state.

        h(t) = tanh(A u(t) + W h(t-1) + b),      h(0) = 0
        ŷ(t) = V h(t) + c

    The mean squared error goes down its gradient through all steps of time (Adam, all sequences at each iteration).

    A row of X is a sequence: X is (sequences, steps), a number per step, or (sequences, steps, features); a single
    long series is X[None]. Targets are (sequences,) or (sequences, outputs), after the last step, or
    (sequences, steps, outputs), at every step. Features and targets should have about unit scale.

    Args:
        n_hidden: hidden units, each with a context unit that holds its last state.
        max_iter: iterations.
        learning_rate: of Adam.

    Attributes:
        input_coef_: Aᵀ, (features, units).
        recurrent_coef_: Wᵀ, (units, units), orthogonal at first.
        hidden_intercept_: b, (units,).
        coef_: Vᵀ, (units, outputs).
        intercept_: c, (outputs,).
        loss_curve_: the error before each iteration.

    Source: J. Elman, "Finding structure in time", Cognitive Science 14 (1990). He, and neurolab after him, cut the
    gradient after one step: what the context units held counts as a given input. Here it goes back to the first step
    (P. Werbos, "Backpropagation through time", Proc. IEEE 78, 1990), so that long delays can be learned.

    >>> import numpy as np
    >>> u = np.random.default_rng(0).uniform(-1, 1, (64, 6))
    >>> net = ElmanRegressor(n_hidden=10, max_iter=300, random_state=0).fit(u, u[:, 1] * 0.5)  # five steps ago
    >>> net.score(u, u[:, 1] * 0.5) > 0.95
    True
    """


class ElmanClassifier(_Classifier):
    """Elman's network for classes: a hidden layer that hears its input and its own last state.

    The network, its sequences and the arguments are those of `ElmanRegressor`, with probabilities as outputs:

        P(c | t) = softmax(V h(t) + c)

    and the mean cross-entropy as the error. Labels are (sequences,), after the last step, or (sequences, steps), at
    every step of X (sequences, steps, features).

    Args:
        n_hidden: hidden units.
        max_iter: iterations.
        learning_rate: of Adam.

    Attributes:
        classes_: the labels.
        input_coef_, recurrent_coef_, hidden_intercept_, coef_, intercept_, loss_curve_: as of `ElmanRegressor`.

    Source: J. Elman, "Finding structure in time", Cognitive Science 14 (1990).

    >>> import numpy as np
    >>> bits = np.random.default_rng(0).integers(0, 2, (60, 4))
    >>> parity = ElmanClassifier(max_iter=400, random_state=0).fit(bits, bits.sum(axis=1) % 2)
    >>> parity.score(bits, bits.sum(axis=1) % 2)
    1.0
    """


class JordanRegressor(_Regressor):
    """Jordan's network for numbers: a hidden layer that hears its input and the outputs so far.

        h(t) = tanh(A u(t) + W s(t) + b)
        ŷ(t) = V h(t) + c
        s(t+1) = μ s(t) + ŷ(t),      s(1) = 0

    All that it remembers is what it said; so targets at every step, that tell what to say, suit it better than
    one after the last. Sequences, targets and the way of learning are those of `ElmanRegressor`.

    Args:
        n_hidden: hidden units.
        memory: μ, what remains of the state units after a step.
        max_iter: iterations.
        learning_rate: of Adam.

    Attributes:
        recurrent_coef_: Wᵀ, (outputs, units).
        input_coef_, hidden_intercept_, coef_, intercept_, loss_curve_: as of `ElmanRegressor`.

    Source: M. Jordan, "Attractor dynamics and parallelism in a connectionist sequential machine", Proc. Cognitive
    Science Society (1986). He fed the wanted outputs back while it learned; here it hears its own, as it does later.

    >>> import numpy as np
    >>> u = np.random.default_rng(0).uniform(0, 0.4, (20, 10, 1))
    >>> total = np.cumsum(u, axis=1)  # what it said last, and what comes in
    >>> JordanRegressor(max_iter=400, random_state=0).fit(u, total).score(u, total) > 0.99
    True
    """

    memory: Fraction = 0.0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # one number said cannot hold another step's input until the last step
        return tags


class JordanClassifier(_Classifier):
    """Jordan's network for classes: a hidden layer that hears its input and the probabilities it gave so far.

        h(t) = tanh(A u(t) + W s(t) + b)
        P(t) = softmax(V h(t) + c)
        s(t+1) = μ s(t) + P(t),      s(1) = 0

    Sequences, labels and the way of learning are those of `ElmanClassifier`.

    Args:
        n_hidden: hidden units.
        memory: μ, what remains of the state units after a step.
        max_iter: iterations.
        learning_rate: of Adam.

    Attributes:
        classes_: the labels.
        recurrent_coef_: Wᵀ, (classes, units).
        input_coef_, hidden_intercept_, coef_, intercept_, loss_curve_: as of `ElmanRegressor`.

    Source: M. Jordan, "Attractor dynamics and parallelism in a connectionist sequential machine", Proc. Cognitive
    Science Society (1986).

    >>> import numpy as np
    >>> bits = np.random.default_rng(0).integers(0, 2, (60, 6, 1))
    >>> parity = np.cumsum(bits[:, :, 0], axis=1) % 2  # so far: what it said last, turned over by each 1
    >>> JordanClassifier(max_iter=400, random_state=0).fit(bits, parity).score(bits, parity)
    1.0
    """

    memory: Fraction = 0.0


def outputs(engine: Engine, weights: Any, x: Array, memory: Array | None, *, classify: bool, each: bool) -> Array:
    """What the network says of x (steps, sequences, features): (steps, sequences, outputs), or the last of them."""
    found = raw_outputs(engine, weights, x, memory, classify=classify)
    found = found if each else found[-1]
    return ops.softmax(found, axis=-1) if classify else found


def raw_outputs(engine: Engine, weights: Any, x: Array, memory: Array | None, *, classify: bool) -> Array:
    """V h + c at every step. `memory` None is Elman's network, else it is Jordan's μ."""
    w_in, w_back, b, v, c = weights

    def step(heard: Array, u: Array) -> Any:
        h = ops.tanh(u + heard @ w_back)
        z = h @ v + c
        if memory is None:
            return h, z
        return memory * heard + (ops.softmax(z, axis=-1) if classify else z), z

    driven = x @ w_in + b  # (steps, sequences, units)
    start = ops.zeros_like(driven[0] @ ops.permute_dims(w_back, (1, 0)))
    return engine.scan(step, start, driven)[1]


def loss(
    engine: Engine, weights: Any, x: Array, targets: Array, memory: Array | None, *, classify: bool, each: bool
) -> Array:
    """Mean squared error, or mean cross-entropy."""
    found = raw_outputs(engine, weights, x, memory, classify=classify)
    found = found if each else found[-1]
    if classify:
        return -ops.mean(ops.sum(targets * ops.log_softmax(found, axis=-1), axis=-1))
    return ops.mean(ops.square(found - targets))


def descend(
    engine: Engine, start: Tree, x: Array, targets: Array, memory: Array | None, rate: Array, *, classify: bool,
    each: bool, steps: int,
) -> tuple[Tree, Array]:  # fmt: skip
    """Adam on the loss over all weights, by back-propagation through time; the loss before each step."""
    adam = optimizers.Adam(epsilon=1e-4, global_clipnorm=CLIP)

    def error(weights: Tree) -> tuple[Array, tuple[()]]:
        return loss(engine, weights, x, targets, memory, classify=classify, each=each), ()

    def step(carry: Any, i: Array) -> Any:
        weights, slots = carry
        (value, _), grads = engine.value_and_grad(error)(weights)
        return adam.update(weights, adam.clip(grads), slots, rate, i), value

    (weights, _), curve = engine.scan(step, (start, adam.init(start)), engine.arange(steps))
    return weights, curve


def _in_time(X: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(X.transpose(1, 0, 2))
