"""Networks: graphs recorded from layers and operations, their weights by path, their structure."""

import copy
import json
import pickle

import numpy as np
import pytest

import neuroloom as nl
from catalogue import random_weights
from gradients import check_gradients
from neuroloom import engines, layers, ops, tree
from neuroloom.config import REGISTRIES
from neuroloom.layers import (
    LSTM,
    Add,
    BatchNormalization,
    Concatenate,
    Context,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    Layer,
    Network,
    Weights,
)
from neuroloom.layers.parts import specs_of
from neuroloom.layers.run import FiniteRun
from neuroloom.ops.graph import topological
from tolerances import assert_close

X = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
Z = np.random.default_rng(1).normal(size=(2, 3)).astype("float32")


def autoencoder():
    """x (4) -> code (2) -> x (4); with its encoder and decoder as networks of their own."""
    x, code = Input((4,)), Input((2,))
    encoder = Network(inputs=x, outputs=Dense(2, activation="tanh")(Dense(3)(x)), name="encoder")
    decoder = Network(inputs=code, outputs=Dense(4)(code), name="decoder")
    whole = Input((4,))
    return Network(inputs=whole, outputs=decoder(encoder(whole))), encoder, decoder


def layered():
    """A graph with everything: several inputs and outputs, operations, a shared layer, states, a part of a list."""
    a, b = Input((4,), name="a"), Input((5, 3), name="b")
    shared = Dense(4, activation="tanh", name="shared")
    whole, h, c = LSTM(4, return_sequences=True, return_state=True)(b)
    joined = Concatenate()([shared(shared(a)), h * 2 - 1, ops.mean(whole, axis=1)])
    values, _ = ops.top_k(joined, 3)
    last = ops.where(joined[:, :3] > 0, joined[:, 1:4], values / 2)
    return Network(inputs=[a, b], outputs={"last": last, "cell": c[..., None]})


B = np.random.default_rng(2).normal(size=(2, 5, 3)).astype("float32")


# ------------------------------------------------------------------------------------------------------ paths


def test_weights_are_known_by_path():
    whole, _, _ = autoencoder()
    shapes = {path: weight.shape for path, (weight, _) in specs_of(whole).items()}
    assert shapes == {
        "encoder/dense/kernel": (4, 3),
        "encoder/dense/bias": (3,),
        "encoder/dense_1/kernel": (3, 2),
        "encoder/dense_1/bias": (2,),
        "decoder/dense/kernel": (2, 4),
        "decoder/dense/bias": (4,),
    }
    assert [variable.path for variable in whole.weights] == list(shapes)
    assert whole.count_params() == 15 + 8 + 12


def test_names_are_unique_and_free_names_skip_given_ones():
    x = Input((4,))
    outputs = Dense(1)(Dense(2)(Dense(3, name="dense_1")(x)))
    assert list(Network(inputs=x, outputs=outputs).layers) == ["dense_1", "dense", "dense_2"]


def test_frozen_layers_and_networks_are_not_trained():
    x = Input((4,))
    inner = Network(inputs=x, outputs=Dense(2)(BatchNormalization()(x)), name="inner", trainable=False)
    whole = Network(inputs=x, outputs=Dense(1, trainable=False)(Dense(3)(inner(x))))
    trained = {path for path, (_, trains) in specs_of(whole).items() if trains}
    assert trained == {"dense/kernel", "dense/bias"}
    free = Network(inputs=x, outputs=BatchNormalization()(x))
    assert {p for p, (_, t) in specs_of(free).items() if t} == {"batch_normalization/gamma", "batch_normalization/beta"}


# -------------------------------------------------------------------------------------------------- computing


def test_a_network_computes_what_its_layers_do(engine):
    one, two = Dense(3, activation="relu"), Dense(2)
    x = Input((4,))
    network = Network(inputs=x, outputs=two(one(x)) * 2 + 1)
    data = engine.asarray(X)
    assert_close(network(data), engine.to_numpy(two(one(data))) * 2 + 1, terms=12)


