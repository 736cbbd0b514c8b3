"""What a network cannot use is said: values outside its domain, weights that became NaN."""

import warnings

import numpy as np
import pytest

import neuroloom as nl
from neuroloom.errors import NonFiniteError

RNG = np.random.default_rng(0)
BITS = (RNG.random((60, 6)) < 0.4).astype(float)
DOMAINS = {"bytes": 255 * BITS, "signs": 2 * BITS - 1, "normal": RNG.normal(size=(60, 6))}

BINARY = [
    nl.networks.BernoulliRBM(n_components=3, epochs=2, random_state=0),
    nl.networks.DeepBeliefNetwork(layers=(4, 3), epochs=2, random_state=0),
    nl.networks.DeepBoltzmannMachine(layers=(4, 3), epochs=2, pretrain_epochs=1, random_state=0),
]


def names(value):
    return value if isinstance(value, str) else type(value).__name__


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("network", BINARY, ids=names)
def test_values_outside_0_to_1_count_as_0_or_1_with_a_warning(network, domain):
    """Fault 13: 0..255, -1/1 and normal data were taken without a word, and then had positive log-likelihoods."""
    X = DOMAINS[domain]
    cut = np.clip(X, 0, 1)
    make = type(network)
    with pytest.warns(UserWarning, match=f"{make.__name__} expected values from 0 to 1, received values from"):
        wild = make(**network.get_params()).fit(X)
    plain = make(**network.get_params()).fit(cut)
    questions = ("transform", "reconstruct", "free_energy", "score_samples", "log_likelihood", "lower_bound")
    for question in [q for q in questions if hasattr(network, q)]:
        with pytest.warns(UserWarning, match="expected values from 0 to 1"):
            said = getattr(wild, question)(X)
        np.testing.assert_array_equal(said, getattr(plain, question)(cut), err_msg=question)
        if question in ("log_likelihood", "lower_bound", "score_samples"):
            assert (said <= 0).all(), question


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_classifier_says_so_too(domain):
    """Fault 13: for its machines; fine-tuning takes the values as they are, and Gaussian columns may have any value."""
    X, y = DOMAINS[domain], np.arange(60) % 2
    few = {"layers": (4,), "epochs": 1, "tuning_epochs": 2, "random_state": 0, "engine": "jax"}
    with pytest.warns(UserWarning, match="DeepBeliefClassifier expected values from 0 to 1"):
        net = nl.networks.DeepBeliefClassifier(**few).fit(X, y)
    z = X
    for rbm in net.rbms_:
        z = 1 / (1 + np.exp(-(z @ rbm.components_.T + rbm.intercept_hidden_)))
    logits = z @ net.coef_.T + net.intercept_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        right = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(net.predict_proba(X), right, atol=1e-6)
        nl.networks.DeepBeliefClassifier(**few, visible="gaussian").fit(X / abs(X).max(), y)


def test_what_lies_within_0_and_1_is_taken_without_a_word():
    """Fault 13: rounding beyond 1, as scalers leave it, is no cause for a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nl.networks.BernoulliRBM(n_components=2, epochs=1, random_state=0).fit(BITS * (1 + 1e-9))


def test_signs_and_bits_are_the_same_data():
    """Fault 13: -1 counts as 0."""
    few = {"n_components": 3, "epochs": 5, "random_state": 0}
    with pytest.warns(UserWarning, match="from -1 to 1"):
        signs = nl.networks.BernoulliRBM(**few).fit(2 * BITS - 1)
    np.testing.assert_array_equal(signs.components_, nl.networks.BernoulliRBM(**few).fit(BITS).components_)


# -------------------------------------------------------------------------------------------------- not finite

POINTS, LABELS = RNG.normal(size=(60, 3)), np.arange(60) % 3
FAST = {"learning_rate": 1e12, "random_state": 0}
WILD = [
    (nl.networks.GaussianRBM(n_components=4, **FAST), POINTS),
    (nl.networks.BernoulliRBM(n_components=4, epochs=30, momentum=0.9, weight_decay=10.0, **FAST), BITS),
    (nl.networks.DeepBeliefNetwork(layers=(3,), visible="gaussian", **FAST), POINTS),
    (nl.networks.DeepBoltzmannMachine(layers=(3, 2), **{**FAST, "learning_rate": 1e38}), BITS),
    (nl.networks.BoltzmannMachine(n_hidden=1, weight_decay=10.0, **FAST), BITS),
    (nl.networks.Oja(**FAST), POINTS),
    (nl.networks.Sanger(**FAST), POINTS),
]
SUPERVISED = [
    (nl.networks.CMAC(**FAST), POINTS[:, 0]),
    (nl.networks.LVQ(**FAST), LABELS),
    (nl.networks.RBFRegressor(centers="gradient", engine="jax", **{**FAST, "learning_rate": 1e38}), POINTS[:, 0]),
    (nl.networks.DeepBeliefClassifier(layers=(3,), visible="gaussian", engine="jax", **FAST), LABELS),
]


@pytest.mark.parametrize("network, X", WILD, ids=names)
def test_weights_that_are_no_numbers_are_an_error(network, X):
    """Fault 32: GaussianRBM became NaN in silence; so did every network here."""
    with pytest.raises(NonFiniteError, match=r"became NaN or infinite while it learned. Scale the features"):
        network.fit(X)


@pytest.mark.parametrize("network, y", SUPERVISED, ids=names)
def test_weights_that_are_no_numbers_are_an_error_beside_targets(network, y):
    """Fault 32: those that learn from targets, too."""
    with pytest.raises(NonFiniteError, match=r"became NaN or infinite while it learned. Scale the features"):
        network.fit(POINTS, y)


def test_a_further_pass_that_fails_leaves_the_network_as_it_was():
    """Fault 32: in `partial_fit`."""
    net = nl.networks.GaussianRBM(n_components=2, random_state=0).fit(POINTS)
    before = net.components_.copy()
    with pytest.raises(NonFiniteError):
        net.set_params(learning_rate=1e30).partial_fit(1e6 * POINTS)
    np.testing.assert_array_equal(net.components_, before)


@pytest.mark.parametrize("network", [*BINARY, nl.networks.GaussianRBM(n_components=2)], ids=names)
def test_nan_and_infinite_rows_are_errors(network):
    """Fault 32: as those of the other networks."""
    for value in (np.nan, np.inf):
        X = BITS.copy()
        X[3, 1] = value
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            type(network)(**network.get_params()).fit(X)
