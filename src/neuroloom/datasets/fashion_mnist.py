"""Fashion-MNIST: articles of clothing (H. Xiao, K. Rasul, R. Vollgraf, arXiv:1708.07747, 2017)."""

from __future__ import annotations

from neuroloom.datasets._images import Part, load_idx_images

class_names = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load_data() -> tuple[Part, Part]:
    """Loads the 60000 training and 10000 test images of Fashion-MNIST.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape (60000, 28, 28) and (10000, 28, 28), uint8;
        labels of shape (60000,) and (10000,), uint8 from 0 to 9, named by `class_names`. Shapes, types and
        order are those of `keras.datasets.fashion_mnist.load_data()`.

    Raises:
        DataError: a file is missing and cannot be downloaded, or is not the published one.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
        >>> class_names[y_train[0]]  # doctest: +SKIP
        'Ankle boot'
    """
    return load_idx_images("fashion-mnist")
