"""Breast cancer: 569 cell samples, malignant or benign (W. Street, W. Wolberg, O. Mangasarian, 1993)."""

from __future__ import annotations

from neuroloom.datasets._tables import Part, load_classes

_MEASURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)
feature_names = (
    *(f"mean {name}" for name in _MEASURES),
    *(f"{name} error" for name in _MEASURES),
    *(f"worst {name}" for name in _MEASURES),
)
class_names = ("malignant", "benign")


def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[Part, Part]:
    """Loads the table, shuffled, with both classes in the same proportion in both parts. Needs no network.

    Args:
        test_split: fraction of the rows in the test part.
        seed: of the shuffle; the same seed gives the same split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features of shape (n, 30), float32, columns as in
        `feature_names`; labels of shape (n,), int64, 0 malignant and 1 benign (as in scikit-learn).

    Raises:
        ConfigurationError: `test_split` is not between 0 and 1, or leaves a part without some class.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape
        ((455, 30), (114, 30))
    """
    return load_classes("breast_cancer", test_split, seed)
