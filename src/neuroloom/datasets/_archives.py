"""Readers of the containers that data sets come in. Nothing is unpickled and nothing is unpacked to disk."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neuroloom.errors import DataError

_LARGEST_MEMBER = 1 << 26  # 64 MiB; the largest member that is read is a CIFAR-10 batch of 29 MiB


def tar_members(path: Path, prefix: str, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the regular files in a gzip-packed tar whose names begin and end as given.

    Raises:
        DataError: the archive is damaged, or a member is larger than any data set has.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.isfile() and member.name.startswith(prefix) and member.name.endswith(suffix):
                    yield member.name, _contents(path, archive, member)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} expected a gzip-packed tar archive, received damaged data: {error}.") from error


def _contents(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    if stream is None or member.size > _LARGEST_MEMBER:
        raise DataError(f"{path}: {member.name} expected at most {_LARGEST_MEMBER} bytes, received {member.size}.")
    return stream.read()


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The named arrays of an npz file, never as objects.

    Raises:
        DataError: the file is damaged, lacks a name, or holds an array of Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} expected an npz file with the arrays {', '.join(names)}, received damaged or other data: {error}."
        ) from error
