"""Class labels: one-hot vectors, and weights for classes.

What it must satisfy: a label that is none of the classes is refused with its place, never wrapped around.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuroloom.data import numbers
from neuroloom.errors import DataError

MOST_CLASSES = 10_000_000
"""Whole numbers beyond this are identifiers; a vector for each would not fit into memory."""


def to_categorical(y: Any, num_classes: int | None = None) -> np.ndarray:
    """Turns class numbers into one-hot vectors.

    Args:
        y: whole numbers from 0, of shape (...,) or (..., 1).
        num_classes: how many classes there are; None: one more than the largest number.

    Returns:
        Array of shape (..., num_classes), float32 (Keras gives float64 from NumPy input).

    Raises:
        DataError: a label is negative, not whole, or not below `num_classes`.

    Example:
        >>> to_categorical([0, 2]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    labels = _whole(_squeezed(_array(y)))
    if not labels.size:
        raise DataError("y expected at least one label, received none.")
    classes = int(labels.max()) + 1 if num_classes is None else num_classes
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        raise DataError(f"y expected labels from 0 to {classes - 1}, received {labels[place]} at y{list(place)}.")
    return (labels[..., None] == np.arange(classes)).astype(np.float32)


def class_weight_vector(y: Any, class_weight: Mapping[int, float], num_classes: int = 0) -> np.ndarray:
    """The weight of each sample, from the weight of its class.

    Args:
        y: class numbers of shape (samples,) or (samples, 1), or one-hot vectors of shape (samples, classes).
        class_weight: a weight for each class number; a class that is not named weighs 1.
        num_classes: how many classes there are at least, whether or not y has them all.

    Returns:
        Array of shape (samples,), float32.

    Raises:
        DataError: `class_weight` names a class that y cannot have, a weight is negative or not finite, or y
            holds neither class numbers nor one-hot vectors.

    Example:
        >>> class_weight_vector([0, 1, 1, 2], {1: 0.5, 2: 4.0}).tolist()
        [1.0, 0.5, 0.5, 4.0]
    """
    labels, found = _class_numbers(_array(y))
    classes = max(found, num_classes)
    weights = np.ones(classes, np.float32)
    for label, weight in class_weight.items():
        weights[_known(label, classes)] = _weight(label, weight)
    if not weights.any():
        raise DataError(
            f"class_weight expected a positive weight for at least one of {classes} classes, received "
            f"{dict(class_weight)!r}."
        )
    return weights[labels]


def _array(y: Any) -> np.ndarray:
    return numbers.native(np.asarray(numbers.foreign(y)))


def _squeezed(y: np.ndarray) -> np.ndarray:
    return y[..., 0] if y.ndim > 1 and y.shape[-1] == 1 else y


def _whole(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind == "O":
        place = next((list(place) for place, label in np.ndenumerate(labels) if label is None), None)
        if place is not None:
            raise DataError(f"y expected class numbers, received None at y{place}. Fill it in or remove its row.")
    if labels.dtype.kind not in "biuf":
        raise DataError(
            f"y expected class numbers, received {labels.dtype}. Encode labels first, for example "
            f"`classes, y = np.unique(labels, return_inverse=True)`."
        )
    if labels.dtype.kind == "f" and not (np.isfinite(labels) & (labels == np.round(labels))).all():
        raise DataError("y expected whole class numbers, received fractions or NaN.")
    _refuse_identifiers(labels)
    return labels.astype(np.int64)


def _refuse_identifiers(labels: np.ndarray) -> None:
    for number in (labels.min(), labels.max()) if labels.size else ():
        if abs(float(number)) > MOST_CLASSES:
            raise DataError(
                f"y expected class numbers from 0, received {number}, which looks like an identifier. Number the "
                f"classes first: `classes, y = np.unique(labels, return_inverse=True)`."
            )


def _class_numbers(y: np.ndarray) -> tuple[np.ndarray, int]:
    """Class numbers of shape (samples,), and how many classes there are at least."""
    labels = _whole(_squeezed(y))
    if not labels.size:
        raise DataError("y expected at least one label, received none.")
    if labels.ndim == 1 and labels.min() >= 0:
        return labels, int(labels.max()) + 1
    if labels.ndim == 2 and np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all():
        return labels.argmax(axis=1), labels.shape[1]
    raise DataError(
        f"class_weight expected y to be class numbers from 0, of shape (samples,), or one-hot vectors, "
        f"received an array of shape {y.shape} with values from {labels.min()} to "
        f"{labels.max()}. Use sample_weight."
    )


def _known(label: Any, classes: int) -> int:
    whole = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
    if whole and 0 <= label < classes:
        return int(label)
    near = f" The nearest is {min(max(int(label), 0), classes - 1)}." if whole else ""
    raise DataError(f"class_weight expected class numbers from 0 to {classes - 1} (as in y), received {label!r}.{near}")


def _weight(label: Any, weight: Any) -> float:
    if not isinstance(weight, (int, float, np.number)) or not 0 <= weight <= float(numbers.LARGEST):
        raise DataError(
            f"class_weight[{label}] expected a finite number of 0 or more, up to {numbers.LARGEST:.2g}, received "
            f"{weight!r}."
        )
    return float(weight)
