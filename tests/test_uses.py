"""The seven classical uses: each example run in small, with the result that its page states."""

import contextlib
import importlib.util
import io
import itertools
from pathlib import Path

import numpy as np
import pytest

from data_folder import DATA, needs_data

ROOT = Path(__file__).parents[1]


def _page():
    spec = importlib.util.spec_from_file_location("page", ROOT / "examples" / "uses" / "page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = _page()


@pytest.fixture(autouse=True)
def real(monkeypatch):
    monkeypatch.setenv("NEUROLOOM_DATA", str(DATA))


@needs_data
def test_classification():
    results, _ = PAGE.load("classification").main()
    assert min(results[name] for name in ("PNN", "ELMClassifier", "RBFClassifier")) >= 0.98
    assert results["GLVQ"] >= 0.94
    known, learned = list(results.values())[-2:]
    assert 0.96 <= known <= 0.98 and known - 0.05 <= learned <= known


@needs_data
def test_clustering():
    results, _ = PAGE.load("clustering").main()
    assert results["old faithful"] > 0.95
    assert results["three units of neural gas"] > 0.85
    assert results["a map of 8 x 8 units, its units grouped"] > 0.8
    assert results["k-means"] == pytest.approx(0.897, abs=0.001)  # what others report of it


def test_approximation():
    results, _ = PAGE.load("approximation").main(sets=5)
    assert max(results.values()) < 0.15 / 1.8 and set(results) == {"RBFRegressor", "GRNN", "ELMRegressor"}


@needs_data
def test_forecasting_by_echo_states():
    uses = PAGE.load("forecasting")
    grids = {uses.echo: {"n_units": (100,), "alpha": (0.01,), "input_scaling": (0.3,)}, uses.naive: {}}
    results, _ = uses.main((uses.echo, uses.naive), grids)
    known = np.loadtxt(DATA / "airline-passengers" / "airline-passengers.csv", delimiter=",", skiprows=1, usecols=1)
    assert results["naive"]["rmse"] == pytest.approx(np.sqrt(np.mean((known[120:] - known[108:132]) ** 2)))
    assert results["echo"]["rmse"] < 0.6 * results["naive"]["rmse"]
    assert results["echo"]["mape"] < 6 < 10 < results["naive"]["mape"]


def test_forecasts_know_nothing_of_the_year_they_forecast():
    uses = PAGE.load("forecasting")
    known = 100 * np.exp(0.01 * np.arange(96)) * (1.2 + np.sin(np.arange(96) / 12 * 2 * np.pi))
    _, back = uses.changes(known)
    np.testing.assert_allclose(back(uses.changes(known)[0])[-1] / known[-1], known[-1] / known[0], rtol=1e-9)
    other = np.concatenate([known[:84], known[84:] * 3])
    settings = {"n_units": 30, "seeds": range(1)}
    one, two = (uses.errors(values, [1956], uses.echo, **settings)[0] for values in (known, other))
    np.testing.assert_array_equal(one, two)


def test_optimisation():
    uses = PAGE.load("optimisation")
    results, _ = uses.main(sets=1, restarts=300)
    assert results["ring of a self-organizing map", 10]["worst"] < 0.05
    assert results["ring of a self-organizing map", 30]["mean"] < 0.06
    assert abs(results["simulated annealing", 10]["worst"]) < 1e-6
    assert results["simulated annealing", 30]["mean"] < 0.02
    assert 0 <= results["Hopfield and Tank", 10]["mean"] < 0.3


def test_the_shortest_tour_is_that_of_all_tours():
    uses = PAGE.load("optimisation")
    x = uses.cities(7, 3)
    every = min(uses.length(x, np.array([0, *rest])) for rest in itertools.permutations(range(1, 7)))
    assert uses.optimum(x) == pytest.approx(every, rel=1e-12)
    assert uses.best_known(x, 20) == pytest.approx(every, rel=1e-12)
    for n in (10, 30):
        tour = uses.improved(uses.distances(uses.cities(n, 1)), np.arange(n))
        assert sorted(tour) == list(range(n))


@needs_data
def test_associative_memory():
    results, _ = PAGE.load("memory").main(times=10)
    half, some, many = "lower half erased", "10% turned over", "20% turned over"
    assert results["possible"] == pytest.approx(21 / 26)
    assert results["Hopfield, Hebb", some] < 0.05 < 0.3 < results["Hopfield, pseudo-inverse", some]
    assert 17 / 26 <= results["ModernHopfield", half] <= 21 / 26
    assert results["ModernHopfield", some] > 0.95 and results["ModernHopfield", many] > 0.85
    assert results["DenseAssociativeMemory, degree 20", some] > 0.95


def test_control():
    results, _ = PAGE.load("control").main()
    assert results["error"] < 0.05 and results["balanced"] == 100


def test_the_cart_moves_as_gyms():
    uses = PAGE.load("control")
    state = uses.push(np.zeros((1, 4)), np.array([True]))  # 10 N: 9.7561 m/s² and -14.6341 rad/s² for 0.02 s
    np.testing.assert_allclose(state, [[0, 0.195122, 0, -0.292683]], atol=1e-6)
    still = uses.push(np.array([[0, 0, 0.1, 0.0]]), np.array([False]))
    np.testing.assert_allclose(uses.push(np.array([[0, 0, -0.1, 0.0]]), np.array([True])), -still, atol=1e-12)
    assert uses.balanced(lambda s: s[:, 0] * 0 + 1, np.zeros((1, 4)))[0] < 12  # pushed to one side only, it falls


# ------------------------------------------------------------------------------------------------------------ the page


@pytest.mark.parametrize("name", PAGE.USES)
def test_the_page_says_what_the_example_says(name):
    module, found = PAGE.load(name), PAGE.sections()[name]
    assert module.__doc__.strip().partition("\n\n")[2] in found, "run python examples/uses/page.py"
    assert (ROOT / "docs" / "pictures" / f"use_{name}.png").stat().st_size > 2000


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("name", PAGE.USES)
def test_examples_print_what_the_page_says(name):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        PAGE.load(name).main()
    assert f"```text\n{printed.getvalue()}```" in PAGE.sections()[name]
