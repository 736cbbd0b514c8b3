"""Networks with a memory: states and gradients by hand, the echo property, delayed echoes, published errors."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LinearRegression, Ridge

from neuroloom import optimizers
from neuroloom.errors import ConfigurationError, DataError, ShapeError
from neuroloom.networks import (
    EchoStateRegressor,
    ElmanClassifier,
    ElmanRegressor,
    JordanClassifier,
    JordanRegressor,
)
from neuroloom.networks.base import answer, run
from neuroloom.networks.recurrent.elman_rules import Form, descend, loss, outputs


@pytest.fixture(autouse=True)
def _engine(training_engine):
    """Every test here runs on jax and on torch."""


# ------------------------------------------------------------------------------------------------- echo state network


def reservoir(rng, **settings):
    """A network that has drawn its reservoir, and a series of two features."""
    u = rng.uniform(-1, 1, (1, 120, 2))
    return EchoStateRegressor(n_units=30, random_state=0, **settings).fit(u, rng.normal(size=(1, 120, 1))), u


def test_states_are_the_equations(rng):
    net, u = reservoir(rng, leak_rate=0.3, bias_scaling=0.5)
    a, w, b = net.input_coef_, net.recurrent_coef_, net.intercept_in_
    x, states = np.zeros(30), net.states(u)
    for t in range(120):
        x = 0.7 * x + 0.3 * np.tanh(a @ u[0, t] + w @ x + b)
        np.testing.assert_allclose(states[0, t], x, atol=1e-12)
    assert abs(a).max() <= 1 and abs(a).max() > 0.9 and 0.4 < abs(b).max() <= 0.5


@pytest.mark.parametrize("units, density, radius", [(40, 0.1, 0.9), (25, 1.0, 1.7), (3, 0.01, 0.5), (1, 0.5, 0.2)])
def test_the_reservoir_has_its_radius_and_density(rng, units, density, radius):
    net = EchoStateRegressor(n_units=units, density=density, spectral_radius=radius, random_state=1)
    w = net.fit(rng.normal(size=(8, 3)), np.arange(8)).recurrent_coef_
    assert abs(np.linalg.eigvals(w)).max() == pytest.approx(radius, rel=1e-6)
    assert ((w != 0).sum(axis=1) == max(1, round(density * units))).all()


def test_the_first_state_is_forgotten_below_radius_one(rng):
    starts = rng.uniform(-1, 1, (2, 1, 30))
    net, u = reservoir(rng, spectral_radius=0.8)
    apart = abs(net.states(u, starts[0]) - net.states(u, starts[1])).max(axis=2)[0]
    assert apart[0] > 0.3 and apart[-1] < 1e-6
    wild, u = reservoir(rng, spectral_radius=1.5, bias_scaling=0)  # without input 0 is a state, and not a stable one
    assert not wild.states(0 * u).any()
    assert abs(wild.states(0 * u, starts[0])[0, -20:]).max(axis=1).min() > 0.1
    assert abs(net.set_params(leak_rate=0.5).states(0 * u) - net.states(0 * u, starts[1]))[0, -1].max() < 1e-4


def test_a_series_goes_on_from_its_last_state(rng):
    net, u = reservoir(rng)
    cut = net.states(u[:, :50])[:, -1]
    np.testing.assert_allclose(net.states(u[:, 50:], cut), net.states(u)[:, 50:], atol=1e-12)
    np.testing.assert_allclose(net.predict(u[:, 50:], cut), net.predict(u)[:, 50:], atol=1e-9)
    assert abs(net.predict(u[:, 50:]) - net.predict(u)[:, 50:]).max() > 1e-3


def test_the_readout_is_ridge_regression(rng):
    u, y = rng.normal(size=(3, 60, 2)), rng.normal(size=(3, 60, 2))
    net = EchoStateRegressor(n_units=20, alpha=0.5, washout=10, random_state=0).fit(u, y)
    rows = np.concatenate([net.states(u), u], axis=2)
    wanted = Ridge(alpha=0.5).fit(rows[:, 10:].reshape(150, -1), y[:, 10:].reshape(150, 2))
    np.testing.assert_allclose(net.coef_, wanted.coef_, atol=1e-8)
    np.testing.assert_allclose(net.intercept_, wanted.intercept_, atol=1e-8)
    np.testing.assert_allclose(net.predict(u)[1], wanted.predict(rows[1]), atol=1e-8)


def test_targets_after_the_last_step(rng):
    u = rng.normal(size=(50, 12))
    net = EchoStateRegressor(n_units=40, alpha=1e-3, random_state=0).fit(u, u[:, -5])
    wanted = Ridge(alpha=1e-3).fit(np.hstack([net.states(u)[:, -1], u[:, -1:]]), u[:, -5])
    np.testing.assert_allclose(net.coef_[0], wanted.coef_, atol=1e-6)
    nested = EchoStateRegressor(n_units=40, alpha=1e-3, random_state=0).fit(u[:, :, None], u[:, -5])
    np.testing.assert_array_equal(nested.predict(u[:, :, None]), net.predict(u))
    assert nested.predict(u[:, :7, None]).shape == (50,)


def test_forecasts_hear_themselves(rng):
    u = np.stack([np.sin(np.arange(260) / 7), np.cos(np.arange(260) / 11)], axis=1)[None]
    net = EchoStateRegressor(n_units=60, washout=40, random_state=0).fit(u[:, :199], u[:, 1:200])
    found, known = net.forecast(u[:, :200], 5), u[:, :200]
    for i in range(5):
        known = np.concatenate([known, net.predict(known)[:, -1:]], axis=1)
        np.testing.assert_allclose(found[:, i], known[:, -1], atol=1e-6)


def test_the_memory_is_at_most_the_number_of_units(rng):
    u = rng.uniform(-1, 1, 3000)
    delays = np.stack([np.roll(u, k) for k in range(1, 41)], axis=1)
    u, delays = u[None, 50:, None], delays[None, 50:]
    net = EchoStateRegressor(n_units=20, input_scaling=0.1, bias_scaling=0, density=0.3, random_state=0)
    net.set_params(washout=50, alpha=1e-12).fit(u[:, :2000], delays[:, :2000])
    found, wanted = net.predict(u[:, 2000:])[0, 50:], delays[0, 2050:]
    capacity = sum(np.corrcoef(f, w)[0, 1] ** 2 for f, w in zip(found.T, wanted.T, strict=True))
    assert 10 < capacity <= 20 + 40 / 900  # what chance correlates with 40 delays


def narma(n, seed):
    """The tenth-order system of Atiya and Parlos (2000): its input, and the output that follows."""
    u, y = np.random.default_rng(seed).uniform(0, 0.5, n), np.zeros(n)
    for t in range(9, n - 1):
        y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
    return u[None, :-1, None], y[None, 1:, None]


def test_a_tenth_order_system_is_followed_where_a_linear_filter_is_not_enough():
    (u, y), (u_test, y_test) = narma(2000, 1), narma(3000, 2)
    net = EchoStateRegressor(n_units=100, input_scaling=0.1, bias_scaling=0.2, washout=200, alpha=1e-9, random_state=0)

    def taps(u):  # the last 30 inputs of each step
        return np.stack([np.roll(u[0, :, 0], k) for k in range(30)], axis=1)

    linear = LinearRegression().fit(taps(u)[200:], y[0, 200:]).predict(taps(u_test))
    found = {"reservoir": net.fit(u, y).predict(u_test)[0], "linear": linear}
    errors = {name: np.square(of - y_test[0])[200:].mean() / y_test.var() for name, of in found.items()}
    assert errors["reservoir"] < 0.1 and errors["reservoir"] < 0.6 * errors["linear"]


def test_what_does_not_fit_is_an_error(rng):
    net, u = reservoir(rng)
    with pytest.raises(ConfigurationError, match="needs a network fitted to its next inputs: 2 outputs, and it has 1"):
        net.forecast(u, 3)
    with pytest.raises(ShapeError, match=r"fitted with X \(sequences, steps, features\), received \(5, 2\)"):
        net.predict(u[0, :5])
    with pytest.raises(ShapeError, match=r"expected states \(sequences, units\) \(1, 30\), received \(30,\)"):
        net.states(u, np.zeros(30))
    with pytest.raises(DataError, match="washout=120 leaves nothing of sequences of 120 steps"):
        EchoStateRegressor(washout=120).fit(u, u)
    with pytest.raises(ShapeError, match=r"target for each of 1 sequences and 120 steps, received y \(1, 119, 2\)"):
        EchoStateRegressor().fit(u, u[:, 1:])
    with pytest.raises(ShapeError, match=r"target for each of 1 sequences, received y \(120,\)"):
        EchoStateRegressor().fit(u, u[0, :, 0])
    with pytest.raises(ValueError, match="3 features"):
        net.predict(np.zeros((1, 4, 3)))


# --------------------------------------------------------------------------------------------------- Elman and Jordan


def tiny(rng, heard):
    """Weights of 3 features, 4 units, 2 outputs; 5 steps of 6 sequences; targets at every step."""
    shapes = (3, 4), (heard, 4), (4,), (4, 2), (2,)
    weights = tuple(rng.normal(size=shape) for shape in shapes)
    return weights, rng.normal(size=(5, 6, 3)), softmax(rng.normal(size=(5, 6, 2)), axis=-1)


def by_hand(weights, x, memory, classify):
    """All outputs of one sequence x (steps, features), before the softmax."""
    a, w, b, v, c = weights
    heard, found = np.zeros(len(w)), []
    for u in x:
        h = np.tanh(u @ a + heard @ w + b)
        z = h @ v + c
        heard = h if memory is None else memory * heard + (softmax(z) if classify else z)
        found.append(z)
    return np.array(found)


MODES = [(memory, classify) for memory in (None, 0.0, 0.6) for classify in (False, True)]


@pytest.mark.parametrize("memory, classify", MODES)
def test_outputs_and_losses_by_hand(rng, memory, classify):
    weights, x, targets = tiny(rng, 4 if memory is None else 2)
    z = np.stack([by_hand(weights, x[:, i], memory, classify) for i in range(6)], axis=1)
    start = np.zeros((6, len(weights[1])))
    found = answer(None, outputs, weights, x, None, memory, start, form=Form(classify, True))
    np.testing.assert_allclose(found, softmax(z, axis=-1) if classify else z, atol=1e-12)
    last = answer(None, outputs, weights, x, None, memory, start, form=Form(classify, False))
    np.testing.assert_array_equal(last, found[-1])
    error = -(targets * log_softmax(z, axis=-1)).sum(axis=-1) if classify else (z - targets) ** 2
    for each in (True, False):
        data = x, None, targets if each else targets[-1]
        value = answer(None, loss, weights, data, memory, form=Form(classify, each))
        assert value == pytest.approx(error.mean() if each else error[-1].mean(), rel=1e-12)


def gradients(engine, weights, data, memory, *, form):
    def error(weights):
        return loss(engine, weights, data, memory, form=form), ()

    return engine.value_and_grad(error)(weights)[1]


@pytest.mark.parametrize("each", [True, False])
@pytest.mark.parametrize("memory, classify", MODES)
def test_gradients_go_back_through_all_steps(rng, memory, classify, each):
    weights, x, targets = tiny(rng, 4 if memory is None else 2)
    data, form = (x, None, targets if each else targets[-1]), Form(classify, each)
    found = answer(None, gradients, weights, data, memory, form=form)
    for k, part in enumerate(weights):
        for place in np.ndindex(part.shape):
            ends = []
            for change in (1e-5, -1e-5):
                moved = [w.copy() for w in weights]
                moved[k][place] += change
                ends.append(answer("numpy", loss, tuple(moved), data, memory, form=form))
            assert found[k][place] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-9)


def test_steps_are_adams_along_gradients_of_length_one(rng):
    weights, x, targets = tiny(rng, 4)
    data, form, w = (x, None, 20 * targets), Form(False, True), np.concatenate([part.ravel() for part in weights])
    adam = optimizers.Adam(epsilon=1e-4)
    found, _, curve, _ = run(
        None, descend, w, adam.init(w), np.zeros(4), data, None, 0.1, 0.0, 0, form=form, algorithm="adam", momentum=0.9,
        shapes=tuple(part.shape for part in weights),
    )  # fmt: skip
    slots = adam.init(weights)
    for i in range(4):
        grads = answer(None, gradients, weights, data, None, form=form)
        length = np.sqrt(sum((g**2).sum() for g in grads))
        assert length > 1
        weights, slots = adam.update(weights, tuple(g / length for g in grads), slots, 0.1, i)
        assert curve[i] == pytest.approx(answer("numpy", loss, weights, data, None, form=form), rel=1e-4)
    np.testing.assert_allclose(found, np.concatenate([part.ravel() for part in weights]), atol=1e-4)


def test_elman_learns_what_a_gradient_of_one_step_cannot(rng):
    """The target is the input of five steps before: nothing in a single step tells of it."""
    u, u_test = rng.uniform(-1, 1, (2, 80, 6))
    net = ElmanRegressor(n_hidden=12, max_iter=250, learning_rate=0.02, random_state=0).fit(u, u[:, 0])
    assert net.score(u_test, u_test[:, 0]) > 0.9
    assert net.loss_curve_[-1] < 0.1 * net.loss_curve_[0] and net.loss_curve_.shape == (250,)


def test_elman_solves_the_temporal_exclusive_or(rng):
    """Elman's first experiment: each third bit is the exclusive or of the two before it."""
    bits = rng.integers(0, 2, (40, 9))
    bits[:, 2::3] = bits[:, 0::3] ^ bits[:, 1::3]
    X, y = bits[:, :-1, None], bits[:, 1:]
    net = ElmanClassifier(n_hidden=12, max_iter=300, learning_rate=0.03, random_state=0).fit(X, y)
    assert (net.predict(X)[:, 1::3] == y[:, 1::3]).all()  # the bits that can be known
    assert net.predict_proba(X).shape == (40, 8, 2)
    assert 0.6 < net.score(X, y) < 1
    assert net.score(X, y) == (net.predict(X) == y).mean()


