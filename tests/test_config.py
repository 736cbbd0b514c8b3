"""Configurations: constructors, registries, and the round trips of every configured object."""

import copy
import dataclasses
import json
import math
import pickle
from typing import ClassVar

import numpy as np
import pytest

import neuroloom as nl
from catalogue import CASES, built, pure, random_weights
from neuroloom import config, initializers, layers, regularizers, tree
from neuroloom.config import REGISTRIES, Configured
from neuroloom.errors import ConfigurationError, UnknownNameError
from neuroloom.layers import Network
from tolerances import assert_close

nl.callbacks, nl.losses, nl.metrics, nl.optimizers  # so that every registry is full

NAMESPACE = {**vars(initializers), **vars(regularizers), **vars(layers)}

sweep = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def library():
    """Every class of every registry that a name alone makes, with the kind and the name."""
    for kind, registry in REGISTRIES.items():
        for cls in dict.fromkeys(registry.values()):
            required = [f for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING]
            if cls.__module__.startswith("neuroloom.") and not required:
                yield pytest.param(kind, cls, id=f"{kind}-{cls.__name__}")


everything = pytest.mark.parametrize("kind, cls", list(library()))


def same_outputs(one, other, case):
    """Whether two layers compute the same for the same weights."""
    if other.cell.specs is None:
        other(case.symbolic())
    with nl.engine("numpy"):
        outputs = [pure(layer)(random_weights(one), case.inputs()) for layer in (one, other)]
    tree.map(np.testing.assert_array_equal, *outputs)


# ------------------------------------------------------------------------------------------------- round trips


@sweep
def test_layers_come_back_from_json(case):
    layer = built(case)
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    assert again.signature() == layer.signature()
    assert again.get_config() == layer.get_config()
    same_outputs(layer, again, case)


@sweep
def test_layers_come_back_from_their_repr(case):
    layer = built(case)
    if isinstance(layer, Network):  # a graph is not one expression
        return
    again = eval(repr(layer), NAMESPACE)
    assert type(again) is type(layer) and again.signature() == layer.signature()
    same_outputs(layer, again, case)


@sweep
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_keep_their_weights_and_are_independent(case, copied):
    layer, x = built(case), case.inputs()
    with nl.engine("numpy"):
        before = layer(x)
        again = copied(layer)
        assert again.signature() == layer.signature()
        tree.map(np.testing.assert_array_equal, again(x), before)
        for array in tree.leaves(again.arrays()):
            array += 1
        tree.map(np.testing.assert_array_equal, layer(x), before)


@sweep
def test_clones_have_no_weights(case):
    layer = built(case)
    with nl.engine("numpy"):
        layer(case.inputs())
        again = layer.clone()
        same_outputs(layer, again, case)
        copies = again.layers.values() if isinstance(again, Network) else [again]
    assert again.signature() == layer.signature()
    assert all(copied.cell.arrays is None for copied in copies)


@everything
def test_every_registered_object_round_trips(kind, cls):
    made = cls()
    assert config.get(kind, made) is made
    assert config.get(kind, cls).signature() == made.signature()
    for name in (cls.__name__, config.snake(cls.__name__), *cls.__dict__.get("aliases", ())):
        assert config.get(kind, name).signature() == made.signature()
    for again in (
        config.from_json(json.loads(json.dumps(config.to_json(made)))),
        copy.deepcopy(made),
        pickle.loads(pickle.dumps(made)),
        eval(repr(made), {cls.__name__: cls, **NAMESPACE}),
    ):
        assert type(again) is cls and again.signature() == made.signature()


@everything
def test_unknown_keywords_name_the_nearest(kind, cls):
    names = [f.name for f in dataclasses.fields(cls) if f.init]
    if not names:
        return
    wrong = f"{names[0]}x"
    with pytest.raises(ConfigurationError, match=f"{cls.__name__} has no argument '{wrong}'. Did you mean"):
        cls(**{wrong: 1})


# ---------------------------------------------------------------------------------------- configured classes


@pytest.fixture
def registries(monkeypatch):
    """A registry of shapes that the test's own classes fill."""
    monkeypatch.setattr(config, "REGISTRIES", dict(REGISTRIES))

    class Shape(Configured, kind="shape"):
        pass

    class Circle(Shape):
        aliases = ("disc",)
        renamed: ClassVar = {"r": "radius"}
        radius: config.Positive
        center: config.Pair = 1
        fill: config.Bool = True
        note: config.Name | None = None

    return Shape, Circle


def test_fields_are_the_configuration(registries):
    _, Circle = registries
    circle = Circle(2, center=(1, 3))
    assert repr(circle) == "Circle(radius=2.0, center=(1, 3))"
    assert circle.get_config() == {"radius": 2.0, "center": [1, 3]}
    assert Circle.from_config({"radius": 2.0, "center": [1, 3]}).center == (1, 3)
    assert Circle(r=2).radius == 2.0
    assert config.get("shape", {"class": "Circle", "config": {"radius": 1}}).radius == 1.0
    with pytest.raises(ConfigurationError, match=r"Circle is fixed once it is made.*Circle\(\.\.\., radius=3\)"):
        circle.radius = 3
    with pytest.raises(ConfigurationError, match=r"no attribute 'radios' that could be set\. Did you mean 'radius'"):
        circle.radios = 3


