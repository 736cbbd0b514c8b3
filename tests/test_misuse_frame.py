"""Wrong use of layers in layers, freezing, masks, learners and states: each says what to do."""

import warnings

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import layers, ops
from neuroloom.errors import ConfigurationError, DataError, ModelFileError, ShapeError, UnknownNameError
from neuroloom.layers.run import here
from neuroloom.models import Learner, Move

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
Y = X[:, :1] * 2
SEQUENCES = X[:, :, None]
Dense = layers.Dense


def layer(call, init=None, build=None):
    """A layer written as in Keras."""

    def __init__(self, **kwargs):
        layers.Layer.__init__(self, **kwargs)
        if init is not None:
            init(self)

    own = {"__init__": __init__, "call": call} | ({} if build is None else {"build": build})
    return type("Mine", (layers.Layer,), own)()


def model(call, init=None, base=nl.Model, **own):
    """A model written as in Keras."""

    def __init__(self, **kwargs):
        base.__init__(self, **kwargs)
        if init is not None:
            init(self)

    return type("Mine", (base,), {"__init__": __init__, **({} if call is None else {"call": call}), **own})()


def keep(**made):
    """An init that sets attributes."""
    return lambda self: [setattr(self, name, make()) for name, make in made.items()]


def fit(network, x=X, y=Y):
    """A chain of the network and a neuron, or a model, trained."""
    made = network if isinstance(network, nl.Model) else nl.Sequential([network, Dense(1)])
    made.compile("sgd", "mse")
    return made.fit(x, y, verbose=0)


def chain(*units):
    return nl.Sequential([Dense(n) for n in units or (1,)])


def square(self, nets, batch, ctx):
    return ops.mean((nets.net(batch.x) - batch.y) ** 2)


def learner(loss=square, moves=(), **nets):
    return type("Mine", (Learner,), {"loss": loss, "moves": moves})(**(nets or {"net": chain()}))


def taught(made, optimizer="sgd", **data):
    made.compile(optimizer)
    return made.fit(**({"x": X, "y": Y} | data), verbose=0)


def ready():
    """A compiled model that knows its shape."""
    made = nl.Sequential([Dense(3, input_shape=(3,)), Dense(1)])
    made.compile("sgd", "mse")
    return made


class Keeps(layers.Layer):
    """Keeps what `call` is given beyond it."""

    def build(self, shape):
        return {"kernel": layers.Weight((3,))}

    def call(self, w, x, ctx):
        Keeps.w, Keeps.ctx = w, ctx
        return x * w.kernel


def later(use):
    """What a use of a call's context does after the call."""

    def call():
        Keeps()(X)
        return use(Keeps)

    return call


class Lacks(layers.Layer):
    """Its configuration lacks an argument."""

    def __init__(self, units, table=None):
        super().__init__()
        self.units, self.table = units, table

    def call(self, x):
        return x

    def get_config(self):
        return {}


class Holds(layers.Layer):
    """Has an argument that no file can hold."""

    def __init__(self, table):
        super().__init__()
        self.table = table

    def call(self, x):
        return x


def saved(own, folder):
    made = nl.Sequential([own, Dense(1)])
    made.build((None, 3))
    made.save(folder / "m.nl")
    return nl.load_model(folder / "m.nl")


def ring():
    a, b = (layer(lambda self, x: x) for _ in range(2))
    a.other, b.other = b, a
    return fit(a)


def self_held(made):
    made.me = made
    return fit(made)


def late_weight():
    made = layer(lambda self, x: x * self.a, build=lambda self, shape: setattr(self, "a", self.add_weight((3,))))
    made(X)
    return made.add_weight((3,))


def twice_of_other_widths():
    shared = Dense(4)
    return fit(nl.Sequential([shared, shared]))


def in_itself():
    made = nl.Sequential([Dense(3)])
    made.add(made)


def frozen_learner():
    net = chain()
    net.trainable = False
    return taught(learner(net=net))


def built(units=1):
    net = chain(units)
    net.build((None, 3))
    return net


def fitted_then(x):
    made = learner()
    taught(made)
    return made.fit(x, Y, verbose=0)


