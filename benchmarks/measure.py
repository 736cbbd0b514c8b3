"""Measuring a row: all peers alive at once, asked in turns, so that what slows the machine slows all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import Row
from benchmarks.worker import Job, Worker, WorkerError

WARM_UP_EPOCHS = 2
"""Epochs before the first measurement; the first one holds compilation and is reported."""

Note = Callable[[str], None]


def measure(
    row: Row, peers: list[str], repeats: int, epochs: int, threads: int, note: Note = lambda text: None
) -> dict[str, Any]:
    """The row's entry in the results: what was trained on, and by peer its times or its error."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        x, y, source = row.data()
        np.save(folder / "x.npy", x)
        np.save(folder / "y.npy", y)
        steps = row.steps(len(x))
        del x, y  # the workers have their own
        results: dict[str, dict[str, Any]] = {}
        workers: dict[str, Worker] = {}
        for peer in peers:
            workers[peer] = Worker(Job(row.name, peer, folder, threads))
            stack.callback(workers[peer].close)
            results[peer] = attempt(warm_up, workers[peer])
            note(f"{row.name}: {peer} {describe(results[peer])}")
        for _ in range(repeats):
            for peer in [peer for peer in peers if "error" not in results[peer]]:
                results[peer].update(attempt(once_more, workers[peer], epochs, results[peer].get("seconds", [])))
    summarised = {peer: result | summary(result, steps) for peer, result in results.items()}
    note(
        f"{row.name}: "
        + ", ".join(f"{p} {r['ms_per_step']:.4g} ms/step" for p, r in summarised.items() if "median" in r)
    )
    return {"data": source, "steps": steps, "epochs_per_call": epochs, "peers": summarised}


def attempt(act: Callable[..., dict[str, Any]], *args: Any) -> dict[str, Any]:
    """What the act gives, or what a worker said when it failed."""
    try:
        return act(*args)
    except WorkerError as error:
        return {"error": str(error)}


def warm_up(worker: Worker) -> dict[str, Any]:
    seconds = [worker.train(1) for _ in range(WARM_UP_EPOCHS)]
    return {"first_epoch_s": seconds[0]}


def once_more(worker: Worker, epochs: int, seconds: list[float]) -> dict[str, Any]:
    return {"seconds": [*seconds, worker.train(epochs) / epochs]}


def describe(result: dict[str, Any]) -> str:
    if "error" in result:
        return "failed: " + result["error"].strip().splitlines()[-1]
    return f"ready, first epoch {result['first_epoch_s']:.2f} s"


def summary(result: dict[str, Any], steps: int) -> dict[str, Any]:
    """Median, least and quartiles of the seconds per epoch, and the median milliseconds per step.

    >>> summary({"seconds": [3.0, 1.0, 2.0]}, steps=100)["ms_per_step"]
    20.0
    """
    if "error" in result:
        return {}
    low, median, high = np.quantile(result["seconds"], [0.25, 0.5, 0.75]).tolist()
    return {
        "median": median,
        "min": min(result["seconds"]),
        "quartiles": [low, high],
        "ms_per_step": 1000 * median / steps,
    }
