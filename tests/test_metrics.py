"""Metrics: one table, and every property swept over it."""
# ruff: noqa: E501

import copy
import functools
import itertools
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sklearn.metrics

from neuroloom import config, engines, losses, metrics, ops, tree
from neuroloom.errors import ConfigurationError, ShapeError, UnknownNameError
from neuroloom.metrics import (
    AUC,
    BinaryAccuracy,
    CategoricalAccuracy,
    FunctionMetric,
    MeanAbsoluteError,
    MeanSquaredError,
    Precision,
    Recall,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from tolerances import assert_close

CUTS = (0, 1, 8, 9, 30, 53)
"""Where the samples are cut into batches of unequal lengths."""


@dataclass(frozen=True, eq=False)
class Case:
    """A metric and its data: `make` is called with neuroloom's and with Keras's metrics."""

    make: Callable[[Any], Any]
    targets: str
    shape: tuple[int, ...] = (53, 7)

    def metric(self):
        return self.make(metrics)

    def arrays(self):
        """Targets, and predictions that agree with them more often than chance."""
        rng = np.random.default_rng(8)
        if self.targets == "reals":
            y = rng.normal(size=self.shape)
            return y.astype("float32"), (y + rng.normal(size=self.shape)).astype("float32")
        if self.targets == "bits":
            y = rng.integers(0, 2, self.shape)
            return y.astype("float32"), np.clip(0.3 * y + 0.8 * rng.random(self.shape), 0, 1).astype("float32")
        labels = rng.integers(0, self.shape[-1], self.shape[:-1])
        one_hot = np.eye(self.shape[-1], dtype="float32")[labels]
        scores = (0.4 * one_hot + rng.random(self.shape)).astype("float32")
        return (one_hot if self.targets == "one-hot" else labels.astype("int32")), scores

    def batches(self, engine):
        """The same data, cut at CUTS."""
        arrays = [engine.asarray(a) for a in self.arrays()]
        return [[a[i:j] for a in arrays] for i, j in itertools.pairwise(CUTS)]


def of(name, **options):
    return lambda module: getattr(module, name)(**options)


TOP_K = "TopKCategoricalAccuracy"

CASES = {
    "mse": Case(of("MeanSquaredError"), "reals"),
    "mse, over time": Case(of("MeanSquaredError"), "reals", (53, 4, 3)),
    "rmse": Case(of("RootMeanSquaredError"), "reals", (53, 1)),
    "mae": Case(of("MeanAbsoluteError"), "reals"),
    "binary accuracy": Case(of("BinaryAccuracy"), "bits", (53, 1)),
    "binary accuracy, threshold": Case(of("BinaryAccuracy", threshold=0.7), "bits", (53, 3)),
    "categorical accuracy": Case(of("CategoricalAccuracy"), "one-hot"),
    "categorical accuracy, over time": Case(of("CategoricalAccuracy"), "one-hot", (53, 4, 3)),
    "sparse accuracy": Case(of("SparseCategoricalAccuracy"), "labels"),
    "sparse accuracy, over time": Case(of("SparseCategoricalAccuracy"), "labels", (53, 4, 3)),
    "top 5": Case(of(TOP_K), "one-hot"),
    "top 2, over time": Case(of(TOP_K, k=2), "one-hot", (53, 4, 5)),
    "sparse top 5": Case(of("Sparse" + TOP_K), "labels"),
    "sparse top 3": Case(of("Sparse" + TOP_K, k=3), "labels"),
    "precision": Case(of("Precision"), "bits", (53, 1)),
    "precision, threshold": Case(of("Precision", thresholds=0.6), "bits", (53, 3)),
    "recall": Case(of("Recall"), "bits", (53, 1)),
    "recall, threshold": Case(of("Recall", thresholds=0.6), "bits", (53, 3)),
    "auc": Case(of("AUC"), "bits", (53, 1)),
    "auc, 12 thresholds": Case(of("AUC", num_thresholds=12), "bits", (53, 3)),
}

sweep = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def stream(metric, batches, update=None):
    """The metric's result after these batches."""
    update = update or metric.update
    return metric.result(functools.reduce(lambda state, batch: update(state, *batch), batches, metric.init()))


def absolute(y_true, y_pred):
    """A metric as a user writes it."""
    return abs(y_pred - y_true)


# ------------------------------------------------------------------------------------------ numbers from outside

BY_HAND = [
    (MeanSquaredError(), [[1, 2], [0, 4]], [[3, 2], [1, 1]], 3.5),
    (RootMeanSquaredError(), [0, 0, 0, 0], [1, 1, 1, 5], 7**0.5),
    (MeanAbsoluteError(), [[1, 2], [0, 4]], [[3, 2], [1, 1]], 1.5),
    (BinaryAccuracy(), [1, 1, 0], [0.51, 0.5, 0.51], 1 / 3),  # the threshold itself is on the side of 0
    (BinaryAccuracy(threshold=0), [1, 1, 0], [0.1, -0.1, -3], 2 / 3),
    (CategoricalAccuracy(), [[0, 0, 1], [1, 0, 0], [0, 1, 0]], [[1, 2, 3], [4, 4, 1], [5, 1, 1]], 2 / 3),  # the first of equal
    (SparseCategoricalAccuracy(), [2, 0, 1], [[1, 2, 3], [4, 4, 1], [5, 1, 1]], 2 / 3),
    (SparseTopKCategoricalAccuracy(k=2), [3, 2, 0, 1], [[4, 3, 2, 1], [1, 2, 2, 3], [1, 1, 2, 2], [0, 9, 1, 1]], 0.5),  # ties count
    (TopKCategoricalAccuracy(k=1), [[0, 1], [0, 1]], [[2, 2], [2, 1]], 0.5),
    (SparseTopKCategoricalAccuracy(), [0, 3], [[1, 2, 3, 4], [1, 2, 3, 4]], 1.0),  # fewer classes than k
    (Precision(), [1, 0, 0, 1, 1], [0.9, 0.8, 0.7, 0.6, 0.5], 0.5),
    (Recall(), [1, 0, 0, 1, 1], [0.9, 0.8, 0.7, 0.6, 0.5], 2 / 3),
    (Precision(thresholds=0.75), [1, 0, 0, 1, 1], [0.9, 0.8, 0.7, 0.6, 0.5], 0.5),
    # 3 positives and 2 negatives; of the 6 pairs 0.3 > 0.2, 0.8 > 0.2, 0.8 > 0.6, 0.9 > 0.2, 0.9 > 0.6 are in order
    (AUC(), [1, 0, 1, 0, 1], [0.3, 0.6, 0.8, 0.2, 0.9], 5 / 6),
    (AUC(), [1, 0], [0.4, 0.4], 0.5),
    (AUC(), [1, 0], [1.0, 0.0], 1.0),
    (AUC(num_thresholds=2), [1, 0], [0.9, 0.1], 0.5),  # only the ends of the curve
    (AUC(num_thresholds=3), [1, 0, 1], [0.9, 0.1, 0.2], 0.75),  # one threshold, at 1/2
    (AUC(num_thresholds=3), [1, 0], [0.5, 0.1], 0.5),  # which 1/2 is not above
    # before any data, and where there is nothing to divide by
    (Precision(), [1, 0], [0.1, 0.2], 0.0),
    (Recall(), [0, 0], [0.9, 0.2], 0.0),
    (AUC(), [1, 1], [0.9, 0.2], 0.0),
]  # fmt: skip


@pytest.mark.parametrize("metric, y_true, y_pred, expected", BY_HAND, ids=[f"{row[0]}, {row[3]}" for row in BY_HAND])
def test_values_worked_by_hand(metric, y_true, y_pred, expected, engine):
    value = metric(engine.asarray(y_true), engine.asarray(y_pred, "float32"))
    assert type(value) is float and value == pytest.approx(expected, rel=1e-6)
    assert metric(y_true, y_pred) == pytest.approx(expected, rel=1e-6)


@functools.cache
def kerases(case):
    """What Keras gives for the batches of a case."""
    import keras

    theirs = case.make(keras.metrics)
    for y_true, y_pred in case.batches(engines.load("numpy")):
        theirs.update_state(y_true, y_pred)
    return float(theirs.result())


@sweep
def test_batches_give_the_numbers_of_keras(case, engine, keras):
    expected = kerases(case)
    assert 0.05 < expected < 2 and expected != 1  # a case that could not tell right from wrong is none
    assert float(stream(case.metric(), case.batches(engine))) == pytest.approx(expected, rel=1e-6)


def ranks(y, p):
    """Predictions that lie between the thresholds of AUC(), so that its curve has every corner."""
    return y, ((np.argsort(np.argsort(p[:, 0])) // 2 + 0.5) / 199)[:, None].astype("float32")


SKLEARN = {
    "precision": lambda y, p: sklearn.metrics.precision_score(y, p > 0.5),
    "recall": lambda y, p: sklearn.metrics.recall_score(y, p > 0.5),
    "binary accuracy": lambda y, p: sklearn.metrics.accuracy_score(y, p > 0.5),
    "sparse accuracy": lambda y, p: sklearn.metrics.accuracy_score(y, p.argmax(-1)),
    "sparse top 3": lambda y, p: sklearn.metrics.top_k_accuracy_score(y, p, k=3),
    "sparse top 5": lambda y, p: sklearn.metrics.top_k_accuracy_score(y, p, k=5),
    "mse": sklearn.metrics.mean_squared_error,
    "rmse": sklearn.metrics.root_mean_squared_error,
    "mae": sklearn.metrics.mean_absolute_error,
    "auc": sklearn.metrics.roc_auc_score,
}


@pytest.mark.parametrize("name", SKLEARN)
def test_values_are_those_of_scikit_learn(name, engine):
    y, p = ranks(*CASES[name].arrays()) if name == "auc" else CASES[name].arrays()
    value = CASES[name].metric()(engine.asarray(y), engine.asarray(p))
    assert value == pytest.approx(SKLEARN[name](y, p), rel=1e-6)


def test_the_auc_of_two_hundred_thresholds_is_near_the_exact_one(rng):
    y = rng.integers(0, 2, 5000)
    p = np.clip(0.3 * y + 0.7 * rng.random(5000), 0, 1)
    assert AUC()(y, p) == pytest.approx(sklearn.metrics.roc_auc_score(y, p), abs=1e-4)


# ------------------------------------------------------------------------------------------- states and programs


@sweep
def test_batches_of_any_length_give_the_number_of_all_samples(case, engine):
    whole = case.metric()(*(engine.asarray(a) for a in case.arrays()))
    batches = case.batches(engine)
    assert float(stream(case.metric(), batches)) == pytest.approx(whole, rel=1e-6)
    assert float(stream(case.metric(), batches[::-1])) == pytest.approx(whole, rel=1e-6)


@sweep
def test_engines_agree(case, engine):
    reference = case.metric()(*case.arrays())
    assert case.metric()(*(engine.asarray(a) for a in case.arrays())) == pytest.approx(reference, rel=1e-6)


@sweep
def test_a_metric_is_one_program(case, training_engine):
    """Traced and compiled; a state keeps its structure, shapes and dtypes, as a scan's carry must."""
    metric, batches = case.metric(), case.batches(training_engine)
    update, result = training_engine.compile(metric.update), training_engine.compile(metric.result)
    state = metric.init()
    new = update(state, *batches[0])
    tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype) or pytest.fail(f"{a} became {b}"), state, new)
    assert_close(result(new), metric.result(metric.update(state, *batches[0])))
    assert float(stream(metric, batches, update)) == pytest.approx(metric(*case.arrays()), rel=1e-6)


@sweep
def test_a_metric_runs_in_a_scan(case):
    """Under jax.jit, with the state as the carry, and under 64 bits too."""
    jax = pytest.importorskip("jax")
    y, p = (a[:50].reshape(5, 10, *a.shape[1:]) for a in case.arrays())
    metric = case.metric()
    expected = metric(y.reshape(-1, *y.shape[2:]), p.reshape(-1, *p.shape[2:]))
    for wide in (False, True):
        with jax.enable_x64(wide), engines.engine("jax"):
            run = jax.jit(lambda s, y, p: jax.lax.scan(lambda s, b: (metric.update(s, *b), None), s, (y, p))[0])
            assert float(metric.result(run(metric.init(), y, p))) == pytest.approx(expected, rel=1e-6)


@sweep
def test_an_update_leaves_the_state_it_was_given(case, engine):
    metric, batches = case.metric(), case.batches(engine)
    state = metric.init()
    one = metric.result(metric.update(state, *batches[-1]))
    assert float(metric.result(state)) == 0.0
    assert float(metric.result(metric.update(state, *batches[-1]))) == float(one)


def test_means_are_exact_to_a_millionth_after_ten_million_samples():
    """A million batches of ten; a plain float32 sum of their totals would be off by more than a thousandth."""
    jax = pytest.importorskip("jax")
    metric, batch = MeanSquaredError(), (np.zeros((10, 1), "float32"), np.full((10, 1), 0.1, "float32"))

    def naive(_, total):
        return total + np.float32(0.1)

    with engines.engine("jax"):
        state = jax.jit(lambda s: jax.lax.fori_loop(0, 10**6, lambda _, s: metric.update(s, *batch), s))(metric.init())
        rounded = float(jax.jit(lambda t: jax.lax.fori_loop(0, 10**6, naive, t))(np.float32(0))) / 10**7
    assert float(metric.result(state)) == pytest.approx(np.float64(np.float32(0.1)) ** 2, rel=1e-6)
    assert rounded != pytest.approx(0.01, rel=1e-3)


def test_a_root_is_taken_of_the_mean_of_all_batches(engine):
    """√((1 + 1 + 49) / 3), not the mean of the batches' roots, 1 and 7."""
    zeros = engine.asarray([0.0, 0.0])
    value = stream(RootMeanSquaredError(), [(zeros, zeros + 1), (zeros[:1], zeros[:1] + 7)])
    assert float(value) == pytest.approx(17**0.5, rel=1e-6)


def test_nan_is_never_among_the_largest(engine):
    p = engine.asarray([[np.nan, 1.0, 2.0], [0.0, np.nan, 1.0]])
    assert SparseTopKCategoricalAccuracy(k=1)(engine.asarray([0, 1]), p) == 0.0
    assert SparseTopKCategoricalAccuracy(k=3)(engine.asarray([0, 1]), p) == 0.0


def test_predictions_outside_the_unit_interval_are_cut_by_auc(engine):
    assert AUC()([1, 0, 1, 0], engine.asarray([7.0, -2.0, 0.5, 0.6])) == AUC()([1, 0, 1, 0], [1.0, 0.0, 0.5, 0.6])


def test_arrays_of_other_kinds_come_to_the_engine_of_the_predictions(engine):
    p = engine.asarray([[0.9], [0.2], [0.6]])
    for y in ([1, 0, 0], [[True], [False], [False]], np.array([1, 0, 0], "int64")):
        assert BinaryAccuracy()(y, p) == pytest.approx(2 / 3)
    assert SparseCategoricalAccuracy()(np.array([[1.0], [0.0]]), engine.asarray([[1, 2], [3, 4]])) == 0.5


# ------------------------------------------------------------------------------------------------------- shapes

SPARSE = "For class numbers use a metric whose name begins with Sparse."
ONE_HOT = "For one-hot rows use the metric of this name without Sparse."

REFUSED = [
    (MeanSquaredError(), (4, 2), (4, 1), "MeanSquaredError expected y_true of shape (4, 1) for y_pred of shape (4, 1), received (4, 2). Targets are never broadcast; reshape them."),
    (MeanAbsoluteError(), (4,), (4, 3), f"MeanAbsoluteError expected y_true of shape (4, 3) for y_pred of shape (4, 3), received (4,). {SPARSE}"),
    (CategoricalAccuracy(), (4,), (4, 3), f"CategoricalAccuracy expected y_true of shape (4, 3) for y_pred of shape (4, 3), received (4,). {SPARSE}"),
    (CategoricalAccuracy(), (4, 1), (4, 3), "received (4, 1). Targets are never broadcast; reshape them."),
    (SparseCategoricalAccuracy(), (4, 3), (4, 3), f"SparseCategoricalAccuracy expected y_true of shape (4,) for y_pred of shape (4, 3), received (4, 3). {ONE_HOT}"),
    (SparseTopKCategoricalAccuracy(), (5,), (4, 3), "expected y_true of shape (4,) for y_pred of shape (4, 3), received (5,). Targets are never broadcast; reshape them."),
    (Precision(), (4,), (4, 3), f"Precision expected y_true of shape (4, 3) for y_pred of shape (4, 3), received (4,). {SPARSE}"),
    (AUC(), (4, 1), (4,), "AUC expected y_true of shape (4,) for y_pred of shape (4,), received (4, 1)."),
    (FunctionMetric(absolute), (4, 2), (4, 1), "FunctionMetric expected y_true of shape (4, 1) for y_pred of shape (4, 1), received (4, 2)."),
]  # fmt: skip


@pytest.mark.parametrize("metric, y_true, y_pred, text", REFUSED, ids=[row[-1][:70] for row in REFUSED])
def test_targets_that_would_only_broadcast_are_refused(metric, y_true, y_pred, text, engine):
    with pytest.raises(ShapeError) as error:
        metric.update(metric.init(), engine.asarray(np.zeros(y_true)), engine.asarray(np.zeros(y_pred)))
    assert text in str(error.value)


# ------------------------------------------------------------------------------------ names and configurations


@sweep
def test_metrics_come_back_from_their_configuration(case):
    metric = case.metric()
    read = json.loads(json.dumps(metric.get_config()))
    for again in (type(metric).from_config(read), pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric)):
        assert repr(again) == repr(metric) and config.signature(again) == config.signature(metric)
        assert again(*case.arrays()) == metric(*case.arrays())


