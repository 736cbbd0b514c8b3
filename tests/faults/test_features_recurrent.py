"""Elman's and Jordan's networks: goals, algorithms, activations, parts, unequal lengths, states that are kept."""

import numpy as np
import pytest

import neuroloom as nl
from neuroloom.errors import ConfigurationError, DataError, ShapeError
from neuroloom.networks import (
    Adaline,
    EchoStateRegressor,
    ElmanClassifier,
    ElmanRegressor,
    JordanClassifier,
    JordanRegressor,
    Perceptron,
    load,
)
from neuroloom.networks.recurrent.elman import ALGORITHMS

RNG = np.random.default_rng(4)
U = RNG.uniform(-1, 1, (12, 5, 2))
SUMS = np.cumsum(U, axis=1) / 5
SIGNS = (SUMS[:, :, 0] > 0).astype(int)
ALL = [ElmanRegressor, ElmanClassifier, JordanRegressor, JordanClassifier]
LENGTHS = [5, 3, 1, 4, 2, 5, 5, 3, 1, 2, 4, 5]
CUT = [u[:n] for u, n in zip(U, LENGTHS, strict=True)]


@pytest.fixture(autouse=True)
def _torch():
    """Compiles least; one test runs on every engine that trains."""
    with nl.engine("torch"):
        yield


def targets(network, each=True):
    found = SUMS if "Regressor" in network.__name__ else SIGNS
    return found if each else found[:, -1]


# ------------------------------------------------------------------------------------------------------ nested lists


@pytest.mark.parametrize("network", [*ALL, EchoStateRegressor])
@pytest.mark.parametrize("each", [True, False])
def test_nested_lists_are_arrays(network, each):
    """Fault 31: nested lists as y failed, since a list has no `ndim`."""
    y = targets(network, each)
    settings = {} if network is EchoStateRegressor else {"max_iter": 2}
    one, other = (network(random_state=0, **settings) for _ in range(2))
    expected = one.fit(U, y).predict(U)
    np.testing.assert_array_equal(other.fit(U.tolist(), y.tolist()).predict(U.tolist()), expected)
    assert other.each_ == each and other.score(U.tolist(), y.tolist()) == one.score(U, y)


@pytest.mark.parametrize("network, rate", [(Perceptron, 1.0), (Adaline, 0.02)])
def test_targets_of_several_perceptrons(network, rate):
    """Fault 31: two-dimensional targets, a perceptron for each column, were refused."""
    X = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    y = np.array([[0, 0], [0, 1], [0, 1], [1, 1]])  # and, or
    net = network(learning_rate=rate, max_iter=500, random_state=0).fit(X, y)
    np.testing.assert_array_equal(net.predict(X), y)
    assert net.coef_.shape == (2, 2) and net.score(X, y) == 1
    assert net.decision_function(X).shape == (4, 2)
    part = network(learning_rate=rate, random_state=0)
    for _ in range(200):
        part.partial_fit(X.tolist(), y.tolist(), classes=[0, 1])
    np.testing.assert_array_equal(part.predict(X), y)
    with pytest.raises(DataError, match="expected y for 2 units, received 1"):
        part.partial_fit(X, y[:, 0])
    with pytest.raises(DataError, match="two classes in each column of y"):
        network().fit(X, y * 2 + [[0, 1]])


# -------------------------------------------------------------------------------------------- goals, algorithms, parts


