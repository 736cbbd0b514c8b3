"""Deep Boltzmann machines against sums over all states of all units."""

import itertools

import numpy as np
import pytest
from scipy.special import expit, logsumexp

from neuroloom import ops
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.networks import BernoulliRBM, DeepBoltzmannMachine
from neuroloom.networks.base import answer, run
from neuroloom.networks.boltzmann import deep_boltzmann_rules as rules
from neuroloom.networks.boltzmann import rbm_rules
from neuroloom.ops import draws

QUICK = {"epochs": 1, "pretrain_epochs": 0, "mean_field_steps": 1, "k": 1, "random_state": 0}


def states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def machine(rng, *layers, features=4, scale=1.0, engine="numpy"):
    """A fitted machine whose weights are replaced by larger random ones, in float64."""
    net = DeepBoltzmannMachine(layers=layers, engine=engine, **QUICK).fit(rng.integers(0, 2, (12, features)))
    for name in ("weights_", "intercept_even_", "intercept_odd_"):
        setattr(net, name, getattr(net, name).astype(float))
    for part in (*net.coefs_, *net.intercepts_):
        part[:] = scale * rng.normal(size=part.shape)
    return net


def minus_energy(net, s):
    """-E of rows of states of all layers, as the paper writes it."""
    layers = np.split(s, np.cumsum(net.units_)[:-1], axis=1)
    pairs = zip(layers[:-1], net.coefs_, layers[1:], strict=True)
    return sum(h @ c for h, c in zip(layers, net.intercepts_, strict=True)) + sum(
        np.einsum("ni,ij,nj->n", below, w, above) for below, w, above in pairs
    )


def log_joint(net):
    """ln P of all states: (visible states, hidden states)."""
    found = minus_energy(net, states(net.units_.sum())).reshape(2 ** net.units_[0], -1)
    return found - logsumexp(found)


# --------------------------------------------------------------------------------------------- energy, likelihood


def test_energy_by_hand():
    net = DeepBoltzmannMachine(layers=(1, 1), engine="numpy", **QUICK).fit([[0.0, 1.0], [1.0, 0.0]])
    (w1, w2), (b, c1, c2) = net.coefs_, net.intercepts_
    w1[:], w2[:], b[:], c1[:], c2[:] = [[2], [-1]], 3, [0.5, 1], 0.25, -2
    #        v     h1 h2         b          c    W
    hand = {(1, 1, 1, 1): -(0.5 + 1 + 0.25 - 2 + 2 - 1 + 3), (1, 0, 0, 1): -(0.5 - 2), (0, 1, 1, 0): -(1 + 0.25 - 1)}
    np.testing.assert_allclose(net.energy(list(hand)), list(hand.values()), rtol=1e-12)
    assert net.weights_.tolist() == [[2, -1, 3]] and net.intercept_even_.tolist() == [0.5, 1, -2]
    with pytest.raises(ShapeError, match=r"energy expected shape \(rows, 4\), received \(1, 3\)"):
        net.energy([[1, 1, 1]])


@pytest.mark.parametrize("layers", [(3,), (3, 2), (2, 3, 2), (2, 1, 2, 3)])
def test_likelihood_is_the_sum_over_all_states(rng, layers):
    net = machine(rng, *layers)
    every = states(net.units_.sum())
    np.testing.assert_allclose(net.energy(every), -minus_energy(net, every), atol=1e-10)
    assert net.log_partition() == pytest.approx(logsumexp(minus_energy(net, every)), rel=1e-10)
    exact = logsumexp(log_joint(net), axis=1)
    np.testing.assert_allclose(net.log_likelihood(states(4)), exact, rtol=1e-9)
    assert (net.lower_bound(states(4)) <= exact + 1e-9).all()


def test_one_hidden_layer_is_a_restricted_machine(rng):
    net, X = machine(rng, 3), states(4)
    rbm = BernoulliRBM(n_components=3, epochs=1, random_state=0).fit(X)
    rbm.components_, rbm.intercept_visible_, rbm.intercept_hidden_ = net.coefs_[0].T, *net.intercepts_
    for found in (net.log_likelihood(X), net.lower_bound(X)):
        np.testing.assert_allclose(found, rbm.log_likelihood(X), rtol=1e-9)
    np.testing.assert_allclose(net.transform(X), rbm.transform(X), rtol=1e-9)
    np.testing.assert_allclose(net.reconstruct(X), rbm.reconstruct(X), rtol=1e-9)


