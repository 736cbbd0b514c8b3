"""Sliding windows: convolution and pooling in one, two and three dimensions, against PyTorch and Keras."""

import math

import numpy as np
import pytest

from gradients import check_gradients, value_and_gradients
from neuroloom import engines, ops
from neuroloom.errors import ShapeError
from tolerances import assert_close

# (spatial lengths, window, strides, dilation, groups), each with both paddings where the window fits
WINDOWS = [
    ((7,), (3,), (1,), (1,), 1),
    ((8,), (3,), (2,), (1,), 1),
    ((9,), (2,), (3,), (2,), 1),
    ((7,), (4,), (1,), (1,), 2),
    ((5, 7), (2, 3), (1, 1), (1, 1), 1),
    ((5, 6), (3, 2), (2, 1), (1, 1), 1),
    ((6, 7), (3, 4), (2, 3), (1, 1), 2),
    ((7, 6), (2, 3), (1, 1), (3, 2), 1),
    ((7, 5), (3, 2), (1, 1), (2, 1), 4),
    ((5, 4), (1, 1), (2, 2), (1, 1), 1),
    ((7,), (3,), (3,), (1,), 1),
    ((5, 8), (2, 3), (2, 3), (1, 1), 1),
    ((3, 5, 4), (2, 2, 3), (2, 2, 3), (1, 1, 1), 1),
    ((9, 8), (2, 3), (2, 3), (2, 1), 1),
    ((9, 10), (3, 2), (2, 2), (2, 3), 1),
    ((3, 4), (3, 4), (1, 1), (1, 1), 1),
    ((1, 5), (1, 2), (1, 1), (1, 1), 1),
    ((3, 4, 5), (2, 1, 3), (1, 1, 1), (1, 1, 1), 1),
    ((4, 3, 5), (2, 3, 2), (2, 1, 2), (1, 1, 1), 2),
    ((4, 3, 5), (2, 2, 2), (1, 1, 1), (2, 1, 3), 1),
]
windows = pytest.mark.parametrize("padding", ["valid", "same"])
POOLS = [w for w in WINDOWS if set(w[3]) == {1} and w[4] == 1]


def image(spatial, channels, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *spatial, channels)).astype("float32")


def conv_case(case):
    spatial, size, strides, dilation, groups = case
    kernel = np.random.default_rng(1).normal(size=(*size, 4 // groups, 8 if groups == 4 else 2)).astype("float32")
    return image(spatial, 4), kernel, strides, dilation, groups


def pads(spatial, size, strides, dilation, padding):
    """'same', by its definition: ⌈length / stride⌉ windows, the odd one after."""
    found = []
    for n, k, s, d in zip(spatial, size, strides, dilation, strict=True):
        total = max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0) if padding == "same" else 0
        found.append((total // 2, total - total // 2))
    return found


def in_torch(x, spatial_pads, value, fn):
    """fn on channels first, padded by hand; channels last again."""
    import torch

    x = np.pad(x, [(0, 0), *spatial_pads, (0, 0)], constant_values=value)
    return np.moveaxis(fn(torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))).numpy(), 1, -1)


@windows
@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_conv_is_that_of_torch(case, padding, engine):
    import torch

    x, kernel, strides, dilation, groups = conv_case(case)
    convolve = getattr(torch.nn.functional, f"conv{len(strides)}d")
    weight = torch.from_numpy(np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1))))
    expected = in_torch(
        x,
        pads(case[0], case[1], strides, dilation, padding),
        0,
        lambda t: convolve(t, weight, stride=strides, dilation=dilation, groups=groups),
    )
    fn = engine.compile(lambda x, kernel: ops.conv(x, kernel, strides, padding, dilation, groups))
    assert_close(fn(engine.asarray(x), engine.asarray(kernel)), expected, terms=kernel[..., 0].size)


@windows
@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_conv_is_that_of_keras(case, padding, keras):
    x, kernel, strides, dilation, groups = conv_case(case)
    expected = keras.ops.conv(x, kernel, strides, padding, "channels_last", dilation)
    actual = ops.conv(x, kernel, strides, padding, dilation, groups)
    assert_close(actual, np.asarray(expected), terms=kernel[..., 0].size)


@windows
@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_gradients_of_conv(case, padding, training_engine):
    x, kernel, strides, dilation, groups = conv_case(case)

    def fn(x, kernel):
        return ops.conv(x, kernel, strides, padding, dilation, groups)

    check_gradients(fn, [x[:1], kernel], training_engine)


@windows
@pytest.mark.parametrize("case", POOLS, ids=str)
def test_max_pool_is_that_of_torch(case, padding, engine):
    import torch

    spatial, size, strides, dilation, _ = case
    pool = getattr(torch.nn.functional, f"max_pool{len(size)}d")
    around = pads(spatial, size, strides, dilation, padding)
    x = image(spatial, 3) - 5  # padding with zeros would win
    expected = in_torch(x, around, -np.inf, lambda t: pool(t, size, strides))
    assert_close(engine.compile(lambda x: ops.max_pool(x, size, strides, padding))(engine.asarray(x)), expected)


