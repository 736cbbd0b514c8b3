"""Vectors for TensorBoard's projector: tables of numbers and labels, one picture of all images, and their index."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom.errors import DataError, ShapeError
from neuroloom.files.events_graph import clean_part
from neuroloom.plots.images import unit_range

INDEX = "projector_config.pbtxt"
LARGEST = 8192  # pixels along the side of the picture of all images; browsers show no more


def write_vectors(
    folder: Path, tag: str, step: int, vectors: np.ndarray, labels: Sequence[Any] | None, images: np.ndarray | None
) -> None:
    """Write vectors (n, d), labels and images, and enter them into the folder's index."""
    if vectors.ndim != 2 or not vectors.size:
        raise ShapeError(f"The embeddings {tag!r} expected vectors of shape (n, d), received {vectors.shape}.")
    if not np.isfinite(vectors).all():
        raise DataError(f"The embeddings {tag!r} expected finite vectors, received NaN or infinity.")
    name = f"{clean_part(tag)}_{step:05d}"
    parts = folder / "projector" / name
    parts.mkdir(parents=True, exist_ok=True)
    lines = [f'tensor_name: "{name}"', f'tensor_path: "projector/{name}/vectors.tsv"']
    np.savetxt(parts / "vectors.tsv", vectors, fmt="%.7g", delimiter="\t")
    if labels is not None:
        (parts / "labels.tsv").write_text(_table(tag, labels, len(vectors)), encoding="utf-8")
        lines.append(f'metadata_path: "projector/{name}/labels.tsv"')
    if images is not None:
        height, width = _sprite(tag, images, len(vectors), parts / "images.png")
        size = f"single_image_dim: {width} single_image_dim: {height}"
        lines.append(f'sprite {{ image_path: "projector/{name}/images.png" {size} }}')
    _enter(folder / INDEX, name, "embeddings {\n  " + "\n  ".join(lines) + "\n}\n")


def _table(tag: str, labels: Sequence[Any], n: int) -> str:
    if len(labels) != n:
        raise ShapeError(f"The embeddings {tag!r} expected {n} labels, one per vector, received {len(labels)}.")
    return "".join(re.sub(r"\s+", " ", str(label)) + "\n" for label in labels)


def _sprite(tag: str, images: np.ndarray, n: int, path: Path) -> tuple[int, int]:
    """One picture of all images, row by row; returns (height, width) of one."""
    from PIL import Image

    pictures = images[..., None] if images.ndim == 3 else images
    if pictures.ndim != 4 or pictures.shape[-1] not in (1, 3) or len(pictures) != n:
        raise ShapeError(
            f"The embeddings {tag!r} expected {n} images of shape (H, W), (H, W, 1) or (H, W, 3), received an array of "
            f"shape {images.shape}."
        )
    height, width, channels = pictures.shape[1:]
    side = math.ceil(math.sqrt(n))
    if side * max(height, width) > LARGEST:
        raise ShapeError(
            f"The embeddings {tag!r} have {n} images of {height} x {width} pixels; together they may be {LARGEST} "
            f"pixels wide and high. Give fewer or smaller ones."
        )
    sheet = np.zeros((side * side, height, width, channels), np.uint8)
    sheet[:n] = np.round(unit_range(pictures) * 255)
    grid = sheet.reshape(side, side, height, width, channels).swapaxes(1, 2)  # (side, height, side, width, channels)
    pixels = grid.reshape(side * height, side * width, channels)
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(path)
    return height, width


def _enter(index: Path, name: str, entry: str) -> None:
    """Put an entry into the index in the place of an earlier one of the same name."""
    before = index.read_text(encoding="utf-8") if index.exists() else ""
    entries = re.findall(r"embeddings \{\n.*?\n\}\n", before, re.DOTALL)
    kept = [e for e in entries if f'tensor_name: "{name}"\n' not in e]
    index.write_text("".join([*kept, entry]), encoding="utf-8")
