"""The engine test-kit: our engines pass it; an engine that does one thing wrong does not."""

import inspect

import numpy as np
import pytest

from conftest import ENGINES, _engine
from neuroloom.engines import Engine, dispatch, load
from neuroloom.engines.numpy import NumpyEngine
from neuroloom.engines.protocol import Protocol
from neuroloom.errors import EngineError
from neuroloom.testing import check_engine, engine_checks
from neuroloom.testing.engines import ALL

METHODS = sorted(name for cls in (Protocol, Engine) for name in vars(cls) if inspect.isroutine(vars(cls)[name])) + [
    "version"
]
METHODS = [name for name in METHODS if not name.startswith("_")]


def checks_of(method, engine):
    """The checks of an engine whose names begin with a method's."""
    return {name: check for name, check in engine_checks(engine) if name == method or name.startswith(f"{method}:")}


# ---------------------------------------------------------------------------------------------------- our engines


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("check", ALL)
def test_our_engines_pass(check, name):
    dict(engine_checks(_engine(name)))[check]()


def test_the_protocol_is_closed_and_abstract():
    methods = {name for name in vars(Protocol) if not name.startswith("_") and callable(getattr(Protocol, name))}
    assert methods | {"version"} == Protocol.__abstractmethods__
    assert Engine.__abstractmethods__ == Protocol.__abstractmethods__  # no kernel has to be written
    assert 20 <= len(Protocol.__abstractmethods__) <= 30


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_check_of_its_name(method):
    assert checks_of(method, "numpy")


# ------------------------------------------------------------------------------------------------- wrong engines


def spoiled(value):
    """Another value of the same kind."""
    if isinstance(value, dict):
        return {key: spoiled(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(spoiled, value))
    if isinstance(value, str):
        return f"{value}?"
    if str(getattr(value, "dtype", "")) == "bool" or isinstance(value, bool):
        return np.logical_not(value)
    if hasattr(value, "dtype") or isinstance(value, int | float):
        return value + 1
    return (lambda *args: spoiled(value(*args))) if callable(value) else None


def wrong(method):
    """The method of NumPy's engine, with spoiled results."""

    def spoil(self, *args, **kwargs):
        return spoiled(getattr(NumpyEngine, method)(self, *args, **kwargs))

    return spoil


WRONG = {
    "version": property(lambda self: ""),
    "devices": lambda self: [],
    "key": lambda self, seed: (seed % 2**32,),  # half of the seed's words
    "key_of": lambda self, words: self.key(int(words[0]) & 1),
    "fold_in": lambda self, key, data: (key[0], *sorted((*key[1:], int(data)))),  # whatever their order
    "uniform": lambda self, key, shape, dtype="float32": NumpyEngine.uniform(self, (0,), shape, dtype),
    "normal": lambda self, key, shape, dtype="float32": NumpyEngine.normal(self, key, shape, dtype) * 1.1,
    "new_log": lambda self, rows, columns: [[0.0] * columns],
    "apart": lambda self, x, others: x,
    "update_rule": lambda self, name: lambda rule, p, g, slots, scalars: None,
    "free_memory": lambda self: 0,
    "precision": lambda self: None,
    "programs_folder": lambda self: "here",
    "held_bytes": lambda self, run: -1,
    "release": lambda self, run: run(),
}
"""What is wrong in another way than by a spoiled result."""


@pytest.mark.parametrize("method", [name for name in METHODS if name != "keys"])  # which NumPy's needs for nothing
def test_a_wrong_method_is_found_by_its_name(method):
    broken = type("Broken", (NumpyEngine,), {method: WRONG.get(method, wrong(method))})()
    failed = []
    for name, check in checks_of(method, broken).items():
        try:
            check()
        except Exception:
            failed.append(name)
    assert failed


def test_wrong_keys_of_populations_are_found():
    jax = _engine("jax")
    broken = type("Broken", (type(jax),), {"keys": lambda self, seeds: super(type(self), self).keys(seeds[::-1])})()
    with pytest.raises(AssertionError):
        checks_of("keys", broken)["keys"]()


@pytest.mark.parametrize("name", ["traces", "on_host", "bfloat16", "trains"])
def test_a_capability_that_is_not_there_is_found(name):
    """Each is said to be the other way round."""
    broken = type("Broken", (NumpyEngine,), {name: not getattr(NumpyEngine, name)})()
    with pytest.raises(AssertionError, match="fails"):
        check_engine(broken)


def test_wrong_derivatives_are_found():
    """The values are right: that of σ alone has twice its derivative, that of a table's rows forgets a second use."""

    class Broken(NumpyEngine):
        def sigmoid(self, x):
            return 2 * super().sigmoid(x) - super().sigmoid(self.stop_gradient(x))

        def gather(self, x, index):
            once = np.concatenate([[True], index.ravel()[1:] != index.ravel()[0]]).reshape(index.shape)
            rows = super().gather(x, index)
            return self.xp.where(once.reshape(*index.shape, *[1] * (x.ndim - 1)), rows, self.stop_gradient(rows))

    for method in ("sigmoid", "gather"):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            checks_of(method, Broken())[method]()


def test_an_engine_without_derivatives_passes():
    class Forward(NumpyEngine):
        trains = False

        def value_and_grad(self, fn):
            return super(NumpyEngine, self).value_and_grad(fn)

    check_engine(Forward())
    with pytest.raises(EngineError, match=r"The numpy engine computes forward only and cannot train\. Use another"):
        Forward().value_and_grad(lambda p: (p, None))


def test_the_message_names_what_fails():
    class Broken(NumpyEngine):
        def erf(self, x):
            return x

        def pad(self, x, widths, value=0.0):
            return super().pad(x, widths)

    with pytest.raises(AssertionError) as caught:
        check_engine(Broken())
    first, *lines = str(caught.value).splitlines()
    assert first.startswith("The engine 'numpy' fails ") and f" of {len(ALL)} checks:" in first
    named = [line.split(":")[0].strip() for line in lines]
    assert named[:2] == ["erf", "pad"] and "sigmoid" not in named
    assert isinstance(caught.value.__cause__, AssertionError)


def test_an_engine_stands_in_for_its_name_only_inside():
    numpy, one = load("numpy"), NumpyEngine()
    with dispatch.standing_in(one):
        assert load("numpy") is one and dispatch.of(np.ones(2)) is one
    assert load("numpy") is numpy and dispatch.of(np.ones(2)) is numpy
