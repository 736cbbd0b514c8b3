"""Branches and loops inside a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from neuroloom import ops, tree
from neuroloom.engines import Spec
from neuroloom.errors import GraphError
from neuroloom.ops import draws
from neuroloom.ops.graph import select
from neuroloom.ops.loops import SCANS, check_state, row_of
from neuroloom.session.evaluate import Part, Run, Special, special
from neuroloom.session.functions import convert_to_tensor
from neuroloom.session.graph import Graph, Tensor


class _Parts(Special):
    """A call that computes parts of the graph."""

    draws = True  # a part may

    def __init__(self, *parts: Part) -> None:
        self.parts = parts
        changed = [v.name for part in parts for v in part.written if v.trainable]
        if changed:
            raise GraphError(
                f"{self.label} expected branches that change no variable, received one for {changed[0]!r}."
            )

    def reads(self) -> Any:
        return [v for part in self.parts for v in part.read]

    @property
    def captured(self) -> list[Any]:
        """What the parts use from outside."""
        return list(dict.fromkeys(n for part in self.parts for n in part.captured))

    def outputs(self, run: Run, part: Part, values: Sequence[Any] = (), step: Any = None) -> tuple[list[Any], Any]:
        """What a part gives for values of its inputs, and `Run.wrong`; `step` makes its random numbers a step's own."""
        key = run.key if step is None or run.key is None else draws.fold_in(run.key, step)
        inner = run.branch(dict(zip(part.inputs, values, strict=True)), key=key)
        found = inner.compute(part.order)
        return [found[n] for n in tree.leaves(part.outputs)], _nothing(run) if inner.wrong is None else inner.wrong


class Cond(_Parts):
    """One of two parts."""

    label = "cond"

    def apply(self, run: Run, node: Tensor) -> Any:
        yes, no = self.parts
        pred = run.values[node.args[0][0]]
        found, wrong = run.engine.cond(pred, lambda: self.outputs(run, yes), lambda: self.outputs(run, no))
        run.note(wrong)
        return tuple(found)


class While(_Parts):
    """A part that is repeated while another holds; `most` bounds it, which makes it differentiable on every engine."""

    label = "while_loop"

    def __init__(self, test: Part, body: Part, most: int | None) -> None:
        super().__init__(test, body)
        self.most = most

    def apply(self, run: Run, node: Tensor) -> Any:
        first = [run.values[n] for n in node.args[0][: len(self.parts[1].inputs)]]
        return self._free(run, first) if self.most is None else self._bounded(run, first, self.most)

    def _free(self, run: Run, first: list[Any]) -> Any:
        test, body = self.parts

        def holds(state: Any) -> Any:
            i, values, before = state
            (goes_on,), wrong = self.outputs(run, test, values, i)
            return goes_on & (before[0] == 0) & (wrong[0] == 0)

        def step(state: Any) -> Any:
            return state[0] + 1, *self.outputs(run, body, state[1], state[0])

        start = run.engine.asarray(0, "int32"), first, _nothing(run)
        i, values, wrong = run.engine.while_loop(holds, step, start)
        run.note(wrong)
        run.note(self.outputs(run, test, values, i)[1])  # that of the test cannot leave the loop
        return tuple(values)

    def _bounded(self, run: Run, first: list[Any], most: int) -> Any:
        test, body = self.parts

        def step(carry: Any, i: Any) -> Any:
            values, before = carry
            (goes_on,), wrong = self.outputs(run, test, values, i)
            wrong = _first(before, wrong)  # what is not computed cannot make a gradient NaN
            values, found = run.engine.cond(
                goes_on, lambda: self.outputs(run, body, values, i), lambda: (values, _nothing(run))
            )
            return (values, _first(wrong, found)), i

        values, wrong = run.engine.scan(step, (first, _nothing(run)), run.engine.arange(most))[0]
        run.note(wrong)
        return tuple(values)


