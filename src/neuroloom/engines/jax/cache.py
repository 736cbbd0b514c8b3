"""Compiled programs on disk, so that a second process need not compile them again."""

from __future__ import annotations

import hashlib
import os
import platform
import time
import warnings
from pathlib import Path
from typing import Any

import jax

from neuroloom.folders import VARIABLE, cache_folder

LIMIT_BYTES = 1 << 30
"""How much may lie in the folder when a process starts; the oldest programs go first."""

LIMIT_DAYS = 30
"""Age at which a program goes in any case. Newer ones of the same program come at the next compilation."""


def _setting(name: str) -> Any:
    return getattr(jax.config, name)  # `read` refuses those that have a context manager


def folder() -> Path | None:
    """The folder that this process keeps compiled programs in; None: it keeps none."""
    named = getattr(jax.config, "jax_compilation_cache_dir", None)
    return Path(named) if named and getattr(jax.config, "jax_enable_compilation_cache", True) else None


def enable() -> None:
    """Keep what XLA compiles in a folder of the user's cache directory.

    The folder is `NEUROLOOM_CACHE`/jax, by default that of the user's cache directory. `NEUROLOOM_CACHE=0` (or empty)
    keeps nothing. A user's own setting of `jax_compilation_cache_dir` (JAX_COMPILATION_CACHE_DIR) is left as it is.

    When a process starts, the folder is cut down to LIMIT_BYTES. Several processes may share it. Where it cannot be
    written, or a file in it is damaged, programs are compiled as if there were none. Each kind of processor has its own
    part, since programs of one may not run on another.
    """
    if os.environ.get(VARIABLE, "yes") in ("", "0") or getattr(jax.config, "jax_compilation_cache_dir", None):
        return
    path = cache_folder("jax") / processor()
    try:
        path.mkdir(parents=True, exist_ok=True)
        shrink(path)
    except OSError:
        return
    if not os.access(path, os.W_OK):
        return
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def processor() -> str:
    """A short name for this kind of processor: equal where the same machine code runs."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"


def shrink(path: Path) -> None:
    """Remove programs that are too old, and the oldest ones while all together are too large."""
    found = [(entry.stat(), entry) for entry in path.iterdir() if entry.is_file()]
    found.sort(key=lambda item: item[0].st_mtime, reverse=True)
    oldest, total = time.time() - LIMIT_DAYS * 86400, 0
    for stat, entry in found:
        total += stat.st_size
        if total > LIMIT_BYTES or stat.st_mtime < oldest:
            entry.unlink(missing_ok=True)
