"""Pictures in rows and columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom.errors import ConfigurationError, DataError, ShapeError
from neuroloom.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def images(array: Any, titles: Sequence[object] | None = None, columns: int | None = None) -> Figure:
    """A grid of images.

    Whole numbers are taken as 0 to 255 and floats from [0, 1] as they are; floats beyond are brought there by
    the smallest and the largest value of the whole array, so that images can be compared.

    Args:
        array: (n, height, width), (n, height, width, 1) or (n, height, width, 3).
        titles: what to write above each image.
        columns: images in a row; about as many as rows by default, at most 10.

    Raises:
        ShapeError: no such array, or not as many titles as images.
        DataError: a value is not finite.
        ConfigurationError: `columns` is no positive whole number.

    >>> figure = images(np.zeros((5, 8, 6)), titles="abcde", columns=3)
    >>> len(figure.axes)
    5
    """
    pixels = unit_range(_pixels(array))
    n, height, width = pixels.shape[:3]
    if titles is not None and len(titles) != n:
        raise ShapeError(f"images expected {n} titles, one per image, received {len(titles)}.")
    columns = _columns(columns, n)
    rows = math.ceil(n / columns)
    cell = float(np.clip(9 / columns, 0.7, 1.6))
    figure = style.blank(cell * columns, (cell * height / width + (0.25 if titles is not None else 0)) * rows)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)  # type: ignore[union-attr, call-arg]
    for i in range(n):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(pixels[i], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_axis_off()
        if titles is not None:
            axes.set_title(str(titles[i]), fontsize=style.SMALL, color=style.INK, pad=2.5)
    return figure


def _pixels(array: Any) -> np.ndarray:
    pixels = np.asarray(array)
    if pixels.ndim == 4 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if not (pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[-1] == 3)) or not pixels.size:
        one = " Write images(x[None]) for a single one." if pixels.ndim == 2 else ""
        raise ShapeError(
            f"images expected shape (n, height, width), (n, height, width, 1) or (n, height, width, 3), "
            f"received {pixels.shape}.{one}"
        )
    if not np.isfinite(pixels).all():
        raise DataError("images expected finite numbers, received NaN or infinity.")
    return pixels


def unit_range(pixels: np.ndarray) -> np.ndarray:
    """Pixels from 0 to 1: whole numbers by 255, floats as they are or, beyond [0, 1], by the smallest and largest."""
    if pixels.dtype == bool:
        return pixels.astype(np.float32)
    low, high = float(pixels.min()), float(pixels.max())
    if np.issubdtype(pixels.dtype, np.integer) and low >= 0 and high <= 255:
        return pixels.astype(np.float32) / np.float32(255)
    if low >= 0 and high <= 1:
        return pixels.astype(np.float32)
    return ((pixels - low) / ((high - low) or 1)).astype(np.float32)


def _columns(columns: int | None, n: int) -> int:
    if columns is None:
        return min(math.ceil(math.sqrt(n)), 10)
    if isinstance(columns, bool) or not isinstance(columns, int) or columns < 1:
        raise ConfigurationError(f"images expected columns to be a positive whole number, received {columns!r}.")
    return min(columns, n)
