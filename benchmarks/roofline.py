"""The least time that a row's work can take on this machine, from its counted work and the measured rates.

The products count as made one after another; those of many networks at once can take less.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from benchmarks.rows import EVERY
from benchmarks.work import work


class Roofline(NamedTuple):
    """Work of a step (or a call), rates, and the milliseconds that follow from them."""

    mflop: float
    mbytes: float
    gflops: float
    copy: float
    arithmetic_ms: float
    moving_ms: float
    ideal_ms: float

    @property
    def least_ms(self) -> float:
        """Arithmetic and moving can overlap: the longer of the two."""
        return max(self.arithmetic_ms, self.moving_ms)


def roofline(name: str, entry: dict[str, Any]) -> Roofline | None:
    """Of a row in the results; None where a row is not about steps or has no rates."""
    found = work(EVERY[name], tuple(entry["shape"])) if "rates" in entry else None
    if found is None:
        return None
    rates = entry["rates"]
    own = {(m, k, n): rate for m, k, n, rate in rates["products"]}
    arithmetic = sum(2e-6 * p.m * p.k * p.n * p.times / own[p[:3]] for p in found.products)  # ms
    moving = 1e-6 * found.bytes / rates["copy"]
    ideal = max(1e-6 * found.flop / rates["square"], 1e-6 * found.bytes / rates["large_copy"])
    gflops = 1e-6 * found.flop / arithmetic
    return Roofline(1e-6 * found.flop, 1e-6 * found.bytes, gflops, rates["copy"], arithmetic, moving, ideal)
