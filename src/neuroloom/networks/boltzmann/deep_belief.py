"""Deep belief networks: restricted Boltzmann machines on top of each other, learned one by one."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from neuroloom import ops, optimizers
from neuroloom.config import Bool, Choice, Fraction, NonNegative, Positive, PositiveInt, Sizes
from neuroloom.engines import Engine
from neuroloom.networks.base import Network, costs, direct
from neuroloom.networks.boltzmann import rbm_rules as rules
from neuroloom.networks.boltzmann.rbm import BernoulliRBM, GaussianRBM, within_unit
from neuroloom.ops import draws
from neuroloom.typing import Array, Key, Tree


class _Stack(Network):
    """What the network and the classifier share: how the machines are learned."""

    layers: Sizes = (100, 50)
    visible: Annotated[str, Choice("binary", "gaussian")] = "binary"
    learning_rate: Positive = 0.05
    batch_size: PositiveInt = 10
    epochs: PositiveInt = 10
    k: PositiveInt = 1
    persistent: Bool = True
    momentum: Fraction = 0.0
    weight_decay: NonNegative = 0.0

    def _stack(self, p: SimpleNamespace, X: np.ndarray) -> None:
        """Learn each machine from the hidden probabilities of the one below."""
        names = ("batch_size", "epochs", "k", "persistent", "momentum", "weight_decay")
        shared = {name: getattr(p, name) for name in names}
        self.rbms_: list[Any] = []
        for i, units in enumerate(p.layers):
            gaussian = i == 0 and p.visible == "gaussian"
            machine = GaussianRBM if gaussian else BernoulliRBM
            seed = int(self._generator("layer", i).integers(2**31))
            rate = p.learning_rate / 10 if gaussian else p.learning_rate
            rbm = machine(n_components=units, learning_rate=rate, random_state=seed, engine=p.engine, **shared)
            self.rbms_.append(rbm.fit(X))
            X = self._run(rules.hidden_means, rbm._net, X)

    def _visible(self, X: np.ndarray) -> np.ndarray:
        """Rows as the lowest machine takes them."""
        return within_unit(self, X) if self.visible == "binary" else X


class DeepBeliefNetwork(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Stack):
    """Deep belief network: each layer is a restricted Boltzmann machine that learns what the layer below found.

        P(v, h¹, …, hᴸ) = P(v | h¹) … P(hᴸ⁻² | hᴸ⁻¹) P(hᴸ⁻¹, hᴸ)

    The first machine learns from the rows of X, each further one from the hidden probabilities σ(cˡ + Wˡ hˡ⁻¹) of the
    one below. So learned, the top is an undirected memory, and the layers below it generate downwards.

    Args:
        layers: hidden units of each layer, from below.
        visible: "binary" columns (from 0 to 1, see `BernoulliRBM`), or "gaussian" ones of about unit variance.
        learning_rate: of the machines; a tenth of it for Gaussian columns.
        batch_size, epochs, k, persistent, momentum, weight_decay: of each machine; see `BernoulliRBM`.

    Attributes:
        rbms_: the machines, from below.
        seed_: the seed of theirs.

    Source: G. Hinton, S. Osindero and Y.-W. Teh, "A fast learning algorithm for deep belief nets", Neural Computation
    18 (2006). `DeepBeliefClassifier` is the same, fine-tuned. In scikit-learn a pipeline of `BernoulliRBM` gives the
    features, but neither samples nor fine-tuning.

    >>> import numpy as np
    >>> X = np.array([[1, 1, 0, 0], [0, 0, 1, 1]] * 50)
    >>> net = DeepBeliefNetwork(layers=(6, 3), epochs=100, random_state=0).fit(X)
    >>> net.transform(X).shape
    (100, 3)
    >>> net.reconstruct(X[:2]).round()
    array([[1., 1., 0., 0.],
           [0., 0., 1., 1.]])
    """

    def fit(self, X: Any, y: Any = None) -> DeepBeliefNetwork:
        """Learn layer after layer."""
        p = self._start()
        self._stack(p, self._visible(self._rows(X)))
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Probabilities of the top layer: (examples, layers[-1])."""
        found = self._visible(self._rows(X, reset=False))
        for rbm in self.rbms_:
            found = self._answer(rules.hidden_means, rbm._net, found)
        return found

    def inverse_transform(self, X: Any) -> np.ndarray:
        """The means of the columns, from values of the top layer downwards: (examples, features)."""
        check_is_fitted(self)
        found = np.asarray(X, np.float64)
        for rbm in reversed(self.rbms_):
            found = self._answer(rules.visible_means, rbm._net, found, kind=rbm._kind)
        return found

    def reconstruct(self, X: Any) -> np.ndarray:
        """What the top layer says of each row: (examples, features)."""
        return self.inverse_transform(self.transform(X))

    def sample(self, n_samples: int = 1, steps: int = 1000, seed: int = 0) -> np.ndarray:
        """Rows that the network dreams: chains of the top machine, then states drawn downwards, means at last.

        Args:
            n_samples: rows.
            steps: steps of each chain.
            seed: another number gives other rows.
        """
        check_is_fitted(self)
        top, below = self.rbms_[-1], self.rbms_[:-1]
        key = draws.key(self.seed_, "sample", seed)
        found = self._run(rules.sample, top._net, top._noise(n_samples, seed), steps, key, kind=top._kind)
        for i, rbm in reversed(list(enumerate(below))):
            key = draws.key(self.seed_, "down", i, seed)
            found = self._run(down, rbm._net, found, key, kind=rbm._kind, drawn=i > 0)
        return found.astype(np.float64)

    @property
    def _n_features_out(self) -> int:
        return self.rbms_[-1].components_.shape[0]


