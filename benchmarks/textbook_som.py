"""Kohonen maps against MiniSom: 10 x 10 units, 5000 x 20 data. `python -m benchmarks.textbook_som` prints a table.

Both peers run in one process, by turns. MiniSom 2.3.6 (its only file is NumPy code, compiled nowhere) draws its rows
at random and has sigma and rate fall linearly, as here. What is timed is the whole of `fit` on the one side, and
making the map and training it on the other.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from neuroloom.networks import SelfOrganizingMap

Figures = dict[str, tuple[float, float, float]]
"""Way of training -> seconds of neuroloom, seconds of MiniSom, how many times as fast."""

FALL = {"sigma_decay_function": "linear_decay_to_one", "decay_function": "linear_decay_to_zero"}


def measure(repeats: int = 5) -> Figures:
    """Medians of so many runs: "online", 20000 iterations (4 passes), and "batch", 20 passes. Needs MiniSom."""
    from minisom import MiniSom

    X = np.random.default_rng(0).normal(size=(5000, 20))

    def mini(train: Callable[..., object]) -> None:
        som = MiniSom(10, 10, 20, sigma=5.0, learning_rate=0.5, random_seed=0, **FALL)
        som.pca_weights_init(X)
        train(som)

    ways = {
        "online": ({"training": "online", "epochs": 4}, lambda som: som.train_random(X, 20000)),
        "batch": ({"training": "batch", "epochs": 20}, lambda som: som.train_batch_offline(X, 20)),
    }
    found = {}
    for name, (parameters, train) in ways.items():
        som = SelfOrganizingMap(random_state=0, radius=(5.0, 1.0), **parameters).fit(X)  # compiles
        ours, theirs = [], []
        for _ in range(repeats):
            ours.append(_seconds(lambda som=som: som.fit(X)))
            theirs.append(_seconds(lambda train=train: mini(train)))
        times = statistics.median(ours), statistics.median(theirs)
        found[name] = (*times, times[1] / times[0])
    return found


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


if __name__ == "__main__":
    for name, (ours, theirs, times) in measure().items():
        print(f"{name:7} neuroloom {ours:.4f} s   MiniSom {theirs:.4f} s   {times:.1f} times as fast")
