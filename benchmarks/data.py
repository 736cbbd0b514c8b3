"""What the rows are trained on: the real data where it is at hand, else random numbers of the same shape.

Nothing is downloaded: real data comes from the folder that NEUROLOOM_DATA names, or from shared/data beside the
repository.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neuroloom import datasets
from neuroloom.datasets._fetch import FOLDER_VARIABLE

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


class Data(NamedTuple):
    """Inputs (float32), targets (float32 (samples, 1) or labels int32 (samples,)), and what they are."""

    x: np.ndarray
    y: np.ndarray
    source: str


def find_folder() -> None:
    """Point NEUROLOOM_DATA at shared/data beside the repository, unless it says otherwise."""
    if FOLDER_VARIABLE not in os.environ and BESIDE.is_dir():
        os.environ[FOLDER_VARIABLE] = str(BESIDE)


def quadrants(samples: int) -> Data:
    """Points (2,) of a normal distribution, and whether their two coordinates have one sign."""
    x = np.random.default_rng(0).normal(size=(samples, 2)).astype(np.float32)
    return Data(x, (x[:, :1] * x[:, 1:] > 0).astype(np.float32), "random points")


def mnist(samples: int, flat: bool = False) -> Data:
    """Handwritten digits (28, 28, 1), or flat (784,), from 0 to 1, and their labels."""
    shape = (samples, 784) if flat else (samples, 28, 28, 1)
    if _at_hand("mnist", "train-images-idx3-ubyte.gz"):
        (x, y), _ = datasets.mnist.load_data()
        x = x[:samples].reshape(shape).astype(np.float32) / 255
        return Data(x, y[:samples].astype(np.int32), f"MNIST, {samples} images")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, samples, dtype=np.int32)
    return Data(rng.random(shape, np.float32), y, f"random numbers of MNIST's shape, {samples} images")


def sequences(samples: int, length: int, symbols: int) -> Data:
    """Random symbols, one-hot (length, symbols), and a random symbol to come."""
    rng = np.random.default_rng(0)
    x = np.eye(symbols, dtype=np.float32)[rng.integers(0, symbols, (samples, length))]
    y = rng.integers(0, symbols, samples, dtype=np.int32)
    return Data(x, y, f"random symbols, {samples} sequences")


def imdb(samples: int, words: int) -> Data:
    """Which of the most frequent words a film review holds, multi-hot (words,), and whether it is positive."""
    if _at_hand("imdb", "imdb.npz"):
        (reviews, y), _ = datasets.imdb.load_data(num_words=words)
        x = np.zeros((samples, words), np.float32)
        for row, review in zip(x, reviews[-samples:], strict=True):
            row[review] = 1
        return Data(x, y[-samples:, None].astype(np.float32), f"IMDB, {samples} reviews")
    rng = np.random.default_rng(0)
    x = (rng.random((samples, words), np.float32) < 0.012).astype(np.float32)
    y = rng.integers(0, 2, (samples, 1)).astype(np.float32)
    return Data(x, y, f"random words, {samples} reviews")


def _at_hand(dataset: str, name: str) -> bool:
    return Path(os.environ.get(FOLDER_VARIABLE, ""), dataset, name).is_file()