def test_too_many_units_to_enumerate_are_an_error(rng):
    net = DeepBoltzmannMachine(layers=(21, 22), engine="numpy", **QUICK).fit(rng.integers(0, 2, (5, 3)))
    with pytest.raises(ConfigurationError, match=r"at most 20 units .* received 21 and 25\. Estimate: lower_bound"):
        net.log_partition()
    with pytest.raises(ConfigurationError, match="received 22 and 21"):
        net.log_likelihood(np.zeros((1, 3)), log_z=1.0)
    assert np.isfinite(net.lower_bound(np.zeros((1, 3)), log_z=net.ais(chains=5, steps=5)[0])).all()


def test_one_small_side_is_enough(rng):
    net = machine(rng, 25, 2, features=3)
    assert np.exp(net.log_likelihood(states(3))).sum() == pytest.approx(1, rel=1e-9)


def test_annealing_estimates_the_sum_over_all_states(rng):
    net = machine(rng, 8, 6, 4, features=9, scale=0.6)
    found, low, high = net.ais(chains=300, steps=500)
    assert found == pytest.approx(net.log_partition(), abs=0.05)
    assert low <= net.log_partition() <= high and high - low < 0.3
    np.testing.assert_array_equal(net._rbm().means_, net.means_)  # where it starts


# ------------------------------------------------------------------------------------------------------ mean field


def layers_at_rest(net, X):
    """μ of each layer, v first."""
    even, odd = answer("numpy", rules.mean_field, net._net, X)
    return [(even, odd)[i % 2][:, at] for i, at in enumerate(net._places())]


@pytest.mark.parametrize("layers", [(3, 2), (2, 3, 2), (2, 1, 2, 3)])
def test_the_mean_field_satisfies_its_equations(rng, layers):
    net = machine(rng, *layers)
    mu = [*layers_at_rest(net, states(4)), np.zeros((16, 0))]
    w = [*net.coefs_, np.zeros((layers[-1], 0))]
    np.testing.assert_array_equal(mu[0], states(4))
    for i in range(1, len(layers) + 1):
        heard = mu[i - 1] @ w[i - 1] + mu[i + 1] @ w[i].T + net.intercepts_[i]
        np.testing.assert_allclose(mu[i], expit(heard), atol=1e-8)
    np.testing.assert_allclose(net.transform(states(4)), mu[-2], atol=1e-9)
    np.testing.assert_allclose(net.reconstruct(states(4)), expit(mu[1] @ w[0].T + net.intercepts_[0]), atol=1e-9)


def test_the_bound_misses_the_divergence_of_the_mean_field(rng):
    net = machine(rng, 3, 2)
    exact, hidden = log_joint(net), states(5)
    mu = np.hstack(layers_at_rest(net, states(4))[1:])
    log_q = np.log(np.where(hidden == 1, mu[:, None], 1 - mu[:, None])).sum(axis=2)  # (rows, hidden states)
    given = exact - logsumexp(exact, axis=1, keepdims=True)
    gap = (np.exp(log_q) * (log_q - given)).sum(axis=1)
    np.testing.assert_allclose(net.log_likelihood(states(4)) - net.lower_bound(states(4)), gap, atol=1e-9)
    assert gap.min() > 0
    net.coefs_[1][:] = 0  # the layers are independent given v, so nothing is missed
    np.testing.assert_allclose(net.lower_bound(states(4)), net.log_likelihood(states(4)), rtol=1e-9)
    for far in (8, 800):  # probabilities near and at 1 and 0
        net.intercepts_[2][:] = [far, -far]
        np.testing.assert_allclose(net.lower_bound(states(4)), net.log_likelihood(states(4)), rtol=1e-9)


def _completed(engine, net, v, sweeps):
    return rules.completed(engine, net, v, sweeps, 0)


def test_no_sweep_lowers_the_bound(rng):
    net = machine(rng, 3, 4, scale=1.5)
    d, before = 4, np.full(16, -np.inf)
    for sweeps in range(8):
        even = answer("numpy", _completed, net._net, states(4), sweeps)
        odd = expit(even @ net.weights_.T + net.intercept_odd_)
        mu = np.hstack([odd, even[:, d:]])
        entropy = -(mu * np.log(mu) + (1 - mu) * np.log(1 - mu)).sum(axis=1)
        found = entropy - net.energy(np.hstack([even[:, :d], mu]))
        assert (found >= before - 1e-12).all()
        before = found
    np.testing.assert_allclose(even, answer("numpy", _completed, net._net, states(4), 60), atol=0.1)


# ------------------------------------------------------------------------------------------------------- gradients


def central(net, value):
    """Central differences of `value()` with respect to every weight between neighbours and every bias."""
    found = []
    for part in (*net.coefs_, *net.intercepts_):
        for at in np.ndindex(part.shape):
            sides = []
            for step in (1e-5, -1e-5):
                part[at] += step
                sides.append(value())
                part[at] -= step
            found.append((sides[0] - sides[1]) / 2e-5)
    return np.array(found)


