"""Fixtures that all tests share: engines, seeds, Keras as the oracle."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")

import neuroloom as nl
from neuroloom import engines

ENGINES = ("numpy", "jax", "torch")
TRAINING = ("numpy", "jax", "torch")


def _engine(name):
    """An engine by name. Where it is missing, CI fails; elsewhere the test is skipped."""
    if not engines.installed(name) and not os.environ.get("CI"):
        pytest.skip(f"the engine {name!r} is not installed: {engines.dispatch.install(name)}")
    return engines.load(name)


@pytest.fixture(params=ENGINES)
def engine(request):
    """Every engine, in use while the test runs."""
    found = _engine(request.param)
    with nl.engine(found.name):
        yield found


@pytest.fixture(params=TRAINING)
def training_engine(request):
    """Every engine that differentiates, in use while the test runs."""
    found = _engine(request.param)
    with nl.engine(found.name):
        yield found


@pytest.fixture(autouse=True)
def seed():
    """Every test starts from the same seed, and leaves no default engine behind."""
    nl.utils.set_random_seed(20)
    default = engines.dispatch._default
    yield 20
    engines.dispatch._default = default


@pytest.fixture
def rng():
    """Random numbers for inputs."""
    return np.random.default_rng(3)


@pytest.fixture
def listening():
    """Ctrl-C interrupts this process and those that it starts, even where a shell had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_collection_modifyitems(items):
    """Every test in the folder `faults` shows a fault that was found in use: `pytest -m faults` runs them all."""
    for item in items:
        if Path(__file__).parent / "faults" in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def keras():
    """Keras on JAX, the oracle of layers."""
    return pytest.importorskip("keras", reason="keras is not installed: pip install keras")
