"""Textbook networks against those who have them: `python -m benchmarks.textbook` writes a record, and docs/networks.md.

Both sides of a contest run in one process, by turns, A B A B; what is timed is the whole of a call, after one call
that compiles. A new contest is one entry in CONTESTS.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data, machine, textbook_peers
from benchmarks.readme import BLOCK, ROOT
from benchmarks.report import digits, table

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "networks.md"
LIBRARIES = {"jax": "jax", "minisom": "minisom", "numpy": "numpy", "scikit-learn": "sklearn"}
"""Distribution -> module."""

Act = Callable[[], object]


@dataclass(frozen=True)
class Contest:
    """Something to do, by neuroloom and by others.

    Attributes:
        title: what is done.
        ours: makes the call that is timed.
        others: likewise, by the name of who does it.
        least: how many times as fast as the first of the others neuroloom should be.
        most: how many seconds it should take at most.
        repeats: measurements of each.
        one_thread: whether both sides have one thread, in a process of its own, and processor time is what counts.
    """

    title: str
    ours: Callable[[], Act]
    others: dict[str, Callable[[], Act]] = field(default_factory=dict)
    least: float | None = None
    most: float | None = None
    repeats: int = 5
    one_thread: bool = False


def points() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5000, 20)).astype(np.float32)


def som(training: str, epochs: int) -> Act:
    from neuroloom.networks import SelfOrganizingMap

    net = SelfOrganizingMap(radius=(5.0, 1.0), training=training, epochs=epochs, random_state=0)
    return partial(net.fit, points())


def minisom(method: str, iterations: int) -> Act:
    """MiniSom with sigma and rate that fall linearly, as here; it draws its rows at random."""
    from minisom import MiniSom

    X, fall = points(), {"sigma_decay_function": "linear_decay_to_one", "decay_function": "linear_decay_to_zero"}

    def act() -> None:
        net = MiniSom(10, 10, 20, sigma=5.0, learning_rate=0.5, random_seed=0, **fall)
        net.pca_weights_init(X)
        getattr(net, method)(X, iterations)

    return act


def batch_som_by_hand(epochs: int) -> Act:
    """The batch rule with a matrix product for the distances and sorted sums: a pass is a dozen calls of NumPy."""
    X, grid = points(), np.stack(np.meshgrid(np.arange(10), np.arange(10)), -1).reshape(-1, 2)
    apart = ((grid[:, None] - grid[None]) ** 2).sum(-1).astype(np.float32)

    def act() -> np.ndarray:
        w = X[:100].copy()
        for radius in np.linspace(5.0, 1.0, epochs):
            winners = (0.5 * (w**2).sum(1) - X @ w.T).argmin(1)
            reach = np.exp(-apart / (2 * np.float32(radius) ** 2))
            order = winners.argsort(kind="stable")
            present, begins, counts = np.unique(winners[order], return_index=True, return_counts=True)
            sums = np.add.reduceat(X[order], begins, axis=0)
            w = (reach[:, present] @ sums) / (reach[:, present] @ counts.astype(np.float32))[:, None]
        return w

    return act


def perceptron(algorithm: str) -> Act:
    from neuroloom.networks import MultilayerPerceptronRegressor

    x = np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))
    net = MultilayerPerceptronRegressor(hidden=(8,), algorithm=algorithm, epochs=200, random_state=0)
    return partial(net.fit, x, x[:, 0] * x[:, 1])


def recall(update: str) -> Act:
    from neuroloom.networks import Hopfield

    rng = np.random.default_rng(0)
    patterns = rng.choice([-1.0, 1.0], (1000, 1000)).astype(np.float32)
    net = Hopfield(rule="pseudo-inverse", update=update, random_state=0).fit(patterns[:100])
    wrong = patterns[rng.integers(0, 100, 1000)] * np.where(rng.random((1000, 1000)) < 0.1, -1, 1)
    return partial(net.transform, wrong)


def pictures() -> np.ndarray:
    return data.mnist(60_000, flat=True).x


def rbm(batch_size: int) -> Act:
    from neuroloom.networks import BernoulliRBM

    return partial(BernoulliRBM(n_components=256, batch_size=batch_size, epochs=1, random_state=0).fit, pictures())


def rbm_of_scikit_learn(batch_size: int, dtype: str) -> Act:
    from sklearn.neural_network import BernoulliRBM

    X = pictures().astype(dtype)
    return partial(BernoulliRBM(256, batch_size=batch_size, n_iter=1, random_state=0).fit, X)


CONTESTS = {
    "som-online": Contest(
        "map of 10 x 10, 5,000 rows of 20, 20,000 iterations one by one",
        partial(som, "online", 4),
        {"MiniSom": partial(minisom, "train_random", 20_000)},
        least=5,
    ),
    "som-batch": Contest(
        "map of 10 x 10, 5,000 rows of 20, 20 passes in batches",
        partial(som, "batch", 20),
        {"MiniSom": partial(minisom, "train_batch_offline", 20), "NumPy by hand": partial(batch_som_by_hand, 20)},
        least=2,
    ),
    **{
        f"perceptron-{name}": Contest(f"2-8-1, 1,000 rows, 200 epochs of {name}", partial(perceptron, name), most=0.05)
        for name in ("gdx", "rprop")
    },
    **{
        f"hopfield-{name}": Contest(f"1,000 states of 1,000 units recalled, {name}", partial(recall, name), most=1)
        for name in ("asynchronous", "synchronous")
    },
    **{
        f"rbm-{size}": Contest(
            f"Boltzmann machine 784-256, 60,000 MNIST images, 1 pass, batch {size}",
            partial(rbm, size),
            {
                "scikit-learn": partial(rbm_of_scikit_learn, size, "float32"),
                "scikit-learn in float64": partial(rbm_of_scikit_learn, size, "float64"),
            },
            least=3,
            repeats=3,
        )
        for size in (10, 100)
    },
    **{
        name: Contest(pair.title, pair.ours, {pair.name: pair.peer}, least=0.8, one_thread=True)
        for name, pair in textbook_peers.PAIRS.items()
    },
}


def measure(contest: Contest) -> dict[str, Any]:
    """Seconds of each side, by turns."""
    clock = time.process_time if contest.one_thread else time.perf_counter
    acts = {"neuroloom": contest.ours()} | {name: make() for name, make in contest.others.items()}
    first = seconds(acts["neuroloom"], clock)
    times: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(contest.repeats):
        for name, act in acts.items():
            times[name].append(seconds(act, clock))
    return {"first": first, "seconds": times, "medians": {n: statistics.median(t) for n, t in times.items()}}


def seconds(act: Act, clock: Callable[[], float]) -> float:
    started = clock()
    act()
    return clock() - started


def measured(name: str) -> dict[str, Any]:
    """`measure`, where one thread is wanted in a process that has no more than one processor."""
    if not CONTESTS[name].one_thread:
        return measure(CONTESTS[name])
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    command = [sys.executable, "-m", "benchmarks.textbook", "--measure", name]
    said = subprocess.run(command, env=os.environ | threads, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def verdict(contest: Contest, medians: dict[str, float]) -> tuple[str, str, bool]:
    """What was found, what was wanted, whether it is met.

    >>> verdict(Contest("", lambda: print, least=3), {"neuroloom": 1.0, "a": 2.5, "b": 0.5})
    ('2.50 times as fast as a', 'at least 3', False)
    >>> verdict(Contest("", lambda: print, most=0.05), {"neuroloom": 0.02})
    ('0.02 s', 'at most 0.05 s', True)
    """
    own = medians["neuroloom"]
    if contest.least is None:
        assert contest.most is not None
        return f"{digits(own)} s", f"at most {contest.most} s", own <= contest.most
    first = next(name for name in medians if name != "neuroloom")
    times = medians[first] / own
    return f"{times:.2f} times as fast as {first}", f"at least {contest.least:g}", times >= contest.least


def rows_of(results: dict[str, Any]) -> str:
    """The table of all contests."""
    body = []
    for name, entry in results["contests"].items():
        found, wanted, met = verdict(CONTESTS[name], entry["medians"])
        others = ", ".join(f"{peer} {digits(t)}" for peer, t in entry["medians"].items() if peer != "neuroloom")
        own = digits(entry["medians"]["neuroloom"])
        title = CONTESTS[name].title
        body.append((title, own, others or "–", found, wanted, "met" if met else "**not met**"))
    return table(("what", "neuroloom s", "others s", "measured", "wanted", ""), body)


def text(results: dict[str, Any]) -> str:
    """Where and how it was measured, and the table."""
    m = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    setting = f"{m['cpu']}, {m['cores']} cores, Python {m['python']}; {versions}; {results['date']}."
    how = (
        "Seconds of a whole call, medians, both sides in one process by turns, after a call that compiles; where at "
        "least 0.8 is wanted both have one thread, and it is processor time."
    )
    return f"{how} {setting}\n\n{rows_of(results)}"


def updated(page: str, results: dict[str, Any]) -> str:
    """The page with its block written anew."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{text(results)}\n\n{found[2]}", page)


def main(given: list[str] | None = None, folder: Path = RESULTS, page: Path = PAGE) -> None:
    """Measure; write `textbook-<machine>.json` and the page's table."""
    parser = argparse.ArgumentParser("python -m benchmarks.textbook", description="Textbook networks, side by side.")
    parser.add_argument("--only", nargs="*", choices=list(CONTESTS), help="some of the contests; nothing is written")
    parser.add_argument("--measure", choices=list(CONTESTS), help="this one on one processor, its times as JSON")
    arguments = parser.parse_args(given)
    only = arguments.only
    data.find_folder()
    if arguments.measure:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(measure(CONTESTS[arguments.measure])))
        return
    results = {
        "machine": machine.machine(),
        "date": machine.moment()["date"],
        "versions": {name: version(name) for name in LIBRARIES if find_spec(LIBRARIES[name])},
        "contests": {name: measured(name) for name in only or CONTESTS},
    }
    if not only:
        (folder / f"textbook-{machine.kind()}.json").write_text(json.dumps(results, indent=1) + "\n")
        page.write_text(updated(page.read_text("utf-8"), results), "utf-8")
    print(text(results))


if __name__ == "__main__":
    main()
