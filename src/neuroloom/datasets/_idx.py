"""Reader of the idx format, in which MNIST and its relatives are published.

What it must satisfy: an array of exactly the shape that the header states comes back, or a `DataError` that
names the file; a lying header or a bomb makes it read no more than the header promised, in pieces.

Format: two zero bytes, a type code (8: unsigned byte), the number of axes, each axis as a big-endian 32-bit
number, then the values in C order (Y. LeCun, "The MNIST database").
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Protocol

import numpy as np

from neuroloom.errors import DataError

_PIECE = 1 << 20


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_idx(path: Path) -> np.ndarray:
    """The array of unsigned bytes in a gzip-packed idx file.

    Raises:
        DataError: not gzip, not idx, or not as many values as the header says.
    """
    try:
        with gzip.open(path, "rb") as stream:
            shape = _read_header(path, stream)
            values = _read_at_most(stream, math.prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} expected a gzip-packed idx file, received damaged data: {error}.") from error
    if len(values) != math.prod(shape):
        more = "more" if len(values) > math.prod(shape) else f"{len(values)}"
        raise DataError(f"{path} expected {math.prod(shape)} values (header: shape {shape}), received {more}.")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_header(path: Path, stream: _Stream) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:3] != b"\0\0\x08" or magic[3] == 0:
        raise DataError(f"{path} expected an idx header of unsigned bytes, received {magic.hex() or 'nothing'}.")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path} expected the sizes of {magic[3]} axes, received {len(sizes)} bytes.")
    return struct.unpack(f">{magic[3]}I", sizes)


def _read_at_most(stream: _Stream, count: int) -> bytearray:
    values = bytearray()
    while len(values) < count and (piece := stream.read(min(_PIECE, count - len(values)))):
        values += piece
    return values
