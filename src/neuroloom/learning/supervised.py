"""One step of learning. Loss, gradient and update meet here and nowhere else.

A `Supervised` is a network with what it should learn. Its `train` and `test` are pure functions

    train(state, fixed, batch, key) -> (state, row)

of trees, for any engine; `row` is one line of the log: the running means of the loss and the metrics, as scalars.
The loop of `loop.py` runs any function of this form.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

from neuroloom import activations, config, engines, ops, regularizers, tree
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError
from neuroloom.layers import Layer, Network, Run
from neuroloom.layers.parts import attribute_signature, copied, signature_of, specs_of
from neuroloom.learning.state import slots_of
from neuroloom.losses import Loss, reduce
from neuroloom.metrics import Metric
from neuroloom.ops.graph import Node
from neuroloom.optimizers import Optimizer
from neuroloom.optimizers.schedules import Schedule
from neuroloom.typing import Array, Function, Key, Tree


@dataclass(frozen=True)
class Target:
    """What one output of the network should be.

    Attributes:
        name: of the output.
        loss: None where the output is not trained.
        weight: of its loss in the sum.
        metrics: (key in the log, metric) pairs.
    """

    name: str
    loss: Loss | None
    weight: float = 1.0
    metrics: tuple[tuple[str, Metric], ...] = ()

    def signature(self) -> Any:
        """Equal for targets that compile to the same program."""
        metrics = tuple((key, metric.signature()) for key, metric in self.metrics)
        return self.name, config.signature(self.loss), self.weight, metrics


@dataclass(frozen=True)
class Supervised:
    """A network, one Target per output, and the optimizer.

    `endings` names, per output, the activation that the network leaves to the loss (see `detached`). In `precision`
    the layers compute while they learn; weights, losses, metrics and updates are float32 throughout. `model` is there
    where its class has a `compute_loss` of its own.
    """

    network: Network
    targets: tuple[Target, ...]
    optimizer: Optimizer | None = None
    endings: tuple[str | None, ...] = ()
    precision: str = "float32"
    model: Any = None

    def signature(self) -> Any:
        """The key of its compiled programs: equal for tasks of equal structure."""
        optimizer = self.optimizer
        if optimizer is not None and not isinstance(optimizer.learning_rate, Schedule):
            optimizer = replace(optimizer, learning_rate=1.0)  # the rate is part of the state, not of the program
        optimizer = optimizer and optimizer.signature()
        own = self.model and (type(self.model), attribute_signature(self.model.attributes()))
        return signature_of(self.network), tuple(t.signature() for t in self.targets), optimizer, self.precision, own

    def detached(self) -> Supervised:
        """A copy that holds no weights, for compiled programs to keep; outputs in logits form where losses want it."""
        memo: dict[int, Any] = {}
        network = copied(self.network, memo)
        if self.model is not None:
            return replace(self, network=network, model=copied(self.model, memo), endings=(None,) * len(self.targets))
        network, endings = _with_logits(network, self.targets)
        return replace(self, network=network, endings=endings)

    @property
    def columns(self) -> list[str]:
        """The names of a log row's numbers."""
        parts = [f"{t.name}_loss" for t in self._parts]
        return ["loss", *parts, *(key for t in self.targets for key, _ in t.metrics)]

    @property
    def test_columns(self) -> list[str]:
        """The same in an evaluation."""
        return self.columns

    @property
    def _parts(self) -> list[Target]:
        """The targets whose losses are logged one by one: all that have one, where there are several outputs."""
        several = len(self.targets) > 1 and self.model is None
        return [t for t in self.targets if t.loss is not None] if several else []

    # -------------------------------------------------------------------------------------------------- state

    def slots(self, params: dict[str, Array], kept: Tree, engine: Engine) -> Tree:
        """What the optimizer remembers of the weights; `kept` is what it remembered before."""
        assert self.optimizer is not None
        return slots_of(self.optimizer, params, kept, engine)

    def fresh_metrics(self, engine: Engine, testing: bool = False) -> Tree:
        """The metric state at the start of an epoch, for the engine in use: means of losses, and each metric's own."""
        means = [Mean.init(engine) for _ in range(1 + len(self._parts))]
        states = [[metric.init() for _, metric in t.metrics] for t in self.targets]
        return {"means": means, "metrics": states}

    # -------------------------------------------------------------------------------------------------- steps

    def train(self, state: Tree, fixed: Tree, batch: Tree, key: Key) -> tuple[Tree, list[Array]]:
        """Forward, loss, gradient, update, metrics; a step whose loss is not finite changes no weight."""
        engine, optimizer = engines.current(), self.optimizer
        assert optimizer is not None
        key, learn = engine.fold_in(key, state["step"]), self._recorded(engine, "_learn")
        grads, updates, total, losses, sums = learn(state["params"], state["frozen"], batch, key)
        rate = optimizer.learning_rate
        rate = rate(state["step"]) if isinstance(rate, Schedule) else state["learning_rate"]

        def updated() -> Tree:
            params, slots = optimizer.overwrite(state["params"], grads, state["slots"], rate, state["step"])
            frozen = {**state["frozen"], **updates} if updates else state["frozen"]
            return {"params": params, "slots": slots, "frozen": frozen, "step": state["step"] + 1}

        old = {name: state[name] for name in ("params", "slots", "frozen", "step")}
        kept = engine.guarded(engine.is_finite(total), updated, old)
        metrics, row = self._log(state["metrics"], total, losses, sums, batch)
        return {**state, **kept, "metrics": metrics}, row

    def test(self, state: Tree, fixed: Tree, batch: Tree, key: Key) -> tuple[Tree, list[Array]]:
        """Forward and metrics; `fixed` holds the weights."""
        judge = self._recorded(engines.current(), "_judge")
        total, losses, sums = judge(fixed["params"], fixed["frozen"], batch)
        metrics, row = self._log(state["metrics"], total, losses, sums, batch)
        return {"metrics": metrics}, row

    def _recorded(self, engine: Engine, name: str) -> Function:
        """One of the two functions below, as the engine runs it often."""
        place = (engine.name, name)
        if place not in self._functions:
            self._functions[place] = engine.recorded(getattr(self, name))
        return self._functions[place]

    @functools.cached_property
    def _functions(self) -> dict[tuple[str, str], Function]:
        return {}

    def _learn(self, params: Tree, frozen: Tree, batch: Tree, key: Key) -> tuple[Any, ...]:
        """What a batch says: the gradient, updates of other weights, the loss, its parts, the sums of the metrics."""

        def loss_of(params: Tree) -> tuple[Array, Any]:
            run = Run(True, key)
            total, parts = self._forward(params, frozen, batch, run)
            return total, (parts, run.updates)

        assert self.optimizer is not None
        (total, ((losses, outputs), updates)), grads = engines.current().value_and_grad(loss_of)(params)
        updates = {path: ops.cast(value, "float32") for path, value in updates.items()}
        return self.optimizer.clip(grads), updates, total, losses, self._sums(batch, outputs)

    def _judge(self, params: Tree, frozen: Tree, batch: Tree) -> tuple[Any, ...]:
        """The loss of a batch, its parts, the sums of the metrics."""
        total, (losses, outputs) = self._forward(params, frozen, batch, Run())
        return total, losses, self._sums(batch, outputs)

    def _forward(self, params: Tree, frozen: Tree, batch: Tree, run: Run) -> tuple[Array, Any]:
        """Total loss; the losses of the outputs that have one; the outputs that have metrics, not activated yet, and
        their masks.
        """
        dtype = self.precision if run.training else "float32"
        weights = tree.from_items([*self._in(dtype, params).items(), *self._in(dtype, frozen).items()])
        x = inputs_of(self.network, batch["x"], dtype)
        raw = tree.leaves(run.apply(self.network, weights, (x,)))
        masks = [run.mask_of(output) for output in raw]
        raw = raw if dtype == "float32" else [ops.cast(output, "float32") for output in raw]
        ends = list(zip(raw, masks, strict=True))
        outputs = [end if target.metrics else None for target, end in zip(self.targets, ends, strict=True)]
        if self.model is not None:
            with run.inside(self.network, weights):
                return self._own_loss(params, batch, run, x, ends), ([], outputs)
        total, losses = self._compiled_loss(params, batch["y"], ends, batch["weight"], run)
        return total, (losses, outputs)

    def _compiled_loss(self, params: Tree, ys: Any, ends: Any, weight: Any, run: Run) -> tuple[Array, list[Array]]:
        """The sum of all that `compile` and the layers ask for; the losses of the outputs that have one."""
        total, losses = self._penalty(params) + sum(run.losses), []
        for target, ending, y, (output, mask) in zip(self.targets, self.endings, ys, ends, strict=True):
            if target.loss is not None:
                values = getattr(target.loss, "logit_values" if ending else "values")
                losses.append(reduce(values(y, output), weight, mask))
                total = total + target.weight * losses[-1]
        return total, losses

    def _own_loss(self, params: Tree, batch: Tree, run: Run, x: Any, ends: list[tuple[Array, Any]]) -> Array:
        """What the model's `compute_loss` gives; `super().compute_loss(...)` there is the compiled loss."""
        masks = [mask for _, mask in ends]

        def compiled(y: Any, y_pred: Any, weight: Any) -> Array:
            found = list(zip(tree.leaves([y_pred]), masks, strict=True))
            return self._compiled_loss(params, tree.leaves([y]), found, weight, run)[0]

        def shaped(values: list[Any]) -> Any:
            given = iter(values)
            return tree.map(lambda node: next(given), self.network.outputs)

        vars(self.model)["_compiled_loss"] = compiled
        total = self.model.compute_loss(
            x=x,
            y=shaped(batch["y"]),
            y_pred=shaped([output for output, _ in ends]),
            sample_weight=batch["weight"],
            training=run.training,
        )
        if tuple(getattr(total, "shape", (0,))):
            received = f"shape {tuple(total.shape)}" if hasattr(total, "shape") else repr(total)
            raise ConfigurationError(
                f"{type(self.model).__name__}.compute_loss expected to return a scalar of its arguments, received "
                f"{received}. Take the mean: ops.mean(...)."
            )
        return total

    def _in(self, dtype: str, weights: Tree) -> Tree:
        """The weights as the layers see them; running statistics stay as they are."""
        if dtype == "float32":
            return weights
        learned = {path for path, (weight, _) in specs_of(self.network).items() if weight.trainable}
        return {path: ops.cast(value, dtype) if path in learned else value for path, value in weights.items()}

    def _penalty(self, params: Tree) -> Any:
        return sum(penalty(params[path]) for path, penalty in self._penalties)

    @functools.cached_property
    def _penalties(self) -> list[tuple[str, regularizers.Regularizer]]:
        return [
            (path, regularizers.get(weight.regularizer))
            for path, (weight, trained) in specs_of(self.network).items()
            if weight.regularizer is not None and trained
        ]

    def _sums(self, batch: Tree, outputs: list[Any]) -> list[list[Any]]:
        """For each output, the sums of one batch for each of its metrics."""
        sums: list[list[Any]] = []
        for target, ending, y, output in zip(self.targets, self.endings, batch["y"], outputs, strict=True):
            if output is None:
                sums.append([])
                continue
            value, mask = output
            value = activations.get(ending)(value) if ending else value
            sums.append([metric.batch(y, value, mask) for _, metric in target.metrics])
        return sums

    def _log(self, state: Tree, total: Array, losses: Any, sums: Any, batch: Tree) -> tuple[Tree, list[Array]]:
        n = tree.first(batch["x"]).shape[0]
        parts = losses if self._parts else []
        means = [Mean.update(s, v, n) for s, v in zip(state["means"], [total, *parts], strict=True)]
        row = [mean["mean"] for mean in means]
        metrics = []
        for target, states, batches in zip(self.targets, state["metrics"], sums, strict=True):
            states = [m.add(s, b) for (_, m), s, b in zip(target.metrics, states, batches, strict=True)]
            row += [m.result(s) for (_, m), s in zip(target.metrics, states, strict=True)]
            metrics.append(states)
        return {"means": means, "metrics": metrics}, row


