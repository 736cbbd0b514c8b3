"""Initial weights: the formulas' moments and bounds, Keras's distributions, the same numbers on every engine."""

import math

import numpy as np
import pytest

import neuroloom as nl
from catalogue import INITIALIZERS
from neuroloom import config, initializers, layers
from neuroloom.errors import ConfigurationError, UnknownNameError
from tolerances import assert_close

SHAPE = (3, 5, 40, 60)  # window 15; fan_in 600, fan_out 900
N = math.prod(SHAPE)

sweep = pytest.mark.parametrize("name", INITIALIZERS)

# name -> (mean, variance, largest |x - mean|), by the formulas
MOMENTS = {
    "zeros": (0, 0, 0),
    "ones": (1, 0, 0),
    "constant": (0, 0, 0),
    "random_uniform": (0, 0.1**2 / 12, 0.05),
    "random_normal": (0, 0.05**2, math.inf),
    "truncated_normal": (0, 0.05**2 * 0.773741, 0.1),
    "variance_scaling": (0, 1 / 600, 2 * math.sqrt(1 / 600) / 0.879626),
    "glorot_uniform": (0, 2 / 1500, math.sqrt(6 / 1500)),
    "glorot_normal": (0, 2 / 1500, 2 * math.sqrt(2 / 1500) / 0.879626),
    "he_uniform": (0, 2 / 600, math.sqrt(6 / 600)),
    "he_normal": (0, 2 / 600, 2 * math.sqrt(2 / 600) / 0.879626),
    "lecun_uniform": (0, 1 / 600, math.sqrt(3 / 600)),
    "lecun_normal": (0, 1 / 600, 2 * math.sqrt(1 / 600) / 0.879626),
}


def draw(name, shape=SHAPE, seed=1):
    return initializers.get(name)(shape, config.generator(seed))


def test_the_list_has_every_initializer():
    library = {cls for cls in config.REGISTRIES["initializer"].values() if cls.__module__ == initializers.__name__}
    assert {config.snake(cls.__name__) for cls in library} == set(INITIALIZERS)


@sweep
def test_shape_dtype_and_seed(name):
    shape = (7, 5)
    one = draw(name, shape)
    assert one.shape == shape and one.dtype == np.float32 and one.flags.writeable
    np.testing.assert_array_equal(draw(name, shape), one)
    constant = {"zeros", "ones", "constant", "identity"}
    assert np.array_equal(draw(name, shape, seed=2), one) == (name in constant)


@pytest.mark.parametrize("name", MOMENTS)
def test_moments_and_bounds(name):
    """Mean and variance within five standard errors; a normal's fourth moment is at most 3 variances squared."""
    mean, variance, bound = MOMENTS[name]
    x = draw(name).astype(np.float64)
    assert abs(x.mean() - mean) <= 5 * math.sqrt(variance / N)
    assert abs(x.var() - variance) <= 5 * variance * math.sqrt(2 / N) + 1e-15
    assert np.abs(x - mean).max() <= bound * (1 + 1e-6)
    assert bound in (0, math.inf) or np.abs(x - mean).max() > 0.99 * bound


@pytest.mark.parametrize("name", [name for name in MOMENTS if MOMENTS[name][1]])
def test_distributions_are_those_of_keras(name, keras):
    """Kolmogorov-Smirnov: two samples of 36,000 of one distribution are closer than 0.015 but once in 10³."""
    import scipy.stats

    theirs = np.asarray(keras.initializers.get(name)(SHAPE)).ravel()
    assert scipy.stats.ks_2samp(draw(name).ravel(), theirs).statistic < 0.015


@pytest.mark.parametrize("mode, n", [("fan_in", 600), ("fan_out", 900), ("fan_avg", 750)])
@pytest.mark.parametrize("distribution", ["uniform", "truncated_normal", "untruncated_normal"])
def test_variance_scaling(mode, n, distribution):
    x = initializers.VarianceScaling(2.0, mode, distribution)(SHAPE, config.generator(3)).astype(np.float64)
    assert abs(x.var() - 2 / n) <= 5 * 2 / n * math.sqrt(2 / N)
    spread = {"uniform": math.sqrt(3), "truncated_normal": 2 / 0.879626}.get(distribution, 3.5)
    assert (np.abs(x).max() <= spread * math.sqrt(2 / n) * (1 + 1e-6)) == (distribution != "untruncated_normal")


