"""What the small tables share: read from scikit-learn's own files, split once, the same way every time."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroloom.errors import ConfigurationError

Part = tuple[np.ndarray, np.ndarray]


def load_classes(name: str, test_split: float, seed: int) -> tuple[Part, Part]:
    """A table of classes: float32 features, int64 labels, every class split in the same proportion."""
    data = read_table(name)
    return split(data.data.astype(np.float32), data.target.astype(np.int64), test_split, seed, stratify=True)


def load_values(name: str, test_split: float, seed: int) -> tuple[Part, Part]:
    """A table with a number to predict: float32 features in their own units, float32 targets."""
    data = read_table(name, scaled=False)
    return split(data.data.astype(np.float32), data.target.astype(np.float32), test_split, seed, stratify=False)


def split(x: np.ndarray, y: np.ndarray, test_split: float, seed: int, *, stratify: bool) -> tuple[Part, Part]:
    """Shuffles, then cuts off the test part; with `stratify` each label keeps its share in both parts."""
    from sklearn.model_selection import train_test_split

    if not 0 < test_split < 1:
        raise ConfigurationError(f"test_split expected a fraction between 0 and 1, received {test_split!r}.")
    try:
        parts = train_test_split(x, y, test_size=float(test_split), random_state=seed, stratify=y if stratify else None)
    except ValueError as error:  # a part would be smaller than the number of classes
        raise ConfigurationError(f"test_split={test_split} leaves too few of {len(x)} samples: {error}") from error
    x_train, x_test, y_train, y_test = parts
    return (x_train, y_train), (x_test, y_test)


def read_table(name: str, **options: Any) -> Any:
    from sklearn import datasets

    return getattr(datasets, f"load_{name}")(**options)
