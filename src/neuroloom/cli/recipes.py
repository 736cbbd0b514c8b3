"""Which network learns what, and how long: one line per data set, and one rule for tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from neuroloom import layers
from neuroloom.cli.preparation import REVIEW_LENGTH, REVIEW_WORDS
from neuroloom.layers import Layer
from neuroloom.models import Sequential

EMBEDDING = 16


@dataclass(frozen=True)
class Recipe:
    """How a network is made and trained. The weights with the lowest validation loss are kept.

    Attributes:
        hidden: makes the layers between input and output.
        batch_size: samples per step.
        epochs: at most so many.
        patience: training ends after so many epochs without a lower validation loss.
        held_out: share of the training part that validates.
    """

    hidden: Callable[[], list[Layer]]
    batch_size: int
    epochs: int
    patience: int
    held_out: float = 0.1


def dense() -> list[Layer]:
    """Two hidden layers, for tables."""
    first, second = (layers.Dense(64, activation="relu") for _ in range(2))
    return [first, layers.Dropout(0.1), second, layers.Dropout(0.1)]


def convolutional(*filters: int, units: int = 64, dropout: float = 0.3) -> list[Layer]:
    """A convolution and a halving of the picture for each number of filters, then one hidden layer."""
    made: list[Layer] = []
    for n in filters:
        made += [layers.Conv2D(n, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)]
    drop = layers.Dropout(dropout), layers.Dropout(dropout)
    return [*made, layers.Flatten(), drop[0], layers.Dense(units, activation="relu"), drop[1]]


def bag_of_words() -> list[Layer]:
    """The mean of the words' vectors, then one hidden layer."""
    return [
        layers.Embedding(REVIEW_WORDS, EMBEDDING),
        layers.Reshape((REVIEW_LENGTH, 1, EMBEDDING)),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.3),
        layers.Dense(16, activation="relu"),
    ]


_TABLE = Recipe(dense, batch_size=16, epochs=300, patience=25, held_out=0.25)

RECIPES = {
    "digits": Recipe(lambda: convolutional(32, 64), batch_size=32, epochs=40, patience=40),
    "mnist": Recipe(lambda: convolutional(16, 32), batch_size=64, epochs=5, patience=2),
    "fashion_mnist": Recipe(lambda: convolutional(16, 32, units=128), batch_size=64, epochs=8, patience=2),
    "cifar10": Recipe(lambda: convolutional(32, 64, 128, units=128), batch_size=64, epochs=10, patience=2),
    "imdb": Recipe(bag_of_words, batch_size=128, epochs=15, patience=2),
}
"""Data set -> its recipe; all others are tables."""


def recipe_for(name: str, rows: int) -> Recipe:
    """The recipe of a data set, or of a table with so many training rows.

    >>> recipe_for("flowers.csv", 90).batch_size, recipe_for("flowers.csv", 20_000).batch_size
    (16, 256)
    """
    size = 2 ** min(8, max(4, round(math.log2(max(1, rows) / 64))))
    return RECIPES.get(name) or replace(_TABLE, batch_size=size)


def make_network(recipe: Recipe, features: Any, classes: int) -> Sequential:
    """A compiled model for features like these, with an output per class, or one for a value."""
    start = layers.Input(features.shape[1:], features.dtype.name)
    end = layers.Dense(classes, activation="softmax") if classes else layers.Dense(1)
    model = Sequential([start, *recipe.hidden(), end])
    if classes:
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    else:
        model.compile("adam", "mse", metrics=["mae"])
    return model