def told(**attributes):
    """The names of a class that is defined wrongly."""
    return lambda: type("Mine", attributes.pop("bases"), attributes)


def masked_fit():
    x = nl.Input((4,), dtype="int32")
    return nl.Model(x, layers.LSTM(2)(layers.Embedding(5, 3)(x), mask=nl.Input((3,), dtype="bool")))


# name -> (call, class of the error, part of its text)
NESTING = {
    "a layer made in call": (
        lambda: fit(layer(lambda self, x: Dense(3)(x))),
        ConfigurationError,
        "Dense is called inside Mine, but is not one of its layers, so its weights would never be trained",
    ),
    "a layer made in call, on arrays": (
        lambda: layer(lambda self, x: Dense(3)(x))(X),
        ConfigurationError,
        "a layer that is made inside call() is a new one at every call",
    ),
    "a layer kept in call": (
        lambda: fit(layer(lambda self, x: (setattr(self, "d", Dense(3)), self.d(x))[1])),
        ConfigurationError,
        "Mine is given the layer Dense as self.d while it computes",
    ),
    "a layer kept in a model's call": (
        lambda: fit(model(lambda self, x: (setattr(self, "d", Dense(1)), self.d(x))[1])),
        ConfigurationError,
        "Mine is given a layer as self.d while it computes",
    ),
    "a weight made in call": (
        lambda: fit(layer(lambda self, x: x * self.add_weight((3,)))),
        ConfigurationError,
        "Mine makes a weight while it computes; it would be a new one at every call",
    ),
    "a weight made after build": (
        late_weight,
        ConfigurationError,
        "Mine is built already, so nothing would train a weight that is made now. Make it in build",
    ),
    "one layer at two places of other widths": (
        twice_of_other_widths,
        ShapeError,
        "expected x of shape (?, 3) (fixed at the first call), received (?, 4)",
    ),
    "two layers of one name": (
        lambda: fit(
            layer(lambda self, x: self.b(self.a(x)), keep(a=lambda: Dense(3, name="d"), b=lambda: Dense(3, name="d")))
        ),
        ConfigurationError,
        "Two different layers have the name 'd'",
    ),
    "a layer that holds itself": (lambda: self_held(layer(lambda self, x: x)), ConfigurationError, "Mine holds itself"),
    "layers that hold each other": (ring, ConfigurationError, "Mine holds itself, directly or through a layer in it"),
    "a layer that calls itself": (
        lambda: layer(lambda self, x: self(x))(X),
        ConfigurationError,
        "Mine calls itself in call()",
    ),
    "a recorded layer that calls itself": (
        lambda: fit(layer(lambda self, x: self(x))),
        ConfigurationError,
        "Mine calls itself in call()",
    ),
    "a model that holds itself": (
        lambda: self_held(model(lambda self, x: self.d(x), keep(d=lambda: Dense(1)))),
        ConfigurationError,
        "Mine holds itself",
    ),
    "a Sequential in itself": (in_itself, ConfigurationError, "A Sequential cannot be a layer of itself"),
    "a weight of a strange layer": (
        lambda: (lambda d: (d(X), fit(layer(lambda self, x: x @ d.weights[0]))))(Dense(3)),
        ConfigurationError,
        "is read inside a computation that its layer is not a part of, so it would not be trained",
    ),
    # what a class lacks
    "a model without call": (
        lambda: fit(model(None, keep(d=lambda: Dense(1)))),
        ConfigurationError,
        "Mine expected inputs and outputs, as in Model(x, y), or a class that defines call(self, inputs)",
    ),
    "a layer without call": (
        lambda: type("Mine", (layers.Layer,), {})()(X),
        ConfigurationError,
        "Mine does not define call(self, inputs)",
    ),
    "a layer whose __init__ forgets its base": (
        lambda: type("Mine", (layers.Layer,), {"__init__": lambda self: None, "call": lambda self, x: x})()(X),
        ConfigurationError,
        "Mine.__init__ must call super().__init__(**kwargs)",
    ),
    "a model whose __init__ forgets its base": (
        lambda: type("Mine", (nl.Model,), {"__init__": lambda self: None, "call": lambda self, x: x})().predict(X),
        ConfigurationError,
        "Mine.__init__ must call super().__init__(**kwargs) first",
    ),
    "no compile": (
        lambda: model(lambda self, x: self.d(x), keep(d=lambda: Dense(1))).fit(X, Y),
        ConfigurationError,
        "Call compile(optimizer, loss) before training",
    ),
    "a call that returns nothing": (
        lambda: fit(layer(lambda self, x: None)),
        ConfigurationError,
        "Mine.call expected to return an array, or a list or dict of arrays, received None. Is a return missing?",
    ),
    "a call that returns nothing, on arrays": (
        lambda: layer(lambda self, x: None)(X),
        ConfigurationError,
        "received None. Is a return missing?",
    ),
    "a call that returns text": (lambda: fit(layer(lambda self, x: "x")), ConfigurationError, "received 'x'"),
    "a model's call that returns a number": (
        lambda: fit(model(lambda self, x: 3.0)),
        ConfigurationError,
        "Mine.call expected to return an array, or a list or dict of arrays, received 3.0",
    ),
    "a call that takes more": (
        lambda: fit(model(lambda self, x, other: x)),
        ConfigurationError,
        "Mine.call does not fit what it is called with: missing a required argument: 'other'",
    ),
    "a layer's call that takes less": (
        lambda: layer(lambda self, x: x)(X, X),
        ConfigurationError,
        "Mine.call does not fit what it is called with: too many positional arguments",
    ),
    "a build without argument": (
        told(bases=(layers.Layer,), build=lambda self: None),
        ConfigurationError,
        "Mine.build expected one argument, the shape of the inputs",
    ),
    "a build of two arguments": (
        told(bases=(layers.Layer,), build=lambda self, a, b: None),
        ConfigurationError,
        "def build(self, input_shape)",
    ),
    "a build that returns a number": (
        lambda: layer(lambda self, x: x, build=lambda self, shape: {"a": 3})(X),
        ConfigurationError,
        "build expected to return a dict of Weights by name, or nothing, received 3",
    ),
    "a compute_loss of other arguments": (
        told(bases=(nl.Model,), compute_loss=lambda self, y, y_pred: 0),
        ConfigurationError,
        "Mine.compute_loss expected the arguments (self, x, y, y_pred, sample_weight, training)",
    ),
    # weights
    "a weight of a free length": (
        lambda: layer(lambda self, x: x, build=lambda self, shape: setattr(self, "a", self.add_weight(shape)))(X),
        ShapeError,
        "A weight has no batch and no free length: take lengths of input_shape that are known",
    ),
    "two weights of one name": (
        lambda: layer(
            lambda self, x: x, build=lambda self, shape: [self.add_weight((3,), name="a") for _ in range(2)] and None
        )(X),
        ConfigurationError,
        "Mine has a weight 'a' already",
    ),
    "a weight of an unknown dtype": (
        lambda: layer(
            lambda self, x: x, build=lambda self, shape: setattr(self, "a", self.add_weight((3,), dtype="flot32"))
        )(X),
        ConfigurationError,
        "'flot32'",
    ),
    "a slash in a weight's name": (
        lambda: layer(
            lambda self, x: x, build=lambda self, shape: setattr(self, "a", self.add_weight((3,), name="a/b"))
        )(X),
        ConfigurationError,
        "'a/b'",
    ),
    "assigning a trained weight in call": (
        lambda: fit(
            layer(
                lambda self, x: (vars(self)["_refs"]["a"].assign(x[0]), x)[1],
                build=lambda self, shape: setattr(self, "a", self.add_weight((3,))),
            )
        ),
        ConfigurationError,
        "is trained by gradients and cannot be assigned inside call()",
    ),
    "weights in another order": (
        lambda: (lambda made: made.set_weights(made.get_weights()[::-1]))(ready()),
        ShapeError,
        "The weight 'dense/kernel' expected an array of shape (3, 3), received shape (1,)",
    ),
    "too few weights": (
        lambda: (lambda made: made.set_weights(made.get_weights()[:2]))(ready()),
        ShapeError,
        "The model has 4 weights, received 2",
    ),
    "weights of text": (
        lambda: (lambda made: made.set_weights([np.full(w.shape, "a") for w in made.get_weights()]))(ready()),
        DataError,
        "The weight 'dense/kernel' expected numbers, received",
    ),
    "a path that is none": (
        lambda: ready().set_weights({"dense/kernl": X}),
        ShapeError,
        "The model has no weight 'dense/kernl'. Did you mean 'dense/kernel'",
    ),
    "one array for a layer's weights": (lambda: ready().layers[0].set_weights(X), ShapeError, "Dense has 2 weights"),
    "a value of another shape": (
        lambda: ready().weights[0].assign(np.ones(3)),
        ShapeError,
        "The weight 'dense/kernel' expected an array of shape (3, 3), received shape (3,)",
    ),
}

