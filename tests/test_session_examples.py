"""The first programs of every course on explicit graphs, run as they stand; gradients of random graphs; speed."""

import itertools
import re
import runpy
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neuroloom.session as nls
from data_folder import DATA, needs_data
from neuroloom.datasets import mnist

EXAMPLES = Path(__file__).parents[1] / "examples"


def output(name, *args):
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def test_hello():
    assert output("session_hello") == "b'Hello, neuroloom!'\n"


def test_arithmetic_and_its_graph(tmp_path):
    pytest.importorskip("tensorboardX")
    lines = output("session_arithmetic", tmp_path).splitlines()
    assert lines == [
        "with constants: a + b = 5, a * b = 6",
        "with placeholders: x + y = 5",
        "with placeholders: x * y = 6",
        "matrix product: [[12.]]",
    ]
    (file,) = tmp_path.iterdir()
    assert b"arithmetic/product" in file.read_bytes()


def test_linear_regression_is_that_of_least_squares_and_takes_seconds():
    found = re.search(
        r"slope (\S+) \(least squares (\S+)\), intercept (\S+) \((\S+)\)\n42000 runs in (\S+) s",
        output("session_regression"),
    )
    slope, best_slope, intercept, best_intercept, seconds = map(float, found.groups())
    assert slope == pytest.approx(best_slope, rel=0.01)
    assert intercept == pytest.approx(best_intercept, rel=0.01)
    assert seconds < 30


@needs_data
@pytest.mark.parametrize("engine", ["jax", pytest.param("torch", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("rate", "activation", "least"), [(0.1, "identity", 0.80), (0.001, "relu", 0.93)])
def test_two_hidden_layers_on_mnist(rate, activation, least, engine, monkeypatch):
    monkeypatch.setenv("NEUROLOOM_DATA", str(DATA))
    main = runpy.run_path(str(EXAMPLES / "session_mnist.py"))["main"]
    assert main(rate, activation, engine) >= least


@needs_data
def test_mnist_as_old_programs_read_it(monkeypatch):
    monkeypatch.delenv("NEUROLOOM_DATA", raising=False)
    data = mnist.read_data_sets(DATA / "mnist", one_hot=True)
    assert [part.num_examples for part in data] == [55000, 5000, 10000]
    assert data.train.images.shape == (55000, 784)
    assert 0 == data.test.images.min() < data.test.images.max() == 1
    assert data.test.labels[:2].argmax(1).tolist() == [7, 2]
    x, y = data.validation.next_batch(3000)
    more_x, _ = data.validation.next_batch(3000)
    assert (x.shape, y.shape, data.validation.epochs_completed) == ((3000, 784), (3000, 10), 1)
    both = np.concatenate([x, more_x[:2000]])
    assert np.allclose(np.sort(both.sum(1)), np.sort(data.validation.images.sum(1)))  # each sample once
    assert not np.array_equal(x, data.validation.images[:3000])
    plain = mnist.read_data_sets(DATA / "mnist")
    assert np.array_equal(plain.train.next_batch(5, shuffle=False)[1], plain.train.labels[:5])


# ------------------------------------------------------------------------------------------------ random graphs

STEPS = {
    "tanh": (1, nls.tanh),
    "sigmoid": (1, nls.sigmoid),
    "exp": (1, lambda a: nls.exp(a * 0.1)),
    "square": (1, nls.square),
    "softmax": (1, nls.nn.softmax),
    "product": (2, nls.multiply),
    "sum": (2, nls.add),
    "quotient": (2, lambda a, b: a / (1.5 + nls.square(b))),
    "matmul": (2, lambda a, b: nls.matmul(a, b, transpose_b=True)),
    "mean": (1, lambda a: a - nls.reduce_mean(a, axis=1, keepdims=True)),
    "concat": (2, lambda a, b: nls.concat([a, b], 1)[:, 1:4]),
    "swap": (1, lambda a: nls.transpose(nls.reshape(nls.transpose(a), [3, 3]))),
}


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7
    ),
    seed=st.integers(0, 2**16),
)
def test_gradients_of_random_graphs_are_central_differences(steps, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 3, 3))
    with nls.Graph().as_default():
        given_x, given_y = nls.placeholder("float64", [3, 3]), nls.placeholder("float64", [3, 3])
        values = [given_x, given_y, given_x + given_y]
        for name, i, j in steps:
            arity, build = STEPS[name]
            values.append(build(*(values[-1 - k % len(values)] for k in (i, j)[:arity])))
        total = nls.reduce_sum(values[-1] * nls.constant(rng.normal(size=(3, 3)), "float64"))
        found = nls.gradients(total, [given_x, given_y])
        with nls.Session(engine="torch") as sess:
            for tensor, at, gradient in zip((given_x, given_y), (x, y), found, strict=True):
                direction = rng.normal(size=(3, 3))
                feeds = [{given_x: x, given_y: y, tensor: at + h * direction} for h in (1e-6, -1e-6)]
                high, low = (sess.run(total, feed) for feed in feeds)
                slope = 0.0 if gradient is None else (sess.run(gradient, {given_x: x, given_y: y}) * direction).sum()
                assert slope == pytest.approx((high - low) / 2e-6, rel=1e-5, abs=1e-6)