def test_two_inputs_and_two_outputs_by_hand(engine):
    network = layered()
    w = random_weights(network, "float64")
    with nl.engine(engine.name):
        outputs = network.apply(
            Weights(tree.map(lambda a: engine.asarray(a.astype("float32")), w)),
            [engine.asarray(X), engine.asarray(B)],
            ctx=Context(),
        )

    def dense(v):
        return np.tanh(v @ w["shared"]["kernel"] + w["shared"]["bias"])

    def logistic(z):
        return 1 / (1 + np.exp(-z))

    h, c, whole = np.zeros((2, 4)), np.zeros((2, 4)), []
    for t in range(5):
        z = B[:, t] @ w["lstm"]["kernel"] + h @ w["lstm"]["recurrent_kernel"] + w["lstm"]["bias"]
        i, f, z, o = np.split(z, 4, axis=1)
        c = logistic(f) * c + logistic(i) * np.tanh(z)
        h = logistic(o) * np.tanh(c)
        whole.append(h)
    joined = np.concatenate([dense(dense(X)), h * 2 - 1, np.mean(whole, axis=0)], axis=1)
    largest = -np.sort(-joined, axis=1)[:, :3]
    last = np.where(joined[:, :3] > 0, joined[:, 1:4], largest / 2)
    assert set(outputs) == {"last", "cell"}
    assert_close(outputs["last"], last, terms=60)
    assert_close(outputs["cell"], c[..., None], terms=60)


def test_inputs_and_outputs_keep_their_structure():
    a, b = Input((4,)), Input((3,))
    network = Network(inputs={"a": a, "b": b}, outputs=[a * 2, {"sum": Concatenate()([a, b])}])
    y = network.apply(Weights(), {"a": X, "b": Z}, ctx=Context())
    np.testing.assert_array_equal(y[0], 2 * X)
    np.testing.assert_array_equal(y[1]["sum"], np.concatenate([X, Z], axis=1))


def test_inputs_are_found_by_name_not_by_order(engine):
    a, b = Input((3,), name="a"), Input((3,), name="b")
    network = Network(inputs={"b": b, "a": a}, outputs={"z": b - a, "y": a * 2})
    program = engine.compile(lambda x: network.apply(Weights(), x, ctx=Context()))
    x = {"a": engine.asarray(Z), "b": engine.asarray(3 * Z)}
    for given in (x, dict(reversed(x.items()))):
        y = program(given)
        assert_close(network(given)["z"], 2 * Z)
        assert_close(y["z"], 2 * Z)
        assert_close(y["y"], 2 * Z)


def test_gradients_through_a_graph(training_engine):
    network = layered()
    w = random_weights(network, "float64")
    check_gradients(lambda w, a, b: network.apply(Weights(w), [a, b], ctx=Context()), [w, X, B], training_engine)


def test_a_deep_graph_does_not_exhaust_the_stack():
    x = node = Input((2,))
    with nl.engine("numpy"):
        for _ in range(3000):
            node = node + 1
    assert len(topological([node])) == 3001
    y = Network(inputs=x, outputs=node).apply(Weights(), np.zeros((1, 2), "float32"), ctx=Context())
    assert y.tolist() == [[3000, 3000]]


def test_a_value_used_twice_is_computed_once(monkeypatch):
    monkeypatch.setitem(REGISTRIES, "layer", dict(REGISTRIES["layer"]))
    calls = []

    class Counting(Layer):
        def call(self, w, x, ctx):
            calls.append(1)
            return x

    x = Input((2,))
    counted = Counting()(x)
    network = Network(inputs=x, outputs=[counted + 1, counted * 2])
    calls.clear()
    network.apply(Weights(), X[:, :2], ctx=Context())
    assert len(calls) == 1


# ---------------------------------------------------------------------------------------------- shared weights


def test_a_shared_layer_has_one_set_of_weights():
    shared, x = Dense(4, name="shared"), Input((4,))
    network = Network(inputs=x, outputs=shared(shared(x)))
    assert list(specs_of(network)) == ["shared/kernel", "shared/bias"]
    assert_close(network(X), np.asarray(shared(shared(X))), terms=4)


def test_two_networks_share_a_layer():
    shared, x, z = Dense(2), Input((4,)), Input((4,))
    one, two = Network(inputs=x, outputs=shared(x)), Network(inputs=z, outputs=Dense(1)(shared(z)))
    one(X)
    two.initialize(3, "")
    arrays = two.arrays()
    assert arrays["dense"]["kernel"] is shared.arrays()["kernel"]
    one.assign({"dense": {"kernel": np.ones((4, 2), "float32"), "bias": np.zeros(2, "float32")}})
    np.testing.assert_array_equal(two.arrays()["dense"]["kernel"], 1)