class Scan(_Parts):
    """A part that is repeated along the first axis of values: (states..., xs...) -> (states..., outputs...).

    Args:
        states: the number of states.
    """

    label = "scan"

    def __init__(self, body: Part, states: int) -> None:
        super().__init__(body)
        self.states = states

    def apply(self, run: Run, node: Tensor) -> Any:
        (body,) = self.parts
        given = [run.values[n] for n in node.args[0][: len(body.inputs)]]

        def step(carry: Any, xs: Any) -> Any:
            values, i, before = carry
            found, wrong = self.outputs(run, body, [*values, *xs], i)
            return (found[: self.states], i + 1, _first(before, wrong)), found[self.states :]

        start = given[: self.states], run.engine.asarray(0, "int32"), _nothing(run)
        (last, _, wrong), outputs = run.engine.scan(step, start, given[self.states :])
        run.note(wrong)
        return (*last, *outputs)


def _nothing(run: Run) -> Any:
    """`Run.wrong` of a run in which nothing is."""
    return run.engine.asarray([0, 0, 0], "int32")


def _first(before: Any, after: Any) -> Any:
    return ops.where(before[0] != 0, before, after)


def cond(pred: Tensor, true_fn: Callable[[], Any], false_fn: Callable[[], Any], name: str = "cond") -> Any:
    """What one of two functions gives; only that one is computed.

    Raises:
        GraphError: the two give values of different number or dtype, or change variables.
    """
    graph = pred.graph
    yes = Part(graph, lambda: tree.map(convert_to_tensor, true_fn()))
    no = Part(graph, lambda: tree.map(convert_to_tensor, false_fn()))
    ends, others = tree.leaves(yes.outputs), tree.leaves(no.outputs)
    if [e.dtype for e in ends] != [o.dtype for o in others]:
        raise GraphError(f"cond expected both functions to give the same dtypes, received {ends} and {others}.")
    call = Cond(yes, no)
    found = _results(graph, name, call, [pred], ends)
    return _like(yes.outputs, found)


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Sequence[Any], maximum_iterations: int | None = None,
    name: str = "while",
) -> Any:  # fmt: skip
    """`loop_vars = body(*loop_vars)` while `cond(*loop_vars)` holds.

    Args:
        maximum_iterations: the loop ends there at the latest. Gradients through a loop need it on the JAX engine.

    Raises:
        GraphError: the body gives another number of values, or other dtypes, than it takes.
    """
    first = [convert_to_tensor(v) for v in loop_vars]
    graph = first[0].graph
    inputs = tuple(_input(t, f"{name}/loop_var", t.shape) for t in first)
    test = Part(graph, lambda: [cond(*inputs)], inputs)
    made = Part(graph, lambda: [convert_to_tensor(v) for v in _list(body(*inputs))], inputs)
    if [t.dtype for t in made.outputs] != [t.dtype for t in first]:
        raise GraphError(f"The body of {name} expected to give values like {first}, gave {made.outputs}.")
    found = _results(graph, name, While(test, made, maximum_iterations), first, first)
    return found if len(found) > 1 else found[0]


def _scan(graph: Graph, step: Callable[..., Any], start: Any, xs: Any) -> Any:
    """`ops.scan` of Tensors."""
    start, xs = (tree.map(convert_to_tensor, values) for values in (start, xs))
    state = tree.map(lambda s: _input(s, "scan/state", s.shape), start)
    row = tree.map(lambda x: _input(x, "scan/x", row_of(x)), xs)
    body = Part(graph, lambda: tree.map(convert_to_tensor, list(step(state, row))), tuple(tree.leaves([state, row])))
    after, output = body.outputs
    check_state(state, after)
    first, rows = tree.leaves([start]), tree.leaves([xs])
    length = rows[0].shape[0]
    stacked = [Spec((length, *t.shape), t.dtype) for t in tree.leaves([output])]
    found = _results(graph, "scan", Scan(body, len(first)), [*first, *rows], [*first, *stacked])
    return _like(start, found[: len(first)]), _like(output, found[len(first) :])


SCANS[Graph] = _scan


def _results(graph: Any, name: str, call: _Parts, given: Sequence[Tensor], like: Sequence[Any]) -> list[Tensor]:
    node = special(graph, name, call, ([*given, *call.captured],), (), "tuple")
    return [Tensor(graph, f"{name}/part", select, (node, i), {}, t.shape, t.dtype) for i, t in enumerate(like)]


def _input(like: Tensor, name: str, shape: Any) -> Tensor:
    return Tensor(like.graph, name, None, (), {}, shape, like.dtype)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _like(structure: Any, leaves: Sequence[Tensor]) -> Any:
    parts = iter(leaves)
    return tree.map(lambda _: next(parts), structure)