STATES = {
    # a computation that is over
    "a key after the call": (
        later(lambda kept: kept.ctx.key()),
        ConfigurationError,
        "A random key was asked of a computation that is over",
    ),
    "an update after the call": (
        later(lambda kept: kept.ctx.update("kernel", X)),
        ConfigurationError,
        "A new value of 'kernel' was asked of a computation that is over",
    ),
    "a loss after the call": (
        later(lambda kept: kept.ctx.add_loss(0.0)),
        ConfigurationError,
        "An added loss was asked of a computation that is over",
    ),
    "a weight after a training": (
        lambda: (fit(Keeps()), Keeps.w.kernel),
        AttributeError,
        "They are there only while the layer computes; outside, read layer.weights",
    ),
    "a loss added outside": (lambda: Dense(3).add_loss(1.0), ConfigurationError, "add_loss counts inside call()"),
    "an added loss that is no scalar": (
        lambda: fit(layer(lambda self, x: (self.add_loss(x), x)[1])),
        ConfigurationError,
        "add_loss expected a scalar, received an array of shape",
    ),
    "an array kept on self": (
        lambda: fit(layer(lambda self, x: (setattr(self, "last", x), x)[1])),
        ConfigurationError,
        "Mine keeps an array as self.last while it computes",
    ),
    "an array kept in a list on self": (
        lambda: fit(layer(lambda self, x: (self.seen.append(x), x)[1], keep(seen=list))),
        ConfigurationError,
        "Mine keeps an array as self.seen while it computes",
    ),
    # attributes and freezing
    "an unknown attribute of a layer": (
        lambda: setattr(Dense(3), "trainble", False),
        ConfigurationError,
        "Dense has no attribute 'trainble' that could be set. Did you mean 'trainable'?",
    ),
    "an unknown attribute of a model": (
        lambda: setattr(ready(), "trainble", False),
        AttributeError,
        "Sequential has no attribute 'trainble'. Did you mean 'trainable'?",
    ),
    "trainable that is no truth": (
        lambda: setattr(ready(), "trainable", "no"),
        ConfigurationError,
        "expected trainable to be True or False, received 'no'",
    ),
    "training that is no truth": (
        lambda: layers.Dropout(0.5)(X, training="no"),
        ConfigurationError,
        "A call of Dropout expected training to be True or False, received 'no'",
    ),
    "an argument misspelt": (
        lambda: Dense(3)(X, traning=True),
        ConfigurationError,
        "A call of Dense has no argument 'traning'. Did you mean 'training'?",
    ),
    # masks and first states
    "a mask of another length": (
        lambda: layers.LSTM(2)(SEQUENCES, mask=np.ones((20, 2), bool)),
        ShapeError,
        "LSTM expected a mask of shape (20, 3), (batch, time), for x of shape (20, 3, 1), received (20, 2)",
    ),
    "a mask of one axis": (
        lambda: layers.SimpleRNN(2)(SEQUENCES, mask=np.ones(20, bool)),
        ShapeError,
        "SimpleRNN expected a mask of shape (20, 3)",
    ),
    "a mask of a symbolic call": (masked_fit, ShapeError, "LSTM expected a mask of shape"),
    "one mask for two inputs": (
        lambda: layers.Add()([SEQUENCES, SEQUENCES], mask=np.ones((20, 3), bool)),
        ConfigurationError,
        "expected a list of 2 masks",
    ),
    "one state for two": (
        lambda: layers.LSTM(2)(SEQUENCES, initial_state=X[:, :2]),
        ShapeError,
        "LSTM expected 2 first states (h, c), each (batch, units), received 1",
    ),
    "a state of another width": (
        lambda: layers.SimpleRNN(2)(SEQUENCES, initial_state=X),
        ShapeError,
        "expected a first state h of shape (20, 2)",
    ),
    "a state for a layer without": (
        lambda: Dense(3)(X, initial_state=X),
        ConfigurationError,
        "A call of Dense has no argument 'initial_state'",
    ),
    # configurations
    "a class that nobody knows": (
        lambda: nl.config.get("layer", {"class": "Nope", "config": {}}),
        UnknownNameError,
        "Unknown layer 'Nope'",
    ),
    "an argument that nobody knows": (
        lambda: Dense.from_config({"unitz": 3}),
        ConfigurationError,
        "Dense has no argument 'unitz'. Did you mean 'units'?",
    ),
    "a configuration that is a list": (
        lambda: Dense.from_config([3]),
        ConfigurationError,
        "Dense.from_config expected a dict, as get_config gives it, received [3]",
    ),
    "a configuration of no model": (
        lambda: nl.Model.from_config({"layers": 3}),
        ConfigurationError,
        "Model.from_config expected what get_config returned",
    ),
}