def test_fields_move_the_distributions():
    rng = config.generator(4)
    x = initializers.RandomNormal(3.0, 0.5)((200, 100), rng)
    assert abs(x.mean() - 3) < 0.02 and abs(x.std() - 0.5) < 0.01
    x = initializers.TruncatedNormal(-1.0, 0.2)((200, 100), rng)
    assert abs(x.mean() + 1) < 0.01 and np.abs(x + 1).max() <= 0.4 + 1e-6
    x = initializers.RandomUniform(2.0, 3.0)((200, 100), rng)
    assert x.min() >= 2 and x.max() <= 3 and abs(x.mean() - 2.5) < 0.02
    assert (initializers.Constant(1.5)((2, 3), rng) == 1.5).all()


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (3, 2, 4), (2, 3, 4, 5), (1, 3), (3, 1)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape):
    q = initializers.Orthogonal(2.0)(shape, config.generator(5)).reshape(-1, shape[-1]) / 2
    product = q @ q.T if len(q) < shape[-1] else q.T @ q
    np.testing.assert_allclose(product, np.eye(min(q.shape)), atol=2e-6)


def test_orthogonal_is_uniform():
    """A Haar-distributed 2 x 2 matrix has every sign of q₀₀ equally often, and E[q₀₀²] = 1/2."""
    rng = config.generator(6)
    corner = np.array([initializers.Orthogonal()((2, 2), rng)[0, 0] for _ in range(2000)])
    assert abs(np.mean(corner > 0) - 0.5) < 5 * 0.5 / math.sqrt(2000)
    assert abs(np.mean(corner**2) - 0.5) < 5 * 0.36 / math.sqrt(2000)


def test_identity():
    assert initializers.Identity(2.0)((2, 3), config.generator(0)).tolist() == [[2, 0, 0], [0, 2, 0]]
    with pytest.raises(ConfigurationError, match=r"Identity expected a matrix to fill, received shape \(2, 3, 4\)\."):
        initializers.Identity()((2, 3, 4), config.generator(0))


FANS = [
    ((), (1, 1)), ((7,), (7, 7)), ((4, 6), (4, 6)), ((5, 4, 6), (20, 30)), ((3, 5, 4, 6), (60, 90)),
    ((2, 3, 5, 4, 6), (120, 180)),
]  # fmt: skip


@pytest.mark.parametrize("shape, fans", FANS)
def test_fans(shape, fans):
    assert initializers.fans(shape) == fans


def test_unknown_names():
    with pytest.raises(UnknownNameError, match=r"Unknown initializer 'he_norml'. Did you mean 'he_normal'?"):
        initializers.get("he_norml")


# ------------------------------------------------------------------------------------------------ determinism


def drawn(layer, shape):
    """The weights that a layer of this name and seed gets."""
    layer(layers.Input(shape))
    layer.initialize(42, "model/dense")
    return layer.arrays()


GOLDEN = {
    "dense": [[-0.781580925, 1.05850708, -0.725962222], [1.03868735, 0.478834659, -0.104927443]],
    "lstm": [[-0.5491454, 0.66939896, 0.3681205, 0.33886817]],
}


def test_golden_values(engine):
    """The numbers that seed 42 and the weight's path give, on every engine and in every release."""
    kernel = engine.to_numpy(engine.asarray(drawn(layers.Dense(3), (2,))["kernel"]))
    recurrent = engine.to_numpy(engine.asarray(drawn(layers.LSTM(1), (2, 2))["recurrent_kernel"]))
    np.testing.assert_array_equal(kernel, np.array(GOLDEN["dense"], np.float32))
    assert_close(recurrent, np.array(GOLDEN["lstm"]), terms=4)  # LAPACK's QR rounds as the machine does


def test_weights_come_from_the_generator_that_seed_and_path_name():
    """Philox, seeded by the seed and the path's bytes; Glorot's limit √(6 / (2 + 3))."""
    words = [42, int.from_bytes(b"model/dense/kernel", "little")]
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))
    limit = math.sqrt(6 / 5)
    expected = rng.uniform(-limit, limit, (2, 3)).astype(np.float32)
    np.testing.assert_array_equal(drawn(layers.Dense(3), (2,))["kernel"], expected)


def test_weights_differ_by_path_and_seed():
    def layer():
        return layers.Dense(3)

    one, two, three = layer(), layer(), layer()
    for dense, seed, path in ((one, 1, "a"), (two, 1, "b"), (three, 2, "a")):
        dense(layers.Input((4,)))
        dense.initialize(seed, path)
    kernels = [dense.arrays()["kernel"] for dense in (one, two, three)]
    assert len({k.tobytes() for k in kernels}) == 3


def test_the_seed_decides_every_weight(engine):
    def weights():
        nl.utils.set_random_seed(7)
        layer = layers.Dense(3)
        layer(engine.asarray(np.ones((1, 4), np.float32)))
        return engine.to_numpy(layer.arrays()["kernel"])

    np.testing.assert_array_equal(weights(), weights())


def test_seeds_out_of_range_are_refused():
    for seed in (-1, 2**32, 1.5, True, "7"):
        with pytest.raises(ConfigurationError, match=r"Expected a seed from 0 to 2\*\*32 - 1, received"):
            nl.utils.set_random_seed(seed)
