"""IMDB: 50000 film reviews, positive or negative, as word indices (A. L. Maas et al., ACL 2011).

Keras's own file holds pickled objects, which are never read here. The reviews are made from the original
texts instead, by the steps that Keras's authors took, and are the same word for word.
"""

from __future__ import annotations

import json

import numpy as np

from neuroloom.datasets._fetch import locate
from neuroloom.datasets._imdb_reviews import PARTS, load_reviews
from neuroloom.errors import ConfigurationError

Part = tuple[np.ndarray, np.ndarray]

class_names = ("negative", "positive")


def load_data(
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[Part, Part]:
    """Loads 25000 training and 25000 test reviews, by the rules of `keras.datasets.imdb.load_data`.

    A word of rank r (1 is the most frequent) becomes the number `r + index_from`; 0 stays free for padding.

    Args:
        num_words: numbers from here on count as unknown. None: the largest number of all (so that, as in
            Keras, the one rarest word counts as unknown).
        skip_top: numbers below this one count as unknown, the start mark included.
        maxlen: only reviews shorter than this are kept, the start mark included. None: all.
        seed: of the shuffle.
        start_char: put in front of every review. None: nothing is put there.
        oov_char: stands for an unknown word. None: unknown words are left out.
        index_from: added to every rank.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x of shape (25000,), each entry a list of int; y of shape
        (25000,), int64, 1 positive and 0 negative.

    Raises:
        ConfigurationError: `maxlen` keeps no review of a part.
        DataError: a file is missing and cannot be downloaded, or is not the published one.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data(num_words=10_000)  # doctest: +SKIP
        >>> x_train[0][:6], int(y_train[0])  # doctest: +SKIP
        ([1, 14, 22, 16, 43, 530], 1)
    """
    arrays = load_reviews(get_word_index())
    random = np.random.RandomState(seed)  # the generator with which Keras shuffles
    reviews, labels = {}, {}
    for part in PARTS:
        order = np.arange(len(arrays[f"y_{part}"]))
        random.shuffle(order)
        rows = _number(arrays[f"x_{part}_flat"], arrays[f"x_{part}_offsets"], start_char, index_from)
        reviews[part] = [rows[i] for i in order]
        labels[part] = arrays[f"y_{part}"][order].astype(np.int64)
        if maxlen:
            reviews[part], labels[part] = _shorter(part, maxlen, reviews[part], labels[part])
    stop = num_words or max(int(row.max()) for part in PARTS for row in reviews[part])
    train, test = ((_lists(reviews[part], skip_top, stop, oov_char), labels[part]) for part in PARTS)
    return train, test


def get_word_index() -> dict[str, int]:
    """The rank of each of the 88584 words, 1 for the most frequent; add `index_from` to get its number.

    Raises:
        DataError: the file is missing and cannot be downloaded, or is not the published one.

    Example:
        >>> get_word_index()["the"]  # doctest: +SKIP
        1
    """
    return json.loads(locate("imdb", "imdb_word_index.json").read_bytes())


def _number(flat: np.ndarray, offsets: np.ndarray, start_char: int | None, index_from: int) -> list[np.ndarray]:
    """The reviews, one array each: every rank raised by `index_from`, the start mark in front."""
    rows = np.split(flat + index_from, offsets[1:-1])
    if start_char is None:
        return rows
    start = np.array([start_char], flat.dtype)
    return [np.concatenate([start, row]) for row in rows]


def _hide(row: np.ndarray, skip_top: int, stop: int, oov_char: int | None) -> list[int]:
    """One review with the words outside `skip_top <= word < stop` replaced by `oov_char`, or left out."""
    known = (skip_top <= row) & (row < stop)
    return (row[known] if oov_char is None else np.where(known, row, oov_char)).tolist()


def _shorter(part: str, maxlen: int, rows: list[np.ndarray], y: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    kept = [i for i, row in enumerate(rows) if len(row) < maxlen]
    if not kept:
        shortest = min(map(len, rows))
        raise ConfigurationError(
            f"imdb expected maxlen above {shortest} (the shortest {part} review), received {maxlen}."
        )
    return [rows[i] for i in kept], y[kept]


def _lists(rows: list[np.ndarray], skip_top: int, stop: int, oov_char: int | None) -> np.ndarray:
    lists = np.empty(len(rows), dtype=object)  # not np.array: equal lengths would become a matrix
    for i, row in enumerate(rows):
        lists[i] = _hide(row, skip_top, stop, oov_char)
    return lists
