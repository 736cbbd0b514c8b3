"""Wine: 178 chemical analyses from three cultivars (M. Forina et al., 1988; the copy inside scikit-learn)."""

from __future__ import annotations

from neuroloom.datasets._tables import Part, load_classes

feature_names = (
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity_of_ash",
    "magnesium",
    "total_phenols",
    "flavanoids",
    "nonflavanoid_phenols",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280/od315_of_diluted_wines",
    "proline",
)
class_names = ("class_0", "class_1", "class_2")


def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[Part, Part]:
    """Loads the table, shuffled, with every cultivar in the same proportion in both parts. Needs no network.

    Args:
        test_split: fraction of the rows in the test part.
        seed: of the shuffle; the same seed gives the same split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features of shape (n, 13), float32, columns as in
        `feature_names`; labels of shape (n,), int64 from 0 to 2, named by `class_names`.

    Raises:
        ConfigurationError: `test_split` is not between 0 and 1, or leaves a part without some cultivar.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape
        ((142, 13), (36, 13))
    """
    return load_classes("wine", test_split, seed)
