"""Metrics: what is reported of predictions, exact over all samples seen.

A metric is a frozen value over sums. `init` gives the sums of no data, `update` adds those of a batch, `result`
makes the number from them; all three are pure, for arrays of any engine. So it does not matter how data is cut
into batches.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Annotated, Any, ClassVar

import numpy as np

from neuroloom import calls, config, engines, ops
from neuroloom.config import Configured, Integer, Name, Number, PositiveInt, Real
from neuroloom.engines import Engine, dispatch
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.ops.nn import sum_where
from neuroloom.typing import Array, Function, Shape

FORM = "ops.abs(y_pred - y_true)"
"""What a metric of one's own can look like."""

Sums = dict[str, Any]
"""What a metric adds up, by name."""


class Metric(Configured, kind="metric"):
    """Base of metrics. A metric of your own defines `shapes`, `sums` and `ratio`.

    If its `sums` has a further argument `mask`, it can be used for outputs with a mask: an array of truths of the shape
    of the first axes of y_pred, false at steps that do not count, or None.

    Args:
        name: what logs call it; by default the class's name in snake_case (see `label`).

    Attributes:
        sparse: targets are class numbers of shape y_pred.shape[:-1]; else they have the shape of y_pred.

    >>> metric = Recall()
    >>> state = metric.update(metric.init(), np.array([1.0, 1.0]), np.array([0.9, 0.2]))
    >>> float(metric.result(metric.update(state, np.array([1.0, 1.0]), np.array([0.8, 0.7]))))
    0.75
    """

    name: Name | None = dataclasses.field(default=None, kw_only=True)
    sparse: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """The name under which the metric is reported."""
        return self.name or config.snake(type(self).__name__)

    def __post_init__(self) -> None:
        if type(self) is Metric:
            raise ConfigurationError("Metric is the base of metrics. Use one of them, or a subclass of your own.")
        super().__post_init__()

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each sum."""
        raise NotImplementedError(f"{type(self).__name__} does not define shapes().")

    def sums(self, y_true: Array, y_pred: Array) -> Sums:
        """The sums of one batch."""
        raise NotImplementedError(f"{type(self).__name__} does not define sums(y_true, y_pred).")

    def ratio(self, sums: Sums) -> Array:
        """The metric's number, from the sums of all batches."""
        raise NotImplementedError(f"{type(self).__name__} does not define ratio(sums).")

    def init(self) -> Sums:
        """The state of no data, for the engine in use."""
        return {name: engines.current().zero_sum(shape) for name, shape in self.shapes().items()}

    def update(self, state: Sums, y_true: Any, y_pred: Any) -> Sums:
        """The state after one more batch.

        Raises:
            ShapeError: targets that would fit only by broadcasting.
        """
        engine = engines.of(*state.values(), y_true, y_pred)
        return self.add(state, self.sums(*self._arrays(engine, y_true, y_pred)))

    def batch(self, y_true: Array, y_pred: Array, mask: Array | None = None) -> Sums:
        """The sums of one batch, whose arrays are brought into the shapes that `sums` expects.

        Args:
            mask: which steps of the output count, or None.

        Raises:
            ConfigurationError: there is a mask, and the metric's `sums` does not take one.
        """
        arrays = self._arrays(engines.of(y_true, y_pred), y_true, y_pred)
        if mask is None:
            return self.sums(*arrays)
        if "mask" not in inspect.signature(self.sums).parameters:
            raise ConfigurationError(
                f"The metric {self.label!r} cannot leave out the steps that the output's mask says do not count. "
                f"Define sums(self, y_true, y_pred, mask=None) in {type(self).__name__}, or use another metric."
            )
        return self.sums(*arrays, mask=mask)  # type: ignore[call-arg]

    def add(self, state: Sums, batch: Sums) -> Sums:
        """The state and the sums of one more batch."""
        engine = engines.of(*state.values())
        return {name: engine.add_to_sum(total, batch[name]) for name, total in state.items()}

    def result(self, state: Sums) -> Array:
        """The number of all batches so far, a scalar array; 0 before the first."""
        engine = engines.of(*state.values())
        return self.ratio({name: engine.sum_value(total) for name, total in state.items()})

    def __call__(self, y_true: Any, y_pred: Any) -> float:
        """The metric of these arrays or lists alone.

        >>> BinaryAccuracy()([1, 0, 1], [[0.9], [0.3], [0.2]])
        0.6666666865348816
        """
        with engines.engine(engines.of(y_true, y_pred).name):
            return float(self.result(self.update(self.init(), y_true, y_pred)))

    def _arrays(self, engine: Engine, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        y_pred = engine.asarray(y_pred)
        if "float" not in engine.dtype_name(y_pred):
            y_pred = engine.astype(y_pred, "float32")
        y_true = engine.asarray(y_true, "int32" if self.sparse else engine.dtype_name(y_pred))
        return self._fit(y_true, tuple(y_pred.shape)), y_pred

    def _fit(self, y: Array, shape: tuple[int, ...]) -> Array:
        """The targets in the shape that `sums` expects; only an axis of length 1 may be missing or spare."""
        given, wanted = tuple(y.shape), shape[:-1] if self.sparse else shape
        if given == (*wanted, 1) and self.sparse:
            return y[..., 0]
        if (*given, 1) == wanted:
            return y[..., None]
        if given != wanted:
            advice = {
                shape: "For one-hot rows use the metric of this name without Sparse.",
                shape[:-1]: "For class numbers use a metric whose name begins with Sparse.",
            }.get(given, "Targets are never broadcast; reshape them.")
            raise ShapeError(
                f"{type(self).__name__} expected y_true of shape {wanted} for y_pred of shape {shape}, "
                f"received {given}. {advice}"
            )
        return y


class _Mean(Metric, abstract=True):
    """Base of metrics that are the mean of `values` over all of their elements."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        """What the mean is taken of."""
        raise NotImplementedError(f"{type(self).__name__} does not define values(y_true, y_pred).")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"total": (), "count": ()}

    def sums(self, y_true: Array, y_pred: Array, mask: Array | None = None) -> Sums:
        values = self.values(y_true, y_pred)
        if mask is not None:
            return _masked_sums(mask, values, self.label)
        return {"total": values.sum(), "count": float(math.prod(values.shape))}  # a sum of truths counts them

    def ratio(self, sums: Sums) -> Array:
        return _divide(sums["total"], sums["count"])


class MeanSquaredError(_Mean):
    """Mean of (y - ŷ)².

    >>> MeanSquaredError()([[0.0], [1.0]], [[3.0], [2.0]])
    5.0
    """

    aliases = ("mse",)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return ops.square(y_pred - y_true)


class RootMeanSquaredError(MeanSquaredError):
    """√ of the mean of (y - ŷ)² over all samples (not the mean of the batches' roots).

    >>> RootMeanSquaredError()([[0.0], [0.0]], [[1.0], [7.0]])
    5.0
    """

    aliases = ("rmse",)

    def ratio(self, sums: Sums) -> Array:
        return ops.sqrt(super().ratio(sums))


class MeanAbsoluteError(_Mean):
    """Mean of |y - ŷ|.

    >>> MeanAbsoluteError()([[0.0], [1.0]], [[3.0], [2.0]])
    2.0
    """

    aliases = ("mae",)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return ops.abs(y_pred - y_true)


class BinaryAccuracy(_Mean):
    """Share of the predictions that are on their target's side of the threshold: (ŷ > threshold) = y.

    Args:
        threshold: the largest prediction that counts as 0. For logits, 0 is what 0.5 is for probabilities.
    """

    threshold: Real = 0.5

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return ops.cast(y_pred > self.threshold, engines.of(y_true).dtype_name(y_true)) == y_true


class CategoricalAccuracy(_Mean):
    """Share of the samples whose largest prediction is at the class of their one-hot target.

    >>> CategoricalAccuracy()([[0, 1], [1, 0]], [[0.4, 0.6], [0.3, 0.7]])
    0.5
    """

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return ops.argmax(y_pred, axis=-1) == ops.argmax(y_true, axis=-1)


class SparseCategoricalAccuracy(_Mean):
    """Share of the samples whose largest prediction is at their class number.

    >>> SparseCategoricalAccuracy()([1, 0], [[0.4, 0.6], [0.3, 0.7]])
    0.5
    """

    sparse = True

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return ops.argmax(y_pred, axis=-1) == y_true


class SparseTopKCategoricalAccuracy(_Mean):
    """Share of the samples whose class number is among the k largest predictions.

    As in Keras, a tie counts for the class: it is among the k largest if fewer than k are larger.

    Args:
        k: how many predictions count.

    >>> SparseTopKCategoricalAccuracy(k=2)([2, 0], [[0.5, 0.2, 0.3], [0.1, 0.6, 0.3]])
    0.5
    """

    k: PositiveInt = 5
    sparse = True

    def values(self, y_true: Array, y_pred: Array) -> Array:
        score = ops.pick(y_pred, y_true)[..., None]
        larger = ops.logical_not(y_pred <= score)  # so that NaN is never among the k largest
        return ops.sum(ops.cast(larger, "int32"), axis=-1) < self.k


class TopKCategoricalAccuracy(SparseTopKCategoricalAccuracy):
    """Share of the samples whose class (a one-hot target) is among the k largest predictions.

    >>> TopKCategoricalAccuracy(k=2)([[0, 0, 1], [1, 0, 0]], [[0.5, 0.2, 0.3], [0.1, 0.6, 0.3]])
    0.5
    """

    sparse = False

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return super().values(ops.argmax(y_true, axis=-1), y_pred)


class _Share(Metric, abstract=True):
    """Base of metrics that are the share of true positives among something.

    Args:
        thresholds: the largest prediction that counts as negative. Targets above 0 are positive.
    """

    thresholds: Annotated[float, Number(0, 1, expects="a number from 0 to 1")] = 0.5

    def whole(self, positive: Array, predicted: Array) -> Array:
        """What the share is taken of: true where an element belongs to it."""
        raise NotImplementedError(f"{type(self).__name__} does not define whole(positive, predicted).")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"true_positives": (), "whole": ()}

    def sums(self, y_true: Array, y_pred: Array, mask: Array | None = None) -> Sums:
        positive, predicted = y_true > 0, y_pred > self.thresholds
        if mask is not None:
            counts = _widened(mask, positive)
            positive, predicted = positive & counts, predicted & counts
        both, whole = positive & predicted, self.whole(positive, predicted)
        return {
            "true_positives": ops.sum(ops.cast(both, "int32")),
            "whole": ops.sum(ops.cast(whole, "int32")),
        }

    def ratio(self, sums: Sums) -> Array:
        return _divide(sums["true_positives"], sums["whole"])


class Precision(_Share):
    """TP / (TP + FP): which share of what was predicted positive is positive; 0 if nothing was.

    >>> Precision(thresholds=0.3)([1, 0, 1], [0.9, 0.8, 0.1])
    0.5
    """

    def whole(self, positive: Array, predicted: Array) -> Array:
        return predicted


class Recall(_Share):
    """TP / (TP + FN): which share of the positive was predicted positive; 0 if nothing is positive.

    >>> Recall(thresholds=0.3)([1, 0, 1, 1, 1], [0.9, 0.8, 0.1, 0.2, 0.3])
    0.25
    """

    def whole(self, positive: Array, predicted: Array) -> Array:
        return positive


class AUC(Metric):
    """Area under the ROC curve, by the trapezoidal rule between evenly spaced thresholds.

    The curve joins the points (FP / N, TP / P) of the thresholds: Σᵢ (xᵢ - xᵢ₊₁) (yᵢ + yᵢ₊₁) / 2. That is Keras's
    default; scikit-learn's `roc_auc_score` has a threshold at every prediction, which a stream cannot have.
    Without positive or without negative targets the area is 0.

    Args:
        num_thresholds: points of the curve, both ends counted; at least 2.

    Predictions are probabilities (others are cut to [0, 1]); targets above 0 are positive.

    >>> AUC()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """

    num_thresholds: Annotated[int, Integer(2)] = 200

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"true_positives": (self.num_thresholds,), "false_positives": (self.num_thresholds,)}

    def sums(self, y_true: Array, y_pred: Array, mask: Array | None = None) -> Sums:
        p, positive = ops.clip(ops.reshape(y_pred, (-1,)), 0.0, 1.0), ops.reshape(y_true, (-1,)) > 0
        nowhere = -ops.ones_like(p)
        if mask is not None:
            p = ops.where(ops.reshape(_widened(mask, y_pred), (-1,)), p, nowhere)
        return {
            "true_positives": self._above(ops.where(positive, p, nowhere)),
            "false_positives": self._above(ops.where(positive, nowhere, p)),
        }

    def ratio(self, sums: Sums) -> Array:
        tp, fp = sums["true_positives"], sums["false_positives"]
        x, y = _divide(fp, fp[:1]), _divide(tp, tp[:1])  # all predictions are above the first threshold
        return ops.sum((x[:-1] - x[1:]) * (y[:-1] + y[1:])) / 2

    def _above(self, p: Array) -> Array:
        """How many numbers are above each threshold: (num_thresholds,)."""
        engine = engines.of(p)
        thresholds = np.linspace(0, 1, self.num_thresholds)
        thresholds[0], thresholds[-1] = -0.5, 1.5  # below and above every prediction
        limits = engine.asarray(thresholds, engine.dtype_name(p))
        return p.shape[0] - engine.xp.searchsorted(ops.sort(p), limits, side="right")


class FunctionMetric(_Mean, abstract=True):
    """The mean over all samples of what a function `(y_true, y_pred) -> array` (or one number) returns.

    No registry knows it, so it cannot be in a model file: a metric that shall be is a class (see `Mean`).

    >>> FunctionMetric(lambda y_true, y_pred: abs(y_pred - y_true))([[1.0], [2.0]], [[3.0], [2.0]])
    1.0
    """

    function: Function

    @property
    def label(self) -> str:
        return self.name or str(getattr(self.function, "__name__", "function_metric"))

    def sums(self, y_true: Array, y_pred: Array, mask: Array | None = None) -> Sums:
        engine, samples = engines.of(y_pred), y_pred.shape[0]

        def fits(value: Any) -> bool:
            return dispatch.of_type(type(value)) is engine

        value = calls.run_own("metric", self.function, FORM, engine.name, y_true, y_pred, fits)
        if mask is not None:
            return _masked_sums(mask, value, self.label)
        return {"total": ops.mean(ops.cast(value, "float32")) * samples, "count": float(samples)}

    def _fit(self, y: Array, shape: tuple[int, ...]) -> Array:
        return super()._fit(y, shape) if len(y.shape) == len(shape) or (*y.shape, 1) == shape else y


def resolve(spec: Any, loss: Any, shape: Shape) -> Metric:
    """The metric that an entry of `compile(metrics=[...])` means.

    "accuracy" (or "acc") means, as in Keras, BinaryAccuracy for one output unit, else the accuracy for the kind of
    targets that the loss has. For several independent yes-or-no outputs ask for "binary_accuracy" instead.
    Unlike in Keras, the threshold is 0 beside a loss of logits.

    Args:
        spec: a metric, its class, its name, its configuration, or a function `(y_true, y_pred) -> array`.
        loss: the loss of the same output (its `accuracy` and `from_logits` are asked).
        shape: the output's shape, None for the batch.

    Raises:
        UnknownNameError: no metric has this name; the message suggests the nearest.
        ConfigurationError: accuracy beside a loss that is not one of classification.
    """
    if isinstance(spec, str):
        named = _accuracy(loss, shape) if spec.lower() in ("acc", "accuracy") else config.get("metric", spec)
        return dataclasses.replace(named, name=spec)
    if callable(spec) and not isinstance(spec, Configured | type):
        calls.check_own("metric", spec, FORM)
        return FunctionMetric(spec)
    return config.get("metric", spec)


def _accuracy(loss: Any, shape: Shape) -> Metric:
    if loss.accuracy is None:
        raise ConfigurationError(
            f"Expected a loss of classification beside the metric 'accuracy', received {loss!r}. Use 'mae' "
            f"or 'rmse' for a regression, or name the accuracy: 'binary_accuracy', 'categorical_accuracy', "
            f"'sparse_categorical_accuracy'."
        )
    if loss.accuracy != "binary_accuracy":
        return config.get("metric", loss.accuracy)
    if len(shape) > 1 and shape[-1] != 1:
        return CategoricalAccuracy()
    return BinaryAccuracy(threshold=0.0 if getattr(loss, "from_logits", False) else 0.5)


def _masked_sums(mask: Array, values: Array, label: str) -> Sums:
    total, count = sum_where(mask, ops.cast(values, "float32"), f"what the metric {label!r} takes the mean of,")
    return {"total": total, "count": count}


def _widened(mask: Array, x: Array) -> Array:
    """A mask of the first axes of an array as truths of its whole shape."""
    counts = ops.reshape(mask, tuple(mask.shape) + (1,) * (len(x.shape) - len(mask.shape)))
    return ops.broadcast_to(ops.not_equal(counts, 0), tuple(x.shape))


def _divide(part: Array, whole: Array) -> Array:
    """part / whole for a whole that counts: where it is 0, so is the part."""
    return part / (whole + (whole == 0))


# the names that programs written for Keras use, as in compile(metrics=[metrics.binary_accuracy])
mse = mean_squared_error = MeanSquaredError
mae = mean_absolute_error = MeanAbsoluteError
binary_accuracy = BinaryAccuracy
categorical_accuracy = CategoricalAccuracy
sparse_categorical_accuracy = SparseCategoricalAccuracy
top_k_categorical_accuracy = TopKCategoricalAccuracy
sparse_top_k_categorical_accuracy = SparseTopKCategoricalAccuracy

calls.public(__name__)
