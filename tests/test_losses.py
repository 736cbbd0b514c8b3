"""Losses: one table, and every property swept over it."""
# ruff: noqa: E501

import copy
import json
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gradients import check_gradients
from neuroloom import config, engines, losses
from neuroloom.errors import ConfigurationError, DataError, ShapeError, UnknownNameError
from neuroloom.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from tolerances import assert_close


@dataclass(frozen=True, eq=False)
class Case:
    """A loss, and what its targets and predictions are: `make` is called with neuroloom's and with Keras's losses."""

    make: Callable[[Any], Any]
    targets: str
    outputs: str
    shape: tuple[int, ...] = (4, 3)

    def loss(self):
        return self.make(losses)

    def arrays(self, dtype="float32"):
        """Targets and predictions from a fixed seed."""
        rng = np.random.default_rng(12)
        scores = 0.8 * rng.normal(size=self.shape)  # central differences of log p fail near p = 0
        return draw(rng, self.targets, self.shape, dtype), outputs(self.outputs, scores).astype(dtype)


def draw(rng, kind, shape, dtype):
    if kind == "labels":
        return rng.integers(0, shape[-1], shape[:-1]).astype("int32")
    if kind == "one-hot":
        return np.eye(shape[-1], dtype=dtype)[rng.integers(0, shape[-1], shape[:-1])]
    if kind == "distributions":
        return rng.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(dtype)
    made = {"reals": rng.normal(size=shape), "bits": rng.integers(0, 2, shape), "shares": rng.random(shape)}
    return made[kind].astype(dtype)


def outputs(kind, scores):
    exp = np.exp(scores)
    made = {"scores": scores, "probabilities": exp / (1 + exp), "distributions": exp / exp.sum(-1, keepdims=True)}
    return exp if kind == "unnormalised" else made[kind]


BINARY, CATEGORICAL, SPARSE = "BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"


def of(name, **options):
    return lambda module: getattr(module, name)(**options)


CASES = {
    "mse": Case(of("MeanSquaredError"), "reals", "scores"),
    "mse, over time": Case(of("MeanSquaredError"), "reals", "scores", (2, 5, 3)),
    "mae": Case(of("MeanAbsoluteError"), "reals", "scores"),
    "mae, over time": Case(of("MeanAbsoluteError"), "reals", "scores", (2, 5, 3)),
    "binary": Case(of(BINARY), "bits", "probabilities"),
    "binary, one unit": Case(of(BINARY), "bits", "probabilities", (5, 1)),
    "binary, shares": Case(of(BINARY), "shares", "probabilities", (2, 4, 3)),
    "binary, smoothed": Case(of(BINARY, label_smoothing=0.2), "bits", "probabilities"),
    "binary, logits": Case(of(BINARY, from_logits=True), "bits", "scores"),
    "binary, logits, smoothed": Case(of(BINARY, from_logits=True, label_smoothing=0.3), "shares", "scores"),
    "categorical": Case(of(CATEGORICAL), "one-hot", "distributions"),
    "categorical, not normalised": Case(of(CATEGORICAL), "one-hot", "unnormalised"),
    "categorical, distributions": Case(of(CATEGORICAL), "distributions", "distributions", (2, 4, 3)),
    "categorical, smoothed": Case(of(CATEGORICAL, label_smoothing=0.2), "one-hot", "distributions"),
    "categorical, logits": Case(of(CATEGORICAL, from_logits=True), "one-hot", "scores"),
    "categorical, logits, smoothed": Case(
        of(CATEGORICAL, from_logits=True, label_smoothing=0.3), "distributions", "scores"
    ),
    "sparse": Case(of(SPARSE), "labels", "distributions", (5, 3)),
    "sparse, not normalised": Case(of(SPARSE), "labels", "unnormalised"),
    "sparse, over time": Case(of(SPARSE), "labels", "distributions", (2, 5, 3)),
    "sparse, logits": Case(of(SPARSE, from_logits=True), "labels", "scores", (5, 3)),
    "sparse, logits, over time": Case(of(SPARSE, from_logits=True), "labels", "scores", (2, 5, 4)),
}

sweep = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def function(y_true, y_pred):
    """A loss as a user writes it."""
    return ((y_pred - y_true) ** 2).sum(-1)


