"""The programs that are measured. A new row is one entry in ROWS; every peer understands it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks import data
from benchmarks.data import Data
from benchmarks.networks import LSTM, Conv, Dense, Embedding, Flatten, MaxPool, Network
from benchmarks.tasks import Many, Predict, Reach, Start, Task, Train

BINARY, CATEGORICAL = "binary_crossentropy", "sparse_categorical_crossentropy"
PLAIN = ("neuroloom-jax", "neuroloom-torch", "neuroloom-auto", "keras-jax", "torch", "scan")
"""Peers of the rows that vary the batch size of another row."""


@dataclass(frozen=True)
class Optimizer:
    """Keras's optimizer of this class name, with its other defaults."""

    name: str
    learning_rate: float = 0.001


@dataclass(frozen=True)
class Row:
    """One program.

    Attributes:
        title: for the report.
        network: its layers; the last one's activation goes with the loss.
        loss: 'binary_crossentropy' of targets (samples, outputs) or 'sparse_categorical_crossentropy' of labels
            (samples,).
        task: what is done with it.
        metric: as `compile(metrics=[metric])` takes it, or None.
        functional: whether libraries that have functional models build it as one.
        dtype: of the products; weights are float32.
        peers: their names; empty: all.
    """

    name: str
    title: str
    data: Callable[[], Data]
    network: Network
    batch_size: int
    optimizer: Optimizer
    loss: str
    task: Task
    metric: str | None = "accuracy"
    functional: bool = False
    dtype: str = "float32"
    peers: tuple[str, ...] = ()

    def steps(self, samples: int) -> int:
        """Steps in an epoch."""
        return math.ceil(samples / self.batch_size)


MLP = (Dense(512, "relu"), Dense(10, "softmax"))
TINY = (Dense(8, "tanh"), Dense(1, "sigmoid"))
CNN = (Conv(32), MaxPool(), Conv(64), MaxPool(), Flatten(), Dense(10, "softmax"))
WIDE = (*(Dense(4096, "relu") for _ in range(4)), Dense(10, "softmax"))
DIGITS = (Dense(64, "relu"), Dense(10, "softmax"))
ADAM, RMSPROP = Optimizer("Adam"), Optimizer("RMSprop")
GROUPS = ("neuroloom-jax", "torch", "scan")
GPU_PEERS = ("neuroloom-jax", "neuroloom-torch", "neuroloom-auto", "keras-jax", "torch", "torch-compile", "scan")


def table(*rows: Row) -> dict[str, Row]:
    return {row.name: row for row in rows}


# fmt: off
ROWS = table(
    Row("tiny", "2-8-1, batch 16", partial(data.quadrants, 4096), TINY, 16, ADAM, BINARY, Train()),
    Row("deep", "20 hidden layers of 64, batch 32", partial(data.mnist, 3200, flat=True),
        (*(Dense(64, "relu") for _ in range(20)), Dense(10, "softmax")), 32, ADAM, CATEGORICAL, Train()),
    Row("mlp", "784-512-10, batch 128", partial(data.mnist, 12800, flat=True), MLP, 128, RMSPROP, CATEGORICAL,
        Train()),
    Row("mlp-batch-1", "784-512-10, batch 1", partial(data.mnist, 400, flat=True), MLP, 1, RMSPROP, CATEGORICAL,
        Train(), peers=PLAIN),
    Row("mlp-batch-32", "784-512-10, batch 32", partial(data.mnist, 9600, flat=True), MLP, 32, RMSPROP, CATEGORICAL,
        Train(), peers=PLAIN),
    Row("mlp-batch-1024", "784-512-10, batch 1024", partial(data.mnist, 10240, flat=True), MLP, 1024, RMSPROP,
        CATEGORICAL, Train(), peers=PLAIN),
    Row("cnn", "two 3 x 3 convolutions of 32 and 64, batch 128", partial(data.mnist, 1280), CNN, 128, ADAM, CATEGORICAL,
        Train()),
    Row("lstm", "LSTM of 128 over 40 one-hot symbols of 60, batch 128",
        partial(data.sequences, 1280, length=40, symbols=60), (LSTM(128), Dense(60, "softmax")), 128,
        Optimizer("RMSprop", learning_rate=0.01), CATEGORICAL, Train()),
    Row("imdb", "10000-16-16-1 of multi-hot reviews, batch 512", partial(data.imdb, 7680, words=10000),
        (Dense(16, "relu"), Dense(16, "relu"), Dense(1, "sigmoid")), 512, RMSPROP, BINARY, Train()),
    Row("imdb-lstm", "embedding of 10000 words in 32, LSTM of 32 over the last 80, batch 128",
        partial(data.imdb_words, 2560, words=10000, length=80),
        (Embedding(10000, 32), LSTM(32), Dense(1, "sigmoid")), 128, RMSPROP, BINARY, Train()),
    Row("autoencoder", "784-32-784, a functional model, batch 256", partial(data.pictures, 12800),
        (Dense(32, "relu"), Dense(784, "sigmoid")), 256, ADAM, BINARY, Train(), metric=None, functional=True),
    Row("predict-1", "predict of one sample, 784-512-10", partial(data.mnist, 32, flat=True), MLP, 32, RMSPROP,
        CATEGORICAL, Predict(1)),
    Row("predict-100000", "predict of 100,000 samples, 784-512-10", partial(data.mnist, 100_000, flat=True), MLP, 32,
        RMSPROP, CATEGORICAL, Predict(100_000)),
    Row("start", "from the start of Python to the end of the first epoch, 784-512-10",
        partial(data.mnist, 12800, flat=True), MLP, 128, RMSPROP, CATEGORICAL, Start(),
        peers=("neuroloom-jax", "neuroloom-torch", "keras-jax", "keras-tf", "torch", "scan", "sklearn")),
    Row("many-tiny", "64 networks 2-8-1 at once, batch 16", partial(data.quadrants, 1024), TINY, 16, ADAM, BINARY,
        Many(64), peers=GROUPS),
    Row("many-digits", "16 networks 64-64-10 at once, batch 32", data.digits, DIGITS, 32, ADAM, CATEGORICAL,
        Many(16), peers=GROUPS),
)

GPU_ROWS = table(
    Row("gpu-tiny", "2-8-1, batch 16", partial(data.quadrants, 4096), TINY, 16, ADAM, BINARY, Train(),
        peers=GPU_PEERS),
    Row("gpu-mlp", "784-512-10, batch 128", partial(data.mnist, 60000, flat=True), MLP, 128, RMSPROP, CATEGORICAL,
        Train(), peers=GPU_PEERS),
    Row("gpu-many", "1,000 networks 2-8-1 at once, batch 16", partial(data.quadrants, 4096), TINY, 16, ADAM, BINARY,
        Many(1000), peers=("neuroloom-jax", "scan")),
    *(Row(f"gpu-{name}-{dtype}", f"{title}, {dtype}", partial(data.mnist, samples, flat=name == "wide"), network, 512,
          ADAM, CATEGORICAL, Train(), dtype=dtype, peers=GPU_PEERS)
      for name, title, samples, network in (("wide", "784, 4 x 4096, 10, batch 512", 25600, WIDE),
                                            ("cnn", "two 3 x 3 convolutions of 32 and 64, batch 512", 51200, CNN))
      for dtype in ("float32", "bfloat16")),
    Row("gpu-0.99", "MNIST until 0.99 of the test images are right", partial(data.mnist, 70000), CNN, 128, ADAM,
        CATEGORICAL, Reach(0.99, held_out=10000), peers=GPU_PEERS),
)
# fmt: on
EVERY = ROWS | GPU_ROWS
