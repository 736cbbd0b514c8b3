"""Restricted Boltzmann machines and stacks of them, against sums over all states and closed forms."""

import itertools

import numpy as np
import pytest
from scipy.special import expit, logsumexp

from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks import BernoulliRBM, DeepBeliefClassifier, DeepBeliefNetwork, GaussianRBM
from neuroloom.networks.base import run
from neuroloom.networks.boltzmann import deep_belief
from neuroloom.networks.boltzmann import rbm_rules as rules
from neuroloom.ops import draws


def states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def with_weights(cls, rng, features, components, scale=1.0):
    """A fitted machine whose weights are replaced by larger random ones."""
    net = cls(n_components=components, epochs=1, random_state=0).fit(rng.random((20, features)))
    net.components_ = (scale * rng.normal(size=(components, features))).astype(np.float32)
    net.intercept_visible_ = rng.normal(size=features).astype(np.float32)
    net.intercept_hidden_ = rng.normal(size=components).astype(np.float32)
    return net


def joint(net, v):
    """-E(v, h) for rows v and all states h of a binary machine, as the paper writes it."""
    w, b, c = (part.astype(float) for part in (net.components_, net.intercept_visible_, net.intercept_hidden_))
    return np.array([[v_ @ b + h @ c + h @ w @ v_ for h in states(len(c))] for v_ in v])


def probabilities(net):
    """p(v) of all visible states of a binary machine."""
    weights = logsumexp(joint(net, states(net.n_features_in_)), axis=1)
    return np.exp(weights - logsumexp(weights))


# ---------------------------------------------------------------------------------------------------- likelihoods


def test_free_energy_by_hand():
    net = BernoulliRBM(n_components=1, epochs=1, random_state=0).fit([[0.0, 1.0], [1.0, 0.0]])
    net.components_, net.intercept_visible_, net.intercept_hidden_ = (
        np.array([[2.0, -1]]),
        np.array([0.5, 1]),
        np.ones(1),
    )
    np.testing.assert_allclose(net.free_energy([[1, 1]]), [-1.5 - np.log(1 + np.exp(2))], rtol=1e-12)
    np.testing.assert_allclose(net.transform([[1, 0]]), [[expit(3)]], rtol=1e-12)
    np.testing.assert_allclose(net.inverse_transform([[1]]), [expit([2.5, 0])], rtol=1e-12)
    with pytest.raises(ShapeError, match="expected 1 columns, received 2"):
        net.inverse_transform([[1, 1]])


@pytest.mark.parametrize("features, components", [(3, 6), (6, 3)])
def test_likelihood_is_the_sum_over_all_states(rng, features, components):
    net = with_weights(BernoulliRBM, rng, features, components)
    np.testing.assert_allclose(net.log_likelihood(states(features)), np.log(probabilities(net)), rtol=1e-6)


def test_gaussian_likelihood_is_a_mixture(rng):
    net = with_weights(GaussianRBM, rng, 2, 3)
    axis = np.linspace(-15, 15, 301)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert np.exp(net.log_likelihood(grid)).sum() * 0.1**2 == pytest.approx(1, abs=1e-6)
    w, b, c = net.components_, net.intercept_visible_, net.intercept_hidden_
    h = states(3)
    weights = h @ c + h @ w @ b + ((h @ w) ** 2).sum(axis=1) / 2
    parts = weights - logsumexp(weights) - ((grid[7] - b - h @ w) ** 2).sum(axis=1) / 2 - np.log(2 * np.pi)
    assert net.log_likelihood(grid[7:8])[0] == pytest.approx(logsumexp(parts), rel=1e-6)


def test_too_many_units_to_enumerate_are_an_error(rng):
    net = with_weights(BernoulliRBM, rng, 21, 22)
    with pytest.raises(ConfigurationError, match="at most 20 units to enumerate, received 21"):
        net.log_likelihood(np.zeros((1, 21)))
    assert np.isfinite(net.log_likelihood(np.zeros((1, 21)), log_z=net.ais(chains=5, steps=5)[0])).all()


