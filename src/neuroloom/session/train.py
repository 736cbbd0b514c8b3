"""Optimizers, and saving the variables of a session."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom import files, ops, optimizers
from neuroloom.calls import public
from neuroloom.errors import GraphError
from neuroloom.ops.graph import op, substitute
from neuroloom.session.evaluate import Run, Special, special
from neuroloom.session.functions import _named, convert_to_tensor
from neuroloom.session.gradients import gradients, lookups
from neuroloom.session.graph import Tensor, Variable, get_default_graph
from neuroloom.session.state import assign_add, group, trainable_variables

__all__ = [
    "AdagradOptimizer", "AdamOptimizer", "GradientDescentOptimizer", "MomentumOptimizer", "Optimizer",
    "RMSPropOptimizer", "Saver", "exponential_decay", "latest_checkpoint",
]  # fmt: skip

public(__name__)


def exponential_decay(
    learning_rate: float,
    global_step: Any,
    decay_steps: float,
    decay_rate: float,
    staircase: bool = False,
    name: str = "ExponentialDecay",
) -> Any:
    """A learning rate that shrinks by a constant factor: see `optimizers.schedules.ExponentialDecay`.

    Args:
        global_step: the variable that `minimize(..., global_step=)` counts in.

    >>> import neuroloom.session as nls
    >>> step = nls.placeholder("int32", [])
    >>> rate = nls.train.exponential_decay(0.5, step, 10, 0.1, staircase=True)
    >>> with nls.Session() as sess:
    ...     [float(sess.run(rate, {step: n})) for n in (0, 9, 10)]
    [0.5, 0.5, 0.05000000074505806]
    """
    schedule = optimizers.schedules.ExponentialDecay(learning_rate, decay_steps, decay_rate, staircase)
    return _named(name, op(lambda step: schedule(step)), convert_to_tensor(global_step))


class Apply(Special):
    """One update of variables by an optimizer of the library."""

    def __init__(
        self, rule: Any, rate: Any, variables: list[Variable], slots: dict[str, list[Variable]], step: Variable
    ):
        self.rule, self.rate, self.variables, self.slots, self.step = rule, rate, variables, slots, step
        self.label = type(rule).__name__

    def apply(self, run: Run, node: Tensor) -> Any:
        rate = run.values[self.rate] if isinstance(self.rate, Tensor) else self.rate
        paths = [str(i) for i in range(len(self.variables))]
        given = dict(zip(paths, substitute(run.values, node.args[0]), strict=False))
        whole = {path: run.state[v] for path, v in zip(paths, self.variables, strict=True)}
        kept = {name: {p: run.state[v] for p, v in zip(paths, of, strict=True)} for name, of in self.slots.items()}
        rows = {path: summed(run.engine, g, whole[path].shape) for path, g in given.items() if isinstance(g, list)}

        def part(path: str, x: Any) -> Any:
            return ops.gather(x, rows[path][0]) if path in rows else x

        def put(path: str, x: Any, old: Any, new: Any) -> Any:
            return run.engine.add_at(x, rows[path][0], (new - old) * rows[path][2]) if path in rows else new

        before = {path: part(path, x) for path, x in whole.items()}
        old = {name: {path: part(path, x) for path, x in of.items()} for name, of in kept.items()}
        grads = {path: rows[path][1] if path in rows else g for path, g in given.items()}
        after, new = self.rule.update(before, self.rule.clip(grads), old, rate, run.state[self.step])
        params = {path: put(path, whole[path], before[path], after[path]) for path in paths}
        slots = {n: {path: put(path, of[path], old[n][path], new[n][path]) for path in paths} for n, of in kept.items()}
        for path, variable in zip(paths, self.variables, strict=True):
            run.change(variable, params[path], node.number)
            for name, of in self.slots.items():
                run.change(of[int(path)], slots[name][path], node.number)
        run.change(self.step, run.state[self.step] + 1, node.number)

    def reads(self) -> Any:
        return [*self.variables, *(v for of in self.slots.values() for v in of), self.step]

    writes = reads


def summed(engine: Any, slices: list[Any], shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Gradients of rows: (numbers of rows, the sum of the gradients of each, 1 or 0), 0 where there is no such row.

    Args:
        slices: pairs (gradients, numbers of rows), where a row may occur several times.
        shape: that of the whole array.
    """
    values = ops.concat([ops.reshape(value, (-1, *shape[1:])) for value, _ in slices])
    index = ops.clip(ops.cast(ops.concat([ops.reshape(at, (-1,)) for _, at in slices]), "int32"), 0, shape[0] - 1)
    order = ops.argsort(index)
    index = ops.gather(index, order)
    first = ops.concat([ops.ones_like(index[:1]), ops.cast(index[1:] != index[:-1], "int32")])
    place = ops.cast(ops.cumulative_sum(first), "int32") - 1  # that of its row among the rows that occur
    rows = engine.add_at(ops.zeros_like(index), place, index * first)
    sums = engine.add_at(ops.zeros_like(values), place, ops.gather(values, order))
    there = engine.add_at(ops.zeros_like(index), place, first)
    return rows, sums, ops.cast(ops.reshape(there, (-1, *(1 for _ in shape[1:]))), engine.dtype_name(values))


