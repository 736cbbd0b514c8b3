"""What the rows are trained on: the real data where it is at hand, else random numbers of the same shape.

Nothing is downloaded: real data comes from the folder that NEUROLOOM_DATA names, or from shared/data beside the
repository. neuroloom is imported where it is needed, since a peer's interpreter need not have it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
FOLDER_VARIABLE = "NEUROLOOM_DATA"


class Data(NamedTuple):
    """Inputs (float32, or int32 words), targets (float32 (samples, outputs) or labels int32 (samples,)), a name."""

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
    return Data(x, (x[:, :1] * x[:, 1:] > 0).astype(np.float32), f"{samples} random points")


def digits() -> Data:
    """scikit-learn's 1,797 digits of 8 x 8 pixels (64,), from 0 to 1, and their labels."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Data((x / 16).astype(np.float32), y.astype(np.int32), "digits of 8 x 8, 1797 images")


def mnist(samples: int, flat: bool = False) -> Data:
    """Handwritten digits (28, 28, 1), or flat (784,), from 0 to 1, and their labels; again from the first on."""
    shape = (samples, 784) if flat else (samples, 28, 28, 1)
    if _at_hand("mnist", "train-images-idx3-ubyte.gz"):
        from neuroloom import datasets

        x, y = (np.concatenate(parts) for parts in zip(*datasets.mnist.load_data(), strict=True))
        x, y = np.resize(x, (samples, 784)), np.resize(y, samples)
        return Data((x / np.float32(255)).reshape(shape), y.astype(np.int32), f"MNIST, {samples} images")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, samples, dtype=np.int32)
    return Data(rng.random(shape, np.float32), y, f"random numbers of MNIST's shape, {samples} images")


def pictures(samples: int) -> Data:
    """Handwritten digits, flat, as inputs and as targets."""
    x, _, source = mnist(samples, flat=True)
    return Data(x, x, source)


def sequences(samples: int, length: int, symbols: int) -> Data:
    """Random symbols, one-hot (length, symbols), and a random symbol to come."""
    rng = np.random.default_rng(0)
    x = np.eye(symbols, dtype=np.float32)[rng.integers(0, symbols, (samples, length))]
    y = rng.integers(0, symbols, samples, dtype=np.int32)
    return Data(x, y, f"random symbols, {samples} sequences")


def imdb(samples: int, words: int) -> Data:
    """Which of the most frequent words a film review holds, multi-hot (words,), and whether it is positive."""
    reviews, y, source = _reviews(samples, words)
    x = np.zeros((samples, words), np.float32)
    for row, review in zip(x, reviews, strict=True):
        row[review] = 1
    return Data(x, y, source)


def imdb_words(samples: int, words: int, length: int) -> Data:
    """The last words of each review as numbers below `words`, 0 before a shorter one; whether it is positive."""
    reviews, y, source = _reviews(samples, words)
    x = np.zeros((samples, length), np.int32)
    for row, review in zip(x, reviews, strict=True):
        row[length - len(review[-length:]) :] = review[-length:]
    return Data(x, y, source)


def _reviews(samples: int, words: int) -> tuple[list[list[int]], np.ndarray, str]:
    if _at_hand("imdb", "imdb.npz"):
        from neuroloom import datasets

        (reviews, y), _ = datasets.imdb.load_data(num_words=words)
        return list(reviews[-samples:]), y[-samples:, None].astype(np.float32), f"IMDB, {samples} reviews"
    rng = np.random.default_rng(0)
    reviews = [rng.integers(1, words, rng.integers(20, 220)).tolist() for _ in range(samples)]
    return reviews, rng.integers(0, 2, (samples, 1)).astype(np.float32), f"random words, {samples} reviews"


def _at_hand(dataset: str, name: str) -> bool:
    return Path(os.environ.get(FOLDER_VARIABLE, ""), dataset, name).is_file()