def test_pseudo_likelihood_is_that_of_each_unit_given_the_others(rng):
    net = with_weights(BernoulliRBM, rng, 4, 3)
    p = probabilities(net)
    expected = []
    for v in states(4):
        at = int(v @ [8, 4, 2, 1])
        expected.append(sum(np.log(p[at] / (p[at] + p[at ^ bit])) for bit in (8, 4, 2, 1)))
    np.testing.assert_allclose(net.score_samples(states(4)), expected, rtol=1e-5)
    many = np.repeat(states(4), 4000, axis=0).astype(np.float32)
    measured = run(None, _measure, net._net, many, draws.key(0, "m"))
    assert measured == pytest.approx(-np.mean(expected), abs=0.02)


def _measure(engine, net, v, key):
    return rules.measure(net, v, key, "binary")


@pytest.mark.parametrize("cls", [BernoulliRBM, GaussianRBM])
def test_annealing_estimates_the_sum_over_all_states(rng, cls):
    net = with_weights(cls, rng, 12, 10, scale=0.5)
    found, low, high = net.ais(chains=300, steps=500)
    assert found == pytest.approx(net.log_partition(), abs=0.05)
    assert low <= net.log_partition() <= high and high - low < 0.3


def test_bounds_by_hand():
    found, low, high = rules.bounds(np.log([1.0, 3.0]) + 900)
    np.testing.assert_allclose([found - 900, high - 900], np.log([2, 2 + 3 / np.sqrt(2)]))
    assert low == -np.inf


# ------------------------------------------------------------------------------------------------------- gradients


def exact_gradient(net, X):
    """Of the mean log-likelihood of X, by the states' probabilities; all three parts in one vector."""

    def mean(p):
        v, h = states(net.n_features_in_), states(len(net.intercept_hidden_))
        return np.concatenate([np.einsum("vh,hj,vi->ji", p, h, v).ravel(), p.sum(axis=1) @ v, p.sum(axis=0) @ h])

    energies = joint(net, states(net.n_features_in_))
    given = np.exp(energies - logsumexp(energies, axis=1, keepdims=True))
    data = np.array([(states(net.n_features_in_) == x).all(axis=1) for x in X]).mean(axis=0)
    return mean(data[:, None] * given) - mean(np.exp(energies - logsumexp(energies)))


def test_gradient_against_central_differences(rng):
    net = with_weights(BernoulliRBM, rng, 5, 5)
    X = states(5)[rng.integers(0, 32, 9)]
    net.components_, net.intercept_visible_, net.intercept_hidden_ = (part.astype(float) for part in net._net)
    found = []
    for part in net._net:
        for i in range(part.size):
            sides = []
            for step in (1e-5, -1e-5):
                part.flat[i] += step
                sides.append(net.log_likelihood(X).mean())
                part.flat[i] -= step
            found.append((sides[0] - sides[1]) / 2e-5)
    np.testing.assert_allclose(found, exact_gradient(net, X), atol=1e-7)


def _gradient(engine, net, v, share, chains, key, *, k, persistent):
    return rules.gradient(net, v, share, chains, key, k=k, persistent=persistent, kind="binary")


def flat(parts):
    return np.concatenate([np.ravel(part) for part in parts])


def test_the_rule_follows_the_gradient_where_its_chains_are_the_models(rng, training_engine):
    net = with_weights(BernoulliRBM, rng, 5, 5, scale=0.7)
    X = states(5)[rng.integers(0, 32, 9)].astype(np.float32)
    p = np.exp(logsumexp(joint(net, states(5)), axis=0))
    chains = states(5)[rng.choice(32, 300_000, p=p / p.sum())].astype(np.float32)
    share = np.full((9, 1), 1 / 9)
    step, after = run(None, _gradient, net._net, X, share, chains, draws.key(1, "g"), k=1, persistent=True)
    np.testing.assert_allclose(flat(step), exact_gradient(net, X), atol=0.006)
    assert after.shape == chains.shape and abs(after.mean(axis=0) - chains.mean(axis=0)).max() < 0.006