LEARNERS = {
    "a loss that is no scalar": (
        lambda: taught(learner(lambda self, nets, batch, ctx: (nets.net(batch.x) - batch.y) ** 2)),
        ConfigurationError,
        "loss expected to return a scalar, or (scalar, logs), received an array of shape",
    ),
    "a loss that is nothing": (
        lambda: taught(learner(lambda self, nets, batch, ctx: None)),
        ConfigurationError,
        "received None",
    ),
    "a loss of whole numbers": (
        lambda: taught(learner(lambda self, nets, batch, ctx: ops.cast(ops.mean(nets.net(batch.x)), "int32"))),
        ConfigurationError,
        "loss expected to return a scalar of floats, received int32",
    ),
    "a log that is no scalar": (
        lambda: taught(learner(lambda self, nets, batch, ctx: (ops.mean(nets.net(batch.x)), {"a": batch.x}))),
        ConfigurationError,
        "loss expected the log 'a' to be a scalar",
    ),
    "logs that are no dict": (
        lambda: taught(learner(lambda self, nets, batch, ctx: (ops.mean(nets.net(batch.x)), ops.mean(batch.x)))),
        ConfigurationError,
        "loss expected logs as a dict of scalars",
    ),
    "a log named loss": (
        lambda: taught(
            learner(lambda self, nets, batch, ctx: (ops.mean(nets.net(batch.x)), {"loss": ops.mean(batch.x)}))
        ),
        ConfigurationError,
        "which is the name of the loss itself",
    ),
    "a network that no move trains": (
        lambda: taught(
            learner(
                lambda self, nets, batch, ctx: ops.mean(nets.net(batch.x)),
                [Move("net", loss="loss")],
                net=chain(),
                other=built(),
            )
        ),
        ConfigurationError,
        "No move of Mine trains the network 'other'. Add Move('other'), name it in the trains=... of a move, or set",
    ),
    "a network that no loss calls": (
        lambda: taught(learner(net=chain(), other=chain())),
        ConfigurationError,
        "No loss of Mine calls the network 'other', so nothing trains it",
    ),
    "a move of an unknown network": (
        lambda: taught(learner(moves=[Move("nett", loss="loss")])),
        ConfigurationError,
        "The move 'nett' trains 'nett'. Did you mean 'net'?",
    ),
    "a move without a loss": (
        lambda: taught(learner(moves=[Move("net")])),
        ConfigurationError,
        "Mine has no method 'net_loss' for a move's loss",
    ),
    "a move that is a name": (
        lambda: taught(learner(moves=["net"])),
        ConfigurationError,
        "Mine.moves expected Move objects, received 'net'",
    ),
    "a move that is never taken": (
        lambda: Move("net", times=0),
        ConfigurationError,
        "times expected a positive whole number, received 0",
    ),
    "an optimizer of no move": (
        lambda: taught(learner(moves=[Move("net", loss="loss")]), {"nett": "sgd"}),
        ConfigurationError,
        "compile names the move 'nett'. Did you mean 'net'?",
    ),
    "no loss": (
        lambda: taught(type("Mine", (Learner,), {})(net=chain())),
        ConfigurationError,
        "Mine does not define loss(self, nets, batch, ctx)",
    ),
    "no compile": (
        lambda: learner().fit(X, Y, verbose=0),
        ConfigurationError,
        "Call compile(optimizer, loss) before training",
    ),
    "no networks": (
        lambda: taught(type("Mine", (Learner,), {"loss": lambda self, nets, batch, ctx: ops.mean(batch.x)})()),
        ConfigurationError,
        "have no weight that is trained",
    ),
    "a number for a network": (
        lambda: learner(net=3),
        ConfigurationError,
        "Mine expected net to be a network, received 3",
    ),
    "a network misspelt": (
        lambda: taught(learner(lambda self, nets, batch, ctx: ops.mean(nets.nett(batch.x)))),
        AttributeError,
        "Mine has no attribute 'nett'",
    ),
    "all networks frozen": (frozen_learner, ConfigurationError, "have no weight that is trained"),
    "data of another width": (
        lambda: fitted_then(X[:, :2]),
        ShapeError,
        "expected an input of shape (?, 3), received (?, 2)",
    ),
    "a layer made in the loss": (
        lambda: taught(learner(lambda self, nets, batch, ctx: ops.mean(Dense(1)(nets.net(batch.x))))),
        ConfigurationError,
        "is not one of its layers, so its weights would never be trained",
    ),
}

