"""The IMDB reviews as word indices, read from a safe container or made from the original texts.

What it must satisfy: the arrays are always the same, wherever they came from; a digest over them proves it.
Reviews lie in the order of the Keras file: positive, then negative, each by byte-sorted file name.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from itertools import chain
from pathlib import Path

import numpy as np

from neuroloom.datasets._archives import read_npz, tar_members
from neuroloom.datasets._fetch import locate, offline
from neuroloom.errors import DataError
from neuroloom.folders import cache_folder

Arrays = dict[str, np.ndarray]

PARTS = ("train", "test")
_DTYPES = {"flat": np.int32, "offsets": np.int64, "y": np.uint8}
_NAMES = tuple(name for part in PARTS for name in (f"x_{part}_flat", f"x_{part}_offsets", f"y_{part}"))
_DIGEST = "f9976ff6f40c34a11b02b76978f63393c643363191f41b4decca8711ff9db16a"
_PUNCTUATION = b'!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'  # becomes space; only ASCII letters are lowered
_TO_WORDS = bytes(0x20 if byte in _PUNCTUATION else byte for byte in bytes(range(256)).lower())


def load_reviews(word_index: dict[str, int]) -> Arrays:
    """`x_train_flat`, `x_train_offsets`, `y_train` and the same for test.

    Review i is `flat[offsets[i]:offsets[i + 1]]`, in ranks of `word_index`; y is 1 for a positive review.
    """
    own = offline("imdb", "imdb.npz")
    if own is not None:
        return _check(read_npz(own, _NAMES), str(own))
    kept = cache_folder("imdb") / "reviews.npz"
    if kept.is_file():
        return _check(read_npz(kept, _NAMES), f"{kept} (remove it to have it made again)")
    archive = locate("imdb", "aclImdb_v1.tar.gz")
    arrays = _check(convert(archive, word_index), str(archive))
    _keep(kept, arrays)
    return arrays


def convert(archive: Path, word_index: dict[str, int]) -> Arrays:
    """Tokenises the review texts of `aclImdb_v1.tar.gz`; words outside the index are left out."""
    ranks = {word.encode(): rank for word, rank in word_index.items()}
    reviews: dict[str, list[int]] = {}
    for name, text in tar_members(archive, "aclImdb/", ".txt"):
        if name.split("/")[2:3] in (["pos"], ["neg"]):
            words = text.translate(_TO_WORDS).split(b" ")
            reviews[name] = [ranks[word] for word in words if word in ranks]
    return {name: array for part in PARTS for name, array in _flatten(part, reviews).items()}


def _flatten(part: str, reviews: dict[str, list[int]]) -> Arrays:
    positive = sorted(name for name in reviews if name.startswith(f"aclImdb/{part}/pos/"))
    negative = sorted(name for name in reviews if name.startswith(f"aclImdb/{part}/neg/"))
    rows = [reviews[name] for name in positive + negative]
    return {
        f"x_{part}_flat": np.fromiter(chain.from_iterable(rows), _DTYPES["flat"]),
        f"x_{part}_offsets": np.cumsum([0, *map(len, rows)], dtype=_DTYPES["offsets"]),
        f"y_{part}": np.repeat(np.array([1, 0], _DTYPES["y"]), [len(positive), len(negative)]),
    }


def _check(arrays: Arrays, origin: str) -> Arrays:
    digest = hashlib.sha256()
    for name in _NAMES:
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    if digest.hexdigest() != _DIGEST:
        raise DataError(f"The IMDB reviews from {origin} expected the digest {_DIGEST}, received {digest.hexdigest()}.")
    return arrays


def _keep(path: Path, arrays: Arrays) -> None:
    """Writes beside the target and renames over it, so that a half-written file is never read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **arrays)
        Path(beside).replace(path)
    finally:
        Path(beside).unlink(missing_ok=True)
