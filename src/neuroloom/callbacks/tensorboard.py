"""The course of a training for TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neuroloom.config import Check, Flag, Integer
from neuroloom.diagram import boxes_of
from neuroloom.errors import ConfigurationError, ShapeError, nearest
from neuroloom.files.events import EventWriter
from neuroloom.learning.callbacks.base import Callback, Logs, State, check_place, expect, expect_path

TRAIN, VALIDATION = "train", "validation"


class _UpdateFrequency(Check):
    expects = "'epoch', 'batch' or a positive whole number of steps"

    def __call__(self, value: Any) -> int | None:
        if value == "epoch":
            return None
        if value == "batch":
            return 1
        try:
            return Integer(1)(value)
        except ValueError:
            raise self.refuse() from None


class TensorBoard(Callback):
    """Write what TensorBoard shows: `tensorboard --logdir logs`.

    The folder `train` gets the values of training, `validation` those of the validation data, with Keras's tags:
    epoch_loss, epoch_accuracy, ..., epoch_learning_rate by epoch; batch_loss, ... and
    evaluation_loss_vs_iterations, ... by step, counted from the beginning of the training. A resumed training cuts the
    event files of these two folders back to where its checkpoint was made, and removes later ones.

    Args:
        log_dir: the folder.
        histogram_freq: epochs between two histograms of every weight; 0 writes none.
        write_graph: whether to write the graph of the model, with nested models as scopes.
        write_images: whether to write the weights as pictures beside their histograms: matrices as they are, kernels
            of convolutions as a grid with a row per input channel and a column per filter.
        update_freq: 'epoch', or additionally after every 'batch' or number of steps. Training is not slowed down: steps
            still run as one program.
        embeddings: {layer's name: labels of its rows, or None}: the layer's matrix for the projector, written when
            training ends. Names in nested models are paths, as in 'encoder/embedding'.

    Raises:
        ConfigurationError: a wrong argument; when training begins, a layer that the model does not have.
        ShapeError: when training begins, labels that are not as many as the matrix has rows.
        NeuroloomError: when training begins, tensorboardX is not installed.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        *,
        update_freq: int | Literal["epoch", "batch"] = "epoch",
        embeddings: Mapping[str, Sequence[Any] | None] | None = None,
    ) -> None:
        self.log_dir = Path(expect_path(self, "log_dir", log_dir))
        self.histogram_freq: int = expect(self, "histogram_freq", Integer(0), histogram_freq)
        self.write_graph: bool = expect(self, "write_graph", Flag(), write_graph)
        self.write_images: bool = expect(self, "write_images", Flag(), write_images)
        self.every: int | None = expect(self, "update_freq", _UpdateFrequency(), update_freq)
        self.embeddings = dict(embeddings or {})
        if self.every is not None:  # else nobody needs to tell the steps
            self.on_train_batch_end = self._batch_end  # type: ignore[method-assign]
        self._writers: dict[str, EventWriter] = {}
        self.steps = self._before = 0

    # ----------------------------------------------------------------------------------------------- what happens

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.close()
        check_place(self, self.log_dir, folder=True)
        self.steps = self._before = 0
        for name, labels in self.embeddings.items():
            rows = len(self._matrix(name))
            if labels is not None and len(labels) != rows:
                raise ShapeError(f"TensorBoard expected {rows} labels for {name!r}, received {len(labels)}.")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._before = self.steps
        if TRAIN not in self._writers and self.write_graph:  # not before: a resume cuts the files first
            self._writer(TRAIN).graph(boxes_of(self.model.network))

    def _batch_end(self, batch: int, logs: Logs | None = None) -> None:
        step = self._before + batch + 1
        if step % (self.every or 1) == 0:
            self._scalars(TRAIN, "batch_{}", logs or {}, step)

    def on_chunk_end(self, step: int, logs: Logs | None = None) -> None:
        self.steps = self._before + step
        if self.every is not None:
            self._flush()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        validation = {name.removeprefix("val_"): v for name, v in logs.items() if name.startswith("val_")}
        training = {name: v for name, v in logs.items() if not name.startswith("val_")}
        rate = {"learning_rate": float(self.model.learning_rate)}
        self._scalars(TRAIN, "epoch_{}", training | rate, epoch)
        if validation:
            self._scalars(VALIDATION, "epoch_{}", validation, epoch)
            self._scalars(VALIDATION, "evaluation_{}_vs_iterations", validation, self.steps)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._weights(epoch)
        self._flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        for name, labels in self.embeddings.items():
            self._writer(TRAIN).embeddings(name, self._matrix(name), labels, step=self.steps)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    # ------------------------------------------------------------------------------------------------ what is written

    def _writer(self, run: str) -> EventWriter:
        if run not in self._writers:
            self._writers[run] = EventWriter(self.log_dir / run)
        return self._writers[run]

    def _scalars(self, run: str, tag: str, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer(run).scalar(tag.format(name), value, step)

    def _weights(self, epoch: int) -> None:
        for path, weight in self.model.weights.items():
            self._writer(TRAIN).histogram(f"{path}/histogram", weight, epoch)
            picture = _picture(weight) if self.write_images else None
            if picture is not None:
                self._writer(TRAIN).image(f"{path}/image", picture, epoch)

    def _flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def _matrix(self, name: str) -> np.ndarray:
        """The matrix of a layer: its embeddings, or else its kernel."""
        matrices = {path: w for path, w in self.model.weights.items() if w.ndim == 2}
        for kind in ("embeddings", "kernel"):
            if f"{name}/{kind}" in matrices:
                return matrices[f"{name}/{kind}"]
        known = [path.rpartition("/")[0] for path in matrices]
        raise ConfigurationError(f"The model has no layer {name!r} with a matrix of weights. {nearest(name, known)}")

    # --------------------------------------------------------------------------------------------------------- resuming

    def get_state(self) -> State:
        self._flush()
        return {"steps": self.steps, "files": {name: file.stat().st_size for name, file in self._files().items()}}

    def set_state(self, state: State) -> None:
        self.steps = state["steps"]
        for name, file in self._files().items():
            size = state["files"].get(name)
            if size is None:  # begun after the checkpoint
                file.unlink()
            elif size < file.stat().st_size:
                os.truncate(file, size)

    def _files(self) -> dict[str, Path]:
        """The event files in the folders of this training."""
        found = (f for run in (TRAIN, VALIDATION) for f in sorted((self.log_dir / run).glob(EventWriter.PATTERN)))
        return {f"{file.parent.name}/{file.name}": file for file in found}


def _picture(weight: np.ndarray) -> np.ndarray | None:
    """A weight as a picture (H, W); None where it has no natural one."""
    if weight.ndim == 1:
        return weight[None]
    if weight.ndim == 2:
        return weight
    if weight.ndim != 4:
        return None
    height, width, channels, filters = weight.shape
    tiles = np.pad(weight, ((0, 1), (0, 1), (0, 0), (0, 0)), constant_values=weight.min())
    return tiles.transpose(2, 0, 3, 1).reshape(channels * (height + 1), filters * (width + 1))[:-1, :-1]
