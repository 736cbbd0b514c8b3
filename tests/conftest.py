"""Fixtures that all tests share: engines, seeds, Keras as the oracle."""

import os
import re
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


HERE = Path(__file__).parent
NOT_FAST = {
    "faults", "networks", "test_benchmarks", "test_cache", "test_cli", "test_compute_loss", "test_datasets",
    "test_diagram", "test_docs", "test_ensemble", "test_entry_points", "test_events", "test_examples", "test_files",
    "test_imports", "test_keras_parity", "test_misuse", "test_plots", "test_population", "test_progress",
    "test_report", "test_reproducible", "test_search", "test_session_examples", "test_sources", "test_speeds",
    "test_tensorboard", "test_testing", "test_torch_engine", "test_uses", "test_windows",
}  # fmt: skip
"""Folders and files with nothing for `pytest -m fast`: they start processes, train long, or sweep widely."""


def pytest_collection_modifyitems(items):
    """Marks by place. `faults`: the folder of faults that were found in use. `fast`: for the daily work, on NumPy and
    JAX, of each test one case per class.
    """
    seen = set()
    for item in items:
        inside = item.path.relative_to(HERE) if HERE in item.path.parents else Path("elsewhere")
        if inside.parts[0] == "faults":
            item.add_marker(pytest.mark.faults)
        case = getattr(item, "callspec", None)
        words = set(case.id.split("-")) if case else set()
        if inside.parts[0].removesuffix(".py") in NOT_FAST or "torch" in words or item.get_closest_marker("slow"):
            continue
        about = re.split(r"[-(\[,: ]", case.id.replace("numpy-", "").replace("jax-", ""))[0] if case else ""
        key = item.path, item.originalname, about if about not in ENGINES else "", *(words & {"numpy", "jax"})
        if key not in seen:
            seen.add(key)
            item.add_marker(pytest.mark.fast)


@pytest.fixture(scope="session")
def keras():
    """Keras on JAX, the oracle of layers."""
    return pytest.importorskip("keras", reason="keras is not installed: pip install keras")
