"""Derivatives where a function has a kink: one convention, on every engine."""

import numpy as np
import pytest

import neuroloom as nl
import neuroloom.session as nls
from neuroloom import losses, ops, regularizers

INF = np.inf
LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772

# name: (function, inputs, derivatives of the sum of its values by each input)
KINKS = {
    "abs": (ops.abs, [[0.0, -0.0, 2.0, -2.0]], [[0, 0, 1, -1]]),
    "clip": (lambda x: ops.clip(x, -1.0, 2.0), [[-1.0, 2.0, 0.0, -3.0, 3.0]], [[1, 1, 1, 0, 0]]),
    "clip, low = high": (lambda x: ops.clip(x, 1.0, 1.0), [[1.0, 2.0]], [[1, 0]]),
    "clip, one bound": (lambda x: ops.clip(x, low=0.0), [[0.0, -1.0]], [[1, 0]]),
    "relu": (ops.relu, [[0.0]], [[0]]),
    "leaky_relu": (lambda x: ops.leaky_relu(x, 0.25), [[0.0]], [[0.25]]),
    "elu": (lambda x: ops.elu(x, 2.0), [[0.0]], [[2]]),
    "selu": (ops.selu, [[0.0]], [[LAMBDA * ALPHA]]),
    "softsign": (ops.softsign, [[0.0]], [[1]]),
    "hard_sigmoid": (ops.hard_sigmoid, [[-3.0, 3.0, 4.0]], [[1 / 6, 1 / 6, 0]]),
    "maximum": (ops.maximum, [[1.0], [1.0]], [[0.5], [0.5]]),
    "minimum": (ops.minimum, [[1.0], [1.0]], [[0.5], [0.5]]),
    "maximum with a number": (lambda x: ops.maximum(x, 0.0), [[0.0]], [[0.5]]),
    "hinge": (lambda x: ops.maximum(1 - x, 0.0), [[1.0, 0.0]], [[-0.5, -1]]),
    "huber": (lambda x: ops.where(ops.abs(x) <= 1, x * x / 2, ops.abs(x) - 0.5), [[0.0, 1.0, -1.0]], [[0, 1, -1]]),
    "max": (ops.max, [[1.0, 0.0, 1.0]], [[0.5, 0, 0.5]]),
    "min": (lambda x: ops.min(x, axis=0), [[1.0, 2.0, 1.0]], [[0.5, 0, 0.5]]),
    "sqrt": (ops.sqrt, [[0.0]], [[INF]]),
    "sign": (ops.sign, [[0.0]], [[0]]),
    "floor": (ops.floor, [[1.0]], [[0]]),
    "round": (ops.round, [[0.5]], [[0]]),
    "remainder": (lambda x: ops.remainder(x, 2.0), [[2.0]], [[1]]),
    "prod": (ops.prod, [[0.0, 2.0, 3.0]], [[6, 0, 0]]),
    "top_k": (lambda x: ops.top_k(x, 1)[0], [[1.0, 1.0]], [[1, 0]]),
    "max_pool": (
        lambda x: ops.max_pool(ops.reshape(x, (1, 4, 1)), (2,), (2,)), [[1.0, 1.0, 0.0, 0.0]], [[1, 0, 1, 0]],
    ),
    "overlapping max_pool": (
        lambda x: ops.max_pool(ops.reshape(x, (1, 3, 1)), (2,), (1,)), [[1.0, 1.0, 1.0]], [[1, 1, 0]],
    ),
    "mean absolute error": (
        lambda p: losses.MeanAbsoluteError().values(ops.zeros_like(p), p), [[0.0, 1.0]], [[0, 0.5]],
    ),
    "l1": (regularizers.L1(0.5), [[0.0, 2.0]], [[0, 0.5]]),
    "l1 and l2": (regularizers.L1L2(0.5, 1.0), [[0.0, 2.0]], [[0, 4.5]]),
}  # fmt: skip


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", KINKS)
def test_the_derivative_at_a_kink(name, compiled, training_engine):
    """Fault 10: |x| at 0 had the derivative 1 on JAX, clip at its bounds 1/2."""
    fn, inputs, expected = KINKS[name]
    gradient = training_engine.value_and_grad(lambda args: (ops.sum(fn(*args)), ()))
    gradient = training_engine.compile(gradient) if compiled else gradient
    found = gradient([training_engine.asarray(x) for x in inputs])[1]
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(training_engine.to_numpy(one), wanted, rtol=1e-6)


@pytest.mark.parametrize("name", KINKS)
def test_the_derivative_at_a_kink_in_a_session(name, training_engine):
    """Fault 10: the same functions in explicit graphs."""
    fn, inputs, expected = KINKS[name]
    with nls.Graph().as_default(), nls.Session() as sess:
        xs = [nls.placeholder("float32", [len(x)]) for x in inputs]
        found = sess.run(nls.gradients(nls.reduce_sum(fn(*xs)), xs), dict(zip(xs, inputs, strict=True)))
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-6)


def test_exact_zeros_do_not_drift(training_engine):
    """Fault 10: with MAE and L1, weights and errors of exactly 0 moved at every step on JAX."""
    layer = nl.layers.Dense(1, kernel_initializer="zeros", kernel_regularizer=regularizers.L1(0.1))
    model = nl.Sequential([nl.Input((2,)), layer])
    model.compile(optimizer=nl.optimizers.SGD(0.1), loss="mae")
    model.fit(np.ones((4, 2)), np.zeros((4, 1)), epochs=3, verbose=0)
    assert [w.tolist() for w in model.get_weights()] == [[[0], [0]], [0]]


def test_values_beside_the_kinks_are_those_of_numpy(engine):
    """Fault 10: the rules for derivatives leave the values as they are."""
    x = np.array([-np.inf, -2.0, -0.0, 0.0, 1.0, 3.0, np.inf, np.nan], np.float32)
    given = engine.asarray(x)
    np.testing.assert_array_equal(engine.to_numpy(ops.abs(given)), np.abs(x))
    for low, high in ((-1.0, 1.0), (None, 1.0), (0.0, None), (2.0, 1.0)):
        np.testing.assert_array_equal(engine.to_numpy(ops.clip(given, low, high)), np.clip(x, low, high))
    assert engine.dtype_name(ops.abs(engine.asarray(np.array([-3, 3], np.int32)))) == "int32"


def test_clipping_a_vector_of_length_0(training_engine):
    """Fault 10: the derivative of a norm at 0 made the gradient of clip_by_norm NaN."""
    with nls.Graph().as_default(), nls.Session() as sess:
        x = nls.placeholder("float32", [2])
        y = nls.clip_by_norm(x, 2.0)
        assert sess.run(nls.gradients(y, x)[0], {x: [0.0, 0.0]}).tolist() == [1, 1]
        np.testing.assert_allclose(sess.run(y, {x: [3.0, 4.0]}), [1.2, 1.6], rtol=1e-6)
