"""Keras: compile and fit with their defaults, or with the settings that its documentation names for speed.

Tuned, `predict` takes batches of 4096, and a few samples go through `predict_on_batch`, as `predict`'s documentation
advises; `fit` takes the `steps_per_execution` and `jit_compile` of the peer's entry.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from benchmarks.networks import LSTM, Conv, Dense, Embedding, Flatten, Layer, MaxPool, Weights
from benchmarks.peers import Run
from benchmarks.rows import Row


def layer_of(layer: Layer) -> Any:
    match layer:
        case Dense(units, activation):
            return keras.layers.Dense(units, activation=activation)
        case Conv(filters, size, activation):
            return keras.layers.Conv2D(filters, size, activation=activation)
        case MaxPool(size):
            return keras.layers.MaxPooling2D(size)
        case Flatten():
            return keras.layers.Flatten()
        case Embedding(words, units):
            return keras.layers.Embedding(words, units)
        case LSTM(units):
            return keras.layers.LSTM(units)


def model_of(row: Row, x: np.ndarray) -> Any:
    inputs, layers = keras.Input(x.shape[1:], dtype=x.dtype.name), [layer_of(layer) for layer in row.network]
    if not row.functional:
        return keras.Sequential([inputs, *layers])
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def limit(threads: int) -> None:
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    elif keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(threads)


def build(row: Row, x: np.ndarray, y: np.ndarray, weights: Weights, threads: int, **settings: Any) -> Run:
    limit(threads)
    keras.config.set_dtype_policy("mixed_bfloat16" if row.dtype == "bfloat16" else "float32")
    model = model_of(row, x)
    optimizer = getattr(keras.optimizers, row.optimizer.name)(row.optimizer.learning_rate)
    model.compile(optimizer=optimizer, loss=row.loss, metrics=[row.metric] if row.metric else None, **settings)
    model.set_weights([w for layer in weights for w in layer])

    def train(epochs: int, shuffle: bool = True) -> list[tuple[float, float]]:
        history = model.fit(x, y, batch_size=row.batch_size, epochs=epochs, verbose=0, shuffle=shuffle).history
        return list(zip(history["loss"], history.get(str(row.metric), [0.0] * epochs), strict=True))

    def predict(x: np.ndarray) -> np.ndarray:
        if not settings:
            return model.predict(x, verbose=0)
        return model.predict(x, 4096, verbose=0) if len(x) > 32 else model.predict_on_batch(x)

    return Run(train, predict)
