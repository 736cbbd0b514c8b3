"""Where the package keeps files on this machine."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "NEUROLOOM_CACHE"


def cache_folder(part: str = "") -> Path:
    """Where the package keeps what it can make or fetch again; it need not exist yet.

    NEUROLOOM_CACHE names it; by default, and where that is empty or 0, it lies in the user's cache directory.
    """
    named = os.environ.get(VARIABLE)
    if named and named != "0":
        return Path(named).expanduser() / part
    import pooch

    return Path(pooch.os_cache("neuroloom")) / part
