"""The catalogue of networks: every property is one test swept over it. A family's rows are in rows/<family>.py."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom.networks import Network


@dataclass(frozen=True)
class Row:
    """A network with small settings.

    Attributes:
        network: fast on the NumPy engine (few passes), with `random_state` if it draws.
        X, y: what it is fitted to where it wants other data than 3 groups of points in the plane; y None: none.
        exact: whether engines agree to rounding; else the reason why they need not.
        checks: the engine for scikit-learn's checks; "jax" for networks that need gradients.
    """

    network: Network
    X: Any = None
    y: Any = None
    exact: bool | str = True
    checks: str = "numpy"

    @property
    def id(self) -> str:
        return repr(self.network).replace(" ", "").replace("\n", "")

    def data(self) -> tuple[Any, ...]:
        """What `fit` takes."""
        if self.X is not None:
            return (self.X,) if self.y is None else (self.X, self.y)
        return BLOBS if self.network.__sklearn_tags__().target_tags.required else BLOBS[:1]


def _blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    y = np.arange(42) % 3
    return np.array([[-2.0, 1.0, 0.5], [2.0, 1.5, -1.0], [0.5, -2.0, 0.0]])[y] + 0.6 * rng.normal(size=(42, 3)), y


BLOBS = _blobs()


def _rows() -> list[Row]:
    found: list[Row] = []
    for path in sorted((Path(__file__).parent / "rows").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"network_rows_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += module.rows(Row)
    return found


ROWS = _rows()