@pytest.mark.parametrize("network", ALL)
def test_goal_and_show(network, capsys):
    """Fault 35: there was neither goal nor show."""
    y = targets(network)
    whole = network(max_iter=20, random_state=0).fit(U, y)
    assert len(whole.loss_curve_) == whole.n_iter_ == 20 and not capsys.readouterr().out
    goal = float(whole.loss_curve_[9])
    early = network(max_iter=20, goal=goal, show=4, random_state=0).fit(U, y)
    assert early.n_iter_ == 1 + np.argmax(whole.loss_curve_ <= goal) < 20
    np.testing.assert_allclose(early.loss_curve_, whole.loss_curve_[: early.n_iter_], rtol=1e-4)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"iteration 4: loss {early.loss_curve_[3]:.6g}" and len(lines) == -(-early.n_iter_ // 4)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_learns_running_sums(name):
    """Fault 35: there was no choice of the training function."""
    rate = {"gd": 0.3, "gdm": 0.1, "gda": 0.1, "gdx": 0.1}.get(name)
    steps = 10 if name == "ncg" else 60
    net = ElmanRegressor(n_hidden=6, algorithm=name, learning_rate=rate, max_iter=steps, random_state=0)
    net.fit(U, SUMS)
    assert net.loss_curve_[-1] < (0.5 if name in ("adam", "gd", "gdm", "gda") else 0.3) * SUMS.var()
    assert net.loss_curve_[-1] == pytest.approx(((net.predict(U) - SUMS) ** 2).mean(), rel=1e-3)


@pytest.mark.parametrize("network", ALL)
@pytest.mark.parametrize("name", ["adam", "rprop", "cgp"])
def test_parts_go_on_as_fit_would(network, name):
    """Fault 35: there was no `partial_fit`."""
    y, settings = targets(network), {"algorithm": name, "random_state": 0}
    whole, parts = network(max_iter=4, **settings).fit(U, y), network(max_iter=1, **settings).fit(U, y)
    for _ in range(3):
        parts.partial_fit(U, y)
    assert parts.n_iter_ == 4
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(parts.recurrent_coef_, whole.recurrent_coef_, atol=1e-4)
    assert not hasattr(network(algorithm="bfgs"), "partial_fit")


def test_parts_name_all_classes_first():
    """Fault 35: classes that come later, and targets that no longer fit."""
    net = ElmanClassifier(random_state=0).partial_fit(U, SIGNS * 0, classes=[0, 1])
    assert net.partial_fit(U[:3], SIGNS[:3]).predict_proba(U).shape == (12, 5, 2)
    with pytest.raises(DataError, match="expected 2 outputs, received 1"):
        ElmanRegressor(max_iter=1, random_state=0).fit(U, SUMS).partial_fit(U, SUMS[:, :, :1])


ACTIVATIONS = {"tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "relu": lambda z: np.maximum(z, 0)}


@pytest.mark.parametrize("hidden", ACTIVATIONS)
@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
@pytest.mark.parametrize("memory", [None, 0.4])
def test_activations_by_hand(hidden, output, memory):
    """Fault 35: hidden units were tanh and outputs linear, whatever one wanted."""
    settings = {"n_hidden": 4, "activation": hidden, "output_activation": output, "max_iter": 3, "random_state": 0}
    net = ElmanRegressor(**settings) if memory is None else JordanRegressor(memory=memory, **settings)
    net.fit(U, abs(SUMS))
    heard = np.zeros(len(net.recurrent_coef_))
    for t, u in enumerate(np.float32(U[3])):
        h = ACTIVATIONS[hidden](u @ net.input_coef_ + heard @ net.recurrent_coef_ + net.hidden_intercept_)
        said = ACTIVATIONS[output](h @ net.coef_ + net.intercept_)
        heard = h if memory is None else memory * heard + said
        np.testing.assert_allclose(net.predict(U)[3, t], said, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(net.states(U)[3, t], heard, rtol=1e-5, atol=1e-7)


def test_initialisation():
    """Fault 35: there was no choice of the first weights."""
    still = {"algorithm": "gd", "learning_rate": 1e-30, "max_iter": 1, "random_state": 0}
    net = ElmanRegressor(init="ones", **still).fit(U, SUMS)
    assert (net.recurrent_coef_ == 1).all() and (net.coef_ == 1).all() and abs(net.intercept_).max() < 1e-20
    with pytest.raises(ConfigurationError, match="Unknown initializer"):
        ElmanRegressor(init="onse").fit(U, SUMS)


# ----------------------------------------------------------------------------------------------------- unequal lengths


@pytest.mark.parametrize("network", ALL)
@pytest.mark.parametrize("each", [True, False])
def test_what_is_padded_counts_nowhere(network, each):
    """Fault 35: sequences had to be of one length."""
    y = targets(network)
    y = [part[:n] for part, n in zip(y, LENGTHS, strict=True)] if each else np.array([part[0] for part in y])
    settings = {"algorithm": "gd", "learning_rate": 0.1, "max_iter": 4, "random_state": 0}
    net = network(**settings).fit(CUT, y)
    found, again = net.predict(CUT), network(**settings).fit(np.array(CUT, dtype=object), y)
    for i, part in enumerate(CUT):  # each alone is answered as among others
        alone = net.predict([part])
        np.testing.assert_allclose(found[i], alone[0], atol=1e-7)
        np.testing.assert_allclose(net.states(CUT)[i, -1], net.states([part])[0, -1], atol=1e-12)
        assert not each or len(found[i]) == len(part)
    np.testing.assert_array_equal(again.recurrent_coef_, net.recurrent_coef_)
    assert np.isfinite(net.score(CUT, y))


def test_unequal_lengths_are_the_mean_over_real_steps(training_engine):
    """Fault 35: the error of unequal sequences, by hand."""
    y = [part[:n] for part, n in zip(SUMS, LENGTHS, strict=True)]
    still = {"algorithm": "gd", "learning_rate": 1e-30, "max_iter": 1, "random_state": 0}
    net = ElmanRegressor(**still).fit(CUT, y)
    errors = np.concatenate([a - b for a, b in zip(net.predict(CUT), y, strict=True)])
    assert net.loss_curve_[0] == pytest.approx((errors**2).mean(), rel=1e-5)
    last = ElmanRegressor(**still).fit(CUT, np.array([part[-1] for part in y]))
    errors = last.predict(CUT) - [part[-1] for part in y]
    assert last.loss_curve_[0] == pytest.approx((errors**2).mean(), rel=1e-5)


def test_words_are_completed_by_the_next_letter():
    """Fault 35: completing words needed a class for padding."""
    words = ["neuron", "network", "new", "net", "loom", "look"]
    letters = sorted(set("".join(words)) | {"."})
    eye = np.eye(len(letters))
    X = [eye[[letters.index(c) for c in word]] for word in words]
    y = [np.array(list(word[1:] + ".")) for word in words]
    net = ElmanClassifier(n_hidden=20, max_iter=150, learning_rate=0.03, random_state=0).fit(X, y)
    assert set(net.classes_) == set("".join(word[1:] for word in words)) | {"."}
    text, states = "loo", None
    for part in text:  # letter by letter, with kept state
        x = eye[[letters.index(part)]][None]
        said, states = net.predict(x, states), net.states(x, states)[:, -1]
    assert said[0][0] in "mk"
    assert net.score(X, y) > 0.7
    assert "".join(net.predict([X[1]])[0][2:]) == "work."


# ----------------------------------------------------------------------------------------------------- states, files


@pytest.mark.parametrize("network", ALL)
def test_one_step_after_another_with_kept_state(network, tmp_path):
    """Fault 35: a network could not go on from where it was."""
    net = network(max_iter=3, random_state=0).fit(U, targets(network))
    states = None
    for t in range(5):
        now = U[:, t : t + 1]
        np.testing.assert_array_equal(net.predict(now, states)[:, 0], net.predict(U)[:, t])
        states = net.states(now, states)[:, -1]
    np.testing.assert_allclose(states, net.states(U)[:, -1], atol=1e-12)
    with pytest.raises(ShapeError, match=r"expected states \(12, \d+\), received \(3,\)"):
        net.predict(U, np.zeros(3))
    net.save(tmp_path / "net.safetensors")
    again = load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(again.partial_fit(U, targets(network)).coef_, net.partial_fit(
        U, targets(network)).coef_)  # fmt: skip


def test_lengths_that_do_not_fit_are_refused():
    """Fault 35: targets of other lengths, no steps, and features that differ."""
    net = ElmanRegressor(max_iter=1)
    with pytest.raises(ShapeError, match="as long as the sequences"):
        net.fit(CUT, [part[: 1 + i % 2] for i, part in enumerate(SUMS)])
    with pytest.raises(ShapeError, match="as long as the sequences"):
        net.fit(CUT, SUMS)
    with pytest.raises(ShapeError, match="one number of features and at least one step"):
        net.fit([U[0], U[1][:0]], [0.0, 1.0])
    with pytest.raises(ShapeError, match="one number of features and at least one step"):
        net.fit([U[0], U[1][:3, :1]], [0.0, 1.0])
    with pytest.raises(ShapeError, match="was fitted with X"):
        net.fit(U[:, :, 0], U[:, 0, 0]).predict([u[:n, 0] for u, n in zip(U, LENGTHS, strict=True)])
