"""Which engine computes: the one whose arrays are given, else the one in use.

Engines are loaded on demand: `import neuroloom` loads none.
"""

from __future__ import annotations

import contextvars
import functools
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from neuroloom.engines.kernels import Engine
from neuroloom.errors import EngineError, UnknownNameError, nearest

GROUP = "neuroloom.engines"
"""The entry points by which packages bring engines: `name = "module:object"`, the object an Engine or its class."""

HOST = "numpy"
"""The engine of the host's own arrays."""

INSTALL = {HOST: "pip install numpy", "jax": "pip install jax", "torch": "pip install 'neuroloom[torch]'"}
"""The engines of this package -> the command that installs their library, which has the same name."""

ROOTS = {"numpy": HOST, "jax": "jax", "jaxlib": "jax", "torch": "torch"}
"""First part of an array type's module -> engine of this package."""

_loaded: dict[str, Engine] = {}
_default: str | None = None
_local: contextvars.ContextVar[str | None] = contextvars.ContextVar("engine", default=None)
_engine_of_type: dict[type, Engine | None] = {}
_hosts: dict[str, Engine] = {}
"""Loaded engines of other packages that compute with NumPy's arrays."""

_forked: set[str] = set()
"""Engines that a process above this one had loaded when it forked."""


@functools.cache
def sources() -> dict[str, list[EntryPoint]]:
    """Where the engines of all installed packages are to be found, by name: those of this package first."""
    found = {name: [EntryPoint(name, f"{GROUP}.{name}:ENGINE", GROUP)] for name in INSTALL}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        found.setdefault(entry.name, []).append(entry)
    return found


def names() -> list[str]:
    """The names of all engines that packages bring."""
    return list(sources())


def load(name: str) -> Engine:
    """The engine of this name; importing its tensor library the first time."""
    found = _loaded.get(name)
    if found is not None:
        return found
    if name not in sources():
        raise UnknownNameError(f"Unknown engine {name!r}. {nearest(str(name), names())}")
    if name in _forked:
        raise EngineError(
            f"This process was forked from one that had loaded the engine {name!r}. A fork does not copy its "
            f"threads, so computing here could wait forever. Start processes with "
            f"multiprocessing.get_context('spawn'), or fork before the engine is used."
        )
    if not installed(name):
        raise EngineError(f"The engine {name!r} is not installed. Install it with: {INSTALL[name]}")
    made = _made(name)
    _take(made)
    return made


def _made(name: str) -> Engine:
    """The engine that an entry point names, checked."""
    first, *others = sources()[name]
    if others:
        packages = " and ".join(_package(entry) for entry in (first, *others))
        raise EngineError(f"Two packages have an engine named {name!r}: {packages}. Uninstall one of them.")
    what = f"The engine {name!r} of the package {_package(first)!r}"
    try:
        given = first.load()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise EngineError(f"{what} did not load from {first.value!r}. {reason}") from error
    kind = given if isinstance(given, type) else type(given)
    if not issubclass(kind, Engine):
        raise EngineError(
            f"{what} expected {first.value!r} to be a neuroloom.engines.Engine or a class of such, received {given!r}."
        )
    missing = sorted(kind.__abstractmethods__)
    missing += [attribute for attribute in ("name", "xp") if not hasattr(kind, attribute)]
    if missing:
        raise EngineError(f"{what} lacks {', '.join(missing)}, which neuroloom.engines.protocol asks of every engine.")
    if kind.name != name:
        raise EngineError(f"{what} calls itself {kind.name!r}. Give the entry point and the engine one name.")
    return given() if isinstance(given, type) else given


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "neuroloom"


def _forget_threads() -> None:
    """In a forked child: engines with threads are not there, so that asking for one says so and nothing waits."""
    _forked.update(name for name, one in _loaded.items() if not one.forks)
    for name in _forked:
        _loaded.pop(name, None)
        _hosts.pop(name, None)
    _engine_of_type.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


@functools.cache
def installed(name: str) -> bool:
    """Whether a package brings the engine, and the tensor library of one of this package can be imported."""
    return name in sources() and (name not in INSTALL or importlib.util.find_spec(name) is not None)


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


@contextmanager
def standing_in(one: Engine) -> Iterator[None]:
    """Inside, an engine is in use and is the one of its name, whether it is installed or not."""
    before, mine = dict(_loaded), _loaded.get(one.name) is not one
    _take(one)
    token = _local.set(one.name)
    try:
        yield
    finally:
        _local.reset(token)
        if mine:
            _loaded.clear()
            _loaded.update(before)
            _hosts.pop(one.name, None)
            _engine_of_type.clear()


def _take(one: Engine) -> None:
    _loaded[one.name] = one
    if one.on_host and one.name != HOST:
        _hosts[one.name] = one
    _engine_of_type.clear()  # a type that was no array may be one of this engine's


def of_type(cls: type) -> Engine | None:
    """The engine whose arrays have this type, or None for other values."""
    try:
        return _engine_of_type[cls]
    except KeyError:
        name = getattr(cls, "neuroloom_engine", None) or _owner(cls.__module__.partition(".")[0])
        found = load(name) if name is not None else None
        return _engine_of_type.setdefault(cls, found)


def _owner(root: str) -> str | None:
    """The engine whose arrays' types are in modules of this root."""
    if root in ROOTS:
        return ROOTS[root]
    loaded = next((name for name, one in _loaded.items() if root in one.roots), None)
    return loaded or (root if root in sources() else None)


def of(*values: Any) -> Engine:
    """The engine of the given arrays: any other wins over the host's own; without arrays, the one in use.

    NumPy's arrays are computed by the engine in use where that has such arrays, else by NumPy.
    """
    found: Engine | None = None
    for value in values:
        one = of_type(type(value))
        if one is None or one is found:
            continue
        if found is None or found.on_host:
            found = one
        elif not one.on_host:
            raise EngineError(
                f"Arrays of two engines, {found.name} and {one.name}, met in one operation. "
                f"Convert one of them with neuroloom.engines.load({one.name!r}).asarray(x)."
            )
    if found is None:
        return current()
    return _hosts.get(_local.get() or _default or "", found) if _hosts and found.on_host else found


@dataclass(frozen=True)
class EngineInfo:
    """What `engines()` says of one engine.

    Attributes:
        name, version: `version` is empty where the engine is not installed.
        devices: the default one first.
        in_use: whether calls without `engine=` take it.
        install: the command that installs it.
        problem: why it does not load, if it is installed and does not.
    """

    name: str
    installed: bool
    version: str
    devices: tuple[str, ...]
    in_use: bool
    install: str
    problem: str = ""


def engines() -> list[EngineInfo]:
    """What is installed: per engine its version, devices, whether it is in use, and how to install it.

    >>> import neuroloom as nl
    >>> [row.name for row in nl.engines()]
    ['numpy', 'jax', 'torch']
    """
    return list(map(_info, names()))


def _info(name: str) -> EngineInfo:
    here, one, problem = installed(name), None, ""
    if here:
        try:
            one = load(name)
        except EngineError as error:
            problem = str(error)
    return EngineInfo(
        name=name,
        installed=here,
        version=one.version if one else "",
        devices=tuple(one.devices()) if one else (),
        in_use=one is not None and one is current(),
        install=install(name),
        problem=problem,
    )


def install(name: str) -> str:
    """The command that installs an engine."""
    return INSTALL.get(name) or f"pip install {_package(sources()[name][0])}"
