"""neuroloom through its public functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import neuroloom as nl
from benchmarks.networks import LSTM, Conv, Dense, Embedding, Flatten, Layer, MaxPool, Weights
from benchmarks.peers import Run
from benchmarks.rows import Row


def layer_of(layer: Layer) -> Any:
    match layer:
        case Dense(units, activation):
            return nl.layers.Dense(units, activation=activation)
        case Conv(filters, size, activation):
            return nl.layers.Conv2D(filters, size, activation=activation)
        case MaxPool(size):
            return nl.layers.MaxPooling2D(size)
        case Flatten():
            return nl.layers.Flatten()
        case Embedding(words, units):
            return nl.layers.Embedding(words, units)
        case LSTM(units):
            return nl.layers.LSTM(units)


def model_of(row: Row, x: np.ndarray, weights: Weights) -> Any:
    """The model, compiled, with these weights."""
    inputs, layers = nl.Input(x.shape[1:]), [layer_of(layer) for layer in row.network]
    if row.functional:
        outputs = inputs
        for layer in layers:
            outputs = layer(outputs)
        model = nl.Model(inputs, outputs)
    else:
        model = nl.Sequential([inputs, *layers])
    optimizer = getattr(nl.optimizers, row.optimizer.name)(row.optimizer.learning_rate)
    model.compile(optimizer, row.loss, metrics=[row.metric] if row.metric else None, precision=row.dtype)
    model.set_weights([w for layer in weights for w in layer])
    return model


def curve(row: Row, history: dict[str, list[float]]) -> list[tuple[float, float]]:
    losses = history["loss"]
    return list(zip(losses, history.get(str(row.metric), [0.0] * len(losses)), strict=True))


def build(row: Row, x: np.ndarray, y: np.ndarray, weights: Weights, threads: int, engine: str) -> Run:
    model = model_of(row, x, weights)

    def train(epochs: int, shuffle: bool = True) -> list[tuple[float, float]]:
        fitted = model.fit(x, y, batch_size=row.batch_size, epochs=epochs, verbose=0, shuffle=shuffle, engine=engine)
        return curve(row, fitted.history)

    return Run(train, lambda x: model.predict(x, engine=engine))


def many(
    row: Row, x: np.ndarray, y: np.ndarray, weights: list[Weights], threads: int, engine: str
) -> Callable[..., Any]:
    models = [model_of(row, x, one) for one in weights]

    def train(epochs: int, shuffle: bool = True) -> list[list[tuple[float, float]]]:
        options = {"batch_size": row.batch_size, "epochs": epochs, "verbose": 0, "shuffle": shuffle, "engine": engine}
        nl.fit_many(models, x, y, **options)
        return [curve(row, model.history.history) for model in models]

    return train