@pytest.mark.parametrize("k", [1, 2])
def test_contrastive_divergence_in_expectation(rng, k):
    net = with_weights(BernoulliRBM, rng, 4, 3)
    energies = joint(net, states(4))
    up = np.exp(energies - logsumexp(energies, axis=1, keepdims=True))  # p(h | v)
    down = np.exp(energies - logsumexp(energies, axis=0, keepdims=True)).T  # p(v | h)
    x = 6
    after = np.linalg.matrix_power(up @ down, k)[x]
    v, h = states(4), states(3)
    expected = [up[x] @ h[:, j] * v[x, i] - after * v[:, i] @ up @ h[:, j] for j in range(3) for i in range(4)]
    expected = np.concatenate([expected, v[x] - after @ v, (up[x] - after @ up) @ h])
    X = np.repeat(v[x : x + 1], 200_000, axis=0).astype(np.float32)
    share = np.full((len(X), 1), 1 / len(X))
    step, _ = run("jax", _gradient, net._net, X, share, np.zeros((1, 3)), draws.key(1, "g"), k=k, persistent=False)
    np.testing.assert_allclose(flat(step), expected, atol=0.006)


@pytest.mark.parametrize("persistent", [True, False])
def test_steps_by_hand(persistent, training_engine):
    """Biases so large that every draw is certain: rates, momentum, decay, and a last batch that is not full."""
    p = {"rate": 0.1, "momentum": 0.5, "decay": 0.2}
    net = (np.array([[1.0, 2.0]]), np.array([60.0, -60.0]), np.array([60.0]))
    X = np.array([[0.0, 1.0]] * 5)
    expected, velocity = [part.copy() for part in net], [0 * part for part in net]
    for _ in range(4):  # batches of 3 and 2, twice; the data is (0, 1), the dream (1, 0), and h = 1
        gradient = [np.array([[-1.0, 1.0]]) - p["decay"] * expected[0], np.array([-1.0, 1.0]), np.zeros(1)]
        velocity = [p["momentum"] * old + g for old, g in zip(velocity, gradient, strict=True)]
        expected = [w + p["rate"] * g for w, g in zip(expected, velocity, strict=True)]
    start = [np.zeros_like(part) for part in net]
    settings = {"batch": 3, "epochs": 2, "k": 2, "persistent": persistent, "moving": True, "kind": "binary"}
    found, moved, chains, curve = run(
        None, rules.train, net, tuple(start), np.zeros((3, 1)), X, draws.key(0, "t"), *p.values(), **settings
    )
    np.testing.assert_allclose(flat(found), flat(expected), rtol=1e-5)
    np.testing.assert_allclose(flat(moved), flat(velocity), rtol=1e-5)
    assert chains.shape == (3, 1) and curve.shape == (2,)


def test_no_momentum_and_full_momentum_of_zero_are_one(rng):
    X = states(3)
    net = (np.zeros((2, 3)), np.zeros(3), np.zeros(2))
    settings = {"batch": 4, "epochs": 3, "k": 1, "persistent": True, "kind": "binary"}
    args = (net, net, np.zeros((4, 2)), X, draws.key(0, "t"), 0.3, 0.0, 0.0)
    a, b = (run("jax", rules.train, *args, moving=moving, **settings)[0] for moving in (False, True))
    np.testing.assert_array_equal(flat(a), flat(b))


# --------------------------------------------------------------------------------------------------------- sampling


def test_chains_end_in_the_models_distribution(rng):
    net = with_weights(BernoulliRBM, rng, 4, 3)
    net.set_params(engine="jax")
    drawn = net.sample(60_000, steps=60)
    found = np.bincount((drawn @ [8, 4, 2, 1]).astype(int), minlength=16) / len(drawn)
    np.testing.assert_allclose(found, probabilities(net), atol=0.006)
    assert (net.sample(50, 5) == net.sample(50, 5)).all() and (net.sample(50, 5) != net.sample(50, 5, seed=1)).any()
    assert net.sample(steps=1, X=np.ones((7, 4))).shape == (7, 4)


def test_gaussian_chains_end_in_the_mixture(rng):
    net = with_weights(GaussianRBM, rng, 2, 2, scale=0.8)
    drawn = net.set_params(engine="jax").sample(60_000, steps=100)
    w, b, c = net._net
    h = states(2)
    weights = h @ c + h @ w @ b + ((h @ w) ** 2).sum(axis=1) / 2
    p = np.exp(weights - logsumexp(weights))
    means = b + h @ w
    centred = means - p @ means
    np.testing.assert_allclose(drawn.mean(axis=0), p @ means, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(2) + (p[:, None] * centred).T @ centred, atol=0.06)


