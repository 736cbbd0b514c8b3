"""Random numbers inside programs: equal on all engines, evenly spread, unrelated."""

import numpy as np
import pytest
from scipy import stats

from neuroloom.networks.base import run
from neuroloom.ops import draws

KEY = draws.key(7, "test")


def pcg3d(x, y, z):
    """The paper's listing, in unsigned words."""
    x, y, z = (np.uint32(1664525) * v.astype(np.uint32) + np.uint32(1013904223) for v in (x, y, z))
    for last in (False, True):
        x = x + y * z
        y = y + z * x
        z = z + x * y
        if not last:
            x, y, z = (v ^ (v >> np.uint32(16)) for v in (x, y, z))
    return x, y, z


def _all(engine, key):
    other = draws.fold_in(key, 3)
    return {
        "bits": draws.bits(other, (5, 3)),
        "uniform": draws.uniform(key, (4,)),
        "normal": draws.normal(key, (4, 2)),
        "integers": draws.integers(key, (50,), 7),
        "permutation": draws.permutation(key, 9),
    }


def _uniform(engine, key):
    return draws.uniform(key, (200_000,))


def test_words_are_the_papers(training_engine):
    found = run(training_engine.name, _all, KEY)["bits"]
    mask = np.full(1, 3), KEY[:1].view(np.uint32), KEY[1:].view(np.uint32)
    _, *key = pcg3d(*mask)
    expected = pcg3d(np.arange(15), np.repeat(key[0], 15), np.repeat(key[1], 15))
    for one, other in zip(found, expected, strict=False):
        np.testing.assert_array_equal(one.view(np.uint32).ravel(), other)


def test_engines_draw_the_same(training_engine):
    ours, other = run("numpy", _all, KEY), run(training_engine.name, _all, KEY)
    for name in ("bits", "uniform", "integers", "permutation"):
        np.testing.assert_array_equal(ours[name], other[name])
    np.testing.assert_allclose(ours["normal"], other["normal"], rtol=1e-4, atol=1e-6)
    assert sorted(ours["permutation"]) == list(range(9)) and set(ours["integers"]) == set(range(7))


def test_keys_follow_from_seed_and_purpose():
    assert draws.key(7, "test").tolist() == KEY.tolist()
    assert len({tuple(draws.key(*name)) for name in [(7, "test"), (8, "test"), (7, "other"), (7, "test", 1)]}) == 4


def test_numbers_are_even_and_unrelated():
    u = run("numpy", _uniform, KEY)
    assert u.min() >= 0 and u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 0.001
    assert stats.chisquare(np.bincount((u * 256).astype(int), minlength=256)).pvalue > 0.001
    for lag in (1, 2, 64, 1000):
        assert abs(np.corrcoef(u[:-lag], u[lag:])[0, 1]) < 0.01
    pairs = np.histogram2d(u[::2], u[1::2], bins=16)[0]
    assert stats.chisquare(pairs.ravel()).pvalue > 0.001


@pytest.mark.parametrize("by", [1, 2, 1000])
def test_neighbouring_keys_are_unrelated(by):
    one = run("numpy", _uniform, run("numpy", draws_fold, KEY, 0))
    other = run("numpy", _uniform, run("numpy", draws_fold, KEY, by))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.01 and not np.array_equal(np.sort(one), np.sort(other))


def draws_fold(engine, key, number):
    return draws.fold_in(key, number)
