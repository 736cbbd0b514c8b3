"""Fault 36: textbook networks do the work that their rule asks for, and no more. Work is counted, not timed."""

import contextlib
import functools
import math
import os
import subprocess
import sys
import tracemalloc
from collections import OrderedDict

import jax
import numpy as np
import pytest
from sklearn.datasets import load_iris

from neuroloom import engines, networks, tree
from neuroloom.engines.jax import JaxEngine
from neuroloom.engines.jax import options as jax_options
from neuroloom.learning import loop
from neuroloom.networks import base, least_squares
from neuroloom.networks.competitive import gas_growing
from neuroloom.networks.linear import perceptron, threshold
from neuroloom.networks.multilayer import mlp_rules
from neuroloom.networks.radial import rbf as radial
from neuroloom.networks.resonance import art_rules
from neuroloom.ops import draws


@pytest.fixture
def compiled(monkeypatch):
    """The functions that JAX was asked to compile; what was compiled before is forgotten."""
    found, compile_ = [], JaxEngine.compile
    monkeypatch.setattr(loop, "_programs", OrderedDict())
    monkeypatch.setattr(JaxEngine, "compile", lambda self, fn: found.append(fn) or compile_(self, fn))
    return found


def traced(monkeypatch, fit):
    """The programs of a fit, as jaxprs, by rule."""
    found, execute = {}, base._execute

    def record(engine, widths, rule, values, static):
        engine = engines.resolve(engine)
        given = tree.map(lambda leaf: base._array(engine, leaf, widths), values)
        inside = functools.partial(base._inside, engine, rule, static)
        found[rule] = jax.jit(inside, compiler_options=dict(jax_options.PRODUCTS)).trace(*given)
        return execute(engine, widths, rule, values, static)

    monkeypatch.setattr(base, "_execute", record)
    fit()
    return found


def sizes(jaxpr):
    """How many numbers each operation gives; control flow apart, as its parts are counted."""
    control = ("scan", "while", "cond", "pjit", "jit", "closed_call", "custom_jvp_call")
    for equation in jax_options.equations(jaxpr):
        if equation.primitive.name not in control:
            yield equation.primitive.name, max(math.prod(v.aval.shape) for v in equation.outvars)


# ------------------------------------------------------------------------------------- orthogonal least squares


def test_orthogonal_least_squares_selects_as_rewriting_all_candidates_does(rng):
    """Fault 36: the same centres and shares as when each choice is taken out of every candidate."""
    phi, targets = rng.normal(size=(80, 30)), rng.normal(size=(80, 2))
    rest, error = phi - phi.mean(axis=0), targets - targets.mean(axis=0)
    total, expected = (error**2).sum(), []
    for _ in range(10):
        gain = np.array([((c @ error) ** 2).sum() / (c @ c) if c @ c > 1e-9 else -1 for c in rest.T])
        best = gain.argmax()
        expected.append((best, gain[best] / total))
        unit = rest[:, best] / np.linalg.norm(rest[:, best])
        rest, error = rest - np.outer(unit, unit @ rest), error - np.outer(unit, unit @ error)
    chosen, shares = radial.orthogonal_selection(phi, targets, 10)
    assert chosen == [best for best, _ in expected]
    np.testing.assert_allclose(shares, [share for _, share in expected], rtol=1e-9)


