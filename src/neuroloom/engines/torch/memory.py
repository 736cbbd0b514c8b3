"""Freed memory is kept for the next step, where the C library would hand it back to the system.

PyTorch asks the C library for every tensor anew. glibc gives a large freed block back to the system, so the next step
gets it again page by page, filled with zeros: half of the time of a step of a small convolutional network. With two
of glibc's own settings such blocks stay in the process, up to KEPT bytes; blocks above LARGEST still go back at once.
"""

from __future__ import annotations

import functools
import os

from neuroloom.engines.glibc import glibc

KEPT = 256 << 20
"""Bytes of freed memory that the process keeps at most (M_TRIM_THRESHOLD)."""

LARGEST = 32 << 20
"""Bytes of the largest block that is kept, which is the most that glibc allows (M_MMAP_THRESHOLD)."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # the names and numbers of <malloc.h>
OWN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Variables by which a user has chosen for himself: then nothing is set."""


@functools.cache
def keep_freed_memory() -> bool:
    """Set it, once in a process; gives whether it was set: nothing is where there is no glibc."""
    libc = glibc()
    if libc is None or any(os.environ.get(name) for name in OWN):
        return False
    return all([libc.mallopt(M_MMAP_THRESHOLD, LARGEST), libc.mallopt(M_TRIM_THRESHOLD, KEPT)])