# --------------------------------------------------------------------------------------------------------- learning


def pairs():
    """Four units of which two pairs mostly agree, and the mean log-likelihood that no model exceeds."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.integers(0, 2, (300, 2)), 2, axis=1)
    for column, rate in ((3, 0.2), (1, 0.1)):
        X[:, column] ^= rng.random(300) < rate
    _, counts = np.unique(X, axis=0, return_counts=True)
    return X.astype(float), float((counts / 300 * np.log(counts / 300)).sum())


@pytest.mark.parametrize(
    "settings, batch, rate, epochs",
    [
        ({}, 7, 0.03, 300),
        ({}, 64, 0.06, 1200),
        ({}, 1000, 0.3, 1000),
        ({"persistent": False, "k": 5}, 64, 0.06, 1200),
        ({"persistent": False, "k": 5}, 1000, 0.3, 1000),
    ],
)
def test_the_best_likelihood_is_reached_with_any_batch(settings, batch, rate, epochs):
    X, best = pairs()
    net = BernoulliRBM(n_components=4, batch_size=batch, learning_rate=rate, epochs=epochs, random_state=0, **settings)
    assert best - 0.1 < net.set_params(engine="jax").fit(X).log_likelihood(X).mean() <= best


@pytest.mark.parametrize("chunk, rate, epochs", [(30, 0.2, 150), (150, 0.1, 400)])
def test_the_best_likelihood_is_reached_with_any_chunk(chunk, rate, epochs):
    X, best = pairs()
    net = BernoulliRBM(n_components=4, batch_size=40, learning_rate=rate, k=5, engine="jax", random_state=0)
    for _ in range(epochs):
        for i in range(0, 300, chunk):
            net.partial_fit(X[i : i + chunk])
    assert best - 0.1 < net.log_likelihood(X).mean() <= best
    assert net.n_iter_ == len(net.loss_curve_) == epochs * 300 // chunk
    np.testing.assert_allclose(net.means_, X.mean(axis=0), atol=1e-9)


def test_gaussian_learning_finds_the_modes(rng):
    X = rng.normal(size=(400, 2)) + np.array([[3, 3], [-3, -3]] * 200)
    net = GaussianRBM(n_components=1, epochs=60, engine="jax", random_state=0).fit(X)
    one = -np.log(2 * np.pi) - 1 - np.log(2)  # the mean log-likelihood of the mixture that made X
    assert net.log_likelihood(X).mean() == pytest.approx(one, abs=0.1)
    assert net.loss_curve_[-1] < 1.2


def nudged():
    """scikit-learn's example: the digits and the same shifted by a pixel in four directions."""
    from scipy.ndimage import convolve
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import minmax_scale

    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32).reshape(-1, 8, 8)
    shifts = [np.zeros((3, 3)) for _ in range(4)]
    for shift, place in zip(shifts, [(0, 1), (1, 0), (1, 2), (2, 1)], strict=True):
        shift[place] = 1
    moved = [convolve(image, shift, mode="constant") for shift in shifts for image in X]
    X = minmax_scale(np.concatenate([X, moved]).reshape(-1, 64))
    return train_test_split(X, np.tile(y, 5), test_size=0.2, random_state=0)


@pytest.mark.slow
def test_features_help_a_linear_classifier():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    a, b, y_a, y_b = nudged()
    rbm = BernoulliRBM(n_components=100, learning_rate=0.06, epochs=10, engine="jax", random_state=0)
    with_features = make_pipeline(rbm, LogisticRegression(solver="newton-cg", C=6000)).fit(a, y_a)
    raw = LogisticRegression(solver="newton-cg", C=100).fit(a, y_a)
    assert with_features.score(b, y_b) - raw.score(b, y_b) >= 0.12


# ----------------------------------------------------------------------------------------------------------- stacks


