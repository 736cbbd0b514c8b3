"""The ways to run a row. A new peer is one entry in PEERS, and a module with a function

    trainer(row, x, y, weights, threads, **options) -> train

that builds the row's network with these first weights, and gives

    train(epochs, shuffle=True) -> for each epoch its mean loss and its accuracy

A peer is what a competent user of that library would write, no more and no less.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.rows import Row, Weights

Train = Callable[..., list[tuple[float, float]]]


@dataclass(frozen=True)
class Peer:
    """One way to run a row.

    Attributes:
        title: for the report.
        module: in this folder.
        libraries: the distributions whose versions the report names.
        options: for the module's `trainer`.
        environment: variables to set before the library is imported.
    """

    title: str
    module: str
    libraries: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def trainer(self, row: Row, x: np.ndarray, y: np.ndarray, weights: Weights, threads: int) -> Train:
        """The row's network, ready to be trained."""
        module = importlib.import_module(f"{__name__}.{self.module}")
        return module.trainer(row, x, y, weights, threads, **self.options)


PEERS = {
    "neuroloom-jax": Peer("neuroloom on JAX", "neuroloom", ("jax",), {"engine": "jax"}),
    "neuroloom-torch": Peer("neuroloom on PyTorch", "neuroloom", ("torch",), {"engine": "torch"}),
    "keras-jax": Peer("Keras on JAX", "keras", ("keras", "jax"), environment={"KERAS_BACKEND": "jax"}),
    "torch": Peer("PyTorch, eager, by hand", "torch", ("torch",)),
    "scan": Peer("jax.lax.scan, by hand", "scan", ("jax", "optax")),
}