class Optimizer:
    """Base of optimizers; each follows the one of `neuroloom.optimizers` that it names.

    Args:
        learning_rate: a number, or a Tensor such as a placeholder.

    Of a variable that the loss uses through `gather` or `embedding_lookup` alone, only the rows that were looked up
    change, and their part of the state; a step costs as much as these rows. For descent and Adagrad that is the same
    as a step of the whole; momentum and the means of RMSProp wait until the row occurs again.
    """

    by_rows = True  # whether rows that were not looked up stay as they are

    def __init__(self, learning_rate: Any, rule: Any, name: str) -> None:
        if not isinstance(learning_rate, Tensor | int | float | np.number):
            raise GraphError(f"{name} expected a learning rate as a number or a Tensor, received {learning_rate!r}.")
        self.rate: Any = learning_rate if isinstance(learning_rate, Tensor) else float(learning_rate)
        self.rule, self.name = rule, name

    def compute_gradients(self, loss: Tensor, var_list: Sequence[Variable] | None = None) -> list[tuple[Any, Variable]]:
        """Pairs (gradient, variable); the gradient is None where the loss does not depend on the variable."""
        if not isinstance(loss, Tensor):
            raise GraphError(
                f"{self.name} expected the Tensor to make small, made of variables, received {loss!r:.60}. A number "
                f"that `run` returned says nothing of them."
            )
        with loss.graph.as_default():
            variables = list(var_list or (v for v in trainable_variables() if "float" in v.dtype))
        if not variables:
            raise GraphError("There are no variables to train.")
        at = {v: lookups(loss, v) for v in variables} if self.by_rows else {}
        tables = [v for v in variables if at.get(v)]
        rest = [v for v in variables if v not in tables]
        parts = iter(gradients(loss, [*rest, *(n for v in tables for n in at[v])]))
        found = {v: next(parts) for v in rest} | dict(zip(tables, gradients(loss, tables), strict=True))
        for v in tables:
            loss.graph.slices[found[v]] = [[next(parts), n.args[1]] for n in at[v]]
        return [(found[v], v) for v in variables]

    def apply_gradients(
        self,
        grads_and_vars: Sequence[tuple[Any, Variable]],
        global_step: Variable | None = None,
        name: str | None = None,
    ) -> Tensor:
        """An operation that changes each variable by its gradient, and adds 1 to `global_step`."""
        pairs = [(g, v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            raise GraphError("No variable has a gradient: the loss depends on none of them.")
        graph, variables = pairs[0][1].graph, [v for _, v in pairs]
        with graph.as_default(), graph.name_scope(name or self.name):
            slots = self._slots(variables)
            step = Variable(0, trainable=False, name="step")
            rate = (self.rate,) if isinstance(self.rate, Tensor) else ()
            call = Apply(self.rule, self.rate, variables, slots, step)
            grads = [graph.slices.get(g, g) for g, _ in pairs]
            update = special(graph, "update", call, ([*grads, *rate],), (), "none")
            if global_step is None:
                return update
            with graph.control_dependencies([update]):
                return group(assign_add(global_step, 1))

    def minimize(
        self, loss: Tensor, global_step: Variable | None = None, var_list: Sequence[Variable] | None = None,
        name: str | None = None,
    ) -> Tensor:  # fmt: skip
        """An operation that takes one step down the gradient of the loss."""
        return self.apply_gradients(self.compute_gradients(loss, var_list), global_step, name)

    def _slots(self, variables: list[Variable]) -> dict[str, list[Variable]]:
        """Variables for the optimizer's state, with the values it begins with."""
        for v in variables:
            if v.shape is None or None in v.shape:
                raise GraphError(f"An optimizer expected variables of known shape; that of {v.name!r} is {v.shape}.")
        first = self.rule.init({str(i): np.zeros([n or 0 for n in v.shape], v.dtype) for i, v in enumerate(variables)})
        return {
            name: [Variable(of[str(i)], trainable=False, name=f"{v.name}/{name}") for i, v in enumerate(variables)]
            for name, of in first.items()
        }


class GradientDescentOptimizer(Optimizer):
    """w ← w - η g."""

    def __init__(self, learning_rate: Any, name: str = "GradientDescent") -> None:
        super().__init__(learning_rate, optimizers.SGD(), name)


class MomentumOptimizer(Optimizer):
    """v ← μ v - η g; w ← w + v, as in Keras. With a rate that changes, v ← μ v + g; w ← w - η v differs from it."""

    def __init__(self, learning_rate: Any, momentum: float, use_nesterov: bool = False, name: str = "Momentum") -> None:
        super().__init__(learning_rate, optimizers.SGD(momentum=momentum, nesterov=use_nesterov), name)


class AdamOptimizer(Optimizer):
    """Adam; see `neuroloom.optimizers.Adam`. Every row of a table changes at each step, since all momenta decay."""

    by_rows = False

    def __init__(
        self, learning_rate: Any = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
        name: str = "Adam",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, optimizers.Adam(beta_1=beta1, beta_2=beta2, epsilon=epsilon), name)


class RMSPropOptimizer(Optimizer):
    """RMSprop; see `neuroloom.optimizers.RMSprop`: its running mean of g² starts from 0, elsewhere also from 1."""

    def __init__(
        self, learning_rate: Any, decay: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-10,
        centered: bool = False, name: str = "RMSProp",
    ) -> None:  # fmt: skip
        rule = optimizers.RMSprop(rho=decay, momentum=momentum, epsilon=epsilon, centered=centered)
        super().__init__(learning_rate, rule, name)


class AdagradOptimizer(Optimizer):
    """Adagrad; see `neuroloom.optimizers.Adagrad`."""

    def __init__(self, learning_rate: Any, initial_accumulator_value: float = 0.1, name: str = "Adagrad") -> None:
        rule = optimizers.Adagrad(initial_accumulator_value=initial_accumulator_value)
        super().__init__(learning_rate, rule, name)


class Saver:
    """Writes the variables of a session into safetensors files, and reads them back. Nothing is executed.

    Args:
        var_list: variables, or a dict of variables by the names that they have in the files; by default all of the
            graph when the saver is used.
        max_to_keep: the oldest files beyond so many are removed; 0 or None keeps all.
    """

    def __init__(
        self, var_list: Sequence[Variable] | Mapping[str, Variable] | None = None, max_to_keep: int | None = 5
    ) -> None:
        self._variables = None if var_list is None else _by_name(var_list)
        self.max_to_keep = max_to_keep
        self._written: list[Path] = []
        self._graph = get_default_graph()

    def _all(self) -> dict[str, Variable]:
        found = _by_name(self._graph.variables) if self._variables is None else self._variables
        if not found:
            raise GraphError("There are no variables to save.")
        return found

    def save(self, sess: Any, save_path: Any, global_step: Any = None) -> str:
        """Write the variables; returns the file's path: `save_path`, with `-step` if a step is given."""
        step = sess.run(global_step) if isinstance(global_step, Tensor) else global_step
        base = str(save_path).removesuffix(".safetensors")
        path = Path(base + ("" if step is None else f"-{int(step)}") + ".safetensors")
        variables = self._all()
        values = sess.values_of(dict.fromkeys(variables.values()))
        files.write(path, {name: np.asarray(values[v]) for name, v in variables.items()}, {})
        self._written = [*(p for p in self._written if p != path), path]
        while self.max_to_keep and len(self._written) > self.max_to_keep:
            self._written.pop(0).unlink(missing_ok=True)
        return str(path)

    def restore(self, sess: Any, save_path: Any) -> None:
        """Give the variables the values in a file, which may hold others too.

        Raises:
            ModelFileError: the file is damaged, or does not hold one of the variables, or in another shape.
        """
        path = Path(str(save_path).removesuffix(".safetensors") + ".safetensors")
        variables = self._all()
        shapes: Any = {name: (v.dtype, tuple(v.shape)) for name, v in variables.items()}
        found = files.read_arrays(path, files.read_header(path).weights | shapes)
        sess.load({v: found[name] for name, v in variables.items()})

    @property
    def last_checkpoints(self) -> list[str]:
        """The files written and kept."""
        return [str(path) for path in self._written]


def _by_name(variables: Sequence[Variable] | Mapping[str, Variable]) -> dict[str, Variable]:
    """Variables by name.

    Raises:
        GraphError: other values.
    """
    found = dict(variables) if isinstance(variables, Mapping) else {getattr(v, "name", ""): v for v in variables}
    for v in found.values():
        if not isinstance(v, Variable):
            raise GraphError(f"Saver expected variables, or a dict of variables by name, received {v!r}.")
    return found


def latest_checkpoint(folder: Any) -> str | None:
    """The file with the greatest step in a folder, or None."""
    found = [
        (int(m[1]), p) for p in Path(folder).glob("*.safetensors") if (m := re.search(r"-(\d+)\.safetensors$", p.name))
    ]
    return str(max(found)[1]) if found else None
