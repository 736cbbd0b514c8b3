"""Optimizers, and saving the variables of a session."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom import files, optimizers
from neuroloom.calls import public
from neuroloom.errors import GraphError
from neuroloom.ops.graph import op
from neuroloom.session.evaluate import Run, Special, special
from neuroloom.session.functions import _named, convert_to_tensor
from neuroloom.session.gradients import gradients
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
        params = {path: run.state[v] for path, v in zip(paths, self.variables, strict=True)}
        grads = {path: run.values[g] for path, g in zip(paths, node.args[0], strict=False)}
        slots = {name: {p: run.state[v] for p, v in zip(paths, of, strict=True)} for name, of in self.slots.items()}
        params, slots = self.rule.update(params, self.rule.clip(grads), slots, rate, run.state[self.step])
        for path, variable in zip(paths, self.variables, strict=True):
            run.change(variable, params[path], node.number)
            for name, of in self.slots.items():
                run.change(of[int(path)], slots[name][path], node.number)
        run.change(self.step, run.state[self.step] + 1, node.number)

    def reads(self) -> Any:
        return [*self.variables, *(v for of in self.slots.values() for v in of), self.step]

    writes = reads


class Optimizer:
    """Base of optimizers; each follows the one of `neuroloom.optimizers` that it names.

    Args:
        learning_rate: a number, or a Tensor such as a placeholder.
    """

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
        return list(zip(gradients(loss, variables), variables, strict=True))

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
            update = special(graph, "update", call, ([*(g for g, _ in pairs), *rate],), (), "none")
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
    """Adam; see `neuroloom.optimizers.Adam`."""

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
        var_list: variables, by default all of the graph when the saver is used.
        max_to_keep: the oldest files beyond so many are removed; 0 or None keeps all.
    """

    def __init__(self, var_list: Sequence[Variable] | None = None, max_to_keep: int | None = 5) -> None:
        self._variables = None if var_list is None else list(var_list)
        self.max_to_keep = max_to_keep
        self._written: list[Path] = []
        self._graph = get_default_graph()

    def _all(self) -> list[Variable]:
        found = self._graph.variables if self._variables is None else self._variables
        if not found:
            raise GraphError("There are no variables to save.")
        return list(found)

    def save(self, sess: Any, save_path: Any, global_step: Any = None) -> str:
        """Write the variables; returns the file's path: `save_path`, with `-step` if a step is given."""
        step = sess.run(global_step) if isinstance(global_step, Tensor) else global_step
        base = str(save_path).removesuffix(".safetensors")
        path = Path(base + ("" if step is None else f"-{int(step)}") + ".safetensors")
        files.write(path, {v.name: np.asarray(value) for v, value in sess.values_of(self._all()).items()}, {})
        self._written = [*(p for p in self._written if p != path), path]
        while self.max_to_keep and len(self._written) > self.max_to_keep:
            self._written.pop(0).unlink(missing_ok=True)
        return str(path)

    def restore(self, sess: Any, save_path: Any) -> None:
        """Give the variables the values in a file.

        Raises:
            ModelFileError: the file is damaged, or holds other variables or shapes.
        """
        path = Path(str(save_path).removesuffix(".safetensors") + ".safetensors")
        variables = {v.name: v for v in self._all()}
        shapes: Any = {name: (v.dtype, tuple(v.shape)) for name, v in variables.items()}
        found = files.read_arrays(path, shapes)
        sess.load({variables[name]: value for name, value in found.items()})

    @property
    def last_checkpoints(self) -> list[str]:
        """The files written and kept."""
        return [str(path) for path in self._written]


def latest_checkpoint(folder: Any) -> str | None:
    """The file with the greatest step in a folder, or None."""
    found = [
        (int(m[1]), p) for p in Path(folder).glob("*.safetensors") if (m := re.search(r"-(\d+)\.safetensors$", p.name))
    ]
    return str(max(found)[1]) if found else None
