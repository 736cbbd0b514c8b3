"""Peers' processes, and the interpreters that have their libraries."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS

ROOT = Path(__file__).resolve().parents[1]
INTERPRETERS = "BENCHMARKS_PYTHON"
"""Names other interpreters, with the path separator between them, for peers whose libraries this one lacks."""
CPU = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
PATIENCE = 240
"""Seconds after which a peer that does not answer has failed."""


class WorkerError(Exception):
    """What went wrong in a worker, as it says."""


class AbsentError(Exception):
    """There is no such peer for this row here; says why."""


class Worker:
    """One peer in an interpreter of its own that shares nothing but the files of the data.

    Args:
        kept: a folder for whatever the libraries keep between processes.
        gpu: whether it may use one.
    """

    def __init__(self, peer: str, threads: int, kept: Path, gpu: bool = False) -> None:
        self._process = subprocess.Popen(
            [interpreter(peer), "-m", "benchmarks.serve", json.dumps({"peer": peer, "threads": threads})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(peer, kept, gpu),
            text=True,
            process_group=0,  # so that it ends together with its forks; a session of its own would change priorities
        )
        self.import_s = self._answer()["import_s"]

    def begin(self, row: str, folder: Path, fork: bool = True) -> dict[str, float]:
        """Make a row ready: seconds of the first call, peak memory.

        Raises:
            WorkerError: the peer failed.
            AbsentError: it has no way to run this row.
        """
        return self._ask({"row": row, "folder": str(folder), "fork": fork})

    def again(self) -> dict[str, float]:
        """One measurement."""
        return self._ask({"again": True})

    def done(self) -> None:
        """End the row."""
        self._send({"done": True})

    def close(self) -> None:
        """End the process."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def _ask(self, order: dict[str, Any]) -> dict[str, float]:
        self._send(order)
        return self._answer()

    def _send(self, order: dict[str, Any]) -> None:
        assert self._process.stdin
        try:
            print(json.dumps(order), file=self._process.stdin, flush=True)
        except OSError:
            raise WorkerError("The process has ended.") from None

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            self.close()
            raise WorkerError(f"No answer within {PATIENCE} s.")
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"The process ended with code {self._process.wait()}."}
        if "error" in answer:
            raise WorkerError(answer["error"])
        if "absent" in answer:
            raise AbsentError(answer["absent"])
        return answer


def environment(peer: str, kept: Path, gpu: bool) -> dict[str, str]:
    """The variables of a peer's process: nothing that another process has compiled is found."""
    own = {"NEUROLOOM_CACHE": str(kept), "TORCHINDUCTOR_CACHE_DIR": str(kept / "inductor")}
    paths = [str(ROOT), str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    inherited = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    return inherited | own | {"PYTHONPATH": os.pathsep.join(paths)} | PEERS[peer].environment | ({} if gpu else CPU)


def interpreter(peer: str) -> str:
    """The first interpreter that has the peer's libraries: this one, or one that BENCHMARKS_PYTHON names.

    Raises:
        AbsentError: none has.
    """
    libraries = PEERS[peer].libraries
    for python in (sys.executable, *filter(None, os.environ.get(INTERPRETERS, "").split(os.pathsep))):
        if None not in found(python, libraries).values():
            return python
    raise AbsentError(
        f"{' and '.join(libraries)} not installed together here; {INTERPRETERS} may name another interpreter."
    )


def versions(peer: str) -> dict[str, str]:
    """The versions of what the peer runs on."""
    return found(interpreter(peer), ("numpy", *PEERS[peer].libraries))  # type: ignore[return-value]


@cache
def found(python: str, libraries: tuple[str, ...]) -> dict[str, str | None]:
    """The versions of these distributions there, None for what is missing."""
    if python == sys.executable:
        return {name: version(name) for name in libraries}
    command = [python, "-c", "import sys; from benchmarks.worker import version; print(*map(version, sys.argv[1:]))"]
    done = subprocess.run([*command, *libraries], capture_output=True, text=True, cwd=ROOT, check=True)
    return {
        name: None if number == "None" else number for name, number in zip(libraries, done.stdout.split(), strict=True)
    }


def version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