TABLES = {"nesting": NESTING, "state": STATES, "learner": LEARNERS}
CASES = {f"{part}: {name}": case for part, table in TABLES.items() for name, case in table.items()}


@pytest.mark.parametrize("case", CASES)
def test_wrong_use_says_what_to_do(case):
    call, kind, text = CASES[case]
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert text in message
    assert len(message) < 700
    assert here.run is None  # no computation stays open


def test_the_table_is_long_enough():
    assert len(CASES) >= 30


@pytest.mark.parametrize(
    "own, kind, text",
    [
        (lambda: Lacks(3), ModelFileError, "Lacks: missing a required argument: 'units'"),
        (lambda: Holds(np.ones(3)), ConfigurationError, "cannot be written into a configuration"),
        (lambda: Holds(lambda x: x), ConfigurationError, "cannot be written into a configuration"),
    ],
)
def test_what_no_file_can_hold(own, kind, text, tmp_path):
    with pytest.raises(kind, match=text):
        saved(own(), tmp_path)


def test_a_layer_that_is_never_called_is_said():
    with pytest.warns(UserWarning, match=r"Mine holds the layer 'dense' and never calls it in call\(\)"):
        fit(layer(lambda self, x: x, keep(d=lambda: Dense(3))))


def test_a_training_of_nothing_is_said():
    made = ready()
    made.trainable = False
    before = made.get_weights()
    with pytest.warns(UserWarning, match="all of them are frozen: fit trains nothing"):
        made.fit(X, Y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, made.get_weights(), strict=True))
    made.trainable = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.fit(X, Y, verbose=0)


def test_one_layer_at_two_places_is_one_set_of_weights():
    """Nothing is wrong with it: d(d(x)) has the gradient of both uses."""
    shared = Dense(3, use_bias=False)
    made = nl.Sequential([shared, shared])
    made.compile(nl.optimizers.SGD(1.0), "mse")
    made.build((None, 3))
    kernel = made.get_weights()[0].astype("float64")
    made.fit(X, X, batch_size=20, verbose=0)
    x, error = X.astype("float64"), 2 * (X @ kernel @ kernel - X) / X.size
    slope = (x @ kernel).T @ error + x.T @ (error @ kernel.T)
    assert made.weights.keys() == ["dense/kernel"]
    np.testing.assert_allclose(made.get_weights()[0], kernel - slope, rtol=1e-4, atol=1e-5)