# ------------------------------------------------------------------------------------------------------------ speed


def network(sizes, activation):
    """(placeholders, train operation) of a network, and the same step by hand: (params, step)."""
    import jax
    import jax.numpy as jnp
    import optax

    x = nls.placeholder("float32", [None, sizes[0]])
    y = nls.placeholder("int32", [None])
    value = x
    rng = np.random.default_rng(0)
    params = [
        (rng.normal(size=s).astype("float32") * 0.05, np.zeros(s[1], "float32")) for s in itertools.pairwise(sizes)
    ]
    for i, (w, b) in enumerate(params):
        value = nls.matmul(value, nls.Variable(w)) + nls.Variable(b)
        value = getattr(nls.nn, activation)(value) if i < len(params) - 1 else value
    loss = nls.reduce_mean(nls.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=value))
    train = nls.train.AdamOptimizer(0.001).minimize(loss)
    rule = optax.adam(0.001)

    def cost(params, x, y):
        for i, (w, b) in enumerate(params):
            x = x @ w + b
            x = getattr(jax.nn, activation)(x) if i < len(params) - 1 else x
        return optax.softmax_cross_entropy_with_integer_labels(x, y).mean()

    @jax.jit
    def step(params, slots, x, y):
        value, grads = jax.value_and_grad(cost)(params, x, y)
        updates, slots = rule.update(grads, slots)
        return optax.apply_updates(params, updates), slots, value

    params = jax.tree.map(jnp.asarray, params)
    return (x, y, loss, train), (params, rule.init(params), step)


def step_times(sizes, activation, batch, rounds=7, steps=1000):
    """Median microseconds per step through `feed_dict`, and of a step by hand, in turns."""
    rng = np.random.default_rng(1)
    data, labels = (
        rng.normal(size=(batch, sizes[0])).astype("float32"),
        rng.integers(0, sizes[-1], batch).astype("int32"),
    )
    with nls.Graph().as_default():
        (x, y, loss, train), (params, slots, step) = network(sizes, activation)
        times = {"session": [], "hand": []}
        with nls.Session(engine="jax") as sess:
            sess.run(nls.global_variables_initializer())
            for _ in range(rounds):
                started = time.perf_counter()
                for _ in range(steps):
                    sess.run([train, loss], {x: data, y: labels})
                times["session"].append((time.perf_counter() - started) / steps)
                started = time.perf_counter()
                for _ in range(steps):
                    params, slots, value = step(params, slots, data, labels)
                    float(value)
                times["hand"].append((time.perf_counter() - started) / steps)
    return {name: 1e6 * statistics.median(values[1:]) for name, values in times.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "activation", "batch", "steps"), [((2, 8, 2), "tanh", 16, 1000), ((784, 512, 10), "relu", 128, 200)]
)
def test_a_fed_step_costs_at_most_three_times_one_by_hand(sizes, activation, batch, steps):
    found = step_times(sizes, activation, batch, steps=steps)
    print(found)
    assert found["session"] < 3 * found["hand"]