def moments(net, p, s):
    """The means of h_{l-1} h_l and of h_l under probabilities of states of all layers."""
    layers = np.split(s, np.cumsum(net.units_)[:-1], axis=1)
    pairs = [np.einsum("n,ni,nj->ij", p, a, b) for a, b in itertools.pairwise(layers)]
    return np.concatenate([part.ravel() for part in (*pairs, *(p @ h for h in layers))])


def test_exact_gradient_against_central_differences(rng):
    net, X = machine(rng, 3, 2), states(4)[rng.integers(0, 16, 9)]
    joint, every = log_joint(net), states(9)
    share = (X[:, None] == states(4)).all(axis=2).mean(axis=0)
    given = share[:, None] * np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    expected = moments(net, given.ravel(), every) - moments(net, np.exp(joint).ravel(), every)
    np.testing.assert_allclose(central(net, lambda: net.log_likelihood(X).mean()), expected, atol=1e-7)


def test_a_step_follows_the_gradient_of_the_bound(rng, training_engine):
    net, X = machine(rng, 3, 2, scale=0.7), states(4)[rng.integers(0, 16, 8)]
    expected = central(net, lambda: net.lower_bound(X).mean())
    p = np.exp(log_joint(net)).sum(axis=0).reshape(8, 4).sum(axis=1)  # of the odd layer
    chains = states(3)[rng.choice(8, 200_000, p=p / p.sum())]
    before = [part.copy() for part in (*net.coefs_, *net.intercepts_)]
    (*learned,), _, _ = run(
        None, rules.train, [w.T for w in net.coefs_], net.intercepts_, chains, X, draws.key(0, "t"), 0.5,
        batch=8, k=2, sweeps=50, pretraining=0, epochs=1,
    )  # fmt: skip
    net.weights_, net.intercept_even_, net.intercept_odd_ = learned
    steps = [(new - old).ravel() for new, old in zip((*net.coefs_, *net.intercepts_), before, strict=True)]
    np.testing.assert_allclose(np.concatenate(steps) / 0.5, expected, atol=0.006)


def test_layers_that_are_no_neighbours_stay_apart_and_the_rate_falls(rng):
    X = rng.integers(0, 2, (30, 4))
    settings = {"layers": (3, 2, 2), "engine": "numpy", "random_state": 0, "k": 1, "mean_field_steps": 3}
    net = DeepBoltzmannMachine(epochs=3, pretrain_epochs=1, **settings).fit(X)
    assert net.weights_.shape == (5, 6) and not net.weights_[3:, :4].any() and net.weights_[:3].all()
    assert [w.shape for w in net.coefs_] == [(4, 3), (3, 2), (2, 2)] and len(net.loss_curve_) == net.n_iter_ == 3
    rates = []

    def spy(engine, one, state, *rest):
        start, key = (state[0], 0 * state[1]), draws.key(0, "s")
        after = one(start, np.arange(4), np.full((4, 1), 0.25, np.float32), key)[0]
        rates.append(abs(after[1] - start[0][1]).max())
        return state  # so each pass starts from the same weights

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rbm_rules, "by_batches", spy)
        DeepBoltzmannMachine(epochs=4, pretrain_epochs=0, **{**settings, "mean_field_steps": 4}).fit(X)
    np.testing.assert_allclose(np.array(rates) / rates[0], [1, 0.75, 0.5, 0.25], rtol=1e-4)


def _shares(engine, x, key):
    def one(seen, rows, share, key):
        return seen + ops.sum(ops.one_hot(rows, 7) * share, axis=0)

    return rbm_rules.by_batches(engine, one, x, 7, 3, key)


def test_each_batch_shares_one_among_its_rows(training_engine):
    found = run(None, _shares, np.zeros(7), draws.key(0, "b"))
    np.testing.assert_allclose(sorted(found), [1 / 3] * 6 + [1], rtol=1e-6)  # 3, 3 and 1 rows


# ---------------------------------------------------------------------------------------------------- pre-training


