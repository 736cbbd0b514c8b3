"""The ways to run a row. A new peer is one entry in PEERS, and a module with a function

    build(row, x, y, weights, threads, **options) -> Run

that builds the row's network with these first weights. A module may have

    many(row, x, y, weights, threads, **options) -> train

with the weights of several networks, which gives the `train` of all of them together (what each's own would give, in
a list); without it they are trained one after another. What a library cannot express raises `Absent`, with the reason.

`keras-torch-tuned` is in two rows only: each would cost up to half a minute of compilation, and in neither was it ever
the fastest.

A peer is what a competent user of that library would write, no more and no less.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from benchmarks.networks import Weights, first_weights
from benchmarks.rows import Row


class Absent(Exception):
    """This peer has no way to run this row; says why."""


class Run(NamedTuple):
    """A network that can be trained and asked.

    train(epochs, shuffle=True) gives for each epoch its mean loss and its accuracy (0.0 without a metric);
    predict(x) gives the outputs as a NumPy array.
    """

    train: Callable[..., list[tuple[float, float]]]
    predict: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Peer:
    """One way to run a row.

    Attributes:
        title: for the report.
        module: in this folder.
        libraries: the distributions that it needs, and whose versions the record names.
        options: for the module's `build`.
        environment: variables to set before the library is imported.
        statement: how its users import it.
        quick: whether --quick measures it.
        only: the rows that it is for; empty: all.
    """

    title: str
    module: str
    libraries: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    statement: str = ""
    quick: bool = True
    only: tuple[str, ...] = ()

    def load(self) -> ModuleType:
        """The module, which imports the library."""
        return importlib.import_module(f"{__name__}.{self.module}")


@dataclass
class Bench:
    """A row before a peer: what a task works with."""

    peer: Peer
    row: Row
    x: np.ndarray
    y: np.ndarray
    threads: int

    @property
    def steps(self) -> int:
        return self.row.steps(len(self.x))

    def weights(self, seed: int = 0) -> Weights:
        return first_weights(self.row.network, self.x.shape[1:], seed)

    def run(self) -> Run:
        """The row's network, new."""
        given = self.row, self.x, self.y, self.weights(), self.threads
        return self.peer.load().build(*given, **self.peer.options)

    def many(self, members: int) -> Callable[..., Any]:
        """The training of so many networks, whose first weights differ."""
        module, weights = self.peer.load(), [self.weights(seed) for seed in range(members)]
        return getattr(module, "many", _one_by_one(module))(
            self.row, self.x, self.y, weights, self.threads, **self.peer.options
        )


def _one_by_one(module: ModuleType) -> Callable[..., Any]:
    def many(row: Row, x: np.ndarray, y: np.ndarray, weights: list[Weights], threads: int, **options: Any) -> Any:
        runs = [module.build(row, x, y, one, threads, **options) for one in weights]
        return lambda epochs, shuffle=True: [run.train(epochs, shuffle) for run in runs]

    return many


def _keras(title: str, backend: str, quick: bool = False, only: tuple[str, ...] = (), **options: Any) -> Peer:
    library = {"tensorflow": "tensorflow-cpu"}.get(backend, backend)
    environment = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return Peer(f"Keras on {title}", "keras", ("keras", library), options, environment, "import keras", quick, only)


NEUROLOOM = "from neuroloom import Sequential, layers, optimizers"
PEERS = {
    "neuroloom-auto": Peer("neuroloom, engine='auto'", "neuroloom", ("jax", "torch"), {"engine": "auto"}, quick=False),
    "neuroloom-jax": Peer("neuroloom on JAX", "neuroloom", ("jax",), {"engine": "jax"}, statement=NEUROLOOM),
    "neuroloom-torch": Peer(
        "neuroloom on PyTorch", "neuroloom", ("torch",), {"engine": "torch"}, statement=NEUROLOOM, quick=False
    ),
    "keras-jax": _keras("JAX", "jax", quick=True),
    "keras-jax-tuned": _keras("JAX, tuned", "jax", steps_per_execution=32),
    "keras-tf": _keras("TensorFlow", "tensorflow"),
    "keras-tf-tuned": _keras("TensorFlow, tuned", "tensorflow", steps_per_execution=32, jit_compile=True),
    "keras-tf-plain": _keras("TensorFlow, tuned, no XLA", "tensorflow", steps_per_execution=32, jit_compile=False),
    "keras-torch": _keras("PyTorch", "torch"),
    "keras-torch-tuned": _keras("PyTorch, tuned", "torch", only=("tiny", "mlp"), jit_compile=True),
    "torch": Peer("PyTorch, eager, by hand", "torch", ("torch",), statement="import torch"),
    "torch-compile": Peer("PyTorch, torch.compile, by hand", "torch", ("torch",), {"compiled": True}, quick=False),
    "scan": Peer("jax.lax.scan, by hand", "scan", ("jax", "optax"), statement="import jax, optax"),
    "sklearn": Peer(
        "scikit-learn", "sklearn", ("scikit-learn",), statement="import sklearn.neural_network", quick=False
    ),
}
