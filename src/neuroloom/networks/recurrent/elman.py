"""Elman's and Jordan's networks: a hidden layer that hears its own last state, or the last output."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.base import ClassifierMixin, is_classifier
from sklearn.utils.metaestimators import available_if

from neuroloom import initializers
from neuroloom.activations import Activation
from neuroloom.config import Choice, Fraction, NonNegative, Positive, PositiveInt
from neuroloom.errors import DataError, ShapeError
from neuroloom.networks.answers import ManyTargets
from neuroloom.networks.multilayer import mlp_algorithms as algorithms
from neuroloom.networks.multilayer import mlp_training as training
from neuroloom.networks.recurrent.elman_rules import ADAM, Form, descend, gradient, heard, outputs, parts
from neuroloom.networks.recurrent.sequences import _Scored, _Unequal, scattered
from neuroloom.typing import Tree

ALGORITHMS = ("adam", *(name for name in algorithms.CLASSICAL if name != "lm"), *algorithms.SCIPY)
RATE = 0.01
"""Of "adam" unless given."""


class _Recurrent(_Unequal):
    """What all four share."""

    n_hidden: PositiveInt = 20
    activation: Activation = "tanh"
    algorithm: Annotated[str, Choice(*ALGORITHMS)] = "adam"
    max_iter: PositiveInt = 500
    learning_rate: Positive | None = None
    momentum: Fraction = 0.9
    goal: NonNegative = 0.0
    init: initializers.InitializerLike | None = None
    show: PositiveInt | None = None

    def _learn(self, X: np.ndarray, real: np.ndarray | None, targets: np.ndarray, part: bool) -> Any:
        """Learn targets (sequences, [steps,] outputs), for all iterations, or for one more (`part`)."""
        p = self._checked()
        again = part and hasattr(self, "coef_")
        known = self._weights() if again else ()
        if again and targets.shape[-1] != len(known[-1]):
            raise DataError(f"{type(self).__name__} expected {len(known[-1])} outputs, received {targets.shape[-1]}.")
        weights = known or self._first_weights(p, X.shape[2], targets.shape[-1])
        w = np.concatenate([part.ravel() for part in weights])
        if not again:
            self.memory_: Tree = ADAM.init(w) if p.algorithm == "adam" else self._slots(p, w)
            self.loss_curve_: np.ndarray = np.zeros(0)
        targets = _in_time(targets) if self.each_ else targets
        data = _in_time(X), None if real is None else _in_time(real[:, :, None]), targets.astype(np.float32)
        shapes, steps = tuple(part.shape for part in weights), 1 if part else p.max_iter
        learn = self._minimize if p.algorithm in algorithms.SCIPY else self._descend
        found, curve = learn(p, w, data, shapes, steps)
        self.loss_curve_ = np.concatenate([self.loss_curve_, curve])
        self.n_iter_ = len(self.loss_curve_)
        self.input_coef_, self.recurrent_coef_, self.hidden_intercept_, self.coef_, self.intercept_ = parts(
            found, shapes
        )
        return self

    def _rate(self, p: SimpleNamespace) -> float:
        if p.learning_rate is not None:
            return float(p.learning_rate)
        return RATE if p.algorithm == "adam" else algorithms.usual_rate(p.algorithm)

    def _slots(self, p: SimpleNamespace, w: np.ndarray) -> Tree:
        return algorithms.begin(p.algorithm, w, self._rate(p), p.momentum)

    def _descend(self, p: SimpleNamespace, w: Any, data: Any, shapes: Any, steps: int) -> tuple[Any, np.ndarray]:
        """One program for all iterations; with `show`, one for each line. Adam in float32, the others in float64."""
        run, curve, first = self._run if p.algorithm == "adam" else self._answer, np.zeros(0), len(self.loss_curve_)
        while len(curve) < steps:
            n = min(p.show or steps, steps - len(curve))
            w, self.memory_, found, done = run(
                descend, w, self.memory_, np.zeros(n), data, self._memory(), self._rate(p), p.goal,
                first + len(curve), shapes=shapes, form=self._form(p), algorithm=p.algorithm, momentum=p.momentum,
            )  # fmt: skip
            curve = np.concatenate([curve, found[: int(done)]])
            training.check_finite(self, float(curve[-1]), first + len(curve))
            if p.show:
                print(f"iteration {first + len(curve)}: loss {curve[-1]:.6g}")
            if done < n:
                break
        return w, curve

    def _minimize(self, p: SimpleNamespace, w: Any, data: Any, shapes: Any, steps: int) -> tuple[Any, np.ndarray]:
        """SciPy's algorithms, over a compiled gradient."""
        memory, form = self._memory(), self._form(p)

        def fun(w: np.ndarray) -> tuple[float, np.ndarray]:
            f, g = self._answer(gradient, w, data, memory, shapes=shapes, form=form)
            return float(f), g

        course = training.Course(w, p.goal, 1, None)
        course.say = lambda i, f: print(f"iteration {i}: loss {f:.6g}") if p.show and i % p.show == 0 else None
        training.minimized(p.algorithm, fun, w, steps, course)
        curve = np.array([f for f, _ in course.errors] or [fun(w)[0]])
        training.check_finite(self, float(curve[-1]), len(curve))
        return course.w, curve

    def _form(self, p: SimpleNamespace) -> Form:
        return Form(is_classifier(self), self.each_, p.activation, getattr(p, "output_activation", "linear"))

    def _memory(self) -> Any:
        """How much of Jordan's state units remains after a step; None for Elman's network, which has none."""
        p = self._checked()
        return getattr(p, "memory", None)

    def _first_weights(self, p: SimpleNamespace, features: int, outputs: int) -> tuple[np.ndarray, ...]:
        rng = self._generator("weights")
        units = p.n_hidden
        heard = units if self._memory() is None else outputs
        if p.init is not None:
            into, back, out = (p.init(shape, rng) for shape in ((features, units), (heard, units), (units, outputs)))
            return into, back, np.zeros(units), out, np.zeros(outputs)
        back = np.linalg.qr(rng.normal(size=(max(units, heard),) * 2))[0][:heard, :units]
        return (
            rng.normal(size=(features, units)) / np.sqrt(features + 1), back, np.zeros(units),
            rng.normal(size=(units, outputs)) / np.sqrt(units), np.zeros(outputs),
        )  # fmt: skip

    def _weights(self) -> tuple[np.ndarray, ...]:
        return self.input_coef_, self.recurrent_coef_, self.hidden_intercept_, self.coef_, self.intercept_

    def _outputs(self, X: Any, start: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """(sequences, [steps,] outputs), and which steps there are."""
        X, real = self._padded(X)
        values = _in_time(X), None if real is None else _in_time(real[:, :, None]), self._memory()
        found = self._answer(outputs, self._weights(), *values, self._heard(X, start), form=self._form(self._checked()))
        return (np.moveaxis(found, 0, 1) if self.each_ else found), real

    def _heard(self, X: np.ndarray, start: Any) -> np.ndarray:
        """What each sequence's hidden layer hears of before its first step."""
        shape = (len(X), len(self.recurrent_coef_))
        start = np.zeros(shape) if start is None else np.asarray(start, np.float64)
        if start.shape != shape:
            raise ShapeError(f"{type(self).__name__} expected states {shape}, received {start.shape}.")
        return start

    def states(self, X: Any, start: Any = None) -> np.ndarray:
        """What the hidden layer hears after each step: (sequences, steps, context units), or state units.

        Args:
            start: the states before the first step, (sequences, units), such as `states(before)[:, -1]` to go on
                where a series was cut, step by step if need be; None: 0. Sequences that have ended keep their last.
        """
        X, real = self._padded(X)
        values = _in_time(X), None if real is None else _in_time(real[:, :, None]), self._memory()
        found = self._answer(heard, self._weights(), *values, self._heard(X, start), form=self._form(self._checked()))
        return np.moveaxis(found, 0, 1)


class _Regressor(_Scored, ManyTargets, _Recurrent):
    """Squared error."""

    output_activation: Activation = "linear"

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from sequences X and targets y; see the class."""
        return self._fit(X, y, part=False)

    @available_if(training.goes_on)
    def partial_fit(self, X: Any, y: Any) -> Any:
        """One more iteration, over these sequences."""
        return self._fit(X, y, part=True)

    def _fit(self, X: Any, y: Any, part: bool) -> Any:
        again = part and hasattr(self, "coef_")
        self._start(again)
        X, real = self._padded(X, reset=not again)
        y = self._columns(self._targets_of(X, real, y, labels=False))
        return self._learn(X, real, scattered(y, real) if self.each_ and real is not None else y, part)

    def predict(self, X: Any, start: Any = None) -> Any:
        """ŷ after the last step, or at every step if it was fitted so; `start` as of `states`."""
        found, real = self._outputs(X, start)
        return _as_lists(found, real) if self.each_ else self._as_given(found)


class _Classifier(_Scored, ClassifierMixin, _Recurrent):
    """An output per class with softmax, cross-entropy."""

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from sequences X and labels y; see the class."""
        return self._fit(X, y, None, part=False)

    @available_if(training.goes_on)
    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Any:
        """One more iteration, over these sequences. The first call has to name all classes that will come."""
        return self._fit(X, y, classes, part=True)

    def _fit(self, X: Any, y: Any, classes: Any, part: bool) -> Any:
        again = part and hasattr(self, "coef_")
        self._start(again)
        X, real = self._padded(X, reset=not again)
        y = self._targets_of(X, real, y, labels=True)
        labels = self._labels(y.ravel(), classes, again).reshape(y.shape)
        t = np.eye(len(self.classes_), dtype=np.float32)[labels]
        return self._learn(X, real, scattered(t, real) if self.each_ and real is not None else t, part)

    def predict_proba(self, X: Any, start: Any = None) -> Any:
        """The probability of each class: (sequences, classes), or (sequences, steps, classes)."""
        found, real = self._outputs(X, start)
        return _as_lists(found, real) if self.each_ else found

    def predict(self, X: Any, start: Any = None) -> Any:
        """The likeliest class of each sequence, or of each step; `start` as of `states`."""
        found = self.predict_proba(X, start)
        if isinstance(found, list):
            return [self.classes_[part.argmax(axis=-1)] for part in found]
        return self.classes_[found.argmax(axis=-1)]


class ElmanRegressor(_Regressor):
    """Elman's network for numbers: a hidden layer that hears its input and its own last state.

        h(t) = tanh(A u(t) + W h(t-1) + b),      h(0) = 0
        ŷ(t) = V h(t) + c

    The mean squared error goes down its gradient through all steps of time, over all sequences at each iteration. In
    place of tanh and of the linear output other activations can stand.

    A row of X is a sequence: X is (sequences, steps), a number per step, or (sequences, steps, features); a single
    long series is X[None]. Targets are (sequences,) or (sequences, outputs), after the last step, or
    (sequences, steps, outputs), at every step. Features and targets should have about unit scale. Sequences of unequal
    lengths are a list of arrays, (steps,) or (steps, features), and so are their targets at every step and the
    answers. A network in use goes on step by step: `predict(X, start)` from the states that `states` gave.

    Args:
        n_hidden: hidden units, each with a context unit that holds its last state.
        activation: of the hidden units.
        algorithm: "adam" (with gradients of length 1 at most), or one of `MultilayerPerceptronClassifier` for all rows
            at once: "gd", "gdm", "gda", "gdx", "rprop", "irprop+", "quickprop", "cgf", "cgp", "bfgs", "lbfgs", "ncg".
        max_iter: most iterations.
        learning_rate: of the algorithm; None takes 0.01 for "adam", else the algorithm's usual one.
        momentum: of "gdm" and "gdx".
        goal: error at which training stops.
        init: an initializer of the matrices; None: the recurrent one orthogonal, the others normal.
        show: print the error each time so many iterations are over.
        output_activation: of the outputs.

    Attributes:
        input_coef_: Aᵀ, (features, units).
        recurrent_coef_: Wᵀ, (units, units), orthogonal at first.
        hidden_intercept_: b, (units,).
        coef_: Vᵀ, (units, outputs).
        intercept_: c, (outputs,).
        loss_curve_: the error after each iteration.
        n_iter_: iterations done.
        memory_: what the algorithm remembers for `partial_fit`.

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
        activation: of the hidden units.
        algorithm, max_iter, learning_rate, momentum, goal, init, show: as of `ElmanRegressor`.

    Attributes:
        classes_: the labels.
        input_coef_, recurrent_coef_, hidden_intercept_, coef_, intercept_, loss_curve_, n_iter_, memory_: as of
            `ElmanRegressor`.

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
        activation: of the hidden units.
        algorithm, max_iter, learning_rate, momentum, goal, init, show, output_activation: as of `ElmanRegressor`.

    Attributes:
        recurrent_coef_: Wᵀ, (outputs, units).
        input_coef_, hidden_intercept_, coef_, intercept_, loss_curve_, n_iter_, memory_: as of
            `ElmanRegressor`.

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
        activation: of the hidden units.
        algorithm, max_iter, learning_rate, momentum, goal, init, show: as of `ElmanRegressor`.

    Attributes:
        classes_: the labels.
        recurrent_coef_: Wᵀ, (classes, units).
        input_coef_, hidden_intercept_, coef_, intercept_, loss_curve_, n_iter_, memory_: as of
            `ElmanRegressor`.

    Source: M. Jordan, "Attractor dynamics and parallelism in a connectionist sequential machine", Proc. Cognitive
    Science Society (1986).

    >>> import numpy as np
    >>> bits = np.random.default_rng(0).integers(0, 2, (60, 6, 1))
    >>> parity = np.cumsum(bits[:, :, 0], axis=1) % 2  # so far: what it said last, turned over by each 1
    >>> JordanClassifier(max_iter=400, random_state=0).fit(bits, parity).score(bits, parity)
    1.0
    """

    memory: Fraction = 0.0


def _in_time(X: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(X.transpose(1, 0, 2))


def _as_lists(found: np.ndarray, real: np.ndarray | None) -> Any:
    """Answers at every step; for sequences of unequal lengths a list of those that there are."""
    return found if real is None else [part[there] for part, there in zip(found, real, strict=True)]
