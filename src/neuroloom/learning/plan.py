"""What `compile` was told, and the Supervised that it makes of a network."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from typing import Any

from neuroloom import config, losses, metrics, optimizers, tree
from neuroloom.errors import ConfigurationError, nearest
from neuroloom.layers import Network
from neuroloom.layers.parts import free_name
from neuroloom.learning.supervised import Supervised, Target
from neuroloom.ops.graph import Node, select
from neuroloom.optimizers import Optimizer


@dataclass(frozen=True)
class Plan:
    """The arguments of `compile`, resolved: a list or dict of losses, metrics and weights for several outputs."""

    optimizer: Optimizer
    loss: Any
    metrics: Any
    loss_weights: Any
    precision: str

    @classmethod
    def of(cls, optimizer: Any, loss: Any, metrics: Any, loss_weights: Any, precision: str) -> Plan:
        """Resolve names now, so that a typo fails in `compile`."""
        _check_names(metrics)
        return cls(copy.copy(optimizers.get(optimizer)), _resolved(loss), metrics, loss_weights, precision)

    def task(self, network: Network) -> Supervised:
        """The Supervised: one Target for each of the network's outputs."""
        names = output_names(network)
        loss = _per_output(self.loss, names, "loss", shared=True)
        weights = _per_output(self.loss_weights, names, "loss_weights")
        kinds = _metrics_per_output(self.metrics, names)
        targets = [
            _target(name, node, loss[name], weights[name], kinds[name], several=len(names) > 1)
            for name, node in zip(names, tree.leaves(network.outputs), strict=True)
        ]
        if all(target.loss is None for target in targets):
            raise ConfigurationError("compile expected a loss, such as 'mse' or 'categorical_crossentropy'.")
        task = Supervised(network, tuple(targets), self.optimizer, precision=self.precision)
        _refuse_same_names(task.columns)
        return task

    def to_json(self) -> dict[str, Any] | None:
        """JSON values; None where a loss or metric is a plain function, which no file can hold."""
        try:
            return {f.name: config.to_json(getattr(self, f.name)) for f in fields(self)}
        except ConfigurationError:
            return None


def _refuse_same_names(columns: list[str]) -> None:
    """Logs have one number per name: a metric called "loss" would stand in the place of the loss."""
    for name in columns:
        if columns.count(name) > 1:
            raise ConfigurationError(f"The logs would have two numbers named {name!r}. Give the metric another name.")


def _resolved(loss: Any) -> Any:
    if isinstance(loss, list | tuple):
        return [_resolved(one) for one in loss]
    if isinstance(loss, dict) and "class" not in loss:
        return {name: _resolved(one) for name, one in loss.items()}
    return None if loss is None else losses.get(loss)


def _check_names(spec: Any) -> None:
    """An unknown metric is an error even while the network, which `metrics.resolve` asks, is not known."""
    if isinstance(spec, list | tuple | dict):
        for one in spec.values() if isinstance(spec, dict) and "class" not in spec else spec:
            _check_names(one)
    elif isinstance(spec, str) and spec.lower() not in ("acc", "accuracy", "class", "config"):
        config.find("metric", spec)


def output_names(network: Network) -> list[str]:
    """The keys of a dict of outputs, or the names of the layers that make the outputs."""
    if isinstance(network.outputs, dict):
        return list(network.outputs)
    names: list[str] = []
    for node in tree.leaves(network.outputs):
        while node.call is select:
            node = node.args[0]
        base: str = network.names.get(node.call) or str(getattr(node.call, "__name__", "output"))
        names.append(free_name(base, set(names)))
    return names


def _per_output(spec: Any, names: list[str], what: str, shared: bool = False) -> dict[str, Any]:
    """output -> its part of a specification that is one value (`shared`: for all), a list, or a dict by output."""
    if isinstance(spec, dict):
        for name in spec:
            if name not in names:
                raise ConfigurationError(f"{what} names the output {name!r}. {nearest(name, names)}")
        return {name: spec.get(name) for name in names}
    if isinstance(spec, list | tuple):
        if len(spec) != len(names):
            raise ConfigurationError(f"{what} expected {len(names)} entries, one per output, received {len(spec)}.")
        return dict(zip(names, spec, strict=True))
    return dict.fromkeys(names, spec if shared else None)


def _metrics_per_output(spec: Any, names: list[str]) -> dict[str, list[Any]]:
    if isinstance(spec, dict) or (isinstance(spec, list | tuple) and any(isinstance(s, list | tuple) for s in spec)):
        return {name: _as_list(part) for name, part in _per_output(spec, names, "metrics").items()}
    return {name: _as_list(spec) for name in names}


def _as_list(spec: Any) -> list[Any]:
    if spec is None:
        return []
    return list(spec) if isinstance(spec, list | tuple) else [spec]


def _target(name: str, node: Node, loss: Any, weight: float | None, kinds: list[Any], several: bool) -> Target:
    _refuse_lone_softmax(name, node)
    pairs: dict[str, Any] = {}
    for spec in kinds:
        metric = metrics.resolve(spec, loss, node.shape)
        key = f"{name}_{metric.label}" if several else metric.label
        if key in pairs:
            raise ConfigurationError(f"The metric {key!r} is given twice; give one of them a name of its own.")
        pairs[key] = metric
    return Target(name, loss, 1.0 if weight is None else _loss_weight(name, weight), tuple(pairs.items()))


def _loss_weight(name: str, weight: Any) -> float:
    try:
        return config.Number(0, expects="a number of at least 0")(weight)
    except ValueError as error:
        raise ConfigurationError(f"loss_weights expected for {name!r} {error}, received {weight!r}.") from None


def _refuse_lone_softmax(name: str, node: Node) -> None:
    activation = getattr(node.call, "activation", None)
    if node.shape and node.shape[-1] == 1 and activation in ("softmax", "log_softmax"):
        raise ConfigurationError(
            f"The output {name!r} is a {activation} over one unit, which is the same for every input. Use one unit "
            f"with activation='sigmoid', or one unit per class."
        )