def test_a_repr_and_a_label_show_what_was_given():
    assert repr(AUC()) == "AUC()" and AUC().label == "auc"
    assert repr(Recall(0.25, name="r")) == "Recall(name='r', thresholds=0.25)" and Recall(name="r").label == "r"
    assert TopKCategoricalAccuracy().label == "top_k_categorical_accuracy"
    assert metrics.resolve(absolute, losses.MeanSquaredError(), (None, 1)).label == "absolute"
    assert Recall.from_config(Recall(name="r").get_config()).label == "r"


MSE, BCE, CCE = losses.MeanSquaredError(), losses.BinaryCrossentropy(), losses.CategoricalCrossentropy()
LOGITS, SCE = losses.BinaryCrossentropy(from_logits=True), losses.SparseCategoricalCrossentropy()

RESOLVED = [
    # what compile(metrics=[...]) has, the loss, the output's shape, what it means
    ("accuracy", BCE, (None, 1), "BinaryAccuracy(name='accuracy')"),
    ("acc", BCE, (None, 1), "BinaryAccuracy(name='acc')"),
    ("acc", BCE, (None,), "BinaryAccuracy(name='acc')"),
    ("acc", LOGITS, (None, 1), "BinaryAccuracy(name='acc', threshold=0.0)"),
    ("accuracy", BCE, (None, 3), "CategoricalAccuracy(name='accuracy')"),
    ("accuracy", CCE, (None, 3), "CategoricalAccuracy(name='accuracy')"),
    ("accuracy", SCE, (None, 5, 3), "SparseCategoricalAccuracy(name='accuracy')"),
    ("Accuracy", SCE, (None, 3), "SparseCategoricalAccuracy(name='Accuracy')"),
    ("binary_accuracy", BCE, (None, 3), "BinaryAccuracy(name='binary_accuracy')"),
    ("mse", MSE, (None, 1), "MeanSquaredError(name='mse')"),
    ("rmse", MSE, (None, 1), "RootMeanSquaredError(name='rmse')"),
    ("mean_absolute_error", MSE, (None, 1), "MeanAbsoluteError(name='mean_absolute_error')"),
    ("AUC", BCE, (None, 1), "AUC(name='AUC')"),
    (Precision, BCE, (None, 1), "Precision()"),
    (Precision(0.25), BCE, (None, 1), "Precision(thresholds=0.25)"),
    (BinaryAccuracy(), LOGITS, (None, 1), "BinaryAccuracy()"),
]  # fmt: skip


