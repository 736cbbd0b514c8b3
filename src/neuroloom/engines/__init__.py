"""Tensor libraries behind one closed protocol.

The package is also the function that lists them, `neuroloom.engines()`.
"""

import sys

from neuroloom.calls import Public
from neuroloom.engines import dispatch
from neuroloom.engines.dispatch import EngineInfo, chosen, current, engine, engines, installed, load, of, resolve, use
from neuroloom.engines.kernels import Engine
from neuroloom.engines.protocol import NAMESPACE, Spec, Windows

__all__ = [
    "NAMESPACE", "Engine", "EngineInfo", "Spec", "Windows", "chosen", "current", "dispatch", "engine", "engines",
    "installed",
    "load", "of", "resolve", "use",
]  # fmt: skip


class _Listing(Public):
    """The package, callable: the module and the function would otherwise fight for one name."""

    def __call__(self) -> list[EngineInfo]:
        return engines()


sys.modules[__name__].__class__ = _Listing
