"""From a tape to a Python function that does the same with fewer calls.

The operations of a tape go through a few rewritings, none of which changes a bit of the results:

    aliases     what only hands a tensor on (x · 1, a view of the same shape, detach) disappears
    constants   what depends on no argument's values is computed once
    repeats     an operation met before is not done again
    pools       relu before max-pooling moves behind it, where there is less to do; its gradient moves too
    unused      what no result needs is left out
    in place    an elementwise operation overwrites its input if that was the last use of it

The rest becomes the source of a function: a line per operation, each name deleted after its last use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from neuroloom import tree
from neuroloom.engines.torch.tape import Op, Ref, Tape, TracedKey, storage, tensors_of
from neuroloom.typing import Function

aten = torch.ops.aten

SHAPE_ONLY = {aten.ones_like.default, aten.zeros_like.default, aten.new_zeros.default, aten.new_ones.default}
"""Operations that look at their argument's shape, not at its values."""

VIEWS = {aten.view.default, aten.expand.default, aten.reshape.default, aten._unsafe_view.default}

NEUTRAL = {aten.mul.Tensor: 1, aten.div.Tensor: 1, aten.div.Scalar: 1, aten.add.Tensor: 0, aten.sub.Tensor: 0}
"""Operations that with this second operand give their first."""

IN_PLACE: dict[Any, Any] = {
    aten.relu.default: aten.relu_.default,
    aten.tanh.default: aten.tanh_.default,
    aten.sigmoid.default: aten.sigmoid_.default,
    aten.mul.Tensor: aten.mul_.Tensor,
    aten.div.Tensor: aten.div_.Tensor,
    aten.add.Tensor: aten.add_.Tensor,
    aten.sub.Tensor: aten.sub_.Tensor,
    aten.neg.default: aten.neg_.default,
}

LARGE = 1 << 14
"""Elements from which new memory costs more than a call that may be slower to begin."""


