"""A megabyte of Shakespeare, the usual text for character models (selection: A. Karpathy, char-rnn, 2015)."""

from __future__ import annotations

from neuroloom.datasets._fetch import locate


def load_data() -> str:
    """Loads the text: 1115394 characters, 65 of them distinct, lines ended by a line feed.

    Raises:
        DataError: the file is missing and cannot be downloaded, or is not the published one.

    Example:
        >>> load_data()[:14]  # doctest: +SKIP
        'First Citizen:'
    """
    return locate("tinyshakespeare", "input.txt").read_bytes().decode("utf-8")