@windows
@pytest.mark.parametrize("case", POOLS, ids=str)
def test_average_pool_is_that_of_torch(case, padding, engine):
    """Padding does not count: the sum of a window over the number of elements that exist in it."""
    import torch

    spatial, size, strides, dilation, _ = case
    ones = torch.ones((3, 1, *size))
    convolve = getattr(torch.nn.functional, f"conv{len(size)}d")
    around = pads(spatial, size, strides, dilation, padding)
    x = image(spatial, 3) + 2
    sums, counts = (
        in_torch(v, around, 0, lambda t: convolve(t, ones, stride=strides, groups=3)) for v in (x, np.ones_like(x))
    )
    fn = engine.compile(lambda x: ops.average_pool(x, size, strides, padding))
    assert_close(fn(engine.asarray(x)), sums / counts, terms=math.prod(size))


@windows
@pytest.mark.parametrize("case", POOLS, ids=str)
def test_pooling_is_that_of_keras(case, padding, keras):
    spatial, size, strides, _, _ = case
    x = image(spatial, 3) - 5
    assert_close(ops.max_pool(x, size, strides, padding), np.asarray(keras.ops.max_pool(x, size, strides, padding)))
    expected = keras.ops.average_pool(x, size, strides, padding)
    assert_close(ops.average_pool(x, size, strides, padding), np.asarray(expected), terms=math.prod(size))


@windows
@pytest.mark.parametrize("case", POOLS, ids=str)
def test_gradients_of_pooling(case, padding, training_engine):
    spatial, size, strides, _, _ = case

    def both(x):
        return ops.max_pool(x, size, strides, padding), ops.average_pool(x, size, strides, padding)

    check_gradients(both, [image(spatial, 2)[:1]], training_engine)


def first_maxima(x, size, strides, around):
    """The gradient of Σ max_pool, one window at a time: all of it goes to the first largest element."""
    grad = np.pad(np.zeros_like(x), [(0, 0), *around, (0, 0)])
    padded = np.pad(x, [(0, 0), *around, (0, 0)], constant_values=-np.inf)
    out = [(n - k) // s + 1 for n, k, s in zip(padded.shape[1:-1], size, strides, strict=True)]
    for b, *position, c in np.ndindex((x.shape[0], *out, x.shape[-1])):
        window = tuple(slice(p * s, p * s + k) for p, s, k in zip(position, strides, size, strict=True))
        first = np.unravel_index(np.argmax(padded[(b, *window, c)]), size)
        grad[(b, *(w.start + f for w, f in zip(window, first, strict=True)), c)] += 1
    inside = tuple(slice(a, a + n) for (a, _), n in zip(around, x.shape[1:-1], strict=True))
    return grad[(slice(None), *inside, slice(None))]


@windows
@pytest.mark.parametrize("case", POOLS, ids=str)
@pytest.mark.parametrize("values", ["few", "equal", "negative"])
def test_ties_of_max_pool_go_to_the_first(case, padding, values, training_engine):
    spatial, size, strides, dilation, _ = case
    x = {"few": np.round(image(spatial, 2)), "equal": 0 * image(spatial, 2), "negative": 0 * image(spatial, 2) - 3}
    x = x[values]

    def fn(x):
        return ops.max_pool(x, size, strides, padding)

    ones = np.ones_like(ops.max_pool(x, size, strides, padding))
    _, (dx,) = value_and_gradients(training_engine, fn, [x], ones)
    expected = first_maxima(x, size, strides, pads(spatial, size, strides, dilation, padding))
    np.testing.assert_array_equal(dx, expected)


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])  # overlapping windows, and not
def test_nan_wins_in_max_pool(strides, engine):
    x = image((5, 7), 2)
    x[0, 2, 3, 1] = np.nan
    expected = ops.max_pool(np.isnan(x).astype("float32"), (2, 3), strides) > 0

    def pool(x):
        return ops.max_pool(x, (2, 3), strides)

    computed = engine.to_numpy(engine.compile(pool)(engine.asarray(x)))
    for y in (computed, value_and_gradients(engine, pool, [x], np.ones(expected.shape, "float32"))[0]):
        np.testing.assert_array_equal(np.isnan(y), expected)


DILATED = [((9,), (3,), (2,), ((1, 2),), (2,)), ((6, 7), (2, 3), (1, 2), ((0, 1), (2, 0)), (3, 2))]


@pytest.mark.parametrize("spatial, size, strides, around, dilation", DILATED)
def test_engines_pool_dilated_windows(spatial, size, strides, around, dilation, engine):
    x = image(spatial, 3)
    window = engines.Windows(strides, around, dilation)
    reference = engines.load("numpy")
    for name in ("max_pool", "sum_pool"):
        fn = engine.compile(lambda x, name=name: getattr(engine, name)(x, size, window))
        assert_close(fn(engine.asarray(x)), getattr(reference, name)(x, size, window), terms=6)


@pytest.mark.parametrize("spatial, size, strides, around, dilation", DILATED)
def test_gradients_of_dilated_windows(spatial, size, strides, around, dilation, training_engine):
    """Asymmetric padding that neither 'valid' nor 'same' would give."""
    x = image(spatial, 2)[:1]
    window = engines.Windows(strides, around, dilation)
    kernel = np.random.default_rng(4).normal(size=(*size, 2, 3))
    check_gradients(lambda x: engines.of(x).sum_pool(x, size, window), [x], training_engine)
    check_gradients(lambda x: engines.of(x).max_pool(x, size, window), [x], training_engine)
    check_gradients(lambda x, k: engines.of(x).conv(x, k, window), [x, kernel], training_engine)


def test_max_pool_of_nothing_but_padding_is_not_met():
    with pytest.raises(ShapeError, match=r"max_pool expected spatial axes at least as long as its window \(3,\)"):
        ops.max_pool(image((2,), 3), (3,), (1,))
