"""What is wanted. One entry per comparison; rows that are not measured, or lack a side of it, are not judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.rows import GPU_ROWS, ROWS
from benchmarks.tasks import Predict, Train

Verdict = dict[str, Any]

LIBRARIES = tuple(name for name in PEERS if not name.startswith("neuroloom") and name != "scan")
KERAS = ("keras-jax", "keras-tf", "keras-torch")
COMPARED = tuple(name for name, row in ROWS.items() if isinstance(row.task, Train | Predict))
TRAINED = tuple(name for name, row in ROWS.items() if isinstance(row.task, Train))
FASTEST = dict.fromkeys(COMPARED, 0.95) | {"tiny": 40, "deep": 4, "mlp": 1.4, "imdb": 1.5, "cnn": 1.2, "lstm": 1.1}
GPU_COMPARED = tuple(name for name in GPU_ROWS if name.startswith(("gpu-wide", "gpu-cnn")))


@dataclass(frozen=True)
class Faster:
    """`subject` should be at least `least[row]` times as fast as the fastest of `against`."""

    subject: str
    against: tuple[str, ...]
    least: dict[str, float]

    def verdict(self, row: str, entry: dict[str, Any]) -> Verdict | None:
        medians = {peer: result["median"] for peer, result in entry["peers"].items() if "median" in result}
        others = [peer for peer in self.against if peer in medians]
        if row not in self.least or self.subject not in medians or not others:
            return None
        fastest = min(others, key=medians.__getitem__)
        return judged(row, self.subject, f"times as fast as {fastest}", medians[fastest] / medians[self.subject],
                      least=self.least[row])  # fmt: skip


@dataclass(frozen=True)
class AtMost:
    """The subject's number should be at most `most[row]`: its median, or with `per_one` that over one network's."""

    subject: str
    most: dict[str, float]
    per_one: bool = False

    def verdict(self, row: str, entry: dict[str, Any]) -> Verdict | None:
        result = entry["peers"].get(self.subject, {})
        if row not in self.most or "median" not in result:
            return None
        value = result["median"] / result["one"] if self.per_one else result["median"]
        return judged(row, self.subject, "times the time of one" if self.per_one else entry["unit"], value,
                      most=self.most[row])  # fmt: skip


def judged(row: str, subject: str, what: str, value: float, **limit: float) -> Verdict:
    met = value >= limit["least"] if "least" in limit else value <= limit["most"]
    return {"row": row, "subject": subject, "what": what, "value": value, **limit, "met": met}


TARGETS: tuple[Faster | AtMost, ...] = (
    Faster("neuroloom-auto", LIBRARIES, FASTEST),
    Faster("neuroloom-auto", KERAS, {"predict-1": 5}),
    Faster("neuroloom-jax", ("scan",), dict.fromkeys(TRAINED, 1 / 1.15)),
    Faster("neuroloom-torch", ("torch",), dict.fromkeys(TRAINED, 1 / 1.10)),
    AtMost("neuroloom-jax", {"many-tiny": 20, "many-digits": 8, "gpu-many": 5}, per_one=True),
    AtMost("neuroloom-jax", {"gpu-tiny": 0.010, "gpu-mlp": 0.010}),
    Faster("neuroloom-auto", ("torch-compile",), dict.fromkeys(GPU_COMPARED, 1)),
    AtMost("neuroloom-auto", {"gpu-0.99": 2}),
)


def judge(rows: dict[str, Any]) -> list[Verdict]:
    """Each target at each measured row.

    >>> row = {"peers": {name: {"median": m} for name, m in (("neuroloom-jax", 1.0), ("scan", 0.5))}}
    >>> judge({"mlp": row})[0]["value"], judge({"mlp": row})[0]["met"]
    (0.5, False)
    """
    found = [target.verdict(name, row) for target in TARGETS for name, row in rows.items()]
    return [verdict for verdict in found if verdict]


def sentence(v: Verdict) -> str:
    """The verdict in words.

    >>> sentence({"row": "mlp", "subject": "a", "what": "times as fast as b", "value": 0.5, "least": 1, "met": False})
    'mlp: a is 0.50 times as fast as b, wanted at least 1.'
    """
    verb = "is" if "least" in v else "takes"
    return f"{v['row']}: {v['subject']} {verb} {v['value']:.2f} {v['what']}, wanted {wanted(v)}."


def wanted(v: Verdict) -> str:
    return f"at least {v['least']:.3g}" if "least" in v else f"at most {v['most']:.3g}"