# ------------------------------------------------------------------------------------------ numbers from outside

LOG2 = math.log(2)

BY_HAND = [
    (MeanSquaredError(), [[1, 2], [0, 4]], [[3, 2], [1, 1]], [2.0, 5.0]),
    (MeanAbsoluteError(), [[1, 2], [0, 4]], [[3, 2], [1, 1]], [1.0, 2.0]),
    (BinaryCrossentropy(), [[1, 0], [0, 1]], [[0.5, 0.75], [0.5, 0.125]], [1.5 * LOG2, 2 * LOG2]),
    # a target of 1 becomes 0.75, one of 0 becomes 0.25: 0.75 log 2 + 0.25 log 2 for p = 1/2
    (BinaryCrossentropy(label_smoothing=0.5), [[1], [0]], [[0.5], [0.5]], [LOG2, LOG2]),
    (BinaryCrossentropy(label_smoothing=0.5), [[1]], [[0.25]], [0.75 * 2 * LOG2 - 0.25 * math.log(0.75)]),
    (BinaryCrossentropy(from_logits=True), [[1], [0], [0]], [[0], [0], [math.log(3)]], [LOG2, LOG2, 2 * LOG2]),
    (CategoricalCrossentropy(), [[0, 1, 0]], [[0.5, 0.25, 0.25]], [2 * LOG2]),
    (CategoricalCrossentropy(), [[0.5, 0.5, 0]], [[4, 2, 2]], [1.5 * LOG2]),
    # targets 0.1, 0.7, 0.1, 0.1 against 1/2, 1/4, 1/8, 1/8
    (CategoricalCrossentropy(label_smoothing=0.4), [[0, 1, 0, 0]], [[4, 2, 1, 1]], [(0.1 + 1.4 + 0.3 + 0.3) * LOG2]),
    (CategoricalCrossentropy(from_logits=True), [[0, 1]], [[math.log(3), 0]], [2 * LOG2]),
    (SparseCategoricalCrossentropy(), [2, 0], [[4, 2, 2], [4, 2, 2]], [2 * LOG2, LOG2]),
    (SparseCategoricalCrossentropy(from_logits=True), [1], [[math.log(3), 0]], [2 * LOG2]),
]  # fmt: skip


@pytest.mark.parametrize("loss, y_true, y_pred, expected", BY_HAND, ids=[repr(row[0]) for row in BY_HAND])
def test_values_worked_by_hand(loss, y_true, y_pred, expected, engine):
    y_true = engine.asarray(np.asarray(y_true, loss.target_dtype))
    assert_close(loss.values(y_true, engine.asarray(y_pred, "float32")), np.asarray(expected, "float32"))


@sweep
def test_values_and_means_are_those_of_keras(case, engine, keras):
    """Unreduced, as a mean, and weighted by sample."""
    theirs, (y_true, y_pred) = case.make(keras.losses), case.arrays()
    weight = np.linspace(0.25, 2.0, len(y_pred), dtype="float32")
    mean = float(case.loss()(y_true, engine.asarray(y_pred)))
    assert mean == pytest.approx(float(theirs(y_true, y_pred)), rel=2e-6)
    theirs.reduction = "none"
    values = case.loss().values(engine.asarray(y_true), engine.asarray(y_pred))
    expected = np.asarray(theirs(y_true, y_pred))
    assert_close(values, expected)
    spread = weight.reshape(-1, *[1] * (expected.ndim - 1))
    assert float(case.loss()(y_true, engine.asarray(y_pred), weight)) == pytest.approx(
        (expected * spread).mean(), rel=2e-6
    )


@sweep
def test_gradients_are_central_differences(case, training_engine):
    y_true, y_pred = case.arrays("float64")
    check_gradients(lambda p: case.loss().values(engines.of(p).asarray(y_true), p), [y_pred], training_engine)


