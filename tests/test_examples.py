"""The programs of `examples/` on real data, with the accuracy that the textbooks report."""

import ast
import importlib.util
from pathlib import Path

import pytest

from data_folder import DATA, needs_data

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name):
    """The module of an example."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def real(monkeypatch):
    monkeypatch.setenv("NEUROLOOM_DATA", str(DATA))


SLOWER = [pytest.param(name, marks=pytest.mark.slow) for name in ("torch", "numpy")]
"""Engines on which the examples take a minute; that the engines' curves agree is shown elsewhere."""


@needs_data
@pytest.mark.parametrize("name", ["jax", *SLOWER])
def test_mnist_reaches_97_and_a_half_per_cent(name, real, capsys):
    accuracy = example("mnist_mlp").main(engine=name)
    assert accuracy >= 0.975
    lines = capsys.readouterr().out.strip().split("\n")
    assert lines[-1] == f"test accuracy: {accuracy:.4f}" and lines[0].startswith("Epoch 1/5")


@needs_data
@pytest.mark.parametrize("name", ["jax", *SLOWER])
def test_imdb_reaches_87_per_cent(name, real):
    assert example("imdb_mlp").main(engine=name) >= 0.87


@pytest.mark.parametrize("name", ["mnist_mlp", "imdb_mlp"])
def test_examples_need_this_library_and_numpy_only(name):
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text())
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    modules |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert modules <= {"neuroloom", "numpy"}
