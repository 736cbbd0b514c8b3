"""All layers on symbolic values: on placeholders of sessions, and inside other layers' graphs; loops recorded once."""

import numpy as np
import pytest

import neuroloom as nl
import neuroloom.session as nls
from catalogue import CASES, random_weights
from neuroloom import engines, layers, ops, tree
from neuroloom.errors import ShapeError
from neuroloom.layers import Context, Network
from tolerances import assert_close

rng = np.random.default_rng(6)
FLOAT = [name for name, case in CASES.items() if not case.draws]
TRAINED = ("dense", "embedding", "conv2d", "batch", "simple rnn", "lstm", "network")
sweep = pytest.mark.parametrize("name", FLOAT)


def dtype_of(case):
    return "float32" if case.below is None else "int32"


def placeholders(case):
    """Placeholders for a case's inputs, of any number of samples."""
    several = isinstance(case.shape, list)
    made = [nls.placeholder(dtype_of(case), (None, *s)) for s in (case.shape if several else [case.shape])]
    return made if several else made[0]


def fed(x, values):
    return dict(zip(tree.leaves([x]), tree.leaves([values]), strict=True))


def flat(tree_):
    return dict(tree.items(tree_))


class Session:
    """A layer on placeholders, with given weights."""

    def __init__(self, layer, case, weights):
        self.graph = nls.Graph()
        with self.graph.as_default():
            self.x = placeholders(case)
            self.y = layer(self.x)
            self.variables = {v: flat(weights)[path] for path, v in self.graph.weights[layer].items()}

    def run(self, fetches, feed):
        with nls.Session(graph=self.graph) as session:
            session.load(self.variables)
            return session.run(fetches, feed)


@sweep
def test_a_layer_on_a_placeholder_gives_what_it_gives_on_arrays(name, engine):
    case = CASES[name]
    layer, values = case.layer(), case.inputs()
    built = layer(case.symbolic())
    weights = random_weights(layer)
    layer.assign(tree.map(np.copy, weights))
    whole = Session(layer, case, weights)
    assert [t.shape for t in tree.leaves([whole.y])] == [node.shape for node in tree.leaves([built])]
    expected = tree.leaves([layer(tree.map(engine.asarray, values))])
    got = whole.run(tree.leaves([whole.y]), fed(whole.x, values))
    for value, wanted in zip(got, expected, strict=True):
        assert_close(value, wanted, terms=60)


@pytest.mark.parametrize("name", [name for name in FLOAT if name.startswith(TRAINED) and name != "embedding, padded"])
def test_a_step_in_a_session_is_a_step_of_fit(name, training_engine):
    """One step of plain gradient descent on the mean square of all outputs, statistics of a batch moved.

    Only `fit` heeds masks in its loss, so the padded embedding is left out.
    """
    case = CASES[name]
    layer, values = case.layer(), case.inputs()
    x = case.symbolic()
    model = nl.Model(x, layer(x))
    weights = random_weights(layer)
    layer.assign(tree.map(np.copy, weights))
    whole = Session(layer, case, weights)
    with whole.graph.as_default():
        total = sum(nls.reduce_mean(nls.square(t)) for t in tree.leaves([whole.y]))
        step = nls.train.GradientDescentOptimizer(0.5).minimize(total)
    paths = whole.graph.weights[layer]
    with nls.Session(graph=whole.graph) as session:
        session.run(nls.variables_initializer(whole.graph.variables))
        session.load(whole.variables)
        session.run(step, {**fed(whole.x, values), nls.learning_phase(): True})
        found = dict(zip(paths, session.run(list(paths.values())), strict=True))
    model.compile(nl.optimizers.SGD(0.5), "mse")
    targets = tree.map(lambda node: np.zeros((case.batch, *node.shape[1:]), "float32"), model.output)
    model.fit(values, targets, batch_size=case.batch, verbose=0)
    for path, wanted in flat(layer.arrays()).items():
        assert_close(found[path], wanted, terms=200)
    assert any((flat(weights)[path] != value).any() for path, value in found.items())


@sweep
def test_a_layers_own_computation_is_recorded(name, engine):
    """`apply` on a Node: a graph of operations, which gives the layer's values."""
    case = CASES[name]
    layer, values = case.layer(), case.inputs()
    x = case.symbolic()
    layer(case.symbolic())
    weights = random_weights(layer)
    layer.assign(weights)
    network = Network(inputs=x, outputs=layer.apply(weights, x))
    expected = tree.leaves([layer(tree.map(engine.asarray, values))])
    got = tree.leaves([network.apply({}, tree.map(engine.asarray, values), ctx=Context())])
    for value, wanted in zip(got, expected, strict=True):
        assert_close(value, wanted, terms=60)