class DeepBeliefClassifier(ClassifierMixin, _Stack):
    """Deep belief network with an output layer, fine-tuned to classify by back-propagation through all layers.

        hˡ = σ(cˡ + Wˡ hˡ⁻¹),      P(class | x) = softmax(V hᴸ + d)

    The layers start as those of `DeepBeliefNetwork`, learned without labels; then all weights follow the gradient of
    the mean cross-entropy, by Adam. Values outside 0 to 1 count as 0 or 1 for binary machines only.

    Args:
        layers: hidden units of each layer, from below.
        visible: "binary" columns (from 0 to 1, see `BernoulliRBM`), or "gaussian" ones of about unit variance.
        learning_rate: of the machines; a tenth of it for Gaussian columns.
        batch_size, epochs, k, persistent, momentum, weight_decay: of each machine; see `BernoulliRBM`.
        tuning_epochs: passes of back-propagation.
        tuning_rate: Adam's learning rate in them.
        tuning_batch: rows per step in them.

    Attributes:
        classes_: the labels.
        rbms_: the machines, from below; their `components_` and `intercept_hidden_` are Wˡ and cˡ after fine-tuning.
        coef_: V, (classes, layers[-1]).
        intercept_: d, (classes,).
        loss_curve_: the mean cross-entropy of each pass.
        n_iter_: passes of back-propagation.
        seed_: the seed of machines and orders.

    Source: G. Hinton, S. Osindero and Y.-W. Teh, Neural Computation 18 (2006); G. Hinton and R. Salakhutdinov, Science
    313 (2006), for fine-tuning by back-propagation.

    >>> import numpy as np
    >>> X, y = np.array([[1, 1, 0, 0], [0, 0, 1, 1]] * 20), np.array(["left", "right"] * 20)
    >>> net = DeepBeliefClassifier(layers=(8, 4), tuning_rate=0.05, random_state=0).fit(X, y)
    >>> net.predict([[1, 1, 0, 0], [0, 0, 1, 1]])
    array(['left', 'right'], dtype='<U5')
    """

    tuning_epochs: PositiveInt = 100
    tuning_rate: Positive = 0.005
    tuning_batch: PositiveInt = 32

    def fit(self, X: Any, y: Any) -> DeepBeliefClassifier:
        """Learn the machines from X, then all weights from labels y."""
        p = self._start()
        X, y = self._rows(X, y)
        labels = self._labels(y)
        self._stack(p, self._visible(X))
        layers = [(rbm.components_, rbm.intercept_hidden_) for rbm in self.rbms_]
        last = (np.zeros((len(self.classes_), p.layers[-1])), np.zeros(len(self.classes_)))
        learned, self.loss_curve_ = self._run(
            tune, [*layers, last], X, labels, p.tuning_rate, draws.key(self.seed_, "tune"),
            batch=min(p.tuning_batch, len(X)), epochs=p.tuning_epochs,
        )  # fmt: skip
        self._finite(learned, self.loss_curve_)
        *layers, (self.coef_, self.intercept_) = learned
        for rbm, (w, c) in zip(self.rbms_, layers, strict=True):
            rbm.components_, rbm.intercept_hidden_ = w, c
        self.n_iter_ = p.tuning_epochs
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """P(class | x): (examples, classes)."""
        X = self._rows(X, reset=False)
        layers = [(rbm.components_, rbm.intercept_hidden_) for rbm in self.rbms_]
        return self._answer(probabilities, [*layers, (self.coef_, self.intercept_)], X)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]


