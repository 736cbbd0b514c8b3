"""Multilayer perceptrons: feed-forward networks of any layers and connections, with every classical algorithm."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight

from neuroloom import losses
from neuroloom.activations import Activation
from neuroloom.config import Choice
from neuroloom.errors import ConfigurationError, DataError
from neuroloom.networks.answers import ManyTargets
from neuroloom.networks.multilayer import mlp_rules as rules
from neuroloom.networks.multilayer import mlp_training as training
from neuroloom.networks.multilayer.mlp_base import SUMS, ClassWeight, Errors, _FeedForward
from neuroloom.networks.scaling import spread, unscaled

WITH_UNIT = losses.MeanSquaredError, losses.MeanAbsoluteError
"""Losses of any targets, which only grow and shrink with their unit."""


class MultilayerPerceptronClassifier(ClassifierMixin, _FeedForward):
    """Multilayer perceptron that classifies: any layers, any connections, every classical training algorithm.

        h₀ = x;   hₖ = g(bₖ + Σ h_a W_ak, over connections a → k);   p = softmax(b + Σ h_a W_a); sigmoid for 2 classes
        E = Σᵢ sᵢ (-log p of the right class) / Σᵢ sᵢ + ½ l2 Σ w²

    Training goes down E over all rows at once, in float64, an epoch being

        "gd", "gdm"        w ← w - η ∇E;   with momentum v ← μ v - η ∇E, w ← w + v
        "gda", "gdx"       the same two; η grows by 5 % while E falls, and an epoch that makes E more than 4 % larger is
                           taken back and η made 30 % smaller
        "rprop"            w ← w - Δ sign ∇E, Δ of each weight times 1.2 while the sign stays, halved where it changes
        "irprop+"          the same; where the sign changed and E grew, the weight's last change is taken back
        "quickprop"        each weight to the lowest point of the parabola through its last two slopes
        "cgf", "cgp"       conjugate gradients of Fletcher and Reeves, of Polak and Ribière; Wolfe's line search; they
                           begin anew, down the gradient, after as many epochs as there are weights
        "bfgs", "lbfgs", "ncg"     SciPy's BFGS, L-BFGS-B and Newton-CG, an iteration each; where one finds nothing
                           lower it begins anew, without what it knew of the curvature

    or, with "sgd", "adam", "adamw", "rmsprop" and "adagrad", a step of that optimizer for each mini-batch. The first
    seven end where the gradient is shorter than 1e-5: E cannot become much smaller.

    Args:
        hidden: units of each hidden layer; () for none.
        activation: g, the name of an activation, or a list of names, one per hidden layer.
        connections: (from layer, to layer) or (from layer, to layer, mask of 0 and 1), layers counted from 0, the
            inputs; None: each layer to the next.
        algorithm: one of the names above.
        learning_rate: η, for Rprop the first Δ, for conjugate gradients the length of the first step; None takes 0.1
            (1 for conjugate gradients, and the optimizer's own for mini-batches).
        momentum: μ of "gdm" and "gdx".
        batch_size: rows in a mini-batch.
        epochs: most passes over the rows.
        goal: E at which training stops.
        l2: penalty on squared weights, biases apart.
        dropout: probability with which the value of a hidden unit is left out, for "gd", "gdm" and mini-batches.
        init: "nguyen-widrow", or an initializer beside biases of 0.
        early_stopping: whether rows are held out, and the weights with the least error on them kept.
        validation_fraction: part of the rows held out.
        patience: epochs without a new least error on held-out rows after which training stops.
        show: print the error each time so many epochs are over.
        scale: whether each feature is brought to mean 0 and standard deviation 1 before it enters the network.
        class_weight: a dict from labels to factors on their rows' weights, or "balanced".
        loss: "crossentropy", as above; or "mse", "mae" (or another loss's name, a loss, a function of (y_true, y_pred)
            that gives one number per row), between p and 1 for the right class, 0 for the others, the mean over the
            outputs; "sse" and "sae" are the sums over rows and outputs.
        output_activation: "softmax", or "sigmoid": for each class a unit of its own, whose answers are divided by
            their sum in `predict_proba`. Two classes have one unit with a sigmoid.

    Attributes:
        coefs_: the matrix of each connection, (units from, units to).
        intercepts_: the biases of each layer after the inputs.
        weights_: all of them as one vector.
        input_mean_, input_scale_: what is taken from each feature, and by what the rest is divided; 0 and 1 without
            `scale`. `partial_fit` keeps those of its first call.
        classes_: the labels.
        loss_curve_: E after each epoch (for mini-batches: the mean over them, while the weights change).
        validation_curve_: the error on held-out rows after each epoch; empty without early stopping.
        loss_: the last of `loss_curve_`.
        n_iter_: epochs done.
        n_outputs_: units of the last layer.
        memory_: what the algorithm remembers for `partial_fit`.
        structure_: the parameters that the weights were made for.
        seed_: the seed of weights, orders and dropout.

    A weight of 2 equals a row given twice, but where rows are held out or in mini-batches. Weights are of the scaled
    features, whose range Nguyen and Widrow's first weights fit.

    Source: D. Rumelhart, G. Hinton, R. Williams, Nature 323 (1986); M. Riedmiller, H. Braun, IEEE ICNN (1993);
    C. Igel, M. Hüsken, "Improving the Rprop learning algorithm" (2000); S. Fahlman, "An empirical study of learning
    speed in back-propagation networks" (1988); D. Nguyen, B. Widrow, IJCNN (1990). "rprop" is PyTorch's, without the
    taking back of the first paper. MATLAB's toolbox multiplies η by 1 - μ in "gdm" and "gdx".

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]  # no line separates them
    >>> net = MultilayerPerceptronClassifier(hidden=(4,), goal=0.01, random_state=0).fit(X, y)
    >>> print(net.predict(X), net.loss_ <= 0.01, net.n_iter_ < 200)
    [0 1 1 0] True True
    """

    class_weight: Annotated[Any, ClassWeight()] | None = None
    loss: Annotated[Any, Errors()] = "crossentropy"
    output_activation: Annotated[str, Choice("softmax", "sigmoid")] = "softmax"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MultilayerPerceptronClassifier:
        """Learn from X (examples, features), labels y and weights of the examples."""
        return self._fit(self._start(), X, y, sample_weight, None, False)

    @available_if(training.goes_on)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """One more epoch, over these examples. The first call has to name all classes that will come."""
        again = hasattr(self, "weights_")
        return self._fit(self._start(again), X, y, sample_weight, classes, True)

    def _fit(self, p: SimpleNamespace, X: Any, y: Any, sample_weight: Any, classes: Any, part: bool) -> Any:
        again = part and hasattr(self, "weights_")
        X, y = self._rows(X, y, reset=not again, dtype=np.float64)
        labels = self._labels(y, classes, again)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if p.class_weight is not None:
            weight = weight * compute_sample_weight(p.class_weight, y)
        self.n_outputs_: int = 1 if len(self.classes_) == 2 else len(self.classes_)
        t = labels[:, None] == 1 if self.n_outputs_ == 1 else labels[:, None] == np.arange(len(self.classes_))
        sparse = isinstance(losses.get(self._error(p)[0]), losses.SparseCategoricalCrossentropy)
        return self._learn(p, X, labels if sparse else t.astype(np.float64), weight, part)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, (rows, classes)."""
        found = self._outputs(X)
        if self.n_outputs_ == 1:
            return np.hstack([1 - found, found])
        return found / found.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row of X."""
        found = self.predict_proba(X)
        return self.classes_[found.argmax(axis=1)]

    def _error(self, p: SimpleNamespace) -> tuple[Any, Any]:
        output = "sigmoid" if self.n_outputs_ == 1 else p.output_activation
        own = "binary_crossentropy" if output == "sigmoid" else "sparse_categorical_crossentropy"
        loss = own if p.loss == "crossentropy" else SUMS.get(p.loss, p.loss)
        return loss, output


class MultilayerPerceptronRegressor(ManyTargets, _FeedForward):
    """Multilayer perceptron that predicts numbers: any layers, any connections, every classical training algorithm.

        ŷ = b + Σ h_a W_a;   E = Σᵢ sᵢ ‖yᵢ - ŷᵢ‖² / (k Σᵢ sᵢ) + ½ l2 Σ w²,   k outputs

    Hidden layers, connections, algorithms and arguments are those of `MultilayerPerceptronClassifier`. Besides there is

        "lm"   Levenberg-Marquardt: w ← w - (H + μ I)⁻¹ ∇E with H = 2/k Σ s ∇ŷ ∇ŷᵀ / Σ s + l2; μ is divided by 10 after
               a step that makes E smaller, and multiplied by 10 until one does

    Args:
        hidden: units of each hidden layer; () for none.
        activation: an activation's name, or one per hidden layer.
        connections: (from layer, to layer) or (from layer, to layer, mask), layers counted from 0; None: a chain.
        algorithm: one of the names.
        learning_rate: η; for "lm" the first μ, 0.001 unless given.
        momentum: of "gdm" and "gdx".
        batch_size: rows in a mini-batch.
        epochs: most passes over the rows.
        goal: E at which training stops.
        l2: penalty on squared weights, biases apart.
        dropout: probability with which a hidden value is left out, for "gd", "gdm" and mini-batches.
        init: "nguyen-widrow", or an initializer beside biases of 0.
        early_stopping: whether rows are held out, and the weights with the least error on them kept.
        validation_fraction: part of the rows held out.
        patience: epochs without a new least error on held-out rows after which training stops.
        show: print the error each time so many epochs are over.
        scale: whether each feature is brought to mean 0 and standard deviation 1; with linear outputs and "mse",
            "sse", "mae" or "sae" each target too. E and `goal` are then of scaled targets: for "mse" 1 is no better
            than the mean.
        loss: "mse", as above; "sse", Σᵢ sᵢ ‖yᵢ - ŷᵢ‖² without division; "mae" and "sae" with |yᵢ - ŷᵢ|; another
            loss's name, a loss, or a function of (y_true, y_pred) that gives one number per row.
        output_activation: of the last layer, "linear" unless given; targets have to lie where it reaches.
            "binary_crossentropy" needs "sigmoid", "categorical_crossentropy" needs "softmax".

    Attributes:
        coefs_, intercepts_, weights_, input_mean_, input_scale_: as of `MultilayerPerceptronClassifier`.
        target_mean_, target_scale_: likewise of the targets, (outputs,).
        loss_curve_, validation_curve_, loss_, n_iter_, n_outputs_, memory_, structure_, seed_: likewise.

    Source: D. Rumelhart, G. Hinton, R. Williams, Nature 323 (1986); D. Marquardt, J. SIAM 11 (1963); M. Hagan,
    M. Menhaj, "Training feedforward networks with the Marquardt algorithm", IEEE Trans. Neural Networks 5 (1994).

    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> net = MultilayerPerceptronRegressor(hidden=(6,), algorithm="lm", epochs=50, random_state=0)
    >>> bool(abs(net.fit(x, np.sin(4 * x[:, 0])).predict(x) - np.sin(4 * x[:, 0])).max() < 0.01)
    True
    """

    loss: Annotated[Any, Errors()] = "mse"
    output_activation: Activation = "linear"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MultilayerPerceptronRegressor:
        """Learn from X (examples, features), targets y, (examples,) or (examples, outputs), and weights of examples."""
        return self._fit(self._start(), X, y, sample_weight, False)

    @available_if(training.goes_on)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """One more epoch, over these examples."""
        return self._fit(self._start(hasattr(self, "weights_")), X, y, sample_weight, True)

    def _fit(self, p: SimpleNamespace, X: Any, y: Any, sample_weight: Any, part: bool) -> Any:
        again = part and hasattr(self, "weights_")
        X, y = self._rows(X, y, reset=not again, dtype=np.float64, multi_output=True, y_numeric=True)
        t = self._columns(y)
        if again and t.shape[1] != self.n_outputs_:
            raise DataError(f"{type(self).__name__} expected {self.n_outputs_} outputs, received {t.shape[1]}.")
        self.n_outputs_: int = t.shape[1]
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        return self._learn(p, X, self._reachable(p, t.astype(np.float64)), weight, part)

    def predict(self, X: Any) -> np.ndarray:
        """ŷ for each row of X."""
        found = self._outputs(X)
        return self._as_given(self.target_mean_ + self.target_scale_ * found)

    def _error(self, p: SimpleNamespace) -> tuple[Any, Any]:
        loss = SUMS.get(p.loss, p.loss)
        if loss == "crossentropy" or isinstance(losses.get(loss), losses.SparseCategoricalCrossentropy):
            raise ConfigurationError(
                f"{type(self).__name__} expected a loss of numbers, received {p.loss!r}, which is of classes. Use "
                f"MultilayerPerceptronClassifier."
            )
        return loss, p.output_activation

    def _reachable(self, p: SimpleNamespace, t: np.ndarray) -> np.ndarray:
        """The targets, where loss and outputs can have them."""
        loss, output = losses.get(self._error(p)[0]), p.output_activation
        low, high = rules.REACH.get(output, (-np.inf, np.inf)) if isinstance(output, str) else (-np.inf, np.inf)
        if not (low <= t.min() and t.max() <= high):
            raise DataError(
                f"{type(self).__name__} expected targets from {low:g} to {high:g} with output_activation={output!r}, "
                f"received {t.min():g} to {t.max():g}. Bring them there, or use output_activation='linear'."
            )
        return t if isinstance(loss, WITH_UNIT) else loss.check(t, (None, t.shape[1]), "y")

    def _scale_targets(self, p: SimpleNamespace, t: np.ndarray, share: np.ndarray) -> None:
        whole = p.scale and p.output_activation == "linear" and isinstance(losses.get(self._error(p)[0]), WITH_UNIT)
        self.target_mean_, self.target_scale_ = spread(t, share) if whole else unscaled(t)

    def _scaled(self, data: Any) -> Any:
        X, t, share = super()._scaled(data)
        return X, (t - self.target_mean_) / self.target_scale_, share
