"""What reader and writer agree on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from neuroloom.errors import ConfigurationError

FORMAT = "neuroloom"
VERSION = 1
MAX_HEADER = 64 << 20
"""Bytes of header that the reader accepts."""


def record_digest(text: str) -> str:
    """SHA-256 of the JSON record."""
    return hashlib.sha256(text.encode()).hexdigest()


def weights_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of all weights, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(arrays):
        array = np.ascontiguousarray(arrays[path])
        digest.update(json.dumps([path, array.dtype.str, list(array.shape)]).encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()


def to_text(record: Mapping[str, Any]) -> str:
    """The record as strict JSON: NaN and infinities are refused."""
    try:
        return json.dumps(record, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"A model file holds JSON values only: {error}.") from error