def test_jordan_goes_on_from_what_it_said(rng):
    bits = rng.integers(0, 2, (40, 7, 1))
    state = np.array(["even", "odd"])[np.cumsum(bits[:, :, 0], axis=1) % 2]
    net = JordanClassifier(n_hidden=10, max_iter=250, learning_rate=0.03, random_state=0).fit(bits, state)
    longer = rng.integers(0, 2, (20, 30, 1))
    wanted = np.array(["even", "odd"])[np.cumsum(longer[:, :, 0], axis=1) % 2]
    assert net.score(longer, wanted) == 1
    steps = JordanRegressor(n_hidden=10, max_iter=250, learning_rate=0.03, memory=0.5, random_state=0)
    total = np.cumsum(bits, axis=1) / 7
    assert steps.fit(bits, total).score(bits, total) > 0.9
    assert steps.recurrent_coef_.shape == (1, 10) and net.recurrent_coef_.shape == (2, 10)


def test_scores_of_steps_take_no_weights(rng):
    bits = rng.integers(0, 2, (10, 3, 1))
    net = ElmanClassifier(max_iter=1, random_state=0).fit(bits, bits[:, :, 0])
    with pytest.raises(ConfigurationError, match="no sample_weight, as there is a target at every step"):
        net.score(bits, bits[:, :, 0], np.ones(10))
