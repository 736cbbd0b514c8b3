"""How far two computations of the same numbers may be apart: one table, by dtype and number of terms in a sum.

Errors are measured against the largest expected value, since a sum that cancels keeps the error of its terms.
"""

import numpy as np

from neuroloom import engines

UNITS = {"float32": 2**-23, "float64": 2**-52}
"""dtype -> the distance of 1 to the next number."""

STEPS = 16
"""Roundings of one elementwise chain, such as softmax or erf, in units of the dtype."""

DIFFERENCES = 1e-6
"""Central differences in float64 with steps of 1e-5: cut off at h², rounded at 2⁻⁵² / h."""


def tolerance(dtype, terms=1):
    """The relative error of a sum of so many terms; rounding errors add up like a random walk.

    >>> tolerance("float32", 1) < 2e-6 < tolerance("float32", 100) < 2e-5
    True
    """
    return STEPS * UNITS[dtype] * np.sqrt(terms)


def assert_close(actual, expected, *, terms=1, within=None, reason=""):
    """Equal shapes, and values within the table's tolerance; `within` overrides it and needs a reason."""
    if within is not None and not reason:
        raise ValueError("A tolerance other than the table's needs a reason.")
    actual, expected = (engines.of(a).to_numpy(a) for a in (actual, expected))
    assert actual.shape == expected.shape
    if "float" not in f"{actual.dtype}{expected.dtype}":
        np.testing.assert_array_equal(actual, expected)
        return
    dtype = "float64" if {str(actual.dtype), str(expected.dtype)} == {"float64"} else "float32"
    size = np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))
    limit = tolerance(dtype, terms) if within is None else within
    np.testing.assert_allclose(actual, expected, rtol=limit, atol=limit * (size or 1.0), err_msg=reason)
