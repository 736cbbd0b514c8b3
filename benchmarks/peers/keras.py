"""Keras: compile and fit with their defaults."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from benchmarks.peers import Train
from benchmarks.rows import LSTM, Conv, Dense, Flatten, Layer, MaxPool, Row, Weights


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
        case LSTM(units):
            return keras.layers.LSTM(units)


def trainer(row: Row, x: np.ndarray, y: np.ndarray, weights: Weights, threads: int) -> Train:
    model = keras.Sequential([keras.Input(x.shape[1:]), *map(layer_of, row.network)])
    optimizer = getattr(keras.optimizers, row.optimizer.name)(row.optimizer.learning_rate)
    model.compile(optimizer=optimizer, loss=row.loss, metrics=[row.metric])
    model.set_weights([w for layer in weights for w in layer])

    def train(epochs: int, shuffle: bool = True) -> list[tuple[float, float]]:
        history = model.fit(x, y, batch_size=row.batch_size, epochs=epochs, verbose=0, shuffle=shuffle)
        return list(zip(history.history["loss"], history.history[row.metric], strict=True))

    return train
