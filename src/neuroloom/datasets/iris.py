"""Iris: 150 flowers of three species (R. A. Fisher, 1936; the copy inside scikit-learn)."""

from __future__ import annotations

from neuroloom.datasets._tables import Part, load_classes

feature_names = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
class_names = ("setosa", "versicolor", "virginica")


def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[Part, Part]:
    """Loads the table, shuffled, with every species in the same proportion in both parts. Needs no network.

    Args:
        test_split: fraction of the rows in the test part.
        seed: of the shuffle; the same seed gives the same split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features of shape (n, 4), float32, columns as in
        `feature_names`; labels of shape (n,), int64 from 0 to 2, named by `class_names`.

    Raises:
        ConfigurationError: `test_split` is not between 0 and 1, or leaves a part without some species.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape
        ((120, 4), (30, 4))
    """
    return load_classes("iris", test_split, seed)
