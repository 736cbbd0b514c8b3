"""MNIST: handwritten digits.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", 1998.
"""

from __future__ import annotations

import os

import numpy as np

from neuroloom.datasets import _fetch
from neuroloom.datasets._batches import Batches, Sets
from neuroloom.datasets._idx import read_idx
from neuroloom.datasets._images import Part, load_idx_images

class_names = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")


def load_data() -> tuple[Part, Part]:
    """Loads the 60000 training and 10000 test images of MNIST.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape (60000, 28, 28) and (10000, 28, 28), uint8
        from 0 (paper) to 255 (ink); labels of shape (60000,) and (10000,), uint8 from 0 to 9. Shapes, types
        and order are those of `keras.datasets.mnist.load_data()`.

    Raises:
        DataError: a file is missing and cannot be downloaded, or is not the published one.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
        >>> x_train.shape, y_train[:5].tolist()  # doctest: +SKIP
        ((60000, 28, 28), [5, 0, 4, 1, 9])
    """
    return load_idx_images("mnist")


def read_data_sets(
    folder: str | os.PathLike[str] | None = None, one_hot: bool = False, validation_size: int = 5000
) -> Sets:
    """MNIST as programs with explicit graphs read it: `.train.next_batch(100)`, `.test.images`, `.test.labels`.

    Args:
        folder: where the four idx files of MNIST lie; those that are not there are found as `load_data` finds them.
        one_hot: labels as rows of zeros with a one.
        validation_size: how many of the first training images are `.validation`.

    Returns:
        `train` (55000 samples), `validation` (5000) and `test` (10000): images (samples, 784) from 0 to 1.

    Raises:
        DataError: a file is missing and cannot be downloaded, or is not the published one.
    """
    images, labels = _part(folder, "train", one_hot)
    held = Batches(images[:validation_size], labels[:validation_size])
    return Sets(
        Batches(images[validation_size:], labels[validation_size:]), held, Batches(*_part(folder, "t10k", one_hot))
    )


def _part(folder: str | os.PathLike[str] | None, prefix: str, one_hot: bool) -> Part:
    pixels = read_idx(_fetch.find(folder, "mnist", f"{prefix}-images-idx3-ubyte.gz"))
    labels = read_idx(_fetch.find(folder, "mnist", f"{prefix}-labels-idx1-ubyte.gz"))
    images = pixels.reshape(len(pixels), -1).astype(np.float32) / 255
    return images, np.eye(10, dtype=np.float32)[labels] if one_hot else labels
