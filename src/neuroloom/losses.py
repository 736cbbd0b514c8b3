"""Losses: how far predictions are from targets, as one number to make small.

A loss is a frozen value. `values` gives one number per sample, for arrays of any engine; `logit_values` the
same from the output before its sigmoid or softmax, where it is exact; calling the loss gives the mean;
`prepare` checks all targets on the host before training, so that none is broadcast, cut or cast silently.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np

from neuroloom import calls, config, engines, ops
from neuroloom.config import Bool, Configured, Number
from neuroloom.engines import Engine, dispatch
from neuroloom.errors import DataError, ShapeError
from neuroloom.ops.nn import sum_where
from neuroloom.typing import Array, Function, Shape

EPSILON = 1e-7
"""Probabilities are cut to [EPSILON, 1 - EPSILON] before their logarithm is taken, as in Keras."""

ONE = 1e-2
"""By how much the sum of a row of probabilities may differ from 1: they may have been rounded to few digits."""

FORM = "ops.mean(ops.square(y_pred - y_true), axis=-1)"
"""What a loss of one's own can look like."""

Smoothing = Annotated[float, Number(0, 1, expects="a number from 0 to 1")]


class Loss(Configured, kind="loss"):
    """Base of losses. A loss of your own defines `values`.

    Attributes:
        activation: the output activation before which `logit_values` can be used, or None.
        accuracy: the metric that "accuracy" means beside this loss, or None where it means nothing.
        target_dtype: what `prepare` converts targets to.

    >>> class Quartic(Loss):
    ...     def values(self, y_true, y_pred):
    ...         return ops.mean((y_pred - y_true) ** 4, axis=-1)
    >>> float(Quartic()([[0.0], [1.0]], [[2.0], [1.0]]))
    8.0
    """

    activation: ClassVar[str | None] = None
    accuracy: ClassVar[str | None] = None
    target_dtype: ClassVar[str] = "float32"

    def values(self, y_true: Array, y_pred: Array) -> Array:
        """One number per sample: shape y_pred.shape[:-1]."""
        raise NotImplementedError(f"{type(self).__name__} does not define values(y_true, y_pred).")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Array:
        """Σ weight · value / number of values, as Keras's 'sum_over_batch_size'.

        Args:
            y_true: targets; lists and NumPy arrays are converted to the engine of the others.
            y_pred: predictions, (batch, ...).
            sample_weight: (batch,) or as many further axes as the values have.

        Returns:
            a scalar of the arrays' engine.

        Raises:
            ShapeError: targets or weights that would fit only by broadcasting.
            DataError: targets (as list or NumPy array) that this loss cannot have.
        """
        engine = engines.of(y_true, y_pred)
        y_pred = _floating(engine, y_pred)
        shape, kind = tuple(y_pred.shape), dispatch.of_type(type(y_true))
        on_host = kind is None or kind.on_host
        y_true = self.check(np.asarray(y_true), shape, "y_true") if on_host else self.fit(y_true, shape, "y_true")
        dtype = engine.dtype_name(y_pred) if self.target_dtype == "float32" else self.target_dtype
        return reduce(self.values(engine.asarray(y_true, dtype), y_pred), sample_weight)

    def prepare(self, y: np.ndarray, shape: Shape, name: str) -> np.ndarray:
        """The targets of a whole training, checked and converted.

        Args:
            y: targets, (samples, ...).
            shape: the output's shape, None for the batch and other free axes.
            name: what messages call the targets.

        Returns:
            a contiguous array of `target_dtype`, of the shape that `values` expects.

        Raises:
            ShapeError: targets that would fit only by broadcasting, or that are meant for another loss.
            DataError: values that this loss cannot have: NaN, strings, labels out of range.
        """
        return np.ascontiguousarray(self.check(np.asarray(y), shape, name), dtype=self.target_dtype)

    def check(self, y: np.ndarray, shape: Shape, name: str) -> np.ndarray:
        """`fit`, after which also every value of `y` is one that this loss can have."""
        self._numbers(y, name)
        y = self.fit(y, shape, name)
        with np.errstate(over="ignore"):
            bad = ~np.isfinite(y.astype(np.float32, copy=False))
        self._refuse_where(bad, y, name, "that are finite", "Drop or fill in such rows before training.")
        return y

    def fit(self, y: Array, shape: Shape, name: str) -> Array:
        """`y` in the shape that `values` expects, or a ShapeError; the values are not looked at."""
        if len(shape) > 1 and shape[-1] == 1 and _fits(y.shape, shape[:-1]):
            return y[..., None]  # (batch,) -> (batch, 1)
        if not _fits(y.shape, shape):
            advice = (
                "Targets are never broadcast: give the last layer as many units as the targets have columns, "
                "or reshape the targets."
            )
            raise ShapeError(self._message(name, f"of the output's shape {_shown(shape)}", _shape_of(y), advice))
        return y

    def _message(self, name: str, expected: str, received: str, advice: str) -> str:
        return f"{type(self).__name__} expected targets {name!r} {expected}, received {received}. {advice}"

    def _numbers(self, y: np.ndarray, name: str) -> None:
        if y.dtype.kind not in "biuf":
            received = f"{y.flat[0]!r:.60} (dtype {y.dtype})" if y.size else f"dtype {y.dtype}"
            advice = "If they are classes, encode them: names, y = np.unique(y, return_inverse=True)."
            raise DataError(self._message(name, "that are numbers", received, advice))

    def _refuse_where(self, bad: np.ndarray, y: np.ndarray, name: str, expected: str, advice: str) -> None:
        if bad.any():
            first = np.unravel_index(int(np.argmax(bad)), bad.shape)
            received = f"{y[first].item()!r} in row {first[0]}"
            raise DataError(self._message(name, expected, received, advice))