@direct
def down(engine: Engine, net: Any, h: Array, key: Key, *, kind: str, drawn: bool) -> Array:
    """States of the units below, or their means."""
    z = rules.to_visible(net, h)
    return rules.visible(key, z, kind) if drawn else rules.expected(z, kind)


def logits(layers: Tree, x: Array) -> Array:
    """V hᴸ + d."""
    for w, b in layers[:-1]:
        x = ops.sigmoid(x @ w.T + b)
    return x @ layers[-1][0].T + layers[-1][1]


@direct
def probabilities(engine: Engine, layers: Tree, x: Array) -> Array:
    """P(class | x)."""
    return ops.softmax(logits(layers, x), axis=1)


def tuning_costs(a: Any) -> float:
    """What `tune` costs."""
    return a.epochs * math.ceil(len(a.x) / a.batch) * (1000 + a.batch * sum(w.size for w, _ in a.layers) / 300)


@costs(tuning_costs)
def tune(
    engine: Engine, layers: Tree, x: Array, labels: Array, rate: Array, key: Key, *, batch: int, epochs: int
) -> tuple[Tree, Array]:
    """Adam on the mean cross-entropy: the layers and the loss of each pass."""
    n = x.shape[0]
    steps = math.ceil(n / batch)
    place = engine.arange(steps * batch)
    filled = ops.reshape(ops.cast(place < n, "float32"), (steps, batch))  # the last batch may not be full
    adam = optimizers.Adam()

    def one(state: Any, item: Any) -> Any:
        layers, slots = state
        rows, share, i = item

        def loss(layers: Tree) -> tuple[Array, tuple[()]]:
            chosen = ops.pick(ops.log_softmax(logits(layers, ops.gather(x, rows))), ops.gather(labels, rows))
            return -ops.sum(share * chosen) / ops.sum(share), ()

        (value, _), grads = engine.value_and_grad(loss)(layers)
        return adam.update(layers, grads, slots, rate, i), value * ops.sum(share) / n

    def one_pass(state: Any, epoch: Array) -> Any:
        order = ops.concat([draws.permutation(draws.fold_in(key, epoch), n), place[n:] * 0], axis=0)
        items = (ops.reshape(order, (steps, batch)), filled, epoch * steps + engine.arange(steps))
        state, values = engine.scan(one, state, items)
        return state, ops.sum(values)

    (layers, _), curve = engine.scan(one_pass, (layers, adam.init(layers)), engine.arange(epochs))
    return layers, curve
