"""Measuring a row: all peers alive at once, asked in turns, so that what slows the machine slows all of them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import Row
from benchmarks.tasks import Start
from benchmarks.worker import AbsentError, Worker, WorkerError, versions

PAUSE = 0.1
"""Seconds before each measurement, in which the threads of the peer before, which may wait actively, come to rest."""

SITTING = 2
"""Measurements in one process. The same program can take a third longer in one process than in another."""

Result = dict[str, Any]
Note = Callable[[str], None]


@dataclass
class Workers:
    """A process for each peer, started at its first row and kept: it forks for each."""

    threads: int
    gpu: bool = False
    _alive: dict[str, Worker] = field(default_factory=dict)

    def __enter__(self) -> Workers:
        self._kept = tempfile.TemporaryDirectory(prefix="benchmarks-")
        return self

    def __exit__(self, *error: object) -> None:
        for peer in list(self._alive):
            self.drop(peer)
        self._kept.cleanup()

    def get(self, peer: str) -> Worker:
        if peer not in self._alive:
            self._alive[peer] = Worker(peer, self.threads, Path(self._kept.name), self.gpu)
        return self._alive[peer]

    def drop(self, peer: str) -> None:
        if peer in self._alive:
            self._alive.pop(peer).close()


@contextmanager
def files_of(row: Row) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder with the row's x.npy and y.npy, and what the record says about them."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        x, y, source = row.data()
        np.save(Path(folder, "x.npy"), x)
        np.save(Path(folder, "y.npy"), y)
        yield Path(folder), {"data": source, "shape": list(x.shape[1:]), "steps": row.steps(len(x))}


def measure(row: Row, peers: list[str], repeats: int, workers: Workers, note: Note = lambda text: None) -> Result:
    """The row's entry in the results: what was done, and by peer its numbers or why there are none."""
    with files_of(row) as (folder, facts):
        if isinstance(row.task, Start):
            repeats = (repeats + 1) // 2  # each takes processes of its own, twice
            results = starts(row, peers, repeats, workers, folder)
        else:
            results = turns(row, peers, repeats, workers, folder, note)
    summarised = {peer: result | summary(result) for peer, result in results.items()}
    note(f"{row.name}: " + ", ".join(f"{p} {r['median']:.4g}" for p, r in summarised.items() if "median" in r))
    return {**facts, "unit": row.task.unit, "repeats": repeats, "peers": summarised}


def turns(row: Row, peers: list[str], repeats: int, workers: Workers, folder: Path, note: Note) -> dict[str, Result]:
    """Each peer made ready, two at a time; then all measured in turns, A B C B C A; and so again."""
    results: dict[str, Result] = {peer: {} for peer in peers}
    for done in range(0, repeats, SITTING):
        present = [peer for peer in peers if measurable(results[peer])]
        with ThreadPoolExecutor(2) as pool:
            for peer, result in pool.map(
                lambda peer: (peer, attempt(lambda: begun(peer, row, workers, folder))), present
            ):
                results[peer] = result | results[peer]  # the first call counts that had everything to do
                note(f"{row.name}: {peer} {describe(result)}")
        for turn in range(done, min(done + SITTING, repeats)):
            for peer in [peer for peer in rotated(peers, turn) if measurable(results[peer])]:
                time.sleep(PAUSE)
                results[peer] |= attempt(lambda peer=peer: grown(results[peer], workers.get(peer).again()))
        for peer in present:
            finish(peer, results[peer], workers)
    return results


def rotated(peers: list[str], turn: int) -> list[str]:
    """The peers from another one on in each turn, so that it is not always the same that begins.

    >>> rotated(["a", "b", "c"], 1)
    ['b', 'c', 'a']
    """
    start = turn % len(peers) if peers else 0
    return peers[start:] + peers[:start]


def begun(peer: str, row: Row, workers: Workers, folder: Path) -> Result:
    return {"versions": versions(peer)} | workers.get(peer).begin(row.name, folder)


def finish(peer: str, result: Result, workers: Workers) -> None:
    """End the row in the peer's process; one that failed in an unknown way is not used again."""
    try:
        if "error" in result:
            workers.drop(peer)
        else:
            workers.get(peer).done()
    except (WorkerError, AbsentError):
        workers.drop(peer)


def starts(row: Row, peers: list[str], repeats: int, workers: Workers, folder: Path) -> dict[str, Result]:
    """Two fresh processes of each peer in turns; the first finds an empty folder, the second what the first kept."""
    results: dict[str, Result] = {peer: {} for peer in peers}
    for _ in range(repeats):
        for peer in [peer for peer in peers if measurable(results[peer])]:
            results[peer] |= attempt(lambda peer=peer: grown(results[peer], started(peer, row, workers, folder)))
    return results


def started(peer: str, row: Row, workers: Workers, folder: Path) -> Result:
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as kept:
        first, second = (_start(peer, row, workers, folder, Path(kept)) for _ in range(2))
    return {"value": first["all_s"], "second": second["all_s"], **first, "versions": versions(peer)}


def _start(peer: str, row: Row, workers: Workers, folder: Path, kept: Path) -> Result:
    began = time.perf_counter()
    worker = Worker(peer, workers.threads, kept, workers.gpu)
    try:
        answer = worker.begin(row.name, folder, fork=False)
        return answer | {"all_s": time.perf_counter() - began, "import_s": worker.import_s}
    finally:
        worker.close()


def attempt(act: Callable[[], Result]) -> Result:
    """What the act gives, or what a worker said instead."""
    try:
        return act()
    except WorkerError as error:
        return {"error": str(error)}
    except AbsentError as error:
        return {"absent": str(error)}


def measurable(result: Result) -> bool:
    return "error" not in result and "absent" not in result


LISTS = {"value": "values", "one": "ones", "second": "seconds", "import_s": "imports"}
"""Numbers of a measurement that are kept in full, and under which name."""


def grown(result: Result, numbers: Result) -> Result:
    """The result with one more measurement."""
    lists = {LISTS[key]: [*result.get(LISTS[key], []), number] for key, number in numbers.items() if key in LISTS}
    return {key: value for key, value in numbers.items() if key not in LISTS} | lists


def describe(result: Result) -> str:
    if not measurable(result):
        return next(
            f"{kind}: {result[kind].strip().splitlines()[-1]}" for kind in ("error", "absent") if kind in result
        )
    return f"ready, first call {result['first_s']:.2f} s"


def summary(result: Result) -> Result:
    """Median, least and quartiles of the values; of the other lists the median.

    >>> summary({"values": [3.0, 1.0, 2.0], "ones": [0.5]})
    {'median': 2.0, 'min': 1.0, 'quartiles': [1.5, 2.5], 'one': 0.5}
    """
    if not measurable(result) or not result.get("values"):
        return {}
    low, median, high = np.quantile(result["values"], [0.25, 0.5, 0.75]).tolist()
    others = {key: float(np.median(result[name])) for key, name in LISTS.items() if name in result and key != "value"}
    return {"median": median, "min": min(result["values"]), "quartiles": [low, high], **others}