class MeanSquaredError(Loss):
    """(1/k) Σⱼ (yⱼ - ŷⱼ)², over the k entries of the last axis.

    >>> float(MeanSquaredError()([[0.0, 1.0]], [[3.0, 0.0]]))
    5.0
    """

    aliases = ("mse",)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return ops.mean(ops.square(y_pred - y_true), axis=-1)


class MeanAbsoluteError(Loss):
    """(1/k) Σⱼ |yⱼ - ŷⱼ|, over the k entries of the last axis. The derivative at 0 is 0.

    >>> float(MeanAbsoluteError()([[0.0, 1.0]], [[3.0, 0.0]]))
    2.0
    """

    aliases = ("mae",)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return ops.mean(ops.abs(y_pred - y_true), axis=-1)


class Crossentropy(Loss, abstract=True):
    """Base of the crossentropies: what depends on whether predictions are probabilities or logits.

    Args:
        from_logits: predictions are logits; then `values` is `logit_values`.
    """

    from_logits: Bool = False

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return (self.logit_values if self.from_logits else self.probability_values)(y_true, y_pred)

    def logit_values(self, y_true: Array, logits: Array) -> Array:
        """`values` of the activation of the logits, without overflow and without cutting."""
        raise NotImplementedError(f"{type(self).__name__} does not define logit_values(y_true, logits).")

    def probability_values(self, y_true: Array, p: Array) -> Array:
        """`values` of probabilities, cut to [EPSILON, 1 - EPSILON]."""
        raise NotImplementedError(f"{type(self).__name__} does not define probability_values(y_true, p).")


class BinaryCrossentropy(Crossentropy):
    """-(1/k) Σⱼ yⱼ log pⱼ + (1 - yⱼ) log(1 - pⱼ), for k independent yes-or-no questions.

    Args:
        from_logits: predictions are logits z, p = sigmoid(z).
        label_smoothing: s moves targets towards one half: y (1 - s) + s / 2.

    >>> round(float(BinaryCrossentropy()([[1.0], [0.0]], [[0.5], [0.75]])), 6)  # (log 2 + log 4) / 2
    1.039721
    """

    label_smoothing: Smoothing = 0.0
    activation = "sigmoid"
    accuracy = "binary_accuracy"

    def logit_values(self, y_true: Array, logits: Array) -> Array:
        """-log sigmoid(z) = softplus(-z), and -log(1 - sigmoid(z)) = softplus(z)."""
        y = self._smooth(y_true)
        return ops.mean(ops.binary_crossentropy(y, logits), axis=-1)

    def probability_values(self, y_true: Array, p: Array) -> Array:
        y, p = self._smooth(y_true), ops.clip(p, EPSILON, 1 - EPSILON)
        return -ops.mean(y * ops.log(p) + (1 - y) * ops.log(1 - p), axis=-1)

    def check(self, y: np.ndarray, shape: Shape, name: str) -> np.ndarray:
        y = super().check(y, shape, name)
        advice = "Code the two classes as 0 and 1; for more classes use SparseCategoricalCrossentropy."
        self._refuse_where((y < 0) | (y > 1), y, name, "from 0 to 1", advice)
        return y

    def _smooth(self, y: Array) -> Array:
        s = self.label_smoothing
        return y * (1 - s) + 0.5 * s if s else y