def test_an_encoder_cut_out_of_an_autoencoder_shares_its_weights():
    x = Input((4,))
    code = Dense(2, activation="tanh")(x)
    whole = Network(inputs=x, outputs=Dense(4)(code))
    encoder = Network(inputs=x, outputs=code)
    whole(X)
    np.testing.assert_array_equal(encoder.arrays()["dense"]["kernel"], whole.arrays()["dense"]["kernel"])
    whole.assign({"dense": {"kernel": np.ones((4, 2), "float32"), "bias": np.zeros(2, "float32")}})
    assert_close(encoder(X), np.tanh(X.sum(1, keepdims=True).repeat(2, 1)), terms=4)


def test_a_network_from_an_inner_value_starts_there():
    x = Input((4,))
    code = Dense(2)(x)
    whole = Network(inputs=x, outputs=Dense(3, name="head")(code))
    head = Network(inputs=code, outputs=whole.outputs)
    whole(X)
    assert list(specs_of(head)) == ["head/kernel", "head/bias"]
    encoder = Network(inputs=x, outputs=code)
    assert_close(head(encoder(X)), np.asarray(whole(X)), terms=4)
    assert Network.from_config(head.get_config()).signature() == head.signature() == head.clone().signature()


def test_a_model_from_an_inner_value_has_no_other_weights():
    x = Input((4,))
    code = Dense(2)(x)
    head = nl.Model(code, Dense(3, name="head")(code * 2))
    assert head.count_params() == 2 * 3 + 3
    assert "9 parameters" in str(head.summary(print_fn=lambda line: None))


def test_sub_models_share_weights_with_the_whole():
    whole, encoder, decoder = autoencoder()
    y = whole(X)
    assert_close(decoder(encoder(X)), np.asarray(y), terms=4)
    assert tree.items(whole.arrays()["encoder"]).__next__()[1] is tree.first(encoder.arrays())


# ----------------------------------------------------------------------------------------------- randomness, state


def test_layers_draw_by_their_path(engine):
    """Two dropouts in one network draw different masks, and a nested one another than an outer one."""
    x, inner = Input((50,)), Input((50,))
    nested = Network(inputs=inner, outputs=Dropout(0.5)(inner), name="nested")
    network = Network(inputs=x, outputs=[Dropout(0.5)(x), Dropout(0.5)(x), nested(x)])
    ones = engine.asarray(np.ones((4, 50), np.float32))

    def draw(key):
        return [engine.to_numpy(y) for y in network(ones, training=True, key=key)]

    masks = draw(1)
    assert len({m.tobytes() for m in masks}) == 3
    for one, same, other in zip(masks, draw(1), draw(2), strict=True):
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()


def test_updates_carry_their_path():
    x, inner = Input((4,)), Input((4,))
    nested = Network(inputs=inner, outputs=BatchNormalization()(inner), name="nested")
    network = Network(inputs=x, outputs=BatchNormalization()(nested(x)))
    context = Context(training=True)
    network.apply(Weights(random_weights(network)), X, ctx=context)
    assert set(context.updates) == {
        f"{path}/moving_{what}" for path in ("nested/batch_normalization", "batch_normalization")
        for what in ("mean", "variance")
    }  # fmt: skip


def test_drawing_without_a_key_says_what_to_do():
    x = Input((4,))
    network = Network(inputs=x, outputs=Dropout(0.5, name="drop")(x))
    with pytest.raises(nl.errors.ConfigurationError, match="The layer drop needs random numbers, and this call has no"):
        network(X, training=True)


def first_not_finite(network, w):
    run = FiniteRun()
    run.apply(network, w, (X,))
    return run.found


def test_the_first_layer_that_is_not_finite():
    x, inner = Input((4,)), Input((4,))
    nested = Network(inputs=inner, outputs=ops.log(Dense(2, name="low")(inner)), name="nested")
    network = Network(inputs=x, outputs=Dense(1)(nested(Dense(4, name="high")(x))))
    w = random_weights(network)
    w["nested"]["low"]["bias"] = np.array([-1e3, -1e3], "float32")
    with np.errstate(invalid="ignore"):
        assert first_not_finite(network, w) == "nested/log"
        w["high"]["kernel"] = w["high"]["kernel"] + np.inf
        assert first_not_finite(network, w) == "high"