@sweep
def test_engines_agree(case, engine):
    y_true, y_pred = case.arrays()
    reference = case.loss().values(y_true, y_pred)
    values = case.loss().values(engine.asarray(y_true), engine.asarray(y_pred))
    assert engines.of(values) is engine and engine.dtype_name(values) == "float32"
    assert_close(values, reference)


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if "logits" in n and "smoothed" not in n])
def test_logits_mean_what_their_activation_makes_of_them(name):
    """`logit_values` in float64 is `values` of the activation, away from where probabilities are cut."""
    case, (y_true, z) = CASES[name], CASES[name].arrays("float64")
    plain = type(case.loss())()
    p = outputs({"sigmoid": "probabilities", "softmax": "distributions"}[plain.activation], z)
    assert_close(plain.logit_values(y_true, z), plain.values(y_true, p), within=1e-12, reason="both in float64")


# ------------------------------------------------------------------------------------------------- saturation


def gradient(engine, loss, y_true, y_pred):
    """Value and gradient of the mean over the batch, as NumPy arrays."""
    y_true = engine.asarray(y_true)
    program = engine.compile(engine.value_and_grad(lambda p: (loss(y_true, p), ())))
    (value, _), grad = program(engine.asarray(y_pred, "float32"))
    return engine.to_numpy(value), engine.to_numpy(grad)


def test_binary_logits_of_a_hundred_have_exact_values_and_gradients(training_engine):
    """softplus(±100) is 100 or 0; the gradient is (sigmoid(z) - y) / 4."""
    y, z = np.array([[1], [1], [0], [0]], "float32"), [[100], [-100], [100], [-100]]
    value, grad = gradient(training_engine, BinaryCrossentropy(from_logits=True), y, z)
    assert value == pytest.approx(50.0, rel=1e-6)
    np.testing.assert_allclose(grad[:, 0], [0, -0.25, 0.25, 0], atol=1e-7)


@pytest.mark.parametrize("y, z", [(1.0, 20.0), (0.0, -20.0)])
def test_a_confident_logit_keeps_its_small_loss(y, z, engine):
    """log(1 + e⁻²⁰) = 2.06e-9, of which softplus(20) - 20 in float32 would keep nothing.

    PyTorch's fused kernel subtracts like that for y = 0: it is exact only to a rounding of z.
    """
    loss = BinaryCrossentropy(from_logits=True)([[y]], engine.asarray([[z]]))
    rounding = 2e-6 if engine.name == "torch" and y == 0 else 0
    assert float(loss) == pytest.approx(2.0611536e-9, rel=1e-5, abs=rounding)


@pytest.mark.parametrize("loss, y", [(CategoricalCrossentropy(from_logits=True), [[0, 1, 0], [0, 0, 1]]), (SparseCategoricalCrossentropy(from_logits=True), [1, 2])])  # fmt: skip
def test_categorical_logits_of_a_hundred_have_exact_values_and_gradients(loss, y, training_engine):
    """The loss is 200 and 0; the gradient is (softmax(z) - y) / 2."""
    y = np.asarray(y, loss.target_dtype)
    value, grad = gradient(training_engine, loss, y, [[100, -100, 0], [-100, -100, 100]])
    assert value == pytest.approx(100.0, rel=1e-6)
    np.testing.assert_allclose(grad, [[0.5, -0.5, 0], [0, 0, 0]], atol=1e-7)


@pytest.mark.parametrize("loss, y", [
    (BinaryCrossentropy(), [[1, 0, 1], [0, 1, 1]]),
    (CategoricalCrossentropy(), [[0, 1, 0], [0, 0, 1]]),
    (SparseCategoricalCrossentropy(), [1, 2]),
])  # fmt: skip
def test_probabilities_of_zero_and_one_are_cut_as_in_keras(loss, y, training_engine, keras):
    """A wrong 0 costs -log 1e-7 = 16.1; values and gradients are finite."""
    y, p = np.asarray(y, loss.target_dtype), np.array([[1, 0, 0], [0, 0, 1]], "float32")
    value, grad = gradient(training_engine, loss, y, p)
    assert value == pytest.approx(float(getattr(keras.losses, type(loss).__name__)()(y, p)), rel=1e-5)
    assert value > 5 and np.isfinite(grad).all()


# --------------------------------------------------------------------------------------- reduction and calling


@sweep
def test_a_loss_is_one_program(case, training_engine):
    """Traced and compiled, with the values of an eager call."""
    y_true, y_pred = (training_engine.asarray(a) for a in case.arrays())
    compiled = training_engine.compile(case.loss().__call__)
    assert_close(compiled(y_true, y_pred), case.loss()(y_true, y_pred))