class CategoricalCrossentropy(Crossentropy):
    """-Σⱼ yⱼ log pⱼ, for targets that are distributions over k classes, such as one-hot rows.

    Args:
        from_logits: predictions are logits z, p = softmax(z). Rows of probabilities are divided by their sum.
        label_smoothing: s moves targets towards the uniform distribution: y (1 - s) + s / k.

    >>> round(float(CategoricalCrossentropy()([[0, 1, 0]], [[0.25, 0.5, 0.25]])), 6)  # log 2
    0.693147
    """

    label_smoothing: Smoothing = 0.0
    activation = "softmax"
    accuracy = "categorical_accuracy"

    def logit_values(self, y_true: Array, logits: Array) -> Array:
        return -ops.sum(self._smooth(y_true) * ops.log_softmax(logits), axis=-1)

    def probability_values(self, y_true: Array, p: Array) -> Array:
        p = ops.clip(p / ops.sum(p, axis=-1, keepdims=True), EPSILON, 1 - EPSILON)
        return -ops.sum(self._smooth(y_true) * ops.log(p), axis=-1)

    def fit(self, y: Array, shape: Shape, name: str) -> Array:
        _at_least_two(shape, type(self).__name__)
        if _fits(y.shape, shape[:-1]) or _fits(y.shape, (*shape[:-1], 1)):
            advice = "Use SparseCategoricalCrossentropy, which takes class numbers."
            received = f"class numbers of shape {tuple(y.shape)}"
            raise ShapeError(self._message(name, f"in one-hot rows of shape {_shown(shape)}", received, advice))
        return super().fit(y, shape, name)

    def check(self, y: np.ndarray, shape: Shape, name: str) -> np.ndarray:
        y = super().check(y, shape, name)
        advice = "Each row is a distribution over the classes: one-hot, or probabilities."
        self._refuse_where((y < 0) | (y > 1), y, name, "from 0 to 1", advice)
        advice = (
            "Each row is one class, or probabilities. For several classes in a row use sigmoid and BinaryCrossentropy; "
            "a row without a class is left out by sample_weight 0."
        )
        sums = y.sum(axis=-1, dtype=np.float64)
        self._refuse_where(abs(sums - 1) > ONE, sums, name, "whose rows have the sum 1", advice)
        return y

    def _smooth(self, y: Array) -> Array:
        s = self.label_smoothing
        return y * (1 - s) + s / y.shape[-1] if s else y


class SparseCategoricalCrossentropy(Crossentropy):
    """-log pᵧ, for targets y that are class numbers from 0 to k - 1.

    Args:
        from_logits: predictions are logits z, p = softmax(z). Rows of probabilities are divided by their sum.

    Keras counts a label out of range as loss 0; here `prepare` refuses it.

    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.25, 0.5, 0.25]])), 6)  # log 2
    0.693147
    """

    activation = "softmax"
    accuracy = "sparse_categorical_accuracy"
    target_dtype = "int32"

    def logit_values(self, y_true: Array, logits: Array) -> Array:
        return -ops.pick(ops.log_softmax(logits), y_true)

    def probability_values(self, y_true: Array, p: Array) -> Array:
        return -ops.log(ops.clip(ops.pick(p, y_true) / ops.sum(p, axis=-1), EPSILON, 1 - EPSILON))

    def fit(self, y: Array, shape: Shape, name: str) -> Array:
        _at_least_two(shape, type(self).__name__)
        if _fits(y.shape, (*shape[:-1], 1)):
            return y[..., 0]
        if not _fits(y.shape, shape[:-1]):
            one_hot = _fits(y.shape, shape)
            advice = "For one-hot rows use CategoricalCrossentropy." if one_hot else "Give one per sample."
            expected = f"that are class numbers of shape {_shown(shape[:-1])}"
            raise ShapeError(self._message(name, expected, _shape_of(y), advice))
        return y

    def check(self, y: np.ndarray, shape: Shape, name: str) -> np.ndarray:
        y, classes = super().check(y, shape, name), shape[-1]
        if y.dtype.kind == "f":
            advice = "To predict numbers use MeanSquaredError."
            self._refuse_where(y != np.floor(y), y, name, "that are whole class numbers", advice)
        limit = np.inf if classes is None else classes
        advice = (
            "Number the classes from 0 with np.unique(y, return_inverse=True)[1], "
            "or give the last layer one unit per class."
        )
        expected = "of at least 0" if classes is None else f"from 0 to {classes - 1}, for {classes} classes"
        self._refuse_where((y < 0) | (y >= limit), y, name, expected, advice)
        return y