def test_signatures_compare_configurations(registries):
    _, Circle = registries
    assert Circle(1).signature() == Circle(1.0, 1).signature() == Circle(1, (1, 1)).signature()
    assert Circle(1).signature() != Circle(2).signature()
    assert len({Circle(1).signature(), Circle(1).signature()}) == 1


def test_names_do_not_count_in_signatures():
    assert layers.Dense(2, name="a").signature() == layers.Dense(2, name="b").signature()
    assert layers.Dense(2).signature() != layers.Dense(2, trainable=False).signature()


WRONG = [
    (lambda C: C(0), "Circle expected radius to be a positive number, received 0."),
    (lambda C: C(True), "Circle expected radius to be a positive number, received True."),
    (lambda C: C("2"), "Circle expected radius to be a positive number, received '2'."),
    (lambda C: C(math.nan), "Circle expected radius to be a positive number, received nan."),
    (lambda C: C(1, fill=1), "Circle expected fill to be True or False, received 1."),
    (lambda C: C(1, (1, 2, 3)), "Circle expected center to be a positive whole number, or a tuple of 2 such numbers"),
    (lambda C: C(1, note="a/b"), "Circle expected note to be a name without '/', at most 200 characters"),
    (lambda C: C(), "Circle needs the argument 'radius'."),
    (lambda C: C(1, raduis=2), "Circle has no argument 'raduis'. Did you mean 'radius'?"),
    (lambda C: config.get("shape", "circel"), "Unknown shape 'circel'. Did you mean 'circle'?"),
    (lambda C: config.get("shape", "circle"), "'circle' cannot be given by name alone: Circle needs the argument"),
    (lambda C: config.get("shape", 7), "Expected a shape (an object, its class or its name), received 7."),
    (
        lambda C: config.from_json({"kind": "shap", "class": "Circle", "config": {}}),
        "Unknown kind 'shap'. Did you mean",
    ),
    (lambda C: config.to_json(object()), "cannot be written into a configuration"),
]


@pytest.mark.parametrize("wrong, text", WRONG)
def test_wrong_values_are_refused(wrong, text, registries):
    _, Circle = registries
    with pytest.raises(ConfigurationError) as error:
        wrong(Circle)
    assert text in str(error.value)


def test_no_class_takes_the_name_of_one_of_the_library():
    layer = config.find("layer", "dense").__bases__[0]
    with pytest.raises(ConfigurationError, match=r"The layer name 'Dense' belongs to neuroloom\S*Dense already"):

        class Dense(layer):
            pass

    assert config.find("layer", "dense").__module__.startswith("neuroloom.")


def test_a_class_of_ones_own_may_be_defined_again(registries):
    Shape, _ = registries

    class Disc(Shape):
        pass

    assert config.find(Shape.kind, "disc") is Disc


def test_unknown_names_are_key_errors_with_plain_text():
    with pytest.raises(UnknownNameError) as error:
        config.get("layer", "densse")
    assert str(error.value) == "Unknown layer 'densse'. Did you mean 'dense'?"


def test_names_compare_without_case_and_underscores():
    assert config.find("layer", "batch_normalization") is config.find("layer", "BatchNormalization")
    assert [config.snake(n) for n in ("Conv2D", "LSTM", "SimpleRNN", "Dense")] == [
        "conv2d",
        "lstm",
        "simple_rnn",
        "dense",
    ]


def test_numpy_numbers_become_json():
    layer = layers.Conv2D(np.int64(3), np.array([2, 3]).tolist(), strides=np.int32(2))
    assert json.dumps(layer.get_config())
    assert (layer.filters, layer.kernel_size, layer.strides) == (3, (2, 3), (2, 2))


# ----------------------------------------------------------------------------------------------------- streams


def test_streams_of_one_seed_are_independent():
    draws = [config.generator(*stream).random(4) for stream in ((1,), (2,), (1, "a"), (1, "b"), (1, "a", 1), (1, 5))]
    assert len({d.tobytes() for d in draws}) == len(draws)
    np.testing.assert_array_equal(config.generator(1, "a").random(4), draws[2])


def test_the_stream_of_seeds_follows_the_seed():
    def three():
        config.set_random_seed(5)
        return [config.next_seed() for _ in range(3)]

    assert three() == three()
    assert len(set(three())) == 3 and all(0 <= s < 2**63 for s in three())


def test_set_random_seed_also_seeds_python_and_numpy():
    import random

    def draw():
        config.set_random_seed(5)
        return random.random(), float(np.random.random())  # noqa: NPY002

    assert draw() == draw()
    assert_close(np.array(draw()), np.array(draw()))