class Plan:
    """A tape's operations, made fewer; `source(outputs)` and `function(outputs)` give the rest as Python."""

    def __init__(self, tape: Tape, outputs: Any) -> None:
        self.tape = tape
        self.outputs = tape.refs([leaf for leaf in tree.leaves(outputs) if isinstance(leaf, torch.Tensor)])
        self.alias: dict[Ref, Ref] = {}
        self.constants = dict(tape.constants)
        self.ops = list(tape.ops)
        for rewriting in (self._aliases, self._fold, self._repeats, self._pools, self._unused, self._in_place):
            self.ops = rewriting()

    # ---------------------------------------------------------------------------------------------- rewritings

    def _aliases(self) -> list[Op]:
        return [op for op in map(self._current, self.ops) if not self._is_alias(op)]

    def _is_alias(self, op: Op) -> bool:
        if not self._pure(op) or not op.args or not isinstance(op.args[0], Ref) or not isinstance(op.out, Ref):
            return False
        before, after = self.tape.tensors[op.args[0]], self.tape.tensors[op.out]
        same = before.shape == after.shape and before.dtype == after.dtype and before.stride() == after.stride()
        neutral = op.call in NEUTRAL and _is_number(op.args[1], NEUTRAL[op.call]) and not op.kwargs
        if not same or not (neutral or op.call in VIEWS or op.call is aten.detach.default):
            return False
        self.alias[op.out] = op.args[0]
        return True

    def _fold(self) -> list[Op]:
        kept = []
        for op in map(self._current, self.ops):
            known = op.call in SHAPE_ONLY or all(ref in self.constants for ref in refs_of(op))
            if known and self._pure(op) and not op.draws:
                self.constants |= {ref: self.tape.tensors[ref] for ref in refs_in(op.out)}
            else:
                kept.append(op)
        return kept

    def _repeats(self) -> list[Op]:
        seen: dict[Any, Ref] = {}
        kept = []
        for op in map(self._current, self.ops):
            if isinstance(op.out, Ref) and self._pure(op) and not op.draws:
                first = seen.setdefault((op.call, repr(op.args), repr(op.kwargs)), op.out)
                if first is not op.out:
                    self.alias[op.out] = first
                    continue
            kept.append(op)
        return kept

    def _pools(self) -> list[Op]:
        """max_pool(relu(x)) -> relu(max_pool(x)), and the gradients in the other order."""
        ops = [self._current(op) for op in self.ops]
        for pool in [op for op in ops if op.call is aten.max_pool2d_with_indices.default]:
            relu = next((op for op in ops if op.out == pool.args[0] and op.call is aten.relu.default), None)
            if relu is not None and all(map(self._pure, (relu, pool))):
                ops = self._swapped(ops, relu, pool)
        return ops

    def _swapped(self, ops: list[Op], relu: Op, pool: Op) -> list[Op]:
        users = [op for op in ops if relu.out in refs_of(op) and op is not pool]
        if relu.out in self.outputs or not (not users or self._are_gradients(ops, users, relu)):
            return ops
        pooled, raw, small = pool.out[0], *(self.tape.new(torch.empty_like(pool.results[0])) for _ in range(2))
        new: dict[int, list[Op]] = {id(relu): []}
        new[id(pool)] = [
            replace(pool, args=(relu.args[0], *pool.args[1:]), out=(raw, pool.out[1])),
            replace(relu, args=(raw,), out=pooled, results=pool.results[:1]),
        ]
        if users:
            back, cut = users
            new[id(back)] = [replace(cut, args=(back.args[0], pooled, *cut.args[2:]), out=small)]
            new[id(cut)] = [replace(back, args=(small, relu.args[0], *back.args[2:]), out=cut.out)]
        return [one for op in ops for one in new.get(id(op), [op])]

    def _are_gradients(self, ops: list[Op], users: list[Op], relu: Op) -> bool:
        """Whether the users are the gradient of the pool and, of its result only, that of relu."""
        if [op.call for op in users] != [
            aten.max_pool2d_with_indices_backward.default,
            aten.threshold_backward.default,
        ]:
            return False
        back, cut = users
        return cut.args[:2] == (back.out, relu.out) and self._uses(ops, back.out) == 1

    def _unused(self) -> list[Op]:
        needed = set(map(self._now, refs_in(self.outputs)))
        kept = []
        for op in reversed([self._current(op) for op in self.ops]):
            if op.writes or needed & set(refs_in(op.out)):
                needed.update(refs_of(op))
                kept.append(op)
        return kept[::-1]

    def _in_place(self) -> list[Op]:
        ops = [self._current(op) for op in self.ops]
        last = {ref: i for i, op in enumerate(ops) for ref in refs_of(op)}
        return [self._overwriting(op) if self._may_overwrite(op, i, last, ops) else op for i, op in enumerate(ops)]

    def _may_overwrite(self, op: Op, i: int, last: dict[Ref, int], ops: list[Op]) -> bool:
        """Whether the operation's first argument is large, its own, and of no use afterwards."""
        if op.call not in IN_PLACE and op.call is not aten.threshold_backward.default:
            return False
        x, y = op.args[0], self.tape.tensors[op.out]
        if not isinstance(x, Ref) or last[x] != i or not self._pure(op) or y.numel() < LARGE:
            return False
        fixed = {*self.tape.sources, *self.constants, *map(self._now, refs_in(self.outputs))}
        before = self.tape.tensors[x]
        same = before.shape == y.shape and before.dtype == y.dtype and before.stride() == y.stride()
        shared = [ref for ref, t in self.tape.tensors.items() if ref != x and storage(t) == storage(before)]
        return same and x not in fixed and not any(last.get(ref, -1) >= 0 or ref in fixed for ref in shared)

    def _overwriting(self, op: Op) -> Op:
        if op.call is aten.threshold_backward.default:
            return replace(op, call=aten.threshold_backward.grad_input, kwargs={"grad_input": op.args[0]})
        return replace(op, call=IN_PLACE[op.call])

    # ------------------------------------------------------------------------------------------------- helpers

    def _now(self, ref: Ref) -> Ref:
        while ref in self.alias:
            ref = self.alias[ref]
        return ref

    def _current(self, op: Op) -> Op:
        """The operation with what its arguments are called now."""
        return replace(op, args=_mapped(self._now, op.args), kwargs=_mapped(self._now, op.kwargs))

    def _pure(self, op: Op) -> bool:
        """Whether it touches no memory that anything writes to."""
        touched = [*op.results, *(self.tape.tensors[ref] for ref in refs_of(op))]
        return not op.writes and not any(storage(t) in self.tape.written for t in touched)

    def _uses(self, ops: list[Op], ref: Ref) -> int:
        return sum(ref in refs_of(op) for op in ops) + (ref in self.outputs)

    # --------------------------------------------------------------------------------------------------- source

    def source(self, outputs: Any, names: dict[str, Any]) -> str:
        """The body of a function of the arguments a0, a1, ...; what it needs besides is put into `names`."""
        write = _Writer(self, names)
        used = {ref for op in self.ops for ref in refs_of(op)} | set(map(self._now, refs_in(self.outputs)))
        lines = [f"{write(ref)} = {found}" for ref, found in self.tape.sources.items() if ref in used]
        kept = set(map(self._now, refs_in(self.outputs))) | set(self.constants)
        last = {ref: i for i, op in enumerate(self.ops) for ref in (*refs_in(op.out), *refs_of(op))}
        for i, op in enumerate(self.ops):
            lines.append(write.line(op))
            done = [write(ref) for ref in dict.fromkeys((*refs_in(op.out), *refs_of(op)))
                    if last[ref] == i and ref not in kept]  # fmt: skip
            lines += [f"del {', '.join(done)}"] if done else []
        found = iter(self.outputs)
        named = tree.map(lambda leaf: self._now(next(found)) if isinstance(leaf, torch.Tensor) else leaf, outputs)
        lines.append(f"return {write(named)}")
        return "\n".join(lines)

    def function(self, arguments: int, outputs: Any, draw_key: Function) -> Function:
        """The plan as a function of so many arguments that returns a tree like `outputs`."""
        names: dict[str, Any] = {"fold": draw_key}
        body = self.source(outputs, names).replace("\n", "\n    ")
        head = ", ".join(f"a{i}" for i in range(arguments))
        exec(f"def planned({head}):\n    {body}\n", names)  # the text is made here, from operations and numbers only
        return names["planned"]


