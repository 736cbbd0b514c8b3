"""Objects whose fields are their configuration, and the registries that find their classes by name.

Layers, initializers, losses, metrics, optimizers, schedules and callbacks are `Configured`: frozen dataclasses
whose annotations say which values a field may have. So the constructor's checks, the configuration in a model
file, `repr`, the structural signature and the tests of wrong input share one source.

    class Dropout(Layer):
        rate: Fraction              # Dropout(2.0) -> "Dropout expected rate to be a number from 0 to 1, ..."
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import re
import threading
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, TypeVar, cast, dataclass_transform

import numpy as np

from neuroloom.calls import friendly, unknown_argument
from neuroloom.errors import ConfigurationError, UnknownNameError, nearest

T = TypeVar("T", bound="Configured")

# ---------------------------------------------------------------------------------------------- value checks


class Check:
    """What a field may hold. `__call__` returns the value in its canonical form or raises ValueError."""

    expects: str

    def __call__(self, value: Any) -> Any:
        raise NotImplementedError  # abstract

    def refuse(self) -> ValueError:
        return ValueError(self.expects)


class Number(Check):
    """A real number in [low, high]; `open_low` and `open_high` leave the ends out."""

    def __init__(
        self,
        low: float = -np.inf,
        high: float = np.inf,
        *,
        open_low: bool = False,
        open_high: bool = False,
        expects: str,
    ) -> None:
        self.low, self.high, self.open_low, self.open_high = low, high, open_low, open_high
        self.expects = expects

    def __call__(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            raise self.refuse()
        number = float(value)
        below = number <= self.low if self.open_low else number < self.low
        above = number >= self.high if self.open_high else number > self.high
        if below or above or number != number:
            raise self.refuse()
        return number


class Integer(Check):
    """A whole number of at least `low`; a bool or a float is none."""

    def __init__(self, low: int) -> None:
        self.low = low
        self.expects = {0: "a whole number of at least 0", 1: "a positive whole number"}.get(
            low, f"a whole number of at least {low}"
        )

    def __call__(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < self.low:
            raise self.refuse()
        return int(value)


class Integers(Check):
    """`n` whole numbers of at least `low`; one number stands for n equal ones. `n=None`: any count."""

    def __init__(self, n: int | None, low: int = 1) -> None:
        self.n, self.one = n, Integer(low)
        count = "" if n is None else f"{n} "
        self.expects = f"{self.one.expects}, or a tuple of {count}such numbers"

    def __call__(self, value: Any) -> tuple[int, ...]:
        if isinstance(value, list | tuple):
            if self.n is not None and len(value) != self.n:
                raise self.refuse()
            try:
                return tuple(self.one(v) for v in value)
            except ValueError:
                raise self.refuse() from None
        return (self.one(value),) * (self.n or 1)


class Choice(Check):
    """One of some strings."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices
        self.expects = " or ".join(repr(c) for c in choices)

    def __call__(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise self.refuse()
        return value


class Flag(Check):
    """True or False."""

    expects = "True or False"

    def __call__(self, value: Any) -> bool:
        if not isinstance(value, bool | np.bool_):
            raise self.refuse()
        return bool(value)


class Text(Check):
    """A name that can be part of a path: no slash, no dots only, not empty."""

    expects = "a name without '/', at most 200 characters, not '.' or '..'"

    def __call__(self, value: Any) -> str:
        good = isinstance(value, str) and 0 < len(value) <= 200 and "/" not in value
        if not good or value in {".", ".."} or not value.isprintable():
            raise self.refuse()
        return value


class File(Check):
    """The path of a file or folder, as text."""

    expects = "text or a pathlib.Path"

    def __call__(self, value: Any) -> str:
        path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
        if not isinstance(path, str) or not path:
            raise self.refuse()
        return path


class Resolve(Check):
    """An object of a kind: given as such, by name, as a class, or as its configuration."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, value: Any) -> Any:
        return get(self.kind, value)


Positive = Annotated[float, Number(0, open_low=True, expects="a positive number")]
NonNegative = Annotated[float, Number(0, expects="a number of at least 0")]
Fraction = Annotated[float, Number(0, 1, open_high=True, expects="a number from 0 up to, but not, 1")]
Real = Annotated[float, Number(expects="a number")]
PositiveInt = Annotated[int, Integer(1)]
Count = Annotated[int, Integer(0)]
Pair = Annotated[int | tuple[int, int], Integers(2)]
Sizes = Annotated[tuple[int, ...], Integers(None)]
Bool = Annotated[bool, Flag()]
Name = Annotated[str, Text()]


@functools.cache
def checks(cls: Any) -> dict[str, tuple[Check | None, bool]]:
    """field -> (its check, whether None is allowed), read from the annotations of a Configured class."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found: dict[str, tuple[Check | None, bool]] = {}
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        parts = (hint, *typing.get_args(hint))
        check = next(
            (m for p in parts if typing.get_origin(p) is Annotated for m in p.__metadata__ if isinstance(m, Check)),
            None,
        )
        found[field.name] = (check, type(None) in typing.get_args(hint))
    return found


def canonical(obj: Any) -> dict[str, Any]:
    """The fields of a dataclass in the form that their annotations' checks give them.

    Raises:
        ConfigurationError: a field has a value that it cannot have.
    """
    values = {}
    for name, (check, optional) in checks(cast(Any, type(obj))).items():
        values[name] = value = getattr(obj, name)
        if check is None or (value is None and optional):
            continue
        try:
            values[name] = check(value)
        except ConfigurationError:
            raise
        except ValueError as error:
            ways = f"{error}{' or None' if optional else ''}"
            raise ConfigurationError(
                f"{type(obj).__name__} expected {name} to be {ways}, received {value!r}."
            ) from None
    return values


# ------------------------------------------------------------------------------------------ configured objects


def checked(name: str, value: Any, check: Check) -> Any:
    """An argument in its canonical form, or a ConfigurationError that names it."""
    try:
        return check(value)
    except ValueError as error:
        raise ConfigurationError(f"{name} expected {error}, received {value!r}.") from None


def normal(name: str) -> str:
    """The form under which names are compared: 'mean_squared_error' and 'MeanSquaredError' are one."""
    return name.replace("_", "").lower()


def snake(name: str) -> str:
    """`MaxPooling2D` -> `max_pooling2d`, as Keras names layers.

    >>> snake("MaxPooling2D"), snake("LSTM"), snake("SimpleRNN")
    ('max_pooling2d', 'lstm', 'simple_rnn')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


REGISTRIES: dict[str, dict[str, type[Configured]]] = {}
"""kind -> normalised name -> class. Model files find classes here and nowhere else."""


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(dataclasses.field,))
class Configured:
    """Base of every object whose dataclass fields are its configuration. Subclasses become dataclasses."""

    kind: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    renamed: ClassVar[dict[str, str]] = {}
    lifted: ClassVar[tuple[str, ...]] = ()  # numbers that may be arrays inside a program (see populations/lifting.py)

    has_own_init: ClassVar[bool] = False  # whether its arguments are those of an __init__ that somebody wrote

    def __init_subclass__(cls, kind: str | None = None, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if kind is not None:
            cls.kind = kind
            REGISTRIES.setdefault(kind, {})
        written = cls.__dict__.get("__init__")
        cls.has_own_init = cls.has_own_init or written is not None
        _as_dataclass(cls)
        if written is not None:
            keep_arguments(cls, written)
        elif not cls.has_own_init:
            friendly_init(cls)
        if "__call__" in vars(cls):
            cls.__call__ = friendly(cls.__call__)  # type: ignore[method-assign]
        if kind is None and not abstract:
            _register(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        kind, names = type(self).__name__, [f.name for f in dataclasses.fields(self)]  # type: ignore[arg-type]
        if name not in names:
            raise ConfigurationError(f"{kind} has no attribute {name!r} that could be set. {nearest(name, names)}")
        raise ConfigurationError(
            f"{kind} is fixed once it is made, so {name} cannot be set. Make another: {kind}(..., {name}={value!r})."
        )

    def __post_init__(self) -> None:
        for name, value in canonical(self).items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self._arguments_given().items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def get_config(self) -> dict[str, Any]:
        """The arguments that differ from their defaults, as JSON values; `from_config` is the inverse."""
        return {name: to_json(value) for name, value in self._arguments_given().items()}

    def _arguments_given(self) -> dict[str, Any]:
        """Fields that differ from their defaults, or what a written `__init__` was called with."""
        changed = {f.name: getattr(self, f.name) for f in _changed_fields(self)}
        overridden = type(self).get_config is not Configured.get_config  # it says itself what to call it with
        return changed if overridden or not self.has_own_init else {**changed, **vars(self).get("_arguments", {})}

    def signature(self) -> Any:
        """A hashable value, equal for objects of equal class and configuration; names do not count."""
        names = [f.name for f in dataclasses.fields(self) if f.name != "name"]  # type: ignore[arg-type]
        return (type(self), *((name, signature(getattr(self, name))) for name in names))

    @classmethod
    def register_as(cls, name: str) -> None:
        """Let files know the class by this name.

        Raises:
            ConfigurationError: another class has it.
        """
        take_name(REGISTRIES[cls.kind], normal(name), cls)
        cls.registered_name = name  # type: ignore[attr-defined]

    @classmethod
    def from_config(cls: type[T], config: dict[str, Any]) -> T:
        """An equal object from what `get_config` returned."""
        if not isinstance(config, dict):
            raise ConfigurationError(
                f"{cls.__name__}.from_config expected a dict, as get_config gives it, received {config!r:.60}."
            )
        return cls(**{name: from_json(value) for name, value in config.items()})


def _changed_fields(obj: Configured) -> Iterator[dataclasses.Field[Any]]:
    for field in dataclasses.fields(obj):  # type: ignore[arg-type]
        default = field.default
        if default is not dataclasses.MISSING:
            check, optional = checks(cast(Any, type(obj)))[field.name]
            if check is not None and not (default is None and optional):
                default = check(default)
            value = getattr(obj, field.name)
            if value is default or signature(value) == signature(default):
                continue
        yield field


def _as_dataclass(cls: type[Configured]) -> None:
    """Make a class a frozen dataclass that keeps the `__setattr__` of its bases, and an `__init__` that was written."""
    own = cls.__dict__.get("__setattr__")
    if own is not None:
        del cls.__setattr__
    dataclasses.dataclass(frozen=True, eq=False, repr=False, init=not cls.has_own_init)(cls)
    del cls.__setattr__, cls.__delattr__
    if own is not None:
        cls.__setattr__ = own  # type: ignore[method-assign]


def keep_arguments(cls: Any, written: Any) -> None:
    """A written `__init__` whose arguments are remembered: they are the configuration."""
    parameters = inspect.signature(written)
    rest = next((p.name for p in parameters.parameters.values() if p.kind is p.VAR_KEYWORD), None)

    @functools.wraps(written)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if "_arguments" not in vars(self):
            try:
                given = parameters.bind(self, *args, **kwargs).arguments
            except TypeError as error:
                raise ConfigurationError(f"{cls.__name__}: {error}.") from None
            named = {name: value for name, value in list(given.items())[1:] if name != rest}
            vars(self)["_arguments"] = {**named, **given.get(rest or "", {})}
        written(self, *args, **kwargs)

    cls.__init__ = init


def friendly_init(cls: type) -> None:
    """Give the dataclass's constructor renamed keywords and errors that suggest the nearest keyword."""
    plain = cls.__dict__.get("__init__")
    if plain is None or hasattr(plain, "__wrapped__"):
        return
    names = [f.name for f in dataclasses.fields(cls) if f.init]
    required = [
        f.name
        for f in dataclasses.fields(cls)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]

    fitting = friendly(plain)

    @functools.wraps(plain)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        for old, new in cls.renamed.items():  # type: ignore[attr-defined]
            if old in kwargs and new not in kwargs:
                kwargs[new] = kwargs.pop(old)
        unknown = next((k for k in kwargs if k not in names), None)
        if unknown is not None:
            raise unknown_argument(type(self).__name__, unknown, names)
        missing = [n for n in required[len(args) :] if n not in kwargs]
        if missing and type(self) is cls:
            raise ConfigurationError(f"{cls.__name__} needs the argument {missing[0]!r}.")
        fitting(self, *args, **kwargs)

    init.__signature__ = inspect.signature(plain)  # type: ignore[attr-defined]
    cls.__init__ = init  # type: ignore[misc]


def _register(cls: type[Configured]) -> None:
    """Make a class known by its names. One of a user's own may be defined again; the library's stay what they are."""
    registry = REGISTRIES[cls.kind]
    for name in (cls.__name__, *cls.__dict__.get("aliases", ())):
        taken = registry.get(normal(name))
        same = taken is None or (taken.__module__, taken.__qualname__) == (cls.__module__, cls.__qualname__)
        if taken is not None and not same and taken.__module__.startswith("neuroloom."):
            raise ConfigurationError(
                f"The {cls.kind} name {name!r} belongs to {taken.__module__}.{taken.__qualname__} already; "
                f"choose another class name, since model files find classes by name."
            )
        registry[normal(name)] = cls


def take_name(registry: dict[str, Any], name: str, cls: Any) -> None:
    """Enter a class under a name that no other class has; the same one may be defined again."""
    taken = registry.get(name)
    if taken is not None and (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ConfigurationError(
            f"The name {name!r} belongs to {taken.__module__}.{taken.__qualname__} already; choose another package or "
            f"name."
        )
    registry[name] = cls


def registered_name(cls: Any) -> str:
    """The name by which files know a class."""
    name: str = cls.__dict__.get("registered_name", cls.__name__)
    return name


@contextmanager
def known(classes: Mapping[str, Any]) -> Iterator[None]:
    """Inside, `find` knows classes by these names, too; the library's names stay what they are."""
    before = {kind: dict(registry) for kind, registry in REGISTRIES.items()}
    try:
        for name, cls in classes.items():
            if not issubclass(cls, Configured):
                raise ConfigurationError(
                    f"custom_objects expected for {name!r} a subclass of Layer, Loss, Metric or the like, received "
                    f"{cls!r}."
                )
            taken = REGISTRIES[cls.kind].get(normal(name))
            if taken is not None and taken is not cls and taken.__module__.startswith("neuroloom."):
                raise ConfigurationError(f"The {cls.kind} name {name!r} belongs to the library; choose another.")
            REGISTRIES[cls.kind][normal(name)] = cls
        yield
    finally:
        for kind, registry in before.items():
            REGISTRIES[kind].clear()
            REGISTRIES[kind].update(registry)


def find(kind: str, name: str) -> type[Configured]:
    """The class of a kind by name; an unknown name is an error that suggests the nearest."""
    registry = REGISTRIES[kind]
    cls = registry.get(normal(name))
    if cls is None:
        known = {name for c in registry.values() for name in (snake(c.__name__), *c.__dict__.get("aliases", ()))}
        raise UnknownNameError(f"Unknown {kind} {name!r}. {nearest(snake(name), known)}")
    return cls


def get(kind: str, spec: Any) -> Any:
    """An object of a kind from itself, its name, its class, or its configuration."""
    if isinstance(spec, str):
        cls = find(kind, spec)
        try:
            return cls()
        except ConfigurationError as error:
            raise ConfigurationError(f"{spec!r} cannot be given by name alone: {error}") from None
    if isinstance(spec, dict) and set(spec) == {"class", "config"}:
        return from_json({"kind": kind, **spec})
    if isinstance(spec, type) and issubclass(spec, Configured) and spec.kind == kind:
        return spec()
    if isinstance(spec, Configured) and spec.kind == kind:
        return spec
    raise ConfigurationError(
        f"Expected {'an' if kind[0] in 'aeiou' else 'a'} {kind} (an object, its class or its name), received {spec!r}."
    )


READERS: dict[str, Any] = {}
"""What makes a model of its JSON value; the models' own part of the package says it."""


class _Sharing(threading.local):
    """Layers that a configuration has written, and read, so far; None outside `sharing`."""

    written: dict[int, int] | None = None
    read: list[Any] | None = None


_sharing = _Sharing()


@contextmanager
def sharing() -> Iterator[None]:
    """Inside, a layer that a configuration names several times is written once, and read as one object."""
    outer = _sharing.written, _sharing.read
    if outer == (None, None):
        _sharing.written, _sharing.read = {}, []
    try:
        yield
    finally:
        _sharing.written, _sharing.read = outer


def object_json(value: Configured) -> dict[str, Any]:
    """{"class", "config"}; {"same": n} for the n-th layer of this configuration, once it has been written."""
    with sharing():
        written = _sharing.written
        assert written is not None
        if id(value) in written:
            return {"same": written[id(value)]}
        made = {"class": registered_name(type(value)), "config": config_json(value.get_config())}
        if value.kind == "layer":
            written[id(value)] = len(written)
        return made


def object_from_json(kind: str, value: dict[str, Any]) -> Any:
    """The inverse of `object_json`."""
    with sharing():
        read = _sharing.read
        assert read is not None
        if "same" in value:
            number = value["same"]
            if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(read):
                raise ConfigurationError(f"The configuration names the layer {number!r}, which it does not have.")
            return read[number]
        made = _of_file(kind, value["class"]).from_config(value["config"])
        if kind == "layer":
            read.append(made)
        return made


def _of_file(kind: str, name: Any) -> Any:
    """The class of a kind that a configuration names."""
    try:
        return find(kind, name)
    except UnknownNameError as error:
        raise UnknownNameError(
            f"{error} A class of your own is known once it is imported or defined; reading never imports it."
        ) from None


def config_json(values: dict[str, Any]) -> dict[str, Any]:
    """What `get_config` returned, as JSON values."""
    return {str(name): to_json(value) for name, value in values.items()}


def _holds_objects(value: Any) -> bool:
    if isinstance(value, list | tuple | dict):
        return any(map(_holds_objects, value.values() if isinstance(value, dict) else value))
    return isinstance(value, Configured) or hasattr(type(value), "__layer__")


def to_json(value: Any) -> Any:
    """A JSON value for a field: objects become {"kind", "class", "config"}; tuples become lists.

    A dict with objects in it becomes {"pairs": ...}, since a file does not keep the order of a dict, and names of
    layers follow from it.
    """
    if isinstance(value, Configured):
        return {"kind": value.kind, **object_json(value)}
    if hasattr(type(value), "__layer__"):
        return {"model": value.to_json()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        if _holds_objects(value):
            return {"pairs": [[str(k), to_json(v)] for k, v in value.items()]}
        return config_json(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    raise ConfigurationError(
        f"{value!r} cannot be written into a configuration: only numbers, strings and registered objects can. "
        f"Give the function a name with neuroloom.activations.register, or write it as a class of its own."
    )


def from_json(value: Any) -> Any:
    """The inverse of `to_json` (lists become tuples)."""
    if isinstance(value, dict) and set(value) in ({"kind", "class", "config"}, {"kind", "same"}):
        if value["kind"] not in REGISTRIES:
            raise UnknownNameError(f"Unknown kind {value['kind']!r}. {nearest(str(value['kind']), REGISTRIES)}")
        return object_from_json(value["kind"], value)
    if isinstance(value, dict) and set(value) == {"model"}:
        return READERS["model"](value["model"])
    if isinstance(value, dict) and set(value) == {"pairs"}:
        return {name: from_json(v) for name, v in value["pairs"]}
    if isinstance(value, list):
        return tuple(from_json(v) for v in value)
    if isinstance(value, dict):
        return {k: from_json(v) for k, v in value.items()}
    return value


def signature(value: Any) -> Any:
    """A hashable value, equal for objects of equal class and configuration. Functions count by identity."""
    if isinstance(value, Configured):
        return value.signature()
    if isinstance(value, list | tuple):
        return tuple(signature(v) for v in value)
    if isinstance(value, dict):
        return tuple((k, signature(v)) for k, v in value.items())
    if isinstance(value, slice):  # cannot be hashed before Python 3.12
        return (slice, value.start, value.stop, value.step)
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    return value


# ---------------------------------------------------------------------------------------------------- seeds


class _Seeds:
    """The process's stream of seeds: one per model and per training, reproducible after `set_random_seed`."""

    def __init__(self) -> None:
        self.root: np.random.SeedSequence = np.random.SeedSequence()

    def next(self) -> int:
        return int(self.root.spawn(1)[0].generate_state(1, np.uint64)[0] >> np.uint64(1))


_seeds = _Seeds()


def set_random_seed(seed: int) -> None:
    """Make every later initial weight, shuffle and dropout mask follow from `seed`.

    Also seeds Python's `random` and NumPy's global generator, as Keras does.

    Args:
        seed: a whole number from 0 to 2**32 - 1.
    """
    import random

    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ConfigurationError(f"Expected a seed from 0 to 2**32 - 1, received {seed!r}.")
    _seeds.root = np.random.SeedSequence(int(seed))
    random.seed(int(seed))
    np.random.seed(int(seed))  # noqa: NPY002  (programs of users may draw from it)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, everything follows from `seed` as after `set_random_seed`; afterwards all streams go on as before."""
    import random

    before = _seeds.root, random.getstate(), np.random.get_state()  # noqa: NPY002
    set_random_seed(seed)
    try:
        yield
    finally:
        _seeds.root = before[0]
        random.setstate(before[1])
        np.random.set_state(before[2])  # noqa: NPY002


def next_seed() -> int:
    """The next seed of the process's stream: 63 bits."""
    return _seeds.next()


def generator(seed: int, *stream: int | str) -> np.random.Generator:
    """NumPy's counter-based generator for one purpose: (seed, stream...) name the numbers it gives."""
    words = [int.from_bytes(s.encode(), "little") if isinstance(s, str) else s for s in stream]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *words])))