class Mean:
    """A running mean over samples: m ← m + (batch mean - m) n / N, exact for any number of samples."""

    @staticmethod
    def init(engine: Engine) -> Tree:
        return {"mean": engine.asarray(0.0), "n": engine.scalar(0.0)}

    @staticmethod
    def update(state: Tree, value: Array, n: int) -> Tree:
        total = state["n"] + n
        return {"mean": engines.of(value).lerp(state["mean"], value, n / total), "n": total}


def inputs_of(network: Network, leaves: list[Array], dtype: str = "float32") -> Any:
    """A batch's arrays in the structure and the dtypes of the network's inputs; `dtype` in the place of float32."""
    given = iter(leaves)
    dtypes = {"float32": dtype}
    return tree.map(lambda node: ops.cast(next(given), dtypes.get(node.dtype, node.dtype)), network.inputs)


# ----------------------------------------------------------------------------------------------- logits form


def _with_logits(network: Network, targets: tuple[Target, ...]) -> tuple[Network, tuple[str | None, ...]]:
    """The network without those last activations that belong into its losses, and their names.

    -log softmax(z) and -log sigmoid(z) computed from z are exact where the probabilities round to 0 or 1.
    """
    used = {parent for node in network.order for parent in node.parents()}
    bare: dict[Node, Layer] = {}
    endings: list[str | None] = []
    ends = tree.leaves(network.outputs)
    for node, target in zip(ends, targets, strict=True):
        wanted = getattr(target.loss, "activation", None)
        free = node not in used and ends.count(node) == 1  # nothing else needs the activated output
        layer = _without_ending(node.call, wanted) if wanted and free else None
        endings.append(wanted if layer else None)
        if layer:
            bare[node] = layer
    return network.rebuilt(lambda node: bare.get(node, node.call)), tuple(endings)


def _without_ending(call: Any, wanted: str | None) -> Layer | None:
    """The layer without its last activation, if that is the wanted one."""
    if isinstance(call, Network) and isinstance(call.outputs, Node):
        end = call.outputs
        inner = _without_ending(end.call, wanted)
        return call.rebuilt(lambda node: inner if node is end else node.call) if inner else None
    if getattr(call, "ends_with_activation", False) and call.activation == wanted:
        return call.clone(activation="linear")
    return None
