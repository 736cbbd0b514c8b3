"""Arrays as raw data, from memory or from .npy and .npz files. Nothing is unpickled."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuroloom.errors import DataError


@dataclass(frozen=True, eq=False)
class Arrays:
    """Inputs, one per row, and class numbers (None where they are not known)."""

    x: np.ndarray
    y: np.ndarray | None = None

    def rows(self, index: np.ndarray) -> Arrays:
        """Some of the rows."""
        return Arrays(self.x[index], None if self.y is None else self.y[index])

    def labels(self, classes: int) -> np.ndarray:
        """The class numbers, int32.

        Raises:
            DataError: there are none, not one per row, or one is out of range.
        """
        if self.y is None:
            raise DataError("Evaluating expected inputs and labels: an .npz file with the arrays x and y.")
        y = self.y
        if y.shape != (len(self.x),) or y.dtype.kind not in "iu":
            raise DataError(f"y expected {len(self.x)} integers, received {y.dtype} of shape {y.shape}.")
        if y.size and not 0 <= y.min() <= y.max() < classes:
            raise DataError(f"y expected classes from 0 to {classes - 1}, received {y.min()} to {y.max()}.")
        return y.astype(np.int32)


def read_arrays(path: Path) -> Arrays:
    """An .npy file (inputs), or an .npz file with the arrays `x` and, for evaluating, `y`.

    Raises:
        DataError: no such file, another format, or objects instead of numbers.
    """
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return Arrays(found if found.ndim else found[None])
        with found:
            arrays = {name: found[name] for name in found.files}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} expected images as an .npy or .npz file, received something else.") from error
    if "x" not in arrays:
        held = ", ".join(arrays) or "none"
        raise DataError(f"{path} expected an array named 'x' (and 'y' for labels), received {held}.")
    return Arrays(arrays["x"], arrays.get("y"))
