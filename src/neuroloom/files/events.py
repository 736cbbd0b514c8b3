"""Event files, which TensorBoard reads: scalars, histograms, images, graphs, and vectors for its projector.

The records are written by the package tensorboardX, at once and in this process: what was flushed is on disk.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from neuroloom import engines
from neuroloom.errors import DataError, NeuroloomError, ShapeError
from neuroloom.files.events_graph import graph_record
from neuroloom.files.projector import write_vectors
from neuroloom.plots.images import unit_range

if TYPE_CHECKING:
    from neuroloom.plots.diagram import Box

BINS = 30
"""Bins of a histogram; TensorBoard shows as many."""


class EventWriter:
    """Writes what TensorBoard shows into an event file of its own in a folder.

    Values are arrays of any engine. Numbers that are not finite are written as scalars (TensorBoard marks them), and
    left out of histograms and images, with a warning that counts them; an empty array gives an empty histogram.

    Args:
        folder: where; it is made if it is missing. TensorBoard calls it the run.

    Attributes:
        path: the event file.

    Raises:
        NeuroloomError: tensorboardX is not installed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, EventWriter(folder) as events:
    ...     events.scalar("loss", 0.5, step=0)
    ...     events.histogram("weights", np.arange(6.0), step=0)
    """

    PATTERN = "events.out.tfevents.*"

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._x = _tensorboardx()
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self._free_path()
        self._file: Any = self._x.RecordWriter(str(self.path))
        self._write(file_version="brain.Event:2")

    def _free_path(self) -> Path:
        """A new name, in the order of time; the format's names hold the time and the word tfevents."""
        while True:
            ns = time.time_ns()
            path = self.folder / f"events.out.tfevents.{ns // 10**9:010d}.{ns % 10**9:09d}.{os.getpid()}"
            if not path.exists():
                return path

    # ------------------------------------------------------------------------------------------------- what to write

    def scalar(self, tag: str, value: Any, step: int) -> None:
        """One number; TensorBoard keeps 32 bits of it."""
        number = _array(value)
        if number.size != 1:
            raise ShapeError(f"The scalar {tag!r} expected one number, received shape {number.shape}.")
        self._value(step, tag=tag, simple_value=float(number.item()))

    def histogram(self, tag: str, values: Any, step: int) -> None:
        """The distribution of all values of an array, in 30 bins of equal width."""
        finite = _finite(f"histogram {tag!r}", step, _array(values).astype(np.float64).reshape(-1))
        if not finite.size:
            self._value(step, tag=tag, histo=self._x.proto.summary_pb2.HistogramProto())
            return
        counts, edges = np.histogram(finite, BINS, _span(finite))
        self._value(
            step,
            tag=tag,
            histo=self._x.proto.summary_pb2.HistogramProto(
                min=finite.min(),
                max=finite.max(),
                num=finite.size,
                sum=finite.sum(),
                sum_squares=finite @ finite,
                bucket_limit=[edges[0], *edges[1:]],
                bucket=[0, *counts],
            ),
        )

    def image(self, tag: str, array: Any, step: int) -> None:
        """A picture, or several side by side in TensorBoard.

        Whole numbers are taken as 0 to 255 and floats from [0, 1] as they are; floats beyond are brought there by the
        smallest and the largest of them.

        Args:
            array: (H, W), (H, W, 1), (H, W, 3), (H, W, 4), or (n, H, W, 1|3|4) for a batch.

        Raises:
            ShapeError: another shape, or no pixel.
        """
        pictures = _pictures(tag, _array(array))
        scaled = unit_range(_without_holes(f"image {tag!r}", step, pictures))
        for i, pixels in enumerate(np.round(scaled * 255).astype(np.uint8)):
            name = tag if len(pictures) == 1 else f"{tag}/{i}"
            self._value(step, tag=name, image=_encoded(self._x, pixels))

    def graph(self, boxes: Sequence[Box]) -> None:
        """A graph with its name scopes, shapes and edges; TensorBoard shows one per run."""
        self._write(graph_def=graph_record(boxes))

    def embeddings(self, tag: str, vectors: Any, labels: Any = None, images: Any = None, step: int = 0) -> None:
        """Vectors for the projector; those of an earlier call with the same tag and step are replaced.

        Args:
            vectors: (n, d), finite.
            labels: n texts or numbers.
            images: (n, H, W) or (n, H, W, 1|3), drawn at the points.

        Raises:
            ShapeError: arrays that do not fit each other. DataError: a vector that is not finite.
        """
        write_vectors(self.folder, tag, step, _array(vectors), labels, None if images is None else _array(images))

    # --------------------------------------------------------------------------------------------------------- records

    def _value(self, step: int, **value: Any) -> None:
        proto = self._x.proto.summary_pb2
        self._write(step=int(step), summary=proto.Summary(value=[proto.Summary.Value(**value)]))

    def _write(self, **event: Any) -> None:
        if self._file is None:
            raise NeuroloomError(f"The event file {self.path.name} is closed. Make a new EventWriter.")
        self._file.write(self._x.proto.event_pb2.Event(wall_time=time.time(), **event).SerializeToString())

    def flush(self) -> None:
        """Bring everything to disk, where TensorBoard sees it."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Flush and close the file; a second call does nothing."""
        if self._file is not None:
            self._file.flush()
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _tensorboardx() -> Any:
    try:
        import tensorboardX
        import tensorboardX.proto.event_pb2
    except ImportError:
        raise NeuroloomError(
            "Event files for TensorBoard need the package tensorboardX, which is not installed. "
            "Run: pip install 'neuroloom[tensorboard]'"
        ) from None
    return tensorboardX


