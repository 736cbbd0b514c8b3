"""What MNIST and Fashion-MNIST share: four idx files, two arrays of images and two of labels."""

from __future__ import annotations

import numpy as np

from neuroloom.datasets._fetch import locate
from neuroloom.datasets._idx import read_idx

Part = tuple[np.ndarray, np.ndarray]


def load_idx_images(dataset: str) -> tuple[Part, Part]:
    """`(x_train, y_train), (x_test, y_test)` of a data set in MNIST's layout."""
    return _part(dataset, "train"), _part(dataset, "t10k")


def _part(dataset: str, prefix: str) -> Part:
    images = read_idx(locate(dataset, f"{prefix}-images-idx3-ubyte.gz"))
    labels = read_idx(locate(dataset, f"{prefix}-labels-idx1-ubyte.gz"))
    return images, labels
