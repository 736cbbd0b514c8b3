"""What multilayer perceptrons share: their parameters, and how weights begin and are trained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.base import ClassifierMixin

from neuroloom import activations, config, initializers, losses
from neuroloom.config import Bool, Choice, Fraction, NonNegative, Positive, PositiveInt, Sizes
from neuroloom.errors import ConfigurationError, DataError
from neuroloom.networks.base import Network
from neuroloom.networks.multilayer import mlp_algorithms as algorithms
from neuroloom.networks.multilayer import mlp_rules as rules
from neuroloom.networks.multilayer import mlp_training as training
from neuroloom.networks.scaling import spread, unscaled
from neuroloom.ops import draws
from neuroloom.typing import Tree

ALGORITHMS = (*algorithms.CLASSICAL, *algorithms.SCIPY, *algorithms.BATCHES)
WITH_DROPOUT = ("gd", "gdm", *algorithms.BATCHES)


STRUCTURE = ("hidden", "activation", "connections", "loss")
"""Parameters that weights are made for."""


class Functions(config.Check):
    """Activations of hidden layers."""

    expects = "an activation's name, or a list of names, one per hidden layer"

    def __call__(self, value: Any) -> Any:
        one = activations._ActivationCheck()
        return tuple(one(v) for v in value) if isinstance(value, list | tuple) else one(value)


class Init(config.Check):
    """How weights begin."""

    expects = '"nguyen-widrow" or an initializer'

    def __call__(self, value: Any) -> Any:
        return value if value == "nguyen-widrow" else initializers.get(value)


SUMS = {"sse": "mse", "sae": "mae"}
"""Errors that are sums over rows and outputs, and the means that they are sums of."""


class Errors(config.Check):
    """The error that training makes small."""

    expects = 'the name of a loss, "sse", "sae", or a function of (y_true, y_pred)'

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str) and (value in SUMS or value == "crossentropy"):
            return value
        found = losses.get(value)
        return found if isinstance(value, dict) else value  # equal names and functions share a program


class ClassWeight(config.Check):
    """Weights of classes, as scikit-learn takes them."""

    expects = '"balanced" or a dict from labels to weights'

    def __call__(self, value: Any) -> Any:
        if not (isinstance(value, str) and value == "balanced") and not isinstance(value, dict):
            raise self.refuse()
        return value


class _FeedForward(Network):
    """What the classifier and the regressor share."""

    hidden: Sizes = (8,)
    activation: Annotated[Any, Functions()] = "tanh"
    connections: Annotated[Any, rules.Links()] | None = None
    algorithm: Annotated[str, Choice(*ALGORITHMS)] = "rprop"
    learning_rate: Positive | None = None
    momentum: Fraction = 0.9
    batch_size: PositiveInt = 32
    epochs: PositiveInt = 200
    goal: NonNegative = 0.0
    l2: NonNegative = 0.0
    dropout: Fraction = 0.0
    init: Annotated[Any, Init()] = "nguyen-widrow"
    early_stopping: Bool = False
    validation_fraction: Fraction = 0.1
    patience: PositiveInt = 10
    show: PositiveInt | None = None
    scale: Bool = True

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The matrices of the connections, in their order: (units of the one layer, units of the other)."""
        return rules.parts(self._plan(self._fitted()), self.weights_)[0]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer after the inputs."""
        return [bias[0] for bias in rules.parts(self._plan(self._fitted()), self.weights_)[1]]

    # ------------------------------------------------------------------------------------------------- training

    def _learn(self, p: SimpleNamespace, X: np.ndarray, t: np.ndarray, weight: np.ndarray, part: bool = False) -> Any:
        """Learn targets t with weights of rows, for all epochs, or for one more (`part`)."""
        self._refuse(p)
        if part and hasattr(self, "weights_"):
            self._check_same(p)
        rate = algorithms.usual_rate(p.algorithm) if p.learning_rate is None else p.learning_rate
        held: Any = ()
        data = X, t, self._shares(p, weight)
        if p.early_stopping and not part:
            data, held = self._split(p, X, t, weight)
        if not part or not hasattr(self, "weights_"):
            self._begin(p, data, rate)
        data, held = self._scaled(data), held and self._scaled(held)
        epochs = 1 if part else p.epochs
        scipys = p.algorithm in algorithms.SCIPY
        curves = self._minimize(p, data, held, epochs) if scipys else self._train(p, data, held, epochs, rate)
        self.loss_curve_: np.ndarray = np.concatenate([self.loss_curve_, curves[0]])
        self.validation_curve_ = curves[1] if held else np.zeros(0)
        self.n_iter_, self.loss_ = len(self.loss_curve_), float(self.loss_curve_[-1])
        return self

    def _refuse(self, p: SimpleNamespace) -> None:
        """Raise where parameters do not go together."""
        name = type(self).__name__
        if p.dropout and p.algorithm not in WITH_DROPOUT:
            raise ConfigurationError(
                f"{name} expected dropout=0 with algorithm={p.algorithm!r}, which compares errors or signs from epoch "
                f"to epoch, received {p.dropout}. Use one of {', '.join(WITH_DROPOUT)}."
            )
        if p.early_stopping and not p.validation_fraction:
            raise ConfigurationError(f"{name} expected validation_fraction above 0 with early_stopping, received 0.")
        self._refuse_outputs(p)

    def _check_same(self, p: SimpleNamespace) -> None:
        """Refuse to go on with weights of another structure, or with what another algorithm remembers."""
        for name, then in self.structure_.items():
            if config.signature(getattr(p, name)) != config.signature(then):
                raise ConfigurationError(
                    f"{type(self).__name__} expected {name}={then!r}, with which its weights began, received "
                    f"{getattr(p, name)!r}. Call fit to begin anew, or set {name} back."
                )

    def _fitted(self) -> SimpleNamespace:
        """The parameters, those of the structure as they were when the weights began."""
        return SimpleNamespace(**{**vars(self._checked()), **self.structure_})

    def _refuse_outputs(self, p: SimpleNamespace) -> None:
        """Raise where loss, activation of the outputs and algorithm do not go together."""
        (loss, output), name = self._error(p), type(self).__name__
        loss = losses.get(loss)
        squares = isinstance(loss, losses.MeanSquaredError) and output == "linear"
        if p.algorithm == "lm" and (isinstance(self, ClassifierMixin) or not squares):
            raise ConfigurationError(
                f"{name} cannot be trained by algorithm='lm', which makes squared errors of linear outputs small. Use "
                f"'bfgs', or MultilayerPerceptronRegressor with loss='mse' or 'sse'."
            )
        if loss.activation not in (None, output):
            raise ConfigurationError(
                f"{name} expected output_activation={loss.activation!r} with loss {type(loss).__name__}, received "
                f"{output!r}."
            )
        if output == "softmax" and self.n_outputs_ < 2:
            raise ConfigurationError(f"{name} expected two or more outputs with output_activation='softmax'.")

    def _begin(self, p: SimpleNamespace, data: Any, rate: float) -> None:
        """Scales and first weights, from the rows that are learned from."""
        plan, masks = self._plan(p), rules.filled(self._plan(p), self._links(p))
        X, t, share = data
        self.input_mean_, self.input_scale_ = spread(X, share) if p.scale else unscaled(X)
        self._scale_targets(p, t, share)
        rows = self._scaled(data)[0][share > 0]
        ends = rows.min(axis=0), rows.max(axis=0)
        self.weights_ = rules.first_weights(plan, masks, p.init, ends, self._generator("weights"))
        self.structure_ = {name: getattr(p, name) for name in (*STRUCTURE, "algorithm") if hasattr(p, name)}
        self.memory_: Tree = algorithms.begin(p.algorithm, self.weights_, rate, p.momentum)
        self.loss_curve_ = np.zeros(0)

    def _train(self, p: SimpleNamespace, data: Any, held: Any, epochs: int, rate: float) -> np.ndarray:
        """The program, once for all epochs; with `show`, once for each line."""
        batches = p.algorithm in algorithms.BATCHES
        values = {"rate": rate, "l2": p.l2, "dropout": p.dropout, "goal": p.goal, "patience": p.patience}
        best: Any = (self.weights_, np.inf, 0) if held else ()
        found, first = np.zeros((2, 0)), len(self.loss_curve_)
        while found.shape[1] < epochs:
            n = min(p.show or epochs, epochs - found.shape[1])
            self.weights_, self.memory_, best, curves, done, _ = self._answer(
                training.train, self.weights_, self.memory_, best, np.zeros((2, n)), data, held, self._mask(p), values,
                draws.key(self.seed_, "order"), first + found.shape[1], plan=self._plan(p), algorithm=p.algorithm,
                momentum=p.momentum, batch=min(p.batch_size, len(data[0])) if batches else 0, dropout=p.dropout > 0,
            )  # fmt: skip
            found = np.hstack([found, curves[:, : int(done)]])
            training.check_finite(self, found[0, -1], first + found.shape[1])
            if p.show:
                self._say(first + found.shape[1], found[0, -1])
            if done < n:
                break
        if held:
            self.weights_ = best[0]
        return found

    def _minimize(self, p: SimpleNamespace, data: Any, held: Any, epochs: int) -> np.ndarray:
        plan, mask = self._plan(p), self._mask(p)

        def fun(w: np.ndarray, data: Any = data, l2: float = p.l2) -> tuple[float, np.ndarray]:
            f, g = self._answer(rules.value_and_gradient, w, data, mask, l2, plan=plan)
            return float(f), g

        beyond = (lambda w: fun(w, held, 0.0)[0]) if held else None
        course = training.Course(self.weights_, p.goal, p.patience, beyond)
        course.say = lambda epoch, error: self._say(epoch, error) if p.show and epoch % p.show == 0 else None
        training.minimized(p.algorithm, fun, self.weights_, epochs, course)
        if not course.errors:
            course.errors.append((fun(course.w)[0], 0.0))  # nothing left to learn
        self.weights_ = course.best[0] if held else course.w
        found = np.array(course.errors).T
        training.check_finite(self, found[0, -1], found.shape[1])
        return found

    def _say(self, epoch: int, error: float) -> None:
        print(f"epoch {epoch}: loss {error:.6g}")

    # --------------------------------------------------------------------------------------------------- pieces

    def _sizes(self, p: SimpleNamespace) -> tuple[int, ...]:
        return (self.n_features_in_, *p.hidden, self.n_outputs_)

    def _links(self, p: SimpleNamespace) -> Any:
        links = rules.chain(len(p.hidden) + 2) if p.connections is None else p.connections
        rules.check_links(links, self._sizes(p))
        return links

    def _plan(self, p: SimpleNamespace) -> rules.Plan:
        names = p.activation if isinstance(p.activation, tuple) else (p.activation,) * len(p.hidden)
        if len(names) != len(p.hidden):
            raise ConfigurationError(
                f"{type(self).__name__} expected one activation or {len(p.hidden)}, one per hidden layer, received "
                f"{len(names)}."
            )
        pairs = tuple((a, b) for a, b, _ in self._links(p))
        return rules.Plan(self._sizes(p), names, pairs, *self._error(p))

    def _mask(self, p: SimpleNamespace) -> np.ndarray:
        plan = self._plan(p)
        kernels = [
            np.ones(shape) if m is None else m
            for (*_, m), shape in zip(self._links(p), rules.shapes(plan), strict=False)
        ]
        return rules.joined(kernels, [np.ones(size) for size in plan.sizes[1:]])

    def _split(self, p: SimpleNamespace, X: np.ndarray, t: np.ndarray, weight: np.ndarray) -> tuple[Any, Any]:
        """Rows to learn from, and rows held out."""
        order = self._generator("validation").permutation(len(X))
        n = max(1, round(p.validation_fraction * len(X)))
        if n >= len(X):
            raise DataError(f"early_stopping expected at least 2 rows, received n_samples = {len(X)}.")
        parts = [(X[rows], t[rows], self._shares(p, weight[rows])) for rows in (order[n:], order[:n])]
        return parts[0], parts[1]

    def _shares(self, p: SimpleNamespace, weight: np.ndarray) -> np.ndarray:
        """What each row counts in the error."""
        total = weight.sum()
        if not total > 0:
            raise DataError(f"{type(self).__name__} expected weights of examples above 0, received only 0.")
        return weight * self.n_outputs_ if isinstance(p.loss, str) and p.loss in SUMS else weight / total

    def _error(self, p: SimpleNamespace) -> tuple[Any, Any]:
        """The loss, or its name, and the activation of the last layer."""
        raise NotImplementedError  # abstract

    def _scale_targets(self, p: SimpleNamespace, t: np.ndarray, share: np.ndarray) -> None:
        """Set the scale of targets; classes have none."""

    def _scaled(self, data: Any) -> Any:
        """Rows, targets and shares as the network sees them."""
        X, t, share = data
        return (X - self.input_mean_) / self.input_scale_, t, share

    def _outputs(self, X: Any) -> np.ndarray:
        X = (self._rows(X, reset=False, dtype=np.float64) - self.input_mean_) / self.input_scale_
        found: np.ndarray = self._answer(rules.answers, self.weights_, X, plan=self._plan(self._fitted()))
        return found