def test_each_machine_learns_from_the_probabilities_below(rng):
    X = rng.integers(0, 2, (60, 5)).astype(float)
    settings = {"learning_rate": 0.2, "epochs": 3, "batch_size": 7, "k": 2, "momentum": 0.5}
    net = DeepBeliefNetwork(layers=(4, 3), random_state=0, **settings).fit(X)
    first, second = net.rbms_
    below = run(None, rules.hidden_means, first._net, X)
    alone = BernoulliRBM(n_components=3, random_state=second.random_state, **settings).fit(below)
    np.testing.assert_array_equal(alone.components_, second.components_)
    np.testing.assert_allclose(net.transform(X), second.transform(first.transform(X)), atol=1e-6)
    up_and_down = first.inverse_transform(second.inverse_transform(net.transform(X)))
    np.testing.assert_allclose(net.reconstruct(X), up_and_down, atol=1e-9)
    gaussian = DeepBeliefNetwork(layers=(4,), visible="gaussian", epochs=1, random_state=0).fit(X)
    assert isinstance(gaussian.rbms_[0], GaussianRBM) and gaussian.rbms_[0].learning_rate == pytest.approx(0.005)


def test_dreams_have_the_distribution_of_the_stack(rng):
    net = DeepBeliefNetwork(layers=(2, 3), epochs=1, engine="jax", random_state=0).fit(states(3))
    for rbm in net.rbms_:
        rbm.components_ = (1.5 * rng.normal(size=rbm.components_.shape)).astype(np.float32)
    top = probabilities(net.rbms_[1])  # of the two units of the first layer
    expected = top @ net.rbms_[0].inverse_transform(states(2))
    found = net.sample(20_000, steps=50)
    np.testing.assert_allclose(found.mean(axis=0), expected, atol=0.012)
    np.testing.assert_allclose(np.unique(found.round(5), axis=0).shape, (4, 3))  # means given each state
    assert (net.sample(9, 5, seed=1) != net.sample(9, 5)).any()


def test_the_first_step_of_tuning_is_adams_along_the_gradient(rng, training_engine):
    layers = [(rng.normal(size=(4, 3)), rng.normal(size=4)), (rng.normal(size=(3, 4)), rng.normal(size=3))]
    X, labels = rng.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])

    def loss():
        h = expit(X @ layers[0][0].T + layers[0][1])
        z = h @ layers[1][0].T + layers[1][1]
        return -(z[np.arange(5), labels] - logsumexp(z, axis=1)).mean()

    learned, curve = run(None, deep_belief.tune, layers, X, labels, 1e-3, draws.key(0, "t"), batch=5, epochs=1)
    assert curve[0] == pytest.approx(loss(), rel=1e-5)
    for part, new in zip([p for layer in layers for p in layer], [p for layer in learned for p in layer], strict=True):
        for i in range(part.size):
            sides = []
            for step in (1e-5, -1e-5):
                part.flat[i] += step
                sides.append(loss())
                part.flat[i] -= step
            if abs(sides[0] - sides[1]) > 1e-8:
                assert new.flat[i] - part.flat[i] == pytest.approx(-1e-3 * np.sign(sides[0] - sides[1]), rel=0.02)


def test_the_last_batch_of_tuning_counts_its_rows(rng):
    X, labels = rng.normal(size=(5, 3)), np.array([0, 1, 1, 1, 0])
    layers = [(np.zeros((2, 3)), np.array([0.0, 1.0]))]
    _, curve = run("jax", deep_belief.tune, layers, X, labels, 1e-9, draws.key(0, "t"), batch=3, epochs=2)
    z = np.log(1 + np.exp([1.0, -1.0]))  # the loss of a row of each class
    np.testing.assert_allclose(curve, (2 * z[0] + 3 * z[1]) / 5, rtol=1e-5)


def test_pretrained_layers_are_tuned_to_classify():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    net = DeepBeliefClassifier(layers=(60,), epochs=5, tuning_rate=0.01, engine="jax", random_state=0)
    net.fit(X[:1000] / 16, y[:1000])
    assert net.score(X[1000:] / 16, y[1000:]) > 0.85
    assert net.loss_curve_[-1] < 0.3 * net.loss_curve_[0]
    np.testing.assert_allclose(net.predict_proba(X[:50] / 16).sum(axis=1), 1, rtol=1e-9)
