"""What is wanted: how fast one peer should be, as a multiple of the fastest of others. One entry per comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.rows import ROWS


@dataclass(frozen=True)
class Target:
    """`subject` should be at least `least[row]` times as fast as the fastest of `against`."""

    subject: str
    against: tuple[str, ...]
    least: dict[str, float]


TARGETS = (
    Target(
        "neuroloom-jax",
        ("keras-jax", "torch"),
        {"tiny": 25, "mlp": 1.3, "cnn": 0.9, "lstm": 0.6, "imdb": 0.95},
    ),
    Target("neuroloom-jax", ("scan",), dict.fromkeys(ROWS, 1 / 1.25)),
    Target("neuroloom-torch", ("torch",), dict.fromkeys(ROWS, 1 / 1.15)),
)


def judge(rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Each target at each measured row: ratio of median times, and whether it is met.

    >>> def row(**medians): return {"peers": {name: {"median": m} for name, m in medians.items()}}
    >>> judge({"mlp": row(**{"neuroloom-jax": 1.0, "keras-jax": 3.0, "torch": 1.2})})[0]
    {'row': 'mlp', 'subject': 'neuroloom-jax', 'against': 'torch', 'ratio': 1.2, 'least': 1.3, 'met': False}
    """
    return [
        verdict(target, name, row["peers"])
        for target in TARGETS
        for name, row in rows.items()
        if name in target.least and measured(target, row["peers"])
    ]


def measured(target: Target, peers: dict[str, Any]) -> bool:
    return all("median" in peers.get(name, {}) for name in (target.subject, *target.against))


def verdict(target: Target, row: str, peers: dict[str, Any]) -> dict[str, Any]:
    fastest = min(target.against, key=lambda name: peers[name]["median"])
    ratio = peers[fastest]["median"] / peers[target.subject]["median"]
    least = target.least[row]
    return {
        "row": row,
        "subject": target.subject,
        "against": fastest,
        "ratio": ratio,
        "least": least,
        "met": ratio >= least,
    }
