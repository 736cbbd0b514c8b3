"""MNIST: handwritten digits.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", 1998.
"""

from __future__ import annotations

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