# ------------------------------------------------------------------------------------------------------- loops


def leaky(h, x):
    """h' = h / 2 + x, with the output h h'."""
    new = 0.5 * h + x
    return new, h * new


def leaky_by_hand(x):
    h, outputs = np.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        h, output = 0.5 * h + x[:, t], h * (0.5 * h + x[:, t])
        outputs.append(output)
    return h, np.stack(outputs, axis=1)


def over_time(x, step=leaky):
    """A loop over the steps of x (batch, time, features)."""
    last, outputs = ops.scan(step, ops.zeros_like(x[:, 0]), ops.moveaxis(x, 1, 0))
    return last, tree.map(lambda y: ops.moveaxis(y, 0, 1), outputs)


SEQUENCES = rng.normal(size=(3, 4, 2)).astype("float32")


def test_a_loop_in_a_functional_model_is_computed_and_saved(engine, tmp_path):
    x = nl.Input((4, 2))
    model = nl.Model(x, list(over_time(layers.Dense(2, kernel_initializer="identity")(x))))
    assert [node.shape for node in model.outputs] == [(None, 2), (None, 4, 2)]
    for made in (model, _saved(model, tmp_path)):
        for value, wanted in zip(made.predict(SEQUENCES, engine=engine.name), leaky_by_hand(SEQUENCES), strict=True):
            assert_close(value, wanted, terms=10)


def _saved(model, folder):
    model.save(folder / "loop.nl")
    return nl.load_model(folder / "loop.nl")


def test_what_a_step_uses_from_outside_is_computed_once_and_trained(training_engine, tmp_path):
    """h' = w h + x with w from a layer: its gradient goes through all steps."""
    x = nl.Input((4, 2))
    factor = layers.Dense(2, activation="sigmoid", name="factor")(x[:, 0])
    last, _ = over_time(x, lambda h, row: (factor * h + row, h))
    model = nl.Model(x, last)
    model.compile(nl.optimizers.SGD(0.1), "mse")
    before = model.get_weights()
    kernel = before[0]

    def mean_square(kernel):
        w = 1 / (1 + np.exp(-SEQUENCES[:, 0].astype("float64") @ kernel))
        h = np.zeros((3, 2))
        for t in range(4):
            h = w * h + SEQUENCES[:, t]
        return (h**2).mean()

    expected = np.zeros_like(kernel)
    for place in np.ndindex(*kernel.shape):
        step = np.zeros(kernel.shape)
        step[place] = 1e-5
        expected[place] = (mean_square(kernel + step) - mean_square(kernel - step)) / 2e-5
    model.fit(SEQUENCES, np.zeros((3, 2)), batch_size=3, verbose=0)
    assert_close(model.get_weights()[0], kernel - 0.1 * expected, terms=100)
    assert_close(_saved(model, tmp_path).predict(SEQUENCES), model.predict(SEQUENCES), terms=10)


def test_models_with_equal_loops_are_one_program():
    from neuroloom.learning.loop import compilations

    def fitted(scale):
        x = nl.Input((4, 2))
        model = nl.Model(x, over_time(x, lambda h, row: (scale * h + layers_free(row), row))[0])
        model = nl.Sequential([layers.Dense(2, input_shape=(4, 2)), model])
        model.compile("sgd", "mse")
        model.fit(SEQUENCES, np.zeros((3, 2)), verbose=0, engine="jax")
        return compilations()

    def layers_free(row):
        return ops.tanh(row)

    first = fitted(0.5)
    assert fitted(0.5) == first
    assert fitted(0.25) > first


@pytest.mark.parametrize("name", ["jax", "torch", "numpy"])
def test_a_loop_in_a_session_has_values_and_gradients(name):
    with engines.engine(name), nls.Graph().as_default():
        x = nls.placeholder("float32", (None, 4, 2))
        w = nls.Variable(np.float32(0.5))
        last, outputs = over_time(x, lambda h, row: (w * h + row, {"h": h, "both": (h * row, row)}))
        assert [t.shape for t in tree.leaves(outputs)] == [(None, 4, 2)] * 3
        slope = nls.gradients(nls.reduce_sum(last * last), [w, x])
        with nls.Session() as session:
            session.run(w.initializer)
            value, by_w, by_x = session.run([last, *slope], {x: SEQUENCES})
    assert_close(value, leaky_by_hand(SEQUENCES)[0], terms=10)
    weights = 0.5 ** np.arange(3, -1, -1)
    assert_close(by_x, (2 * value[:, None] * weights[:, None]).astype("float32"), terms=20)
    inner = sum(k * 0.5 ** (k - 1) * SEQUENCES[:, 3 - k] for k in (1, 2, 3))  # d last / d w
    assert_close(by_w, np.float32((2 * value * inner).sum()), terms=100)


