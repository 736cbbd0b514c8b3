"""What a function of tensors does, written down while it runs: the calls into PyTorch below its layers and gradients.

A tape holds every operation of one run, the backward pass among them, in order. What a tape cannot hold, such as a
decision that depends on a tensor's values, is its `reason` not to be used again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from neuroloom.typing import Function

HOST = {
    getattr(torch.Tensor, name)
    for name in ("numpy", "tolist", "item", "__array__", "__float__", "__int__", "__bool__", "__index__")
}
"""What makes numbers of Python out of tensors: no tape knows what becomes of them."""

UNFIT = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape, torch.Tag.nondeterministic_seeded}


@dataclass(frozen=True)
class Ref:
    """The place of a tensor in a recorded function."""

    number: int


class TracedKey(int):
    """A random key whose origin is known: the path of an argument, and what was folded into it since."""

    origin: str
    folded: tuple[int, ...]

    def __new__(cls, value: int, origin: str, folded: tuple[int, ...] = ()) -> TracedKey:
        key = super().__new__(cls, value)
        key.origin, key.folded = origin, folded
        return key


@dataclass
class Op:
    """One operation: `out = call(*args, **kwargs)` with Refs in the place of tensors; `results` are its tensors."""

    call: Function
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any
    results: list[torch.Tensor]
    writes: bool = False
    draws: bool = False


@dataclass
class Tape:
    """Operations in order.

    Attributes:
        sources: the arguments' tensors: Ref -> the expression that finds it in the arguments.
        constants: tensors that existed before, or came from the host while the function ran.
        tensors: all tensors by Ref; they stay alive, so that no two have one identity.
        written: storages that an operation changed.
    """

    ops: list[Op] = field(default_factory=list)
    sources: dict[Ref, str] = field(default_factory=dict)
    constants: dict[Ref, torch.Tensor] = field(default_factory=dict)
    tensors: dict[Ref, torch.Tensor] = field(default_factory=dict)
    written: set[int] = field(default_factory=set)
    reason: str = ""
    _refs: dict[int, Ref] = field(default_factory=dict)
    _storages: set[int] = field(default_factory=set)

    def new(self, tensor: torch.Tensor) -> Ref:
        """The Ref of a tensor that is new, or one operation's result once more."""
        ref = Ref(len(self.tensors))
        self.tensors[ref] = tensor
        self._refs[id(tensor)] = ref
        self._storages.add(storage(tensor))
        return ref

    def source(self, tensor: torch.Tensor, expression: str) -> None:
        """Make known a tensor among the arguments."""
        self.sources[self.new(tensor)] = expression

    def ref(self, tensor: torch.Tensor) -> Ref:
        """The Ref of any tensor; an unknown one is a constant, unless it is a hidden view of a known one."""
        found = self._refs.get(id(tensor))
        if found is None:
            if storage(tensor) in self._storages:
                self.reason = "a tensor shares its memory with another in a way that was not seen"
            found = self.new(tensor)
            self.constants[found] = tensor
        return found

    def refs(self, value: Any) -> Any:
        """A value with Refs in the place of its tensors."""
        if isinstance(value, torch.Tensor):
            return self.ref(value)
        if isinstance(value, list | tuple):
            return type(value)(map(self.refs, value))
        return value

    def add(self, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, draws: bool = False) -> None:
        """Write an operation down."""
        given, named = self.refs(args), {name: self.refs(value) for name, value in kwargs.items()}
        schema = getattr(call, "_schema", None)
        writes = schema is not None and schema.is_mutable
        if writes:
            self._note_writes(schema, args, kwargs)
        results = list(tensors_of(out))
        self.ops.append(Op(call, given, named, self._out(out), results, writes, draws))

    def _note_writes(self, schema: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for i, argument in enumerate(schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                value = args[i] if i < len(args) else kwargs.get(argument.name)
                self.written.update(map(storage, tensors_of(value)))

    def _out(self, out: Any) -> Any:
        if isinstance(out, torch.Tensor):
            return self._refs.get(id(out)) or self.new(out)
        return tuple(map(self._out, out)) if isinstance(out, list | tuple) else None

    def record(self, fn: Function, args: tuple[Any, ...]) -> Any:
        """`fn(*args)`, written down."""
        outer, _active.tape = _active.tape, self
        try:
            with _Host(self), _Dispatched(self):
                result = fn(*args)
        finally:
            _active.tape = outer
        fixed = {storage(t) for t in (*self.constants.values(), *map(self.tensors.__getitem__, self.sources))}
        if fixed & self.written:
            self.reason = "it changes its arguments or a constant"
        return result


class _Active(threading.local):
    tape: Tape | None = None


_active = _Active()


def recording() -> bool:
    """Whether this thread writes a tape."""
    return _active.tape is not None


def fail(reason: str) -> None:
    """The tape that is written, if any, cannot be used."""
    if _active.tape is not None:
        _active.tape.reason = reason


def drawn(draw: Function, key: int, *args: Any) -> torch.Tensor:
    """`draw(key, *args)`; on a tape it is one operation, if the key's origin is known."""
    tape = _active.tape
    if tape is None or not isinstance(key, TracedKey):
        return draw(key, *args)
    with torch.utils._python_dispatch._disable_current_modes():
        out = draw(key, *args)
    tape.add(draw, (key, *args), {}, out, draws=True)
    return out


def opaque(fn: Function, *args: Any) -> Any:
    """`fn(*args)`; on a tape it is one operation. It returns new tensors, in a tuple, and changes none."""
    tape = _active.tape
    if tape is None:
        return fn(*args)
    with torch.utils._python_dispatch._disable_current_modes():
        out = fn(*args)
    tape.add(fn, args, {}, out)
    return out


class _Writing:
    """What `_Dispatched` does. In that class itself PyTorch would guard it from torch.compile, at its first call, by
    importing the whole of torch._dynamo, which takes a second."""

    tape: Tape

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if UNFIT & set(func.tags):
            self.tape.reason = f"{func} depends on values or draws random numbers"
        self.tape.add(func, args, kwargs, out)
        return out


class _Dispatched(_Writing, TorchDispatchMode):
    """Writes down what reaches PyTorch's kernels."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self.tape = tape


class _Host(TorchFunctionMode):
    """Notes when numbers leave the tensors."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self.tape = tape

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in HOST:
            self.tape.reason = f"{func.__name__} takes numbers out of a tensor"
        return func(*args, **(kwargs or {}))


def storage(tensor: torch.Tensor) -> int:
    """What tells whether two tensors share memory."""
    return tensor.untyped_storage()._cdata


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in a value."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors_of(one)