def test_the_mean_counts_every_value_and_weights_do_not_change_the_count(engine):
    values = engine.asarray(np.array([[1, 2, 6], [4, 5, 0]], "float32"))
    assert float(losses.reduce(values)) == 3.0
    assert float(losses.reduce(values, [2.0, 0.0])) == 3.0  # 18 / 6
    assert float(losses.reduce(values[:, 0], [[2.0], [0.0]])) == 1.0  # (batch, 1), as a column of a table
    assert float(losses.reduce(values, [[1, 0, 0], [0, 2, 1]])) == pytest.approx(11 / 6)
    assert float(losses.reduce(values[:0])) == 0.0


def test_lists_and_numpy_arrays_come_to_the_engine_of_the_predictions(engine):
    p = engine.asarray([[0.5], [0.25]])
    for y in ([1, 0], [[True], [False]], np.array([1, 0], "int64"), np.array([[1.0], [0.0]])):
        loss = BinaryCrossentropy()(y, p, np.array([1, 2]))
        assert engines.of(loss) is engine and engine.dtype_name(loss) == "float32" and tuple(loss.shape) == ()
        assert float(loss) == pytest.approx((LOG2 + 2 * math.log(4 / 3)) / 2, rel=1e-6)


def test_whole_numbers_as_predictions_become_floats(engine):
    assert float(MeanSquaredError()([[1, 2]], [[2, 4]])) == 2.5


@pytest.mark.parametrize("weight", [[1.0, 2.0, 3.0], [[1.0, 2.0]], 1.0, [[1.0, 1.0], [1.0, 1.0]]])
def test_weights_that_would_only_broadcast_are_refused(weight, engine):
    with pytest.raises(ShapeError, match=r"Expected sample_weight of shape \(2,\) or \(2, 3\)"):
        MeanSquaredError()(np.zeros((2, 3, 4)), engine.asarray(np.zeros((2, 3, 4))), weight)


# ------------------------------------------------------------------------------------------------------ targets

PREPARED = [
    # loss, targets, output's shape, what comes back
    (MeanSquaredError(), np.array([1, 2, 3]), (None, 1), [[1], [2], [3]]),
    (MeanSquaredError(), np.array([1.5, 2.5]), (None,), [1.5, 2.5]),
    (MeanSquaredError(), np.arange(12).reshape(2, 3, 2)[:, ::-1], (None, None, 2), [[[4, 5], [2, 3], [0, 1]], [[10, 11], [8, 9], [6, 7]]]),
    (MeanSquaredError(), np.arange(6).reshape(2, 3), (None, 3, 1), [[[0], [1], [2]], [[3], [4], [5]]]),
    (BinaryCrossentropy(), np.array([True, False]), (None, 1), [[1], [0]]),
    (BinaryCrossentropy(), np.array([[0.25, 1.0]]), (None, 2), [[0.25, 1.0]]),
    (CategoricalCrossentropy(), np.eye(3, dtype="int64")[[2, 0]], (None, 3), [[0, 0, 1], [1, 0, 0]]),
    (SparseCategoricalCrossentropy(), np.array([2.0, 0.0]), (None, 3), [2, 0]),
    (SparseCategoricalCrossentropy(), np.array([[2], [0]], "uint8"), (None, 3), [2, 0]),
    (SparseCategoricalCrossentropy(), np.array([[2, 1], [0, 1]]), (None, 2, 3), [[2, 1], [0, 1]]),
    (SparseCategoricalCrossentropy(), np.array([[[2], [1]]]), (None, None, 3), [[2, 1]]),
    (SparseCategoricalCrossentropy(), np.array([5, 0]), (None, None), [5, 0]),
]  # fmt: skip


@pytest.mark.parametrize("loss, y, shape, expected", PREPARED)
def test_targets_are_prepared(loss, y, shape, expected):
    prepared = loss.prepare(y, shape, "y")
    assert prepared.dtype == ("int32" if loss.target_dtype == "int32" else "float32")
    assert prepared.flags.c_contiguous
    assert prepared.tolist() == expected


def test_prepared_targets_are_not_copied():
    y = np.zeros((3, 1), "float32")
    assert np.shares_memory(MeanSquaredError().prepare(y, (None, 1), "y"), y)