@pytest.mark.parametrize("name", ["jax", "torch", "numpy"])
def test_a_recurrence_in_a_session_heeds_its_mask(name):
    """Steps that do not count leave the state; a session's numbers are those of the layer."""
    mask = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 1, 0]], bool)
    layer = layers.SimpleRNN(3, return_sequences=True, return_state=True)
    with engines.engine(name), nls.Graph().as_default() as graph:
        x, m = nls.placeholder("float32", (None, 4, 2)), nls.placeholder("bool", (None, 4))
        h = nls.placeholder("float32", (None, 3))
        whole = layer(x, mask=m, initial_state=h)
        w = graph.weights[layer]

        def cell(state, z):
            state = ops.tanh(z + state @ w["recurrent_kernel"])
            return state, state

        own = ops.recurrence(cell, x, w["kernel"], w["bias"], h, m)
        given = {x: SEQUENCES, m: mask, h: rng.normal(size=(3, 3)).astype("float32")}
        with nls.Session() as session:
            session.run(nls.global_variables_initializer())
            (a, b), (last, outputs) = session.run(list(whole), given), session.run(list(own), given)
    assert_close(a, outputs, terms=30)
    assert_close(b, last, terms=30)
    assert_close(outputs[0, 3], outputs[0, 1])
    assert_close(outputs[1, 0], given[h][1])


def test_a_state_that_changes_its_shape_is_refused():
    x = nl.Input((4, 2))
    with pytest.raises(ShapeError, match=r"expected to give a state like .*\[\?, 2\].*, gave .*\[\?, 1\]"):
        over_time(x, lambda h, row: (h[:, :1], row))
    with nls.Graph().as_default():
        x = nls.placeholder("float32", (None, 4, 2))
        with pytest.raises(ShapeError, match="expected to give a state like"):
            over_time(x, lambda h, row: ((h, h), row))


def test_a_layer_in_a_step_of_a_functional_model_is_refused():
    x = nl.Input((4, 2))
    with pytest.raises(ShapeError, match=r"The step of scan calls Dense on symbolic values. Write a layer"):
        over_time(x, lambda h, row: (layers.Dense(2)(h), row))


class Unrolled(layers.Layer):
    """A layer whose own loop calls a layer, and a functional network beside it."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = layers.Dense(units, activation="tanh")
        x = nl.Input((units,))
        self.head = nl.Model(x, layers.Dense(1)(layers.Dense(4, activation="relu")(x)))

    def call(self, x, training=None):
        start = ops.zeros_like(self.inner(x[:, 0]))
        last, _ = ops.scan(lambda h, row: (h + self.inner(row), h), start, ops.moveaxis(x, 1, 0))
        return {"head": self.head(last), "parts": (last, [last * 2])}


@pytest.mark.parametrize("name", ["jax", "torch", "numpy"])
def test_a_layer_with_a_loop_and_a_network_inside(name):
    """On arrays, in a functional model and in a session: the same nested values, and the weights of all layers."""
    with engines.engine(name), nls.Graph().as_default() as graph:
        layer = Unrolled(3)
        x = nl.Input((4, 2))
        y = layer(x)
        assert y["head"].shape == (None, 1) and y["parts"][1][0].shape == (None, 3)
        placed = nls.placeholder("float32", (None, 4, 2))
        recorded = layer(placed)
        assert len(graph.weights[layer]) == 6
        with nls.Session() as session:
            session.load({v: flat(layer.arrays())[path] for path, v in graph.weights[layer].items()})
            found = session.run(tree.leaves(recorded), {placed: SEQUENCES})
        eager = layer(engines.current().asarray(SEQUENCES))
        kernel, bias = layer.inner.get_weights()
        last = np.tanh(SEQUENCES @ kernel + bias).sum(axis=1)
        predicted = nl.Model(x, [y["head"], y["parts"][0], y["parts"][1][0]]).predict(SEQUENCES)
    for got in (found, tree.leaves(eager), predicted):
        assert_close(got[1], last, terms=20)
        assert_close(got[2], 2 * last, terms=20)
    assert_close(found[0], predicted[0], terms=20)


def test_random_numbers_of_a_loop_are_a_steps_own():
    with nls.Graph().as_default():
        x = nls.placeholder("float32", (None, 6, 2))
        _, outputs = over_time(x, lambda h, row: (h, row * 0 + nls.random_uniform((2,))))
        with nls.Session() as session:
            drawn = session.run(outputs, {x: np.ones((1, 6, 2), "float32")})[0]
    assert len(np.unique(drawn)) == 12
