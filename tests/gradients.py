"""Gradients of an engine against central differences, both in float64."""

import numpy as np

from neuroloom import engines, tree
from tolerances import DIFFERENCES, assert_close

STEP = 1e-5


def total(outputs, weights):
    """Σ weights · outputs over a tree, so that each element of each output counts differently."""
    return sum(tree.leaves(tree.map(lambda o, w: (o * w).sum(), outputs, weights)))


def cotangents(outputs):
    """Random weights for `total`, the same ones for outputs of the same shapes."""
    rng = np.random.default_rng(11)
    return tree.map(lambda o: rng.normal(size=np.shape(o)), outputs)


def value_and_gradients(engine, fn, args, weights):
    """fn(*args) and the gradients of `total` by args, as NumPy arrays, from one compiled program."""

    def put(a):
        return engine.asarray(a, str(a.dtype))

    def scalar(args, weights):
        outputs = fn(*args)
        return total(outputs, weights), outputs

    program = engine.compile(engine.value_and_grad(scalar))
    (_, outputs), grads = program(tree.map(put, list(args)), tree.map(put, weights))
    return tree.map(engine.to_numpy, outputs), tree.map(engine.to_numpy, grads)


def central_differences(fn, args, weights):
    """Gradients of `total` by each element of args, from the NumPy engine's values alone."""

    def difference(leaf, index):
        kept = leaf[index]
        ends = []
        for moved in (kept + STEP, kept - STEP):
            leaf[index] = moved
            ends.append(total(fn(*args), weights))
        leaf[index] = kept
        return (ends[0] - ends[1]) / (2 * STEP)

    def gradient(leaf):
        return np.array([difference(leaf, i) for i in np.ndindex(leaf.shape)]).reshape(leaf.shape)

    return tree.map(gradient, list(args))


def check_gradients(fn, args, engine):
    """The engine's gradients of fn by all args (trees of arrays) equal central differences in float64.

    fn is written over `ops`, so that it runs on every engine; its values on NumPy are the reference.
    """
    args = tree.map(lambda a: np.array(a, np.float64), list(args))
    with np.errstate(all="ignore"), engines.engine("numpy"):
        outputs = fn(*args)
        weights = cotangents(outputs)
        expected = central_differences(fn, args, weights)
    with engine.double(), engines.engine(engine.name):
        values, actual = value_and_gradients(engine, fn, args, weights)
    assert [str(v.dtype) for v in tree.leaves(values)] == ["float64"] * len(tree.leaves(values))
    tree.map(lambda a, e: assert_close(a, e, within=1e-9, reason="erf and exp of two libraries"), values, outputs)

    def compare(a, e):
        return assert_close(a, e, within=DIFFERENCES, reason="central differences")

    tree.map(compare, actual, expected)