@pytest.mark.parametrize("spec, loss, shape, expected", RESOLVED)
def test_an_entry_of_compile_is_resolved(spec, loss, shape, expected):
    assert repr(metrics.resolve(spec, loss, shape)) == expected


@pytest.mark.parametrize("make, kind, text", [
    (lambda: metrics.resolve("accuracy", MSE, (None, 1)), ConfigurationError, "Expected a loss of classification beside the metric 'accuracy', received MeanSquaredError(). Use 'mae' or 'rmse' for a regression, or name the accuracy: 'binary_accuracy', 'categorical_accuracy', 'sparse_categorical_accuracy'."),
    (lambda: metrics.resolve("acc", losses.get(absolute), (None, 1)), ConfigurationError, "Expected a loss of classification beside the metric 'accuracy', received FunctionLoss("),
    (lambda: metrics.resolve("presicion", BCE, (None, 1)), UnknownNameError, "Unknown metric 'presicion'. Did you mean 'precision'?"),
    (lambda: metrics.resolve("function_metric", BCE, (None, 1)), UnknownNameError, "Unknown metric 'function_metric'."),
    (lambda: metrics.resolve(7, BCE, (None, 1)), ConfigurationError, "Expected a metric (an object, its class or its name), received 7."),
    (lambda: metrics.resolve(MSE, MSE, (None, 1)), ConfigurationError, "Expected a metric (an object, its class or its name), received MeanSquaredError()."),
    (lambda: TopKCategoricalAccuracy(k=0), ConfigurationError, "TopKCategoricalAccuracy expected k to be a positive whole number, received 0."),
    (lambda: Precision(thresholds=1.5), ConfigurationError, "Precision expected thresholds to be a number from 0 to 1, received 1.5."),
    (lambda: AUC(num_thresholds=1), ConfigurationError, "AUC expected num_thresholds to be a whole number of at least 2, received 1."),
    (lambda: AUC(thresholds=9), ConfigurationError, "AUC has no argument 'thresholds'. Did you mean 'num_thresholds'?"),
    (lambda: Recall(name="a/b"), ConfigurationError, "Recall expected name to be a name without '/'"),
    (lambda: FunctionMetric(absolute).get_config(), ConfigurationError, "cannot be written into a configuration"),
])  # fmt: skip
def test_wrong_metrics_are_refused(make, kind, text):
    with pytest.raises(kind) as error:
        make()
    assert text in str(error.value)


@pytest.mark.parametrize(
    "function", [absolute, lambda t, p: ops.mean(absolute(t, p)), lambda t, p: absolute(t, p)[:, 0]]
)
def test_a_function_is_a_metric_and_batches_count_by_their_samples(function, engine):
    """Whether it returns one number per element, per sample, or for the batch; (2 · 1 + 1 · 4) / 3 = 2."""
    metric, zeros = metrics.resolve(function, MSE, (None, 1)), engine.asarray([[0.0], [0.0]])
    assert float(stream(metric, [(zeros, zeros + 1), (zeros[:1], zeros[:1] + 4)])) == pytest.approx(2.0)


def test_a_function_may_take_targets_of_another_shape(engine):
    metric = metrics.resolve(lambda t, p: p[:, 0] - t, MSE, (None, 3))
    assert metric(engine.asarray([1.0, 2.0]), engine.asarray([[2.0, 0, 0], [5.0, 0, 0]])) == 2.0
