"""Reading a model file. The header is checked before any weight is read; a file that fails changes nothing."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom.errors import ModelFileError, nearest
from neuroloom.files.format import FORMAT, MAX_HEADER, VERSION, record_digest, weights_digest

LOOKS_LIKE = {
    b"\x89HDF": "an HDF5 file, as Keras 2 wrote",
    b"PK\x03\x04": "a zip archive, such as a .keras file or a PyTorch checkpoint",
    b"\x80\x02": "a pickle, which neuroloom never reads",
    b"\x80\x03": "a pickle, which neuroloom never reads",
    b"\x80\x04": "a pickle, which neuroloom never reads",
    b"\x80\x05": "a pickle, which neuroloom never reads",
    b"\x1f\x8b": "a gzip file",
    b"\x93NUMPY": "a NumPy array file",
    b"<!DOCTYPE": "an HTML page",
    b"<!doctype": "an HTML page",
    b"<html": "an HTML page",
    b"version https://git-lfs": "a Git-LFS pointer without its content",
}

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
"""NumPy's names of the file format's dtypes."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself: format version, record, and name -> (dtype, shape) of its weights."""

    version: int
    record: dict[str, Any]
    weights: dict[str, tuple[str, tuple[int, ...]]]
    digest: str


def read_header(path: str | os.PathLike[str]) -> Header:
    """Read and check everything but the weights themselves."""
    path = Path(path)
    raw, size = _header_bytes(path)
    entries = _parse(path, raw)
    metadata = entries.pop("__metadata__", None)
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ModelFileError(path, "is a safetensors file, but no model of neuroloom.")
    version = metadata.get("version", "")
    if version != str(VERSION):
        reason = f"has format version {version!r}; this library reads {VERSION}."
        raise ModelFileError(path, reason, "Update neuroloom.")
    text = metadata.get("record")
    if not isinstance(text, str) or metadata.get("record_sha256") != record_digest(text):
        raise ModelFileError(path, "is damaged: its record does not match its digest.")
    weights = {name: _weight(path, name, entry) for name, entry in entries.items()}
    total = sum(SIZES[dtype] * math.prod(shape) for dtype, shape in weights.values())
    if total != size - 8 - len(raw):
        raise ModelFileError(path, f"is damaged: its weights need {total} bytes, {size - 8 - len(raw)} are there.")
    return Header(VERSION, _parse(path, text.encode()), weights, str(metadata.get("weights_sha256")))


def _header_bytes(path: Path) -> tuple[bytes, int]:
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise ModelFileError(path, "is not a regular file.")
        with path.open("rb") as file:
            start = file.read(32)
            length = int.from_bytes(start[:8], "little")
            if start[8:9] != b"{" or not 2 <= length <= min(MAX_HEADER, info.st_size - 8):
                raise _other_file(path, start)
            file.seek(8)
            return file.read(length), info.st_size
    except OSError as error:
        raise ModelFileError(path, f"cannot be read: {error.strerror}.") from error


def _other_file(path: Path, start: bytes) -> ModelFileError:
    """What to say of a file that cannot be one: a model's length may begin like a pickle, so this comes second."""
    for magic, what in LOOKS_LIKE.items():
        if start.startswith(magic):
            return ModelFileError(path, f"is {what}, not a model file of neuroloom.")
    return ModelFileError(path, "is no model file, or was cut off: its header's length is impossible.")


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_unique)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ModelFileError(path, f"is damaged: its header is not JSON ({type(error).__name__}).") from error
    if not isinstance(value, dict):
        raise ModelFileError(path, "is damaged: its header is not a JSON object.")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice")
    return found


def _weight(path: Path, name: str, entry: Any) -> tuple[str, tuple[int, ...]]:
    shape = entry.get("shape") if isinstance(entry, dict) else None
    lengths = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
    if not lengths or entry.get("dtype") not in SIZES:
        raise ModelFileError(path, f"is damaged: the weight {name!r} has no usable shape or dtype.")
    return entry["dtype"], tuple(shape)  # type: ignore[arg-type]


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON record: structure, compile arguments, the caller's extra values."""
    return read_header(path).record


def read_arrays(
    path: str | os.PathLike[str], expected: Mapping[str, tuple[str, tuple[int, ...]]]
) -> dict[str, np.ndarray]:
    """The arrays, if the file has exactly the names, dtypes and shapes that are expected.

    Raises:
        ModelFileError: missing, extra or different arrays (all are listed), or damage.
    """
    import safetensors
    import safetensors.numpy

    header = read_header(path)
    _compare(path, expected, header.weights)
    try:
        arrays = safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(path, f"is damaged: {error}") from error
    if weights_digest(arrays) != header.digest:
        raise ModelFileError(path, "is damaged: its weights do not match their digest.")
    return arrays


def _compare(path: Any, expected: Mapping[str, tuple[str, tuple[int, ...]]], found: Mapping[str, Any]) -> None:
    faults = [f"{name!r} is missing" for name in expected if name not in found]
    faults += [f"{name!r} is not known ({nearest(name, expected)})" for name in found if name not in expected]
    for name, (dtype, shape) in expected.items():
        wanted = (DTYPES.get(dtype, dtype), tuple(shape))
        if name in found and found[name] != wanted:
            has = found[name]
            faults.append(f"{name!r} has shape {has[1]} of {has[0]}, expected {wanted[1]} of {wanted[0]}")
    if faults:
        raise ModelFileError(path, f"does not fit the model: {'; '.join(faults[:20])}.")
