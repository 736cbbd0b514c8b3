"""How the checks compare numbers, and what a list of checks is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuroloom import tree
from neuroloom.engines import Engine
from neuroloom.typing import Function, Tree

Check = Callable[[Engine], None]

CLOSE = 2e-5
"""How far float32 values may be apart, measured against the largest one."""

EXACT = 1e-9
"""The same for float64, in which erf and exp of two libraries differ by more than rounding."""

STEP, DIFFERENCES = 1e-5, 1e-6
"""The step of central differences in float64, and how far they may be from a derivative."""


class Checks(dict[str, Check]):
    """Checks by name, which begins with the method that is checked."""

    def add(self, name: str) -> Callable[[Check], Check]:
        """The decorated function is the check of this name."""

        def kept(fn: Check) -> Check:
            assert name not in self, f"two checks are named {name}"
            self[name] = fn
            return fn

        return kept


def drawn(*shape: int, seed: int = 3) -> np.ndarray:
    """Numbers from N(0, 1), float64, the same ones each time."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def put(engine: Engine, values: Tree, dtype: str | None = "float32") -> Tree:
    """NumPy's arrays as the engine's; floats in this dtype (None: in their own). Other leaves stay as they are."""

    def one(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray):
            return leaf
        return engine.asarray(leaf, dtype if dtype and leaf.dtype.kind == "f" else str(leaf.dtype))

    return tree.map(one, values)


def close(engine: Engine, actual: Tree, expected: Tree, within: float = CLOSE) -> None:
    """Equal structures, shapes, and kinds of dtype; values apart by no more than `within` of the largest one."""
    found, wanted = dict(tree.items(actual)), dict(tree.items(expected))
    assert found.keys() == wanted.keys(), f"expected a tree with {list(wanted)}, received {list(found)}"
    for path, value in found.items():
        a, b = np.asarray(engine.to_numpy(value)), np.asarray(engine.to_numpy(wanted[path]))
        assert a.shape == b.shape, f"expected shape {b.shape}, received {a.shape} {path}"
        floats = a.dtype.kind == "f", b.dtype.kind == "f"
        assert floats[0] == floats[1], f"expected {b.dtype}, received {a.dtype} {path}"
        if not floats[0]:
            np.testing.assert_array_equal(a, b, err_msg=path)
            continue
        size = np.max(np.abs(b), initial=0.0, where=np.isfinite(b)) or 1.0
        np.testing.assert_allclose(a, b, rtol=within, atol=within * float(size), err_msg=path)


def gradients(engine: Engine, fn: Function, args: list[np.ndarray]) -> tuple[Tree, Tree, Tree]:
    """fn(*args), its derivatives, and central differences: of Σ weights · fn(*args) by args, in float64.

    The weights are random, so that each element of each result counts differently.
    """
    with engine.double():
        given = put(engine, args, "float64")
        outputs = tree.map(engine.to_numpy, fn(*given))
        weights = tree.map(lambda o: drawn(*np.shape(o), seed=5), outputs)

        def total(given: Tree, weights: Tree) -> Any:
            parts = tree.map(lambda o, w: (o * w).sum(), fn(*given), weights)
            return sum(tree.leaves(parts)), ()

        on_engine = put(engine, weights, "float64")
        (_, _), found = engine.compile(engine.value_and_grad(total))(given, on_engine)
        forward = engine.compile(lambda given: fn(*given))

        def value(args: list[np.ndarray]) -> float:
            results = tree.map(engine.to_numpy, forward(put(engine, args, "float64")))
            return float(sum(np.sum(o * w) for o, w in zip(tree.leaves(results), tree.leaves(weights), strict=True)))

        found = tree.map(lambda g: np.array(engine.to_numpy(g)), found)
        return outputs, found, [_differences(value, args, i) for i in range(len(args))]


def _differences(value: Callable[[list[np.ndarray]], float], args: list[np.ndarray], i: int) -> np.ndarray:
    result = np.zeros(args[i].shape)
    for place in np.ndindex(args[i].shape):
        ends = []
        for step in (STEP, -STEP):
            moved = [a.copy() for a in args]
            moved[i][place] += step
            ends.append(value(moved))
        result[place] = (ends[0] - ends[1]) / (2 * STEP)
    return result


def check_gradients(engine: Engine, fn: Function, *args: np.ndarray) -> None:
    """That the derivatives of fn by all args, float64 arrays, are central differences, and are float64."""
    if not engine.trains:
        return
    _, found, expected = gradients(engine, fn, list(args))
    assert {str(g.dtype) for g in found} == {"float64"}, f"expected float64, received {[str(g.dtype) for g in found]}"
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=DIFFERENCES, atol=DIFFERENCES * max(1.0, float(np.abs(b).max(initial=0))))


def refused(kind: type[BaseException], act: Callable[[], Any], what: str) -> None:
    """That an act raises an error of this kind."""
    try:
        act()
    except kind:
        return
    raise AssertionError(f"{what}: expected {kind.__name__}, received no error")
