"""A function of trees of tensors, run as it is at first and from then on by its plan (on a GPU: as a CUDA graph).

The first two calls run the function itself beside the plan and compare every bit of the results; where they differ,
where the function cannot be recorded, or where it is called inside a transformation (vmap, grad), the function itself
runs. So a plan changes how long a call takes and nothing else.
"""

from __future__ import annotations

import threading
from typing import Any

import torch

from neuroloom import tree
from neuroloom.engines.torch.graph import Captured, CudaGraph, why_not
from neuroloom.engines.torch.plan import Plan, same
from neuroloom.engines.torch.tape import Tape, TracedKey, recording
from neuroloom.tree import Stamped
from neuroloom.typing import Function, Tree

CHECKS = 2
"""How many calls compare the plan with the function."""

PLANS = 32
"""Layouts of arguments for which plans are made; after so many the function runs itself."""


class Recorded:
    """`fn(*args)` for trees of tensors and random keys, from its second call on by a plan.

    Args:
        fn: pure; its arguments are trees (dict, list, tuple) of tensors, or a key, a whole number.
        fold: `fold(key, number)`, the engine's fold_in.
    """

    def __init__(self, fn: Function, fold: Function) -> None:
        self.fn, self.fold = fn, fold
        self.plans: dict[Any, _Entry] = {}
        self.last: _Entry | None = None
        self.stamped: tuple[Any, Any] = None, None  # a stamp and the layout that goes with it

    def __call__(self, *args: Any) -> Any:
        if outside():
            return self.fn(*args)
        last = self.last
        if last is None or not self._fits(last, args):
            last = self._entry(args)
        return self.fn(*args) if last is None else last.run(args)

    def _fits(self, entry: _Entry, args: tuple[Any, ...]) -> bool:
        """Whether the arguments have an entry's layout; a tree that was seen before is not looked at again."""
        known = entry.known  # another thread may forget it meanwhile
        if len(args) != len(entry.layout):
            return False
        for i, arg in enumerate(args):
            if known is None or arg is not known[i]:
                if self._layout(arg) != entry.layout[i]:
                    return False
                if known is not None:
                    known[i] = arg
        if known is None:
            entry.remember(args)
        return True

    def _layout(self, arg: Tree) -> Any:
        if type(arg) is not Stamped:
            return layout_of(arg)
        if self.stamped[0] != arg.stamp:
            self.stamped = arg.stamp, layout_of(arg)
        return self.stamped[1]

    def _entry(self, args: tuple[Any, ...]) -> _Entry | None:
        """The plan for arguments of this layout; None where there cannot be one."""
        layout = tuple(map(self._layout, args))
        entry = self.plans.get(layout)
        if entry is None:
            if None in layout or len(self.plans) >= PLANS:
                return None
            entry = self.plans[layout] = _Entry(self.fn, self.fold, layout)
        entry.remember(args)
        self.last = entry
        return entry


class _Compiled(threading.local):
    """The entries that remember arguments: only while a compiled function runs, so that no array outlives its model."""

    def __init__(self) -> None:
        self.depth, self.entries = 0, list[_Entry]()


def compiled(fn: Function) -> Function:
    """`fn` without gradients, inside which recorded functions look at a tree only once."""

    def run(*args: Any) -> Any:
        _compiled.depth += 1
        try:
            with torch.no_grad():
                return fn(*args)
        finally:
            _compiled.depth -= 1
            while not _compiled.depth and _compiled.entries:
                _compiled.entries.pop().known = None

    return run


class _Entry:
    """The plan for one layout of the arguments."""

    def __init__(self, fn: Function, fold: Function, layout: Any) -> None:
        self.fn, self.fold, self.layout = fn, fold, layout
        self.known: list[Any] | None = None
        self.planned: Function | None = None
        self.unchecked, self.reason = CHECKS, ""

    def remember(self, args: tuple[Any, ...]) -> None:
        """That these arguments have this entry's layout."""
        if _compiled.depth:
            self.known = list(args)
            _compiled.entries.append(self)

    def run(self, args: tuple[Any, ...]) -> Any:
        if self.reason:
            return self.fn(*args)
        if self.planned is not None and not self.unchecked:
            return self.planned(*args)
        return self._checked(args)

    def _checked(self, args: tuple[Any, ...]) -> Any:
        """The function's own results; the plan is made, and tried against them."""
        if self.planned is None:
            result = self._record(args)
        else:
            result = self.fn(*args)
        if self.planned is not None:
            self.unchecked -= 1
            self.reason = self._difference(result, args)
        return result

    def _difference(self, result: Tree, args: tuple[Any, ...]) -> str:
        """What is wrong with the plan's results, if anything."""
        assert self.planned is not None
        try:
            found = self.planned(*args)
        except (RuntimeError, TypeError, ValueError) as error:  # an operation that Python cannot call as C++ does
            return f"the plan does not run: {error}"
        return "" if _same_trees(result, found) else "the plan gives other numbers than the function"

    def _record(self, args: tuple[Any, ...]) -> Any:
        tape, given = Tape(), []
        for i, arg in enumerate(args):
            for expression, tensor in _paths(arg, f"a{i}"):
                tape.source(tensor, expression)
            given.append(TracedKey(arg, f"a{i}") if isinstance(arg, int) else arg)
        result = tape.record(self.fn, tuple(given))
        if any(tensor.is_cuda for tensor in tape.tensors.values()):
            self.reason = why_not(tape)
            self.planned = None if self.reason else Captured(self.fn, CudaGraph())
        else:
            self.reason = tape.reason
            self.planned = None if self.reason else Plan(tape, result).function(len(args), result, self.fold)
        return result


_compiled = _Compiled()


def outside() -> bool:
    """Whether plans do not apply here: inside a transformation or another recording, or where gradients are wanted."""
    return torch._C._functorch.maybe_current_level() is not None or recording() or torch.is_grad_enabled()


def layout_of(arg: Tree) -> Any:
    """Structure, shapes, strides and dtypes of an argument, hashable; None where it holds anything but tensors."""
    found: list[Any] = []
    return tuple(found) if _describe(arg, found) else None


def _describe(arg: Tree, found: list[Any]) -> bool:
    """Whether an argument has a layout, which is put behind what was `found` before."""
    if isinstance(arg, torch.Tensor):
        found += (arg.shape, arg.stride(), arg.dtype, arg.is_cpu)
        return (arg.is_cpu or arg.is_cuda) and not arg.requires_grad
    found.append(type(arg))
    if isinstance(arg, int) or arg is None:
        return True
    if not isinstance(arg, (dict, list, tuple)):  # faster than a union
        return False
    found.append(tuple(arg) if isinstance(arg, dict) else len(arg))
    for one in arg.values() if isinstance(arg, dict) else arg:  # noqa: SIM110 (a generator takes longer)
        if not _describe(one, found):
            return False
    return True


def _paths(arg: Tree, expression: str) -> Any:
    """(expression, tensor) for each tensor of an argument."""
    if isinstance(arg, torch.Tensor):
        yield expression, arg
    elif isinstance(arg, dict):
        for name, one in arg.items():
            yield from _paths(one, f"{expression}[{name!r}]")
    elif isinstance(arg, list | tuple):
        for i, one in enumerate(arg):
            yield from _paths(one, f"{expression}[{i}]")


def _same_trees(a: Tree, b: Tree) -> bool:
    pairs = zip(tree.leaves(a), tree.leaves(b), strict=True)
    return all(same(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in pairs)
