"""Memory that stays when a compiled program has gone: JAX's traces, and what the C library keeps."""

from __future__ import annotations

import importlib
from typing import Any

from neuroloom.engines.glibc import return_freed_memory

TRACES = 1000
"""Traces that JAX may hold when a program goes; 500 small networks, trained and used, leave some 30,000."""


def clean_up() -> None:
    """Free what a program that went has left behind.

    The functions of `jax.numpy` are compiled functions too, and JAX keeps their traces for each shape, without a bound.
    Compiled programs, ours and the user's, need no trace any more: nothing is compiled again. Compiling takes many
    times the memory that is kept in the end, in pieces between which glibc would keep the pages.
    """
    held = traces()
    if held is not None and held.cache_info().currsize > TRACES:
        held.cache_clear()
    return_freed_memory()


def traces() -> Any:
    """JAX's own cache of traces, for which it has no public name; None in a version that has another one."""
    try:
        cache = importlib.import_module("jax._src.interpreters.partial_eval").trace_to_jaxpr
    except (ImportError, AttributeError):
        return None
    return cache if hasattr(cache, "cache_info") and hasattr(cache, "cache_clear") else None