def test_orthogonal_least_squares_writes_no_candidates(rng):
    """Fault 36: beside one copy of the candidates there is none of their size, however many are chosen."""
    phi, targets = rng.normal(size=(600, 400)), rng.normal(size=(600, 1))
    tracemalloc.start()
    radial.orthogonal_selection(phi, targets, 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * phi.nbytes


def test_orthogonal_least_squares_of_a_given_width_looks_for_no_clusters(monkeypatch, rng):
    """Fault 36: k-means was run for nothing."""
    monkeypatch.setattr(radial, "KMeans", None)
    x = rng.normal(size=(40, 2))
    net = networks.RBFRegressor(centers="ols", width=1.0, n_centers=5, random_state=0).fit(x, x[:, 0])
    assert net.centers_.shape == (5, 2)


# --------------------------------------------------------------------------------------------- adaptive resonance


@pytest.mark.parametrize("name", ["ART1", "FuzzyART", "ART2A"])
def test_resonance_compares_a_row_with_the_categories_that_there_are(monkeypatch, compiled, rng, name):
    """Fault 36: no program, and no work for places that hold no category."""
    net, work = getattr(networks, name)(max_categories=1000, max_iter=2), []
    code = art_rules.CODES[net.code]
    shared = code.shared
    monkeypatch.setattr(code, "shared", lambda x, w: work.append(len(w)) or shared(x, w))
    net.fit(rng.normal(size=(60, 4)))
    assert compiled == []
    rows = work[:-1]  # the last call labels all rows
    assert len(rows) == 60 * net.n_iter_
    assert rows[0] == 0
    assert max(np.diff(rows)) <= 1
    assert max(work) == net.n_categories_ < 60


# ---------------------------------------------------------------------------------------------- growing neural gas


def test_an_input_of_growing_gas_costs_what_its_units_do(monkeypatch, rng):
    """Fault 36: no operation gives units times units numbers but the one that writes single edges in place."""
    net = networks.GrowingNeuralGas(max_units=100, epochs=1, random_state=0, engine="jax")
    program = traced(monkeypatch, lambda: net.fit(rng.normal(size=(300, 2))))[gas_growing.grow]
    large = [name for name, size in sizes(program.jaxpr.jaxpr) if size >= 100 * 100]
    assert set(large) == {"scatter-add"}
    text = program.lower().compile().as_text()
    assert sum(" copy(" in line and "s32[10000]" in line for line in text.splitlines()) <= 1  # at the start


def test_ages_of_growing_gas_are_those_of_the_paper():
    """Fault 36: ages from counts of wins are those that grow by 1 with each win of an end."""
    x = np.array([[0.0], [0.1], [5.0], [5.1], [0.2]] * 4)
    net = networks.GrowingNeuralGas(max_units=4, insert_every=7, max_age=3, epochs=1, random_state=0).fit(x)
    again = networks.GrowingNeuralGas(max_units=4, insert_every=7, max_age=3, epochs=1, random_state=0, engine="numpy")
    np.testing.assert_array_equal(net.ages_, again.fit(x).ages_)
    np.testing.assert_array_equal(net.ages_, net.ages_.T)
    assert net.ages_.max() <= 3
    assert net.ages_.min() == -1
    assert ((net.ages_ >= 0).sum(axis=1) > 0).all()


# -------------------------------------------------------------------------------------------------------- Hopfield


@pytest.mark.parametrize("rule", ["hebb", "storkey", "pseudo-inverse"])
def test_patterns_are_stored_without_a_program(compiled, rng, rule):
    """Fault 36: storing is a few products of matrices; the weights are those of the rule by hand."""
    x = rng.choice([-1.0, 1.0], (3, 40))
    net = networks.Hopfield(rule=rule, random_state=0).fit(x)
    w = np.zeros((40, 40))
    if rule == "pseudo-inverse":
        w = np.linalg.pinv(x) @ x
    for s in x if rule != "pseudo-inverse" else ():
        h = (w @ s)[:, None] - w * s if rule == "storkey" else w * 0
        w = w + (np.outer(s, s) - s[:, None] * h.T - h * s) / 40
        np.fill_diagonal(w, 0)
    np.fill_diagonal(w, 0)
    np.testing.assert_allclose(net.weights_, w, atol=1e-6)
    assert compiled == []


# -------------------------------------------------------------------------------------------- single layers, in turn


@pytest.mark.parametrize(("name", "rule"), [("Perceptron", perceptron.learn), ("Adaline", threshold.descend)])
def test_passes_do_not_sort(monkeypatch, compiled, rng, name, rule):
    """Fault 36: the order of a pass is made on the host; all passes share one program."""
    x, y = rng.normal(size=(30, 3)), rng.integers(0, 2, 30)
    net = getattr(networks, name)(max_iter=40, random_state=0, engine="jax")
    programs = traced(monkeypatch, lambda: net.fit(x, y))
    assert "sort" not in {name for name, _ in sizes(programs[rule].jaxpr.jaxpr)}
    assert net.n_iter_ > base.MOST_ORDERS
    assert len(compiled) <= 1


# ------------------------------------------------------------------------------------------- linear layers at the end


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 1.0])
def test_penalised_least_squares_is_exact_without_singular_values(monkeypatch, rng, alpha):
    """Fault 36: the normal equations, corrected, are as right as the singular values, of rows far from orthogonal."""
    rows = np.tanh(rng.normal(size=(400, 30)) @ rng.normal(size=(30, 30)) * np.logspace(0, -3, 30))
    targets, penalties = rng.normal(size=(400, 2)), np.full(30, alpha)
    stacked = np.vstack([rows, np.sqrt(alpha) * np.eye(30)]), np.vstack([targets, np.zeros((30, 2))])
    expected = np.linalg.lstsq(*stacked)[0]
    monkeypatch.setattr(np.linalg, "lstsq", None)
    np.testing.assert_allclose(least_squares.solve(rows, targets, penalties), expected, rtol=1e-8, atol=1e-9)