BROADCAST = "Targets are never broadcast: give the last layer as many units as the targets have columns, or reshape the targets."
ENCODE = "If they are classes, encode them: names, y = np.unique(y, return_inverse=True)."
FROM_ZERO = (
    "Number the classes from 0 with np.unique(y, return_inverse=True)[1], or give the last layer one unit per class."
)
nan = float("nan")

REFUSED = [
    # loss, targets, output's shape, class of error, text
    (MeanSquaredError(), np.zeros((4, 2)), (None, 1), ShapeError, f"MeanSquaredError expected targets 'y' of the output's shape (n, 1), received shape (4, 2). {BROADCAST}"),
    (MeanSquaredError(), np.zeros(4), (None, 3), ShapeError, f"MeanSquaredError expected targets 'y' of the output's shape (n, 3), received shape (4,). {BROADCAST}"),
    (MeanAbsoluteError(), np.zeros((4, 1)), (None, 3), ShapeError, f"of the output's shape (n, 3), received shape (4, 1). {BROADCAST}"),
    (MeanAbsoluteError(), np.zeros((4, 1)), (None,), ShapeError, "of the output's shape (n,), received shape (4, 1)."),
    (MeanSquaredError(), np.zeros((4, 3, 2)), (None, 1, 2), ShapeError, "of the output's shape (n, 1, 2), received shape (4, 3, 2)."),
    (MeanSquaredError(), np.zeros((2, 1)), (None, 2, 1), ShapeError, "of the output's shape (n, 2, 1), received shape (2, 1)."),
    (MeanSquaredError(), np.array(3.0), (None, 1), ShapeError, "received shape ()."),
    (MeanSquaredError(), np.array([[1, 2], [nan, 3]]), (None, 2), DataError, "MeanSquaredError expected targets 'y' that are finite, received nan in row 1. Drop or fill in such rows before training."),
    (MeanSquaredError(), np.array([1.0, 2.0, -np.inf]), (None, 1), DataError, "that are finite, received -inf in row 2."),
    (MeanSquaredError(), np.array([1.0, 1e40]), (None, 1), DataError, "that are finite, received 1e+40 in row 1."),
    (MeanSquaredError(), np.array(["cat", "dog"]), (None, 1), DataError, f"MeanSquaredError expected targets 'y' that are numbers, received np.str_('cat') (dtype <U3). {ENCODE}"),
    (SparseCategoricalCrossentropy(), np.array(["cat", "dog"], object), (None, 3), DataError, f"that are numbers, received 'cat' (dtype object). {ENCODE}"),
    (SparseCategoricalCrossentropy(), np.array([], "U1"), (None, 3), DataError, "that are numbers, received dtype <U1."),
    (BinaryCrossentropy(), np.array([0.0, 1.0, -1.0]), (None, 1), DataError, "BinaryCrossentropy expected targets 'y' from 0 to 1, received -1.0 in row 2. Code the two classes as 0 and 1; for more classes use SparseCategoricalCrossentropy."),
    (BinaryCrossentropy(), np.array([1, 2]), (None, 1), DataError, "from 0 to 1, received 2 in row 1."),
    (BinaryCrossentropy(), np.array([1.0, nan]), (None, 1), DataError, "BinaryCrossentropy expected targets 'y' that are finite, received nan in row 1."),
    (BinaryCrossentropy(), np.zeros((4, 2)), (None, 1), ShapeError, "BinaryCrossentropy expected targets 'y' of the output's shape (n, 1), received shape (4, 2)."),
    (CategoricalCrossentropy(), np.zeros(4), (None, 3), ShapeError, "CategoricalCrossentropy expected targets 'y' in one-hot rows of shape (n, 3), received class numbers of shape (4,). Use SparseCategoricalCrossentropy, which takes class numbers."),
    (CategoricalCrossentropy(), np.zeros((4, 1)), (None, 3), ShapeError, "received class numbers of shape (4, 1). Use SparseCategoricalCrossentropy"),
    (CategoricalCrossentropy(), np.zeros((4, 2)), (None, 3), ShapeError, "CategoricalCrossentropy expected targets 'y' of the output's shape (n, 3), received shape (4, 2)."),
    (CategoricalCrossentropy(), np.array([[0, 1], [0, 3]]), (None, 2), DataError, "CategoricalCrossentropy expected targets 'y' from 0 to 1, received 3 in row 1. Each row is a distribution over the classes: one-hot, or probabilities."),
    (CategoricalCrossentropy(), np.zeros((4, 1)), (None, 1), ShapeError, "CategoricalCrossentropy expected an output of at least 2 classes, received one of shape (n, 1). Give the last layer one unit per class, or use BinaryCrossentropy with one sigmoid unit."),
    (SparseCategoricalCrossentropy(), np.zeros(4), (None, 1), ShapeError, "SparseCategoricalCrossentropy expected an output of at least 2 classes, received one of shape (n, 1)."),
    (SparseCategoricalCrossentropy(), np.zeros(4), (None,), ShapeError, "an output of at least 2 classes, received one of shape (n,)."),
    (SparseCategoricalCrossentropy(), np.eye(3)[[0, 1]], (None, 3), ShapeError, "SparseCategoricalCrossentropy expected targets 'y' that are class numbers of shape (n,), received shape (2, 3). For one-hot rows use CategoricalCrossentropy."),
    (SparseCategoricalCrossentropy(), np.zeros((4, 2)), (None, 3), ShapeError, "that are class numbers of shape (n,), received shape (4, 2). Give one per sample."),
    (SparseCategoricalCrossentropy(), np.zeros(4), (None, 5, 3), ShapeError, "that are class numbers of shape (n, 5), received shape (4,). Give one per sample."),
    (SparseCategoricalCrossentropy(), np.array([0, 2, 7, 9]), (None, 3), DataError, f"SparseCategoricalCrossentropy expected targets 'y' from 0 to 2, for 3 classes, received 7 in row 2. {FROM_ZERO}"),
    (SparseCategoricalCrossentropy(), np.array([1, 3]), (None, 3), DataError, "from 0 to 2, for 3 classes, received 3 in row 1."),
    (SparseCategoricalCrossentropy(), np.array([[0, 1], [-1, 0]]), (None, 2, 3), DataError, "from 0 to 2, for 3 classes, received -1 in row 1."),
    (SparseCategoricalCrossentropy(), np.array([-2, 0]), (None, None), DataError, "of at least 0, received -2 in row 0."),
    (SparseCategoricalCrossentropy(), np.array([0, 1.5]), (None, 3), DataError, "SparseCategoricalCrossentropy expected targets 'y' that are whole class numbers, received 1.5 in row 1. To predict numbers use MeanSquaredError."),
    (SparseCategoricalCrossentropy(), np.array([0, nan]), (None, 3), DataError, "that are finite, received nan in row 1."),
    (losses.FunctionLoss(function), np.zeros((4, 2)), (None, 1), ShapeError, f"FunctionLoss expected targets 'y' of the output's shape (n, 1), received shape (4, 2). {BROADCAST}"),
    (losses.FunctionLoss(function), np.zeros((4, 1)), (None, 3), ShapeError, "of the output's shape (n, 3), received shape (4, 1)."),
]  # fmt: skip


