"""All of a training as one value, and the way of it into a file and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuroloom import engines, tree
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, ShapeError, nearest
from neuroloom.optimizers import Optimizer
from neuroloom.typing import Array, Tree

BESIDE = "training//"
"""What the names of arrays in a model file begin with that are no weights. No part of a weight's path is empty."""


@dataclass(frozen=True)
class TrainState:
    """All of a training: a model that is given it goes on as the one that it came from.

    Attributes:
        seed: of batch orders, dropout and first weights; below 2**32.
        params: the weights that gradients train, by path.
        frozen: the other weights: moving statistics, layers that are not trained.
        slots: what the optimizer remembers; None before the first step.
        step: how many updates came before.
        epoch: how many epochs came before, which tells the orders of their batches apart.
        learning_rate: as it was set since `compile`; None: the optimizer's own.
    """

    seed: int
    params: Mapping[str, Array] | None = None
    frozen: Mapping[str, Array] | None = None
    slots: Tree = None
    step: Any = 0
    epoch: int = 0
    learning_rate: float | None = None

    def record(self) -> dict[str, Any]:
        """Its numbers, as JSON values."""
        return {
            "seed": int(self.seed),
            "step": int(self.step),
            "epoch": self.epoch,
            "learning_rate": self.learning_rate,
            "slots": self.slots is not None,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What the optimizer remembers, by the names that a file has for it."""
        return {f"{BESIDE}{path}": array for path, array in tree.items(self.slots)}


def numbers_of(record: Any) -> TrainState:
    """The state of a file's record, without arrays.

    Raises:
        ConfigurationError: numbers that no training leaves behind.
    """
    if not isinstance(record, dict) or record.keys() != TrainState(0).record().keys():
        raise ConfigurationError("the state of its training is not what this library writes")
    counts = {name: record[name] for name in ("seed", "step", "epoch")}
    for name, value in counts.items():
        if type(value) is not int or not 0 <= value < 2**63:
            raise ConfigurationError(f"{name} of its training expected a whole number, received {value!r:.40}")
    rate = record["learning_rate"]
    if rate is not None and not (isinstance(rate, float | int) and 0 <= rate < float("inf")):
        raise ConfigurationError(f"learning_rate of its training expected a number, received {rate!r:.40}")
    return TrainState(**counts, learning_rate=rate)


def slots_of(rule: Optimizer, params: Mapping[str, Array], kept: Tree, engine: Engine) -> Tree:
    """What an optimizer remembers of some weights: what was kept of them, and its start for the others."""
    kept = kept or {}
    new = {path: p for path, p in params.items() if not kept or any(path not in part for part in kept.values())}
    fresh = rule.init(new) if new else {}
    return {
        name: {path: fresh[name][path] if path in new else engine.asarray(kept[name][path]) for path in params}
        for name in rule.slots()
    }


def check_slots(expected: Tree, given: Tree) -> None:
    """Refuse what another optimizer, or one of other weights, remembers."""
    wanted, found = dict(tree.items(expected)), dict(tree.items(given))
    for path in [*found, *wanted]:
        if path not in wanted:
            raise ConfigurationError(
                f"The state is of another optimizer or other weights: this one remembers no {path!r}. "
                f"{nearest(path, wanted)}"
            )
        if path not in found:
            raise ConfigurationError(
                f"The state is of another optimizer or other weights: it lacks {path!r}, which this one remembers."
            )
        if np.shape(found[path]) != tuple(wanted[path].shape):
            raise ShapeError(
                f"The optimizer's {path!r} expected an array of shape {tuple(wanted[path].shape)}, received "
                f"{np.shape(found[path])}."
            )


def copied(array: Array) -> np.ndarray:
    """An array of any engine as one of NumPy that nobody else holds."""
    return np.array(engines.of(array).to_numpy(array))


def without_weights(state: TrainState) -> TrainState:
    """The state, whose weights the layers hold."""
    return replace(state, params=None, frozen=None)