def test_least_squares_of_dependent_columns_is_the_shortest(rng):
    """Fault 36: where the normal equations cannot answer, the shortest solution stays the answer."""
    rows = rng.normal(size=(50, 4))
    rows = np.hstack([rows, rows])
    targets = rng.normal(size=(50, 1))
    found = least_squares.solve(rows, targets, np.zeros(8))
    np.testing.assert_allclose(found, np.linalg.pinv(rows) @ targets, atol=1e-10)


def test_a_step_of_an_echo_state_is_one_product(monkeypatch, rng):
    """Fault 36: what the inputs say to the units is one product for all steps, before them."""
    from neuroloom.networks.recurrent import echo

    net = networks.EchoStateRegressor(n_units=20, random_state=0, engine="jax")
    program = traced(monkeypatch, lambda: net.fit(rng.normal(size=(1, 30, 3)), rng.normal(size=(1, 30, 1))))
    jaxpr = program[echo.echoes].jaxpr.jaxpr
    (scan,) = [e for e in jax_options.equations(jaxpr) if e.primitive.name == "scan"]
    inside = [e.primitive.name for e in jax_options.equations(scan.params["jaxpr"].jaxpr)]
    assert inside.count("dot_general") == 1


# ---------------------------------------------------------------------------------------------- Levenberg-Marquardt


def test_levenberg_marquardt_holds_the_slopes_of_some_rows(rng):
    """Fault 36: neither a copy of the weights per row nor the slopes of all rows at once."""
    n, plan = 20_000, mlp_rules.Plan((3, 10, 1), ("tanh",), ((0, 1), (1, 2)), "mse")
    weights = 3 * 10 + 10 + 10 + 1

    def rule(w, x, s):
        engine = engines.resolve("jax")
        return mlp_rules.curvature(engine, plan, w, (x, s, s), jax.numpy.ones(weights), 0.0)

    given = (rng.normal(size=weights), rng.normal(size=(n, 3)), np.full(n, 1 / n))
    largest = max(size for _, size in sizes(jax.jit(rule).trace(*given).jaxpr.jaxpr))
    assert largest <= max(mlp_rules.ROWS * weights, 2 * n * 3)


@pytest.mark.parametrize("n", [7, 512, 1100])
def test_curvature_in_blocks_is_that_of_all_rows(rng, n):
    """Fault 36: blocks that do not fill up change nothing; slopes by hand for 2-3-1."""
    plan = mlp_rules.Plan((2, 3, 1), ("tanh",), ((0, 1), (1, 2)), "mse")
    w, x, s = rng.normal(size=13), rng.normal(size=(n, 2)), rng.uniform(size=n)
    a, v, b = w[:6].reshape(2, 3), w[6:9], w[9:12]
    z = np.tanh(x @ a + b)
    delta = (1 - z**2) * v
    j = np.hstack([(x[:, :, None] * delta[:, None, :]).reshape(n, 6), z, delta, np.ones((n, 1))])
    found = base.answer("jax", curvature_of, w, x, s, plan=plan)
    np.testing.assert_allclose(found, 2 * j.T @ (s[:, None] * j), rtol=1e-10, atol=1e-10)