def test_layers_alone_hear_twice_what_they_have(rng, training_engine):
    # as many hidden as visible units: draws that were shared between them would show
    w, b, c = rng.normal(size=(4, 4)), rng.normal(size=4), rng.normal(size=4)
    x = np.repeat(states(4)[rng.integers(0, 16, 4)], 50_000, axis=0)
    for up, down in ((2, 1), (2, 2), (1, 2)):
        new = run(
            None, rules.contrasted, (w, b, c), x, draws.key(0, "c"), 1.0, up=up, down=down, batch=len(x), epochs=1
        )
        v = x[::50_000]
        on = expit(up * v @ w.T + c)
        chance = np.exp(np.log(np.where(states(4) == 1, on[:, None], 1 - on[:, None])).sum(axis=2)).mean(axis=0)
        means = expit(down * states(4) @ w + b)
        seen = np.exp(np.log(np.where(states(4) == 1, means[:, None], 1 - means[:, None])).sum(axis=2))
        p = chance @ seen  # of the 16 visible states one step later
        after = expit(up * states(4) @ w.T + c)
        expected = on.T @ v / 4 - (p[:, None] * after).T @ states(4)
        np.testing.assert_allclose(new[0] - w, expected, atol=0.01)
        np.testing.assert_allclose(new[1] - b, v.mean(axis=0) - p @ states(4), atol=0.01)
        np.testing.assert_allclose(new[2] - c, on.mean(axis=0) - p @ after, atol=0.01)


def test_each_layer_alone_learns_from_the_one_below(rng, monkeypatch):
    seen, keys = [], []

    def learned(engine, net, x, key, rate, *, up, down, batch, epochs):
        seen.append((x, up, down))
        keys.append(tuple(key))
        return net[0], net[1] + 1, net[2] + 3

    monkeypatch.setattr(rules, "contrasted", learned)
    w, b = [rng.normal(size=s) for s in ((3, 4), (2, 3), (5, 2))], [np.zeros(n) for n in (4, 3, 2, 5)]
    x = rng.random((6, 4))
    weights, biases = rules.pretrained(None, w, b, x, draws.key(0, "p"), 0.1, batch=2, epochs=1)
    assert [(up, down) for _, up, down in seen] == [(2, 1), (2, 2), (1, 2)] and len(set(keys)) == 3
    np.testing.assert_allclose(seen[1][0], expit(2 * x @ w[0].T + 3))
    np.testing.assert_allclose(seen[2][0], expit(2 * seen[1][0] @ w[1].T + 3))
    assert [float(part[0]) for part in biases] == [1, 2, 2, 3] and all(a is b for a, b in zip(weights, w, strict=True))
    rules.pretrained(None, w[:1], b[:2], x, draws.key(0, "p"), 0.1, batch=2, epochs=1)
    assert seen[-1][1:] == (1, 1)  # a machine of one hidden layer hears all there is


# ----------------------------------------------------------------------------------------------- chains, learning


def test_chains_have_the_distribution_of_the_machine(rng, training_engine):
    net = machine(rng, 2, 2, features=3, engine=training_engine.name)
    found = net.sample(40_000, steps=40)
    exact = np.exp(logsumexp(log_joint(net), axis=1))
    np.testing.assert_allclose(np.bincount((found @ [4, 2, 1]).astype(int), minlength=8) / 40_000, exact, atol=0.009)
    assert (net.sample(9, 5, seed=1) != net.sample(9, 5)).any() and (net.sample(9, 5) == net.sample(9, 5)).all()


def bars():
    """The 14 pictures of 3 by 3 whose rows are alike, or whose columns are."""
    s = states(3)
    return np.unique(np.concatenate([np.repeat(s, 3, axis=1), np.tile(s, 3)]), axis=0)


def test_training_comes_near_the_best_likelihood():
    X = np.tile(bars(), (10, 1))
    settings = {"layers": (12, 6), "learning_rate": 0.2, "chains": 300, "engine": "jax", "random_state": 0}
    net = DeepBoltzmannMachine(epochs=600, pretrain_epochs=30, **settings).fit(X)
    found = net.log_likelihood(bars()).mean()
    assert -np.log(14) - 0.12 < found <= -np.log(14)  # the best model gives each picture 1/14; single pixels -6.2
    assert found - 0.03 < net.lower_bound(bars()).mean() < found
    assert net.loss_curve_[-1] < 0.01 < net.loss_curve_[0]
    drawn = net.sample(400, steps=300)
    assert (drawn[:, None] == bars()).all(axis=2).any(axis=1).mean() > 0.85


def test_samples_and_means_of_the_training_data(rng):
    X = rng.integers(0, 2, (30, 4)).astype(float)
    net = DeepBoltzmannMachine(layers=(3, 2), engine="numpy", **{**QUICK, "mean_field_steps": 100}).fit(X)
    mu = layers_at_rest(net, X)
    np.testing.assert_allclose(net.means_, np.hstack([X, mu[2]]).mean(axis=0), atol=1e-5)
    assert net.n_seen_ == 30 and net.transform(X).shape == (30, 2)
    assert net.loss_curve_[0] == pytest.approx(((net.reconstruct(X) - X) ** 2).mean(), abs=1e-5)
    assert list(net.get_feature_names_out()) == ["deepboltzmannmachine0", "deepboltzmannmachine1"]