@pytest.mark.parametrize(
    "loss, y, shape, kind, text", REFUSED, ids=[f"{type(row[0]).__name__} {row[-1][-60:]}" for row in REFUSED]
)
def test_targets_that_do_not_fit_are_refused(loss, y, shape, kind, text):
    with pytest.raises(kind) as error:
        loss.prepare(y, shape, "y")
    assert text in str(error.value)


@pytest.mark.parametrize("loss, y, p", [
    (SparseCategoricalCrossentropy(), [7], [[0.2, 0.3, 0.5]]),
    (BinaryCrossentropy(), [[2]], [[0.5]]),
    (MeanSquaredError(), [[nan]], [[0.5]]),
])  # fmt: skip
def test_a_call_refuses_what_prepare_refuses(loss, y, p, engine):
    with pytest.raises(DataError, match="expected targets 'y_true'"):
        loss(y, engine.asarray(p))


def test_a_call_never_broadcasts_targets_of_its_engine(engine):
    with pytest.raises(ShapeError, match=r"'y_true' of the output's shape \(4, 1\), received shape \(4, 2\)"):
        MeanSquaredError()(engine.asarray(np.zeros((4, 2))), engine.asarray(np.zeros((4, 1))))
    loss = MeanSquaredError()(engine.asarray([1.0, 2.0]), engine.asarray([[1.0], [4.0]]))
    assert float(loss) == 2.0  # (2,) against (2, 1) is not (2, 2)