def curvature_of(engine, w, x, s, *, plan):
    return mlp_rules.curvature(engine, plan, w, (x, s, s), w * 0 + 1, 0.0)


# ------------------------------------------------------------------------------------------------- small answers


@pytest.mark.parametrize("name", ["Perceptron", "Adaline", "RBFClassifier", "ELMClassifier"])
def test_small_answers_need_no_program(compiled, name):
    """Fault 36: rows in new numbers are answered by NumPy, not by a program for each number of rows."""
    x, y = load_iris(return_X_y=True)
    net = getattr(networks, name)(random_state=0, engine="jax").fit(x, y)
    compiled.clear()
    for n in (3, 17, 150):
        net.predict(x[:n])
    assert compiled == []


# --------------------------------------------------------------------------------------------------- the first call

XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
SMALL = [
    ("SelfOrganizingMap", {"training": "online"}, "iris"),
    ("SelfOrganizingMap", {}, "iris"),
    ("NeuralGas", {}, "iris"),
    ("CompetitiveLayer", {}, "iris"),
    ("GLVQ", {"max_iter": 50}, "iris"),
    ("LVQ", {"epochs": 10}, "iris"),
    ("GrowingNeuralGas", {"epochs": 3}, "iris"),
    ("Perceptron", {"pocket": True, "max_iter": 20}, "iris"),
    ("Adaline", {"max_iter": 40}, "iris"),
    ("RBFClassifier", {}, "iris"),
    ("RBFClassifier", {"centers": "gradient", "max_iter": 20}, "iris"),
    ("PNN", {}, "iris"),
    ("MultilayerPerceptronClassifier", {"algorithm": "gd"}, "iris"),
    ("MultilayerPerceptronClassifier", {"algorithm": "bfgs"}, "iris"),
    ("MultilayerPerceptronClassifier", {}, "xor"),
    ("MultilayerPerceptronClassifier", {"algorithm": "cgf", "epochs": 20}, "xor"),
    ("MultilayerPerceptronRegressor", {"algorithm": "lm"}, "xor"),
    ("CascadeCorrelationClassifier", {}, "xor"),
    ("ElmanClassifier", {"max_iter": 40}, "xor"),
    ("BernoulliRBM", {"n_components": 8}, "xor"),
    ("Hopfield", {}, "signs"),
]


def data(name):
    signs = np.where(XOR[0] > 0, 1, -1)
    return {"iris": load_iris(return_X_y=True), "xor": XOR, "signs": (signs[:1], None)}[name]


@pytest.mark.filterwarnings("ignore:.*beyond the capacity:UserWarning")
@pytest.mark.parametrize(("name", "settings", "of"), SMALL)
def test_small_work_is_not_compiled(compiled, name, settings, of):
    """Fault 36: where a compiled program cannot pay nothing is compiled, neither in fit nor for answers."""
    net = getattr(networks, name)(random_state=0, **settings).fit(*data(of))
    for answer in ("predict", "transform"):
        if hasattr(net, answer):
            getattr(net, answer)(data(of)[0])
    assert compiled == []


def add_three(engine, x, *, cost):
    return engine.loop(0, 3, lambda i, x: (x + 1, True), x)


base.costs(lambda a: a.cost)(add_three)


def test_counts_decide_who_computes(compiled):
    """Fault 36: a cost is always computed by the same engine, whatever ran before."""
    for cost, programs in ((base.LITTLE, 0), (base.LITTLE + 1, 2), (base.LITTLE, 2), (base.LITTLE + 1, 2)):
        for way in (base.run, base.answer):
            np.testing.assert_array_equal(way(None, add_three, np.arange(3.0), cost=cost), [3.0, 4.0, 5.0])
        assert len(compiled) == programs