# --------------------------------------------------------------------------------------------------- structure


COPIES = {
    "json": lambda n: Network.from_config(json.loads(json.dumps(n.get_config()))),
    "pickle": lambda n: pickle.loads(pickle.dumps(n)),
    "deepcopy": copy.deepcopy,
    "clone": lambda n: n.clone(),
}


def frozen():
    x = Input((4,))
    encoder = Network(inputs=x, outputs=Dense(2)(x), name="encoder", trainable=False)
    return Network(inputs=x, outputs=Dense(3)(encoder(x)))


GRAPHS = {"layered": (layered, [X, B]), "autoencoder": (lambda: autoencoder()[0], X), "frozen": (frozen, X)}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("graph", GRAPHS)
def test_copies_compute_the_same(how, graph):
    make, x = GRAPHS[graph]
    network = make()
    again = COPIES[how](network)
    assert again.signature() == network.signature()
    assert {p: t for p, (_, t) in specs_of(again).items()} == {p: t for p, (_, t) in specs_of(network).items()}
    w = Weights(random_weights(network))
    tree.map(np.testing.assert_array_equal, again.apply(w, x, ctx=Context()), network.apply(w, x, ctx=Context()))


def test_signatures_are_those_of_the_structure():
    def make(units, activation="tanh", factor=2):
        x = Input((4,))
        return Network(inputs=x, outputs=Dense(units, activation=activation)(x) * factor)

    assert make(3).signature() == make(3).signature() and hash(make(3).signature()) == hash(make(3).signature())
    others = [make(4), make(3, "relu"), make(3, factor=3), Network(inputs=(x := Input((5,))), outputs=Dense(3)(x) * 2)]
    assert len({n.signature() for n in [make(3), *others]}) == 5


def test_clones_have_their_own_weights():
    network, _, _ = autoencoder()
    network(X)
    again = network.clone()
    again.initialize(9, "")
    first = tree.first(network.arrays()).copy()
    again.assign(tree.map(lambda a: a * 0, again.arrays()))
    np.testing.assert_array_equal(tree.first(network.arrays()), first)


def test_constants_of_a_graph_come_back():
    x = Input((4,))
    constant = np.arange(4, dtype="float32")
    network = Network(inputs=x, outputs=ops.maximum(x * constant, ops.clip(x, low=-1.0))[:, ::2])
    again = Network.from_config(json.loads(json.dumps(network.get_config())))
    expected = np.maximum(X * constant, np.maximum(X, -1))[:, ::2]
    for one in (network, again):
        np.testing.assert_array_equal(one.apply(Weights(), X, ctx=Context()), expected)


def test_images_through_a_whole_network_agree_on_every_engine(engine):
    x = Input((7, 6, 2))
    y = Conv2D(4, 3, padding="same", activation="relu")(x)
    y = Add()([Conv2D(4, (3, 2), padding="same")(y), y])
    network = Network(inputs=x, outputs=Dense(3, activation="softmax")(Flatten()(y)))
    w, data = random_weights(network), np.random.default_rng(4).normal(size=(2, 7, 6, 2)).astype("float32")
    expected = network.apply(Weights(w), data, ctx=Context())

    def put(a):
        return engine.asarray(a)

    program = engine.compile(lambda w, x: network.apply(Weights(w), x, ctx=Context()))
    assert_close(program(tree.map(put, w), put(data)), expected, terms=1000)


# ------------------------------------------------------------------------------------------------------------- stamps


def test_a_stamp_stays_while_no_array_is_replaced():
    numpy, torch = engines.load("numpy"), engines.load("torch")
    x = layers.Input((3,))
    network, same = (layers.Network(x, layers.Dense(2)(layers.Dense(2)(x))) for _ in range(2))
    for one in (network, same):
        one.initialize(0, "")
    stamps = [network.stamped_arrays(torch).stamp]
    assert network.stamped_arrays(torch).stamp == stamps[0]
    stamps.append(same.stamped_arrays(torch).stamp)  # another network; and its arrays have moved to an engine
    stamps.append(network.stamped_arrays(torch).stamp)
    stamps.append(network.stamped_arrays(numpy).stamp)
    network.assign(network.arrays())
    stamps.append(network.stamped_arrays(numpy).stamp)
    assert len(set(stamps)) == 5
    assert network.stamped_arrays(numpy) == network.arrays(numpy)
