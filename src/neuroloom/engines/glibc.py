"""The C library of most Linux systems, where it is the one that this process runs on."""

from __future__ import annotations

import ctypes
import functools
import os


@functools.cache
def glibc() -> ctypes.CDLL | None:
    """Its functions; None where there is another C library."""
    libc = ctypes.CDLL(None) if os.name == "posix" else None
    return libc if hasattr(libc, "gnu_get_libc_version") else None


def return_freed_memory() -> None:
    """Hand freed memory back to the system, as far as glibc is there: between blocks in use it keeps the pages."""
    libc = glibc()
    if libc is not None:
        libc.malloc_trim(0)
