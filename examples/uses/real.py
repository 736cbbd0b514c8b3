"""Where the examples find their data."""

import os
from pathlib import Path

import numpy as np


def file(*parts):
    """A file in the folder that NEUROLOOM_DATA names."""
    folder = os.environ.get("NEUROLOOM_DATA")
    path = Path(folder or "").joinpath(*parts)
    if not folder or not path.exists():
        raise SystemExit(f"This example reads {'/'.join(parts)}: set NEUROLOOM_DATA to the folder that holds it.")
    return path


def letters():
    """The capital letters, and their bitmaps of 8 x 8, (26, 64) of 0 and 1."""
    rows = [line.split(",") for line in file("letters", "letters_8x8.csv").read_text().split()[1:]]
    return np.array([row[0] for row in rows]), np.array([row[1:] for row in rows], float)
