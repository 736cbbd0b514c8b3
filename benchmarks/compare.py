"""Small questions to a row of the results, which report, page and README share."""

from __future__ import annotations

from typing import Any

from benchmarks.targets import LIBRARIES


def medians(row: dict[str, Any]) -> dict[str, float]:
    """The median of each peer that was measured."""
    return {peer: result["median"] for peer, result in row["peers"].items() if "median" in result}


def ours(row: dict[str, Any]) -> tuple[str, float] | None:
    """neuroloom's peer and its median: as engine='auto' picks, else the best of its engines."""
    found = {peer: time for peer, time in medians(row).items() if peer.startswith("neuroloom")}
    peer = "neuroloom-auto" if "neuroloom-auto" in found else min(found, key=found.__getitem__, default=None)
    return (peer, found[peer]) if peer else None


def rival(row: dict[str, Any]) -> tuple[str, float] | None:
    """The fastest of the libraries that people would use instead (a loop written by hand in JAX is none)."""
    found = {peer: time for peer, time in medians(row).items() if peer in LIBRARIES}
    return min(found.items(), key=lambda item: item[1], default=None)


def ratio(row: dict[str, Any]) -> float | None:
    """How many times as fast neuroloom is as the fastest library."""
    mine, other = ours(row), rival(row)
    return other[1] / mine[1] if mine and other else None
