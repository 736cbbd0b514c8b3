"""Which engine computes: the one whose arrays are given, else the one in use.

Engines are loaded on demand: `import neuroloom` loads none.
"""

from __future__ import annotations

import contextvars
import functools
import importlib
import importlib.util
import os
from dataclasses import dataclass
from typing import Any

from neuroloom.engines.base import Engine
from neuroloom.errors import EngineError, UnknownNameError, nearest

INSTALL = {
    "numpy": "pip install numpy",
    "jax": "pip install jax",
    "torch": "pip install 'neuroloom[torch]'",
}
"""engine -> the command that installs it. The order is the order in which they are listed."""

ROOTS = {"numpy": "numpy", "jax": "jax", "jaxlib": "jax", "torch": "torch"}
"""First part of an array type's module -> engine. A type of an engine's own names it as `neuroloom_engine`."""

_loaded: dict[str, Engine] = {}
_default: str | None = None
_local: contextvars.ContextVar[str | None] = contextvars.ContextVar("engine", default=None)
_engine_of_type: dict[type, Engine | None] = {}
_forked: set[str] = set()
"""Engines that a process above this one had loaded when it forked."""


def load(name: str) -> Engine:
    """The engine of this name; importing its tensor library the first time."""
    found = _loaded.get(name)
    if found is not None:
        return found
    if name not in INSTALL:
        raise UnknownNameError(f"Unknown engine {name!r}. {nearest(str(name), INSTALL)}")
    if name in _forked:
        raise EngineError(
            f"This process was forked from one that had loaded the engine {name!r}. A fork does not copy its "
            f"threads, so computing here could wait forever. Start processes with "
            f"multiprocessing.get_context('spawn'), or fork before the engine is used."
        )
    if not installed(name):
        raise EngineError(f"The engine {name!r} is not installed. Install it with: {INSTALL[name]}")
    return _loaded.setdefault(name, importlib.import_module(f"neuroloom.engines.{name}").ENGINE)


def _forget_threads() -> None:
    """In a forked child: engines with threads are not there, so that asking for one says so and nothing waits."""
    _forked.update(name for name in _loaded if name != "numpy")
    for name in _forked:
        _loaded.pop(name, None)
    _engine_of_type.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


@functools.cache
def installed(name: str) -> bool:
    """Whether the engine's tensor library can be imported."""
    return importlib.util.find_spec(name) is not None


def current() -> Engine:
    """The engine in use: `with engine(...)`, else `use(...)`, else NEUROLOOM_ENGINE, else jax."""
    return load(_local.get() or _default or usual())


def chosen() -> str:
    """The name of the engine in use; empty where nobody chose one."""
    return _local.get() or _default or from_environment()


def usual() -> str:
    """The engine that a process begins with."""
    return from_environment() or "jax"


@functools.cache
def from_environment() -> str:
    """The engine that a process begins with: NEUROLOOM_ENGINE, as it was when it was first asked for; or empty."""
    return os.environ.get("NEUROLOOM_ENGINE") or ""


def resolve(engine: str | Engine | None) -> Engine:
    """The engine that a call's `engine=` argument means; None is the one in use."""
    if engine is None:
        return current()
    return engine if isinstance(engine, Engine) else load(engine)


def use(name: str) -> None:
    """Make an engine the default of this process.

    >>> import neuroloom as nl
    >>> nl.use("jax")
    """
    global _default
    _default = load(name).name


class engine:
    """Use an engine inside a `with` block (of this thread or task only).

    >>> import neuroloom as nl
    >>> with nl.engine("numpy"):
    ...     y = nl.layers.Dense(3)([[1.0, 2.0]])
    >>> type(y).__module__
    'numpy'
    """

    def __init__(self, name: str) -> None:
        self._engine = load(name)

    def __enter__(self) -> Engine:
        self._token = _local.set(self._engine.name)
        return self._engine

    def __exit__(self, *error: object) -> None:
        _local.reset(self._token)


def of_type(cls: type) -> Engine | None:
    """The engine whose arrays have this type, or None for other values."""
    try:
        return _engine_of_type[cls]
    except KeyError:
        name = getattr(cls, "neuroloom_engine", None) or ROOTS.get(cls.__module__.partition(".")[0])
        found = load(name) if name is not None else None
        return _engine_of_type.setdefault(cls, found)


def of(*values: Any) -> Engine:
    """The engine of the given arrays: any other wins over numpy; without arrays, the one in use."""
    found: Engine | None = None
    for value in values:
        one = of_type(type(value))
        if one is None or one is found:
            continue
        if found is None or found.name == "numpy":
            found = one
        elif one.name != "numpy":
            raise EngineError(
                f"Arrays of two engines, {found.name} and {one.name}, met in one operation. "
                f"Convert one of them with neuroloom.engines.load({one.name!r}).asarray(x)."
            )
    return found or current()


@dataclass(frozen=True)
class EngineInfo:
    """What `engines()` says of one engine.

    Attributes:
        name, version: `version` is empty where the engine is not installed.
        devices: the default one first.
        in_use: whether calls without `engine=` take it.
        install: the command that installs it.
    """

    name: str
    installed: bool
    version: str
    devices: tuple[str, ...]
    in_use: bool
    install: str


def engines() -> list[EngineInfo]:
    """What is installed: per engine its version, devices, whether it is in use, and how to install it.

    >>> import neuroloom as nl
    >>> [row.name for row in nl.engines()]
    ['numpy', 'jax', 'torch']
    """
    rows = []
    for name, command in INSTALL.items():
        here = installed(name)
        one = load(name) if here else None
        rows.append(
            EngineInfo(
                name=name,
                installed=here,
                version=one.version if one else "",
                devices=tuple(one.devices()) if one else (),
                in_use=one is not None and one is current(),
                install=command,
            )
        )
    return rows