class FunctionLoss(Loss, abstract=True):
    """A function `(y_true, y_pred) -> array` as a loss; the array has one number per sample.

    No registry knows it, so it cannot be in a model file: a loss that shall be is a class (see `Loss`).

    >>> FunctionLoss(lambda y_true, y_pred: abs(y_pred - y_true)[:, 0])([[1.0]], [[3.5]]).item()
    2.5
    """

    function: Function

    def values(self, y_true: Array, y_pred: Array) -> Array:
        engine = engines.of(y_pred)

        def fits(value: Any) -> bool:
            return dispatch.of_type(type(value)) is engine

        return calls.run_own("loss", self.function, FORM, engine.name, y_true, y_pred, fits)

    def fit(self, y: Array, shape: Shape, name: str) -> Array:
        """`y` of any shape, class numbers for instance, except one that broadcasting would stretch."""
        lengths = list(zip(y.shape, shape, strict=False))
        stretched = len(y.shape) == len(shape) and any(m != n and 1 in (m, n) for m, n in lengths[1:])
        flat = _fits((*y.shape, 1), shape)
        return super().fit(y, shape, name) if stretched or flat else y


def get(spec: Any) -> Loss:
    """A loss from an object, class, name, configuration, or function `(y_true, y_pred) -> array`.

    Raises:
        UnknownNameError: no loss has this name; the message suggests the nearest.

    >>> get("mse"), get("sparse_categorical_crossentropy")
    (MeanSquaredError(), SparseCategoricalCrossentropy())
    """
    if callable(spec) and not isinstance(spec, Configured | type):
        calls.check_own("loss", spec, FORM)
        return FunctionLoss(spec)
    return config.get("loss", spec)


def reduce(values: Array, sample_weight: Any = None, mask: Array | None = None) -> Array:
    """Σ weight · value / number of values; weights of shape (batch,) hold for all further axes of a sample.

    With a mask, of the shape of the values or of their first axes, only values where it is true are summed and counted;
    if there are none, the result is 0.

    >>> reduce(np.array([1.0, 2.0, 6.0])).item(), reduce(np.array([1.0, 2.0, 6.0]), [1.0, 0.0, 2.0]).item()
    (3.0, 4.333333333333333)
    """
    if sample_weight is not None:
        values = values * _weights(engines.of(values), sample_weight, values)
    if mask is not None:
        return _mean_where(mask, values)
    return values.sum() / max(math.prod(values.shape), 1)  # arrays of every engine have this method


def _mean_where(mask: Array, values: Array) -> Array:
    total, count = sum_where(mask, values, "the loss's values")
    return total / (count + (count == 0))


def _weights(engine: Engine, weight: Any, values: Array) -> Array:
    weight = engine.asarray(weight, engine.dtype_name(values))
    if weight.ndim == values.ndim + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    shape, given = tuple(values.shape), tuple(weight.shape)
    if not given or given != shape[: len(given)]:
        raise ShapeError(
            f"Expected sample_weight of shape {shape[:1]} or {shape}, as the loss's values, received "
            f"{given}. A loss that returns one number for the whole batch cannot be weighted."
        )
    return ops.reshape(weight, given + (1,) * (len(shape) - len(given)))


def _floating(engine: Engine, x: Any) -> Array:
    x = engine.asarray(x)
    return x if "float" in engine.dtype_name(x) else engine.astype(x, "float32")


def _fits(given: Any, shape: Shape) -> bool:
    return len(given) == len(shape) and all(n is None or n == m for m, n in zip(given, shape, strict=True))


def _shown(shape: Shape) -> str:
    return str(tuple(shape)).replace("None", "n")


def _shape_of(y: Array) -> str:
    return f"shape {tuple(y.shape)}"


def _at_least_two(shape: Shape, loss: str) -> None:
    if len(shape) < 2 or shape[-1] == 1:
        raise ShapeError(
            f"{loss} expected an output of at least 2 classes, received one of shape {_shown(shape)}. Give "
            f"the last layer one unit per class, or use BinaryCrossentropy with one sigmoid unit."
        )


# the names that programs written for Keras use, as in compile(loss=losses.binary_crossentropy)
mse = mean_squared_error = MeanSquaredError
mae = mean_absolute_error = MeanAbsoluteError
binary_crossentropy = BinaryCrossentropy
categorical_crossentropy = CategoricalCrossentropy
sparse_categorical_crossentropy = SparseCategoricalCrossentropy

calls.public(__name__)
