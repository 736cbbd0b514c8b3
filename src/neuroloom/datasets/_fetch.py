"""Finds a file of a data set: in the user's own folder first, then in the cache, then on the network.

What it must satisfy: no byte is handed out before its SHA-256 was compared with the table in `_sources`.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from neuroloom.datasets._sources import SOURCES
from neuroloom.errors import DataError
from neuroloom.folders import cache_folder

FOLDER_VARIABLE = "NEUROLOOM_DATA"


def locate(dataset: str, name: str) -> Path:
    """The path of a verified file, downloaded now if it is neither in the user's folder nor in the cache.

    Raises:
        DataError: the file differs from what was published, or it cannot be had; the message says where it
            was expected and how to get it.
    """
    return offline(dataset, name) or _download(dataset, name)


def find(folder: str | os.PathLike[str] | None, dataset: str, name: str) -> Path:
    """A verified file in a folder of the caller's; else as `locate` finds it."""
    path = Path(folder, name) if folder is not None else None
    if path is None or not path.is_file():
        return locate(dataset, name)
    _check_digest(path, SOURCES[dataset][name].sha256)
    return path


def offline(dataset: str, name: str) -> Path | None:
    """The verified file in the folder that `NEUROLOOM_DATA` names, or None where there is none."""
    folder = os.environ.get(FOLDER_VARIABLE)
    path = Path(folder, dataset, name) if folder else None
    if path is None or not path.is_file():
        return None
    _check_digest(path, SOURCES[dataset][name].sha256)
    return path


def _download(dataset: str, name: str) -> Path:
    import pooch

    source = SOURCES[dataset][name]
    if source.url is None:
        raise DataError(f"{_missing(dataset, name)} It is not offered for download.")
    try:
        path = pooch.retrieve(
            source.url, f"sha256:{source.sha256}", fname=name, path=cache_folder(dataset), progressbar=False
        )
    except (OSError, ValueError) as error:  # no network, a refusal, or another SHA-256 than expected
        raise DataError(
            f"{_missing(dataset, name)} Downloading it from {source.url} failed: {error}. Connect to the "
            f"network and try again, or save that file there yourself."
        ) from error
    return Path(path)


def _check_digest(path: Path, expected: str) -> None:
    with path.open("rb") as stream:
        received = hashlib.file_digest(stream, "sha256").hexdigest()
    if received != expected:
        raise DataError(
            f"{path} expected SHA-256 {expected}, received {received}. The file is damaged or another one: "
            f"replace or remove it."
        )


def _missing(dataset: str, name: str) -> str:
    folder = os.environ.get(FOLDER_VARIABLE)
    where = f"at {Path(folder, dataset, name)}" if folder else f"as {dataset}/{name} in the folder that"
    tail = f"(the folder is set by {FOLDER_VARIABLE})" if folder else f"{FOLDER_VARIABLE} names (not set)"
    return f"Data set {dataset!r} expected the file {name} {where} {tail}, and found none."
