"""Writing a model file: all or nothing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom.errors import ModelFileError
from neuroloom.files.format import FORMAT, VERSION, record_digest, to_text, weights_digest

OTHER_FORMATS = (".keras", ".h5", ".hdf5", ".pt", ".pth", ".pb", ".onnx", ".npz", ".npy", ".pkl", ".pickle")
"""Endings of files that other programs write and read."""


def write(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], record: Mapping[str, Any]) -> None:
    """Write weights and their record so that at every moment the old or the new file is whole.

    The bytes go to a file beside the target, are flushed to disk, and take the target's name in one move.

    Raises:
        ModelFileError: the folder is missing or cannot be written to, or the name promises another format; an older
            file then stays as it was.
    """
    import safetensors.numpy

    _refuse_other_formats(Path(path))
    text = to_text(record)
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "record": text,
        "record_sha256": record_digest(text),
        "weights_sha256": weights_digest(arrays),
    }
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    replace_file(Path(path), _ordered(safetensors.numpy.save(contiguous, metadata)))


def _refuse_other_formats(path: Path) -> None:
    """A name is a promise to the program that opens the file."""
    if path.suffix.lower() in OTHER_FORMATS:
        wanted = path.with_suffix(".safetensors").name
        raise ModelFileError(
            path, f"would hold safetensors, not what {path.suffix} says.", f"Choose a name such as {wanted!r}."
        )


def _ordered(content: bytes) -> bytes:
    """The same file with its metadata in the order of their names: safetensors gives them in a random one."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the format wants weights to begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text + content[end:]


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file, or leave everything as it was."""
    try:
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise ModelFileError(path, f"cannot be written: {error.strerror}.", "Choose a folder that exists.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o666 & ~_umask())
        os.replace(beside, path)
    except OSError as error:
        Path(beside).unlink(missing_ok=True)
        raise ModelFileError(path, f"cannot be written: {error.strerror}.") from error
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush_folder(folder: Path) -> None:
    """Make the new name itself survive a crash, where the system can flush folders."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
