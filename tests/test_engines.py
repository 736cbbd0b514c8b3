"""Which engine computes. What each of them must do is in `test_testing.py`."""

import functools
import threading

import numpy as np
import pytest

import neuroloom as nl
from conftest import ENGINES
from neuroloom import engines
from neuroloom.engines import Spec, dispatch
from neuroloom.errors import EngineError, UnknownNameError

X = np.random.default_rng(4).normal(size=(3, 4)).astype("float32")


# ---------------------------------------------------------------------------------------------------- dispatch


def test_the_engine_of_an_array_is_found_by_its_type(engine):
    assert engines.of(engine.asarray(X)) is engine
    assert engines.of(3.0, None, [1, 2]) is engine  # the one in use
    assert engines.current() is engines.resolve(None) is engines.resolve(engine.name) is engine


def test_any_engine_wins_over_numpy(training_engine):
    assert engines.of(X, training_engine.asarray(X)) is engines.of(training_engine.asarray(X), X) is training_engine


def test_two_engines_do_not_mix():
    with pytest.raises(EngineError, match=r"jax and torch, met .* neuroloom\.engines\.load\('torch'\)\.asarray\(x\)"):
        engines.of(engines.load("jax").asarray(X), engines.load("torch").asarray(X))


def test_unknown_and_missing_engines(monkeypatch):
    with pytest.raises(UnknownNameError, match=r"Unknown engine 'troch'. Did you mean 'torch'?"):
        nl.use("troch")
    monkeypatch.setattr(dispatch, "installed", lambda name: False)
    monkeypatch.setattr(dispatch, "_loaded", {})
    with pytest.raises(EngineError, match=r"The engine 'torch' is not installed. Install it with: pip install"):
        nl.use("torch")


def test_the_engine_in_use(monkeypatch):
    monkeypatch.setattr(dispatch, "_default", None)
    for given, expected in {"": "jax", "numpy": "numpy"}.items():
        monkeypatch.setenv("NEUROLOOM_ENGINE", given)
        monkeypatch.setattr(dispatch, "from_environment", functools.cache(dispatch.from_environment.__wrapped__))
        assert engines.current().name == expected
    nl.use("torch")
    assert engines.current().name == "torch"
    with nl.engine("jax"), nl.engine("numpy"):
        assert engines.current().name == "numpy"
    assert engines.current().name == "torch"


def test_a_with_block_holds_in_its_own_thread():
    seen = []
    with nl.engine("numpy"):
        thread = threading.Thread(target=lambda: seen.append(engines.current().name))
        thread.start()
        thread.join()
    assert seen != ["numpy"]


def test_the_list_of_engines():
    with nl.engine("numpy"):
        rows = nl.engines()
    assert tuple(row.name for row in rows) == ENGINES
    assert [row.name for row in rows if row.in_use] == ["numpy"]
    for row in rows:
        assert row.installed == engines.installed(row.name) == bool(row.version) == bool(row.devices)
        assert row.install.startswith("pip install")


# ------------------------------------------------------------------------------------------------------ arrays


@pytest.mark.parametrize("source", ENGINES)
def test_asarray_takes_arrays_of_any_engine(source, engine):
    x = engine.asarray(engines.load(source).asarray(X))
    assert engines.of(x) is engine
    np.testing.assert_array_equal(engine.to_numpy(x), X)


def test_abstract_of_numpy_does_not_warn_about_zeros():
    spec = engines.load("numpy").abstract(lambda x: np.log(x) / x, Spec((2,)))
    assert spec == Spec((2,))
