"""A peer's process: `python -m benchmarks.serve '{"peer": ..., "threads": ...}'`; one JSON object a line, in and out.

It imports the peer's library, and says so. For each order {"row": ..., "folder": ...} it makes the row ready, then
measures at every {"again": true}, until {"done": true}. Each row is a fork of its own of the process that has only
imported, so that rows share neither memory nor compiled programs; {"fork": false} does without, for what is cold.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from benchmarks.peers import PEERS, Absent, Bench, Peer
from benchmarks.rows import EVERY

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main() -> None:
    job = json.loads(sys.argv[1])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes elsewhere
    limit(job["threads"])
    peer = PEERS[job["peer"]]
    started = time.perf_counter()
    exec(peer.statement)  # the statement is data of this folder
    imported = time.perf_counter() - started
    peer.load()
    say(out, {"import_s": imported})
    while order := hear():
        if not order.get("fork", True):
            serve(out, peer, job["threads"], order)
            return
        if not (child := os.fork()):
            serve(out, peer, job["threads"], order)
            os._exit(0)
        if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            say(out, {"error": f"The process ended with code {code}."})


def limit(threads: int) -> None:
    """Libraries read these when they are imported: the variables, or the processors that the process may use."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def serve(out: TextIO, peer: Peer, threads: int, order: dict[str, Any]) -> None:
    """One row, from its order to the word that it is done; the first error is the last answer before that."""
    try:
        row = EVERY[order["row"]]
        x, y = (np.asarray(np.load(Path(order["folder"], f"{name}.npy"), mmap_mode="c")) for name in ("x", "y"))
        ready = row.task.ready(Bench(peer, row, x, y, threads))
        say(out, {"first_s": ready.first, "peak_mb": peak_mb()})
        while "again" in hear():
            gc.collect()
            say(out, ready.once() | {"peak_mb": peak_mb()})
    except Exception as error:  # whatever a library raises belongs into the report, and the other peers go on
        kind = "absent" if isinstance(error, Absent) else "error"
        say(out, {kind: str(error) if kind == "absent" else traceback.format_exc()})
        hear()


def peak_mb() -> float | None:
    """The most memory that this process has held since it began, in 10⁶ bytes, where the system says so."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), None)


def say(out: TextIO, answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=out, flush=True)


def hear() -> dict[str, Any]:
    """The next order; {} when there is nobody to give one.

    Byte by byte, since a fork that read ahead would keep the next row's order to itself.
    """
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return json.loads(line or "{}")


if __name__ == "__main__":
    main()
