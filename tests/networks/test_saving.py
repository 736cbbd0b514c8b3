"""Files of networks: what is refused, and values of every kind that may be learned."""

import copy
import json

import numpy as np
import pytest

from neuroloom import files
from neuroloom.errors import ConfigurationError, ModelFileError
from neuroloom.networks import McCullochPitts, Network, Perceptron, load


class Memory(Network):
    """A user's own network, which keeps whatever it is given."""

    size: int = 1
    rates: tuple = (0.5, 1)

    def fit(self, X, y=None):
        self.k_ = X
        return self


KEPT = {
    "array": np.arange(6.0).reshape(2, 3),
    "counts": np.array([1, 2**40]),
    "flags": np.array([True, False]),
    "text": np.array(["ä", "bc"]),
    "objects": np.array(["x", 3, None], dtype=object),
    "numbers": [1, 2.5, float("inf"), -float("inf"), None, "text", True, np.float32(0.5), np.int64(7)],
    "nested": {"a": [np.ones(2), {"b": (np.zeros((0, 3)), 1)}], 3: "key"},
}


@pytest.mark.parametrize("kind", KEPT)
def test_learned_values_of_every_kind_come_back(tmp_path, kind):
    Memory(size=4, rates=(1, 2.5)).fit(KEPT[kind]).save(tmp_path / "m.safetensors")
    found = load(tmp_path / "m.safetensors")
    assert type(found) is Memory and found.get_params()["rates"] == (1, 2.5)
    _assert_equal(found.k_, KEPT[kind])


def _assert_equal(one, other):
    if isinstance(other, np.ndarray):
        assert one.dtype == other.dtype and one.shape == other.shape
        assert one.tolist() == other.tolist()
    elif isinstance(other, dict):
        assert list(one) == list(other)
        for key in other:
            _assert_equal(one[key], other[key])
    elif isinstance(other, list | tuple):
        assert type(one) is type(other) and len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            _assert_equal(a, b)
    else:
        assert one == other


def test_networks_inside_networks_come_back(tmp_path):
    X, y = [[0.0, 1], [1, 0], [1, 1]], [0, 1, 1]
    inner = Perceptron(random_state=3).fit(X, y)
    Memory().fit([inner, {"again": inner}]).save(tmp_path / "m.safetensors")
    first, second = load(tmp_path / "m.safetensors").k_
    assert first.coef_.tolist() == second["again"].coef_.tolist() == inner.coef_.tolist()
    assert first.predict(X).tolist() == inner.predict(X).tolist()


def test_parameters_that_are_arrays_come_back(tmp_path):
    gate = McCullochPitts(weights=np.array([[1.0, -2.0]]), random_state=np.random.RandomState(1), engine="torch")
    gate.fit([[0, 1]]).save(tmp_path / "m.safetensors")
    found = load(tmp_path / "m.safetensors")
    assert found.weights.tolist() == [[1, -2]] and found.random_state is None and found.engine is None
    assert found.seed_ == gate.seed_


def test_functions_cannot_be_saved_and_names_of_the_library_cannot_be_taken(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written into a configuration"):
        Memory().fit(print).save(tmp_path / "m.safetensors")
    assert not (tmp_path / "m.safetensors").exists()
    with pytest.raises(ConfigurationError, match="The network name 'Perceptron' belongs to neuroloom"):
        type("Perceptron", (Network,), {})


@pytest.fixture
def tampered(tmp_path):
    """Saves a perceptron whose record was changed, and loads it."""
    net = Perceptron(random_state=0).fit([[0.0, 1], [1, 0], [1, 1]], [0, 1, 1])
    net.save(tmp_path / "good.safetensors")
    record = files.read_record(tmp_path / "good.safetensors")
    arrays = {name: getattr(net, name) for name in record["arrays"]}

    def change(edit):
        changed = json.loads(json.dumps(copy.deepcopy(record)))
        edit(changed)
        files.write(tmp_path / "bad.safetensors", arrays, changed)
        return load(tmp_path / "bad.safetensors")

    assert change(lambda r: None).coef_.tolist() == net.coef_.tolist()
    return change


def _nested(record):
    value = {"value": 1}
    for _ in range(2000):
        value = {"list": [value]}
    record["network"]["learned"]["k_"] = value


ATTACKS = {
    "Unknown network 'os.system'": lambda r: r["network"].update({"class": "os.system"}),
    "Unknown network 'load'": lambda r: r["network"].update({"class": "load"}),
    "Unknown network '_LeastMeanSquares'": lambda r: r["network"].update({"class": "_LeastMeanSquares"}),
    r"Unknown network '\[1\]'": lambda r: r["network"].update({"class": [1]}),
    "'__class__' is no name of a learned": lambda r: r["network"]["learned"].update({"__class__": {"value": 1}}),
    "'predict' is no name of a learned": lambda r: r["network"]["learned"].update({"predict": {"value": 1}}),
    "cannot be used: 'exec'": lambda r: r["network"]["learned"].update({"k_": {"exec": "1"}}),
    "has no argument 'foo'": lambda r: r["network"]["parameters"].update({"foo": {"value": 1}}),
    "coef_' has shape": lambda r: r["arrays"].update({"coef_": ["float32", [9, 9]]}),
    "coef_' is not known": lambda r: r["arrays"].pop("coef_"),
    "has shape .* of F32, expected .* of object": lambda r: r["arrays"].update({"coef_": ["object", [1, 2]]}),
    "not subscriptable": lambda r: r.update({"network": 3}),
    "recursion|not JSON": _nested,
}


@pytest.mark.parametrize("message", ATTACKS)
def test_changed_records_are_refused(tampered, message):
    with pytest.raises((ModelFileError, RecursionError), match=message):
        tampered(ATTACKS[message])
