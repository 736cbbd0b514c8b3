"""Digits: 1797 small handwritten digits (E. Alpaydin, C. Kaynak, 1998; the copy inside scikit-learn)."""

from __future__ import annotations

import numpy as np

from neuroloom.datasets._tables import Part, read_table, split

class_names = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")


def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[Part, Part]:
    """Loads the images, shuffled, with every digit in the same proportion in both parts. Needs no network.

    Args:
        test_split: fraction of the samples in the test part.
        seed: of the shuffle; the same seed gives the same split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape (n, 8, 8), uint8 from 0 (paper) to 16 (ink);
        labels of shape (n,), uint8 from 0 to 9.

    Raises:
        ConfigurationError: `test_split` is not between 0 and 1, or leaves a part without some digit.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape, int(x_train.max())
        ((1437, 8, 8), (360, 8, 8), 16)
    """
    data = read_table("digits")
    return split(data.images.astype(np.uint8), data.target.astype(np.uint8), test_split, seed, stratify=True)