# ------------------------------------------------------------------------------------------ names, configurations


@sweep
def test_losses_come_back_from_their_configuration(case):
    loss, (y_true, y_pred) = case.loss(), case.arrays()
    read = json.loads(json.dumps(loss.get_config()))
    for again in (type(loss).from_config(read), pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert repr(again) == repr(loss) and config.signature(again) == config.signature(loss)
        np.testing.assert_array_equal(again.values(y_true, y_pred), loss.values(y_true, y_pred))


def test_a_repr_shows_what_is_not_default():
    assert repr(MeanSquaredError()) == "MeanSquaredError()"
    loss = BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    assert repr(loss) == "BinaryCrossentropy(from_logits=True, label_smoothing=0.1)"


@pytest.mark.parametrize("spec, cls", [
    ("mse", MeanSquaredError),
    ("mean_squared_error", MeanSquaredError),
    ("mae", MeanAbsoluteError),
    (BinaryCrossentropy, BinaryCrossentropy),
    ("BinaryCrossentropy", BinaryCrossentropy),
    ("categorical_crossentropy", CategoricalCrossentropy),
    ("sparse_categorical_crossentropy", SparseCategoricalCrossentropy),
])  # fmt: skip
def test_losses_are_found_by_name(spec, cls):
    assert type(losses.get(spec)) is cls
    loss = cls()
    assert losses.get(loss) is loss


@pytest.mark.parametrize("make, kind, text", [
    (lambda: losses.get("binary_crosentropy"), UnknownNameError, "Unknown loss 'binary_crosentropy'. Did you mean 'binary_crossentropy'?"),
    (lambda: losses.get(3), ConfigurationError, "Expected a loss (an object, its class or its name), received 3."),
    (lambda: losses.get("function_loss"), UnknownNameError, "Unknown loss 'function_loss'."),
    (lambda: BinaryCrossentropy(label_smoothing=1.5), ConfigurationError, "BinaryCrossentropy expected label_smoothing to be a number from 0 to 1, received 1.5."),
    (lambda: BinaryCrossentropy(0.1), ConfigurationError, "BinaryCrossentropy expected from_logits to be True or False, received 0.1."),
    (lambda: SparseCategoricalCrossentropy(from_logit=True), ConfigurationError, "SparseCategoricalCrossentropy has no argument 'from_logit'. Did you mean 'from_logits'?"),
    (lambda: losses.FunctionLoss(function).get_config(), ConfigurationError, "cannot be written into a configuration"),
    (lambda: losses.FunctionLoss(lambda t, p: abs(p - t).sum())([[1.0]], [[2.0]], [1.0]), ShapeError, "A loss that returns one number for the whole batch cannot be weighted."),
])  # fmt: skip
def test_wrong_losses_are_refused(make, kind, text):
    with pytest.raises(kind) as error:
        make()
    assert text in str(error.value)


def test_a_function_is_a_loss(training_engine):
    """Σ (p - y)² per row, weighted; the gradient is 2 (p - y) weight / 2."""
    loss, y, weight = losses.get(function), np.array([[1, 2], [0, 4]], "float32"), [1.0, 3.0]
    p = training_engine.asarray(np.array([[3, 2], [1, 1]], "float32"))
    program = training_engine.value_and_grad(lambda p: (loss(y, p, weight), ()))
    (value, _), grad = program(p)
    assert float(value) == (4 + 3 * 10) / 2
    np.testing.assert_allclose(training_engine.to_numpy(grad), [[2, 0], [3, -9]], rtol=1e-6)


def test_a_function_may_take_targets_of_another_shape():
    loss = losses.get(lambda y_true, y_pred: y_pred[:, 0] - y_true)
    assert loss.prepare(np.arange(4), (None, 3), "y").tolist() == [0, 1, 2, 3]
    assert loss.prepare(np.zeros((4, 7)), (None, 3), "y").shape == (4, 7)
    assert loss.prepare(np.arange(4), (None, 1), "y").shape == (4, 1)