@pytest.mark.parametrize("way", ["argument", "use", "with", "environment"])
def test_an_engine_that_was_chosen_computes(monkeypatch, compiled, rng, way):
    """Fault 36: small work, too, goes to the engine that somebody asked for."""
    if way == "use":
        engines.use("jax")
    if way == "environment":
        monkeypatch.setattr(engines.dispatch, "from_environment", lambda: "jax")
    net = networks.Perceptron(random_state=0, engine="jax" if way == "argument" else None)
    x = rng.normal(size=(20, 3))
    with engines.engine("jax") if way == "with" else contextlib.nullcontext():
        net.fit(x, x[:, 0] > 0)
    assert len(compiled) == 1


def test_small_work_gives_the_types_that_others_give(rng):
    """Fault 36: single numbers of NumPy are as wide as arrays; what is learned does not become float64 by them."""
    x = rng.normal(size=(20, 3))
    small, other = (networks.Oja(random_state=0, engine=engine).fit(x) for engine in (None, "jax"))
    assert small.components_.dtype == other.components_.dtype == np.float32
    assert small.transform(x).dtype == other.transform(x).dtype == np.float64
    np.testing.assert_allclose(small.components_, other.components_, rtol=1e-4, atol=1e-5)


def test_long_trainings_begin_without_a_program(compiled, rng):
    """Fault 36: what a few passes solve is not compiled, however many there might have been; all engines agree."""
    x = rng.normal(size=(60, 3))
    solved = networks.Perceptron(random_state=0, max_iter=10_000).fit(x, x[:, 0] > 0)
    assert compiled == [] and solved.loss_curve_[-1] == 0
    y = rng.integers(0, 2, 60)  # which no plane separates
    net = networks.Perceptron(random_state=0, max_iter=400).fit(x, y)
    assert len(compiled) == 1 and net.n_iter_ == 400
    for engine in ("numpy", "jax"):
        other = networks.Perceptron(random_state=0, max_iter=400, engine=engine).fit(x, y)
        np.testing.assert_allclose(net.coef_, other.coef_, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(net.loss_curve_, other.loss_curve_, rtol=1e-6)


def test_small_work_loads_no_engine():
    """Fault 36: loading JAX takes longer than the whole of a small fit."""
    program = """
import sys
from neuroloom import networks
x, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 1]
assert networks.Perceptron(random_state=0).fit(x, y).score(x, y) == 1
assert networks.MultilayerPerceptronClassifier(random_state=0).fit(x, y).score(x, y) == 1
assert "jax" not in sys.modules and "torch" not in sys.modules
"""
    environment = {name: value for name, value in os.environ.items() if name != "NEUROLOOM_ENGINE"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


# ----------------------------------------------------------------------------------------------- rows and their orders


def test_orders_of_many_passes_are_those_of_each():
    """Fault 36: orders made together are the ones that each pass would make for itself."""
    key = draws.key(3, "order")
    found = draws.permutations(key, np.arange(5, 9, dtype=np.int32), 1000)
    for number, order in zip(range(5, 9), found, strict=True):
        np.testing.assert_array_equal(order, draws.permutation(draws.fold_in(key, number), 1000))


@pytest.mark.parametrize(("name", "rule"), [("Perceptron", perceptron.learn), ("Adaline", threshold.descend)])
def test_a_pass_reads_rows_in_place(monkeypatch, rng, name, rule):
    """Fault 36: no copy of all rows in the order of the pass: beside the rows nothing has their size."""
    x, y = rng.normal(size=(300, 7)), rng.integers(0, 2, 300)
    net = getattr(networks, name)(max_iter=3, random_state=0, engine="jax")
    program = traced(monkeypatch, lambda: net.fit(x, y))[rule]
    assert [name for name, size in sizes(program.jaxpr.jaxpr) if size >= x.size and name != "mul"] == []
