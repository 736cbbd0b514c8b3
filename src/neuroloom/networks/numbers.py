"""Parameters of networks that are arrays of numbers."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from neuroloom import config


class Numbers(config.Check):
    """A finite number (0 axes), list of numbers (1) or matrix (2): what may be given is told by the numbers of axes."""

    def __init__(self, *axes: int) -> None:
        self.axes = axes
        self.expects = " or ".join(("a number", "a list of numbers", "a matrix of numbers")[n] for n in axes)

    def __call__(self, value: Any) -> np.ndarray:
        try:
            found = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            raise self.refuse() from None
        if found.ndim not in self.axes or not found.size or not np.isfinite(found).all():
            raise self.refuse()
        return found


Matrix = Annotated[Any, Numbers(2)]
PerUnit = Annotated[Any, Numbers(0, 1)]
