"""A process of its own for each peer: it keeps its network and trains as many epochs as it is asked for."""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from dataclasses import dataclass
from importlib import metadata
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.peers import PEERS
from benchmarks.rows import ROWS, first_weights

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class WorkerError(Exception):
    """What went wrong in a worker, as it says."""


@dataclass(frozen=True)
class Job:
    """What a worker is told when it starts; `folder` holds the row's x.npy and y.npy."""

    row: str
    peer: str
    folder: Path
    threads: int


class Worker:
    """One peer at one row, in a fresh interpreter that shares nothing but the files of the data."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, job), daemon=True)
        self._process.start()
        theirs.close()

    def train(self, epochs: int) -> float:
        """Seconds that a call which trains so many epochs took.

        Raises:
            WorkerError: the peer failed.
        """
        try:
            self._pipe.send(epochs)
            answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            raise WorkerError(f"The process ended with code {self._process.exitcode}.") from None
        if isinstance(answer, str):
            raise WorkerError(answer)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()
        self._pipe.close()


def _serve(pipe: Connection, job: Job) -> None:
    try:
        _limit(job.threads)
        row, peer = ROWS[job.row], PEERS[job.peer]
        os.environ.update(peer.environment)
        x, y = (np.load(job.folder / f"{name}.npy") for name in ("x", "y"))
        train = peer.trainer(row, x, y, first_weights(row.network, x.shape[1:]), job.threads)
        while True:
            epochs = pipe.recv()
            started = time.perf_counter()
            train(epochs)
            pipe.send(time.perf_counter() - started)
    except EOFError:
        return
    except Exception:  # whatever a library raises belongs into the report, and the other peers go on
        pipe.send(traceback.format_exc())


def _limit(threads: int) -> None:
    """Libraries read these when they are imported: the variables, or the processors that the process may use."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def versions(peers: list[str]) -> dict[str, str]:
    """The versions of the libraries that these peers run on."""
    names = {name for peer in peers for name in PEERS[peer].libraries}
    return {name: metadata.version(name) for name in sorted({"numpy", *names})}