def _array(value: Any) -> np.ndarray:
    """Numbers of any engine, or lists of them, as NumPy's."""
    array = engines.of(value).to_numpy(value) if hasattr(value, "dtype") else np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise DataError(f"Event files expected numbers, received {array.dtype} values such as {str(value)[:40]!r}.")
    return array


def _finite(what: str, step: int, values: np.ndarray) -> np.ndarray:
    there = np.isfinite(values)
    if not there.all():
        wrong = values.size - int(there.sum())
        message = (
            f"In the {what} at step {step}, {wrong} of {values.size} values are NaN or infinite; they are left out."
        )
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    return values[there]


def _span(values: np.ndarray) -> tuple[float, float]:
    """From where to where the bins reach; around values that are all but equal, wide enough to be told apart."""
    low, high = float(values.min()), float(values.max())
    least = 1e-9 * max(abs(low), abs(high))
    return (low, high) if high - low > least else (low - max(0.5, least), high + max(0.5, least))


def _without_holes(what: str, step: int, pictures: np.ndarray) -> np.ndarray:
    """Pixels that are not finite become the darkest one."""
    if pictures.dtype.kind != "f":
        return pictures
    finite = _finite(what, step, pictures.reshape(-1))
    return np.where(np.isfinite(pictures), pictures, finite.min() if finite.size else 0.0)


def _pictures(tag: str, array: np.ndarray) -> np.ndarray:
    """(n, H, W, channels)."""
    pictures = array[..., None] if array.ndim == 2 else array
    pictures = pictures[None] if pictures.ndim == 3 else pictures
    if pictures.ndim != 4 or pictures.shape[-1] not in (1, 3, 4) or not pictures.size:
        raise ShapeError(
            f"The image {tag!r} expected shape (H, W), (H, W, 1|3|4) or (n, H, W, 1|3|4), received {array.shape}. "
            f"Write x[..., None] for a batch of grey pictures."
        )
    return pictures


def _encoded(x: Any, pixels: np.ndarray) -> Any:
    import io

    from PIL import Image

    height, width, channels = pixels.shape
    png = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(png, format="PNG")
    summary = x.proto.summary_pb2.Summary
    return summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=png.getvalue())
