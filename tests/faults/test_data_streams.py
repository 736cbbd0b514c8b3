"""Batches of a generator: what it yields is its own again at once, and no batch changes the numbers of another."""

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import engines, layers, tree
from neuroloom.learning.feed import BatchFeed

ENGINES = ["jax", "torch", "numpy"]

each_engine = pytest.mark.parametrize("engine", ENGINES)


def identity():
    """A network that gives its input and learns nothing to speak of."""
    model = nl.Sequential([layers.Dense(1, use_bias=False, kernel_initializer="ones", input_shape=(1,))])
    model.compile(nl.optimizers.SGD(1e-30), "mse")
    return model


def loss_of(entry, batches, engine, model=None):
    """The mean loss over a stream, by evaluate or fit."""
    model = model or identity()
    if entry == "evaluate":
        return model.evaluate(batches, verbose=0, engine=engine)
    return model.fit(batches, verbose=0, engine=engine).history["loss"][0]


entries = pytest.mark.parametrize("entry, engine", [(entry, e) for entry in ("evaluate", "fit") for e in ENGINES])

# ------------------------------------------------------------------------------------------- one buffer, refilled


def refilled(steps, part):
    """Batches x = 0, 1, 2, ... against y = 0 in buffers that are filled anew each time; `part` says which."""
    x, y, weight = np.zeros((4, 1), "float32"), np.zeros((4, 1), "float32"), np.zeros(4, "float32")
    for i in range(steps):
        if part == "x":
            x[:] = i
            yield x, y
        elif part == "y":
            y[:] = i
            yield x, y
        else:
            weight[:] = i
            yield x, y + 1, weight


@entries
@pytest.mark.parametrize("part", ["x", "y", "weight"])
def test_a_refilled_buffer_counts_as_it_was_when_it_was_yielded(entry, engine, part):
    """Fault 2: (0 + 1 + 4 + 9 + 16 + 25) / 6; of weights, (0 + ... + 5) / 6 times the loss 1."""
    expected = 2.5 if part == "weight" else 55 / 6
    assert loss_of(entry, refilled(6, part), engine) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["torch", "list", "map"])
