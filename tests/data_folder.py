"""Where the real data sets are for the tests that read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def _find() -> Path | None:
    if folder := os.environ.get("NEUROLOOM_DATA"):
        return Path(folder)
    return _BESIDE if _BESIDE.is_dir() else None


DATA = _find()
needs_data = pytest.mark.skipif(
    DATA is None, reason="the real data sets are not here: set NEUROLOOM_DATA to their folder"
)