class _Writer:
    """Writes values as Python: tensors by name, what has no literal as a name bound to it."""

    def __init__(self, plan: Plan, names: dict[str, Any]) -> None:
        self.plan, self.names = plan, names

    def line(self, op: Op) -> str:
        given = [self(value) for value in op.args] + [f"{name}={self(value)}" for name, value in op.kwargs.items()]
        out = "".join(f"{self._name(ref)}, " for ref in op.out) if isinstance(op.out, tuple) else self._name(op.out)
        return f"{out or '_'} = {self._bound(fast(self.plan, op))}({', '.join(given)})"

    def __call__(self, value: Any) -> str:
        if isinstance(value, Ref):
            return self._tensor(value)
        if isinstance(value, TracedKey):
            return self._key(value)
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {self(one)}" for key, one in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self, value)) + "]"
        if isinstance(value, tuple):
            return "(" + "".join(f"{self(one)}, " for one in value) + ")"
        plain = value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
        return repr(value) if plain else self._bound(value)

    def _name(self, ref: Ref | None) -> str:
        return "_" if ref is None else self._tensor(ref)

    def _tensor(self, ref: Ref) -> str:
        if ref in self.plan.constants:
            self.names[f"k{ref.number}"] = self.plan.constants[ref]
            return f"k{ref.number}"
        return f"t{ref.number}"

    def _key(self, key: TracedKey) -> str:
        text = key.origin
        for data in key.folded:
            text = f"fold({text}, {data})"
        return text

    def _bound(self, value: Any) -> str:
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name


def fast(plan: Plan, op: Op) -> Function:
    """PyTorch's own Python function for an operation where it gives the same, since it costs a microsecond less."""
    name = getattr(op.call, "__name__", "").partition(".")[0]
    if not isinstance(op.call, torch._ops.OpOverload) or op.writes or op.call in _OUT:
        return op.call
    for place in (torch._C._VariableFunctions, torch._C._nn, torch.Tensor):
        found = getattr(place, name, None)
        if found is not None and _gives(plan, found, op):
            return found
    return op.call._op


_OUT = {*IN_PLACE.values(), aten.threshold_backward.grad_input}


def _gives(plan: Plan, fn: Function, op: Op) -> bool:
    """Whether a function gives an operation's results for its arguments."""
    tensors = plan.tape.tensors
    try:
        found = list(tensors_of(fn(*_mapped(tensors.__getitem__, op.args), **_mapped(tensors.__getitem__, op.kwargs))))
    except (TypeError, RuntimeError, ValueError, NotImplementedError):
        return False
    return len(found) == len(op.results) and all(map(same, found, op.results))


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors are equal in every bit that counts."""
    if a.shape != b.shape or a.dtype != b.dtype or a.stride() != b.stride():
        return False
    return bool(torch.equal(a, b) or (a.is_floating_point() and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)))


def _is_number(value: Any, number: int) -> bool:
    return isinstance(value, int | float) and value == number


def refs_of(op: Op) -> list[Ref]:
    """The tensors that an operation reads."""
    return [*refs_in(op.args), *refs_in(list(op.kwargs.values()))]


def refs_in(value: Any) -> list[Ref]:
    """The Refs in a value."""
    if isinstance(value, Ref):
        return [value]
    return [ref for one in value for ref in refs_in(one)] if isinstance(value, list | tuple) else []


def _mapped(fn: Callable[[Ref], Any], value: Any) -> Any:
    """A value with `fn(ref)` in the place of its Refs."""
    if isinstance(value, Ref):
        return fn(value)
    if isinstance(value, dict):
        return {key: _mapped(fn, one) for key, one in value.items()}
    return type(value)(_mapped(fn, one) for one in value) if isinstance(value, list | tuple) else value