def test_refilled_buffers_of_other_kinds(kind, engine, tmp_path):
    """Fault 2: a tensor of PyTorch, a list of several inputs and a memory map share their memory with the user too."""
    torch = pytest.importorskip("torch")
    y = np.zeros((2, 1), "float32")
    model = identity()
    if kind == "torch":
        x = torch.zeros(2, 1)
    elif kind == "map":
        x = np.memmap(tmp_path / "x", "float32", "w+", shape=(2, 1))
    else:
        a, b = nl.Input((1,)), nl.Input((1,))
        model = nl.Model([a, b], layers.Add()([a, b]))
        model.compile(nl.optimizers.SGD(1e-30), "mse")
        x = [np.zeros((2, 1), "float32"), np.zeros((2, 1), "float32")]

    def batches():
        for i in range(5):
            for part in x if isinstance(x, list) else [x]:
                part[:] = i
            yield x, y

    expected = 6.0 * (4 if kind == "list" else 1)
    assert loss_of("evaluate", batches(), engine, model) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_training_on_a_refilled_buffer_is_training_on_copies(engine):
    """Fault 2: weights, not only the loss that is shown."""
    values = np.random.default_rng(0).normal(size=(7, 4, 3)).astype("float32")

    def batches(buffer):
        for value in values:
            x = buffer if buffer is not None else value.copy()
            x[:] = value
            yield x, value.sum(axis=1, keepdims=True) ** 2

    found = []
    for buffer in (None, np.zeros((4, 3), "float32")):
        nl.utils.set_random_seed(4)
        model = nl.Sequential([layers.Dense(5, activation="tanh", input_shape=(3,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(batches(buffer), verbose=0, engine=engine)
        found.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_batches_of_one_group_lie_in_the_order_of_the_stream():
    """Fault 2: groups of several sizes, the last one not full."""
    engine = engines.load("jax")
    sizes = [2, 2, 2, 3, 3, 1, 2]
    given = iter([{"x": [np.full((n, 1), i, "float32")]} for i, n in enumerate(sizes)])
    feed = BatchFeed(engine, given)
    found = [tree.first(s.batch(engine, i)) for s in feed.epoch(0) for i in range(s.steps)]
    assert [len(a) for a in found] == sizes and feed.steps == len(sizes)
    assert [set(np.asarray(a).ravel().tolist()) for a in found] == [{float(i)} for i in range(len(sizes))]


# ------------------------------------------------------------------------------------------- batches of many dtypes

CHANGES = {
    "whole, then fractions": (np.array([[1]]), np.array([[1.5]])),
    "fractions, then whole": (np.array([[1.5]]), np.array([[3]])),
    "bytes, then more than bytes": (np.array([[1]], "uint8"), np.array([[300]])),
    "bytes, then negative": (np.array([[1]], "uint8"), np.array([[-7]], "int8")),
    "booleans, then numbers": (np.array([[True]]), np.array([[5]])),
    "booleans, then fractions": (np.array([[True]]), np.array([[0.25]])),
    "16 bits, then 32": (np.array([[7]], "int16"), np.array([[70_000]], "int32")),
    "int32, then wider": (np.array([[7]]), np.array([[2**40]])),
    "half, then single": (np.array([[0.5]], "float16"), np.array([[70_000.5]], "float32")),
    "native, then swapped": (np.array([[1.5]], "float32"), np.array([[2.5]], ">f4")),
    "bytes, swapped, double": (np.array([[2]], "uint8"), np.array([[3]], ">i2"), np.array([[0.1]])),
    "back and forth": (np.array([[1]]), np.array([[1.5]]), np.array([[1]]), np.array([[1.5]])),
}


@entries
@pytest.mark.parametrize("change", CHANGES)
def test_batches_of_different_dtypes_keep_their_numbers(entry, engine, change):
    """Fault 3: the loss against 0 is the mean of the squares, as NumPy has it in float64."""
    batches = CHANGES[change]
    expected = np.mean([float(x[0, 0]) ** 2 for x in batches])
    found = loss_of(entry, ((x, np.zeros((1, 1))) for x in batches), engine)
    assert found == pytest.approx(expected, rel=1e-6)


@entries
@pytest.mark.parametrize("change", CHANGES)
def test_targets_of_different_dtypes_keep_their_numbers(entry, engine, change):
    """Fault 3, for y."""
    batches = CHANGES[change]
    expected = np.mean([float(y[0, 0]) ** 2 for y in batches])
    found = loss_of(entry, ((np.zeros((1, 1)), y) for y in batches), engine)
    assert found == pytest.approx(expected, rel=1e-6)


@each_engine
def test_weights_and_metrics_of_batches_of_different_dtypes(engine):
    """Fault 3, for sample_weight and for an output that has metrics only."""
    a = nl.Input((1,))
    first, second = layers.Dense(1, use_bias=False, kernel_initializer="ones", name="first")(a), a
    model = nl.Model(a, [first, layers.Flatten(name="second")(second)])
    model.compile("sgd", ["mse", None], metrics=[None, ["mae"]])
    batches = [
        (np.array([[1]], "uint8"), [np.array([[0]]), np.array([[1]], "uint8")], np.array([1], "uint8")),
        (np.array([[2.5]]), [np.array([[0]]), np.array([[0.25]])], np.array([0.5])),
    ]
    found = model.evaluate(iter(batches), verbose=0, return_dict=True, engine=engine)
    assert found["first_loss"] == pytest.approx((1 * 1 + 0.5 * 6.25) / 2, rel=1e-6)
    assert found["second_mae"] == pytest.approx((0 + 2.25) / 2, rel=1e-6)  # metrics count all samples alike
