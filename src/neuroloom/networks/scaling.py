"""Columns brought to mean 0 and standard deviation 1, so that a network need not know their units."""

from __future__ import annotations

import numpy as np


def spread(rows: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column in float64, rows weighted; the deviation of a constant is 1.

    Args:
        rows: (rows, columns).
        weight: (rows,), at least one above 0.
    """
    rows, share = rows[weight > 0].astype(np.float64), (weight[weight > 0] / weight.sum())[:, None]
    middle = (share * rows).sum(axis=0)
    peak = abs(rows - middle).max(axis=0)  # so that squares neither overflow nor vanish
    peak = np.where(rows.min(axis=0) < rows.max(axis=0), peak, 0.0)
    part = np.divide(rows - middle, peak, out=np.zeros_like(rows), where=peak > 0)
    return middle, np.where(peak > 0, peak * np.sqrt((share * part**2).sum(axis=0)), 1.0)


def unscaled(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `spread` stands for where nothing shall be scaled."""
    return np.zeros(rows.shape[1]), np.ones(rows.shape[1])
