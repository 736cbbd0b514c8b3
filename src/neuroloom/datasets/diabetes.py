"""Diabetes: progression of the disease in 442 patients (B. Efron et al., Annals of Statistics 32, 2004)."""

from __future__ import annotations

from neuroloom.datasets._tables import Part, load_values

feature_names = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[Part, Part]:
    """Loads the table, shuffled. Needs no network.

    Args:
        test_split: fraction of the rows in the test part.
        seed: of the shuffle; the same seed gives the same split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features of shape (n, 10), float32, columns as in
        `feature_names`, in their own units (years, kg/m2, ...: scikit-learn's `scaled=False`, so standardise
        them); targets of shape (n,), float32 from 25 to 346.

    Raises:
        ConfigurationError: `test_split` is not between 0 and 1, or leaves a part empty.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape
        ((353, 10), (89, 10))
    """
    return load_values("diabetes", test_split, seed)
