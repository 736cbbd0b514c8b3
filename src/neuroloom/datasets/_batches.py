"""Data sets as objects that give batches, as programs with explicit graphs expect them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neuroloom import config
from neuroloom.errors import DataError


class Batches:
    """Images and labels, given out in batches.

    Attributes:
        images: (samples, pixels), float32 from 0 to 1.
        labels: (samples,) numbers of classes as uint8, or (samples, classes) zeros with a one as float32.
        num_examples: the number of samples.
        epochs_completed: how often all samples have been given out.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels
        self.num_examples, self.epochs_completed = len(images), 0
        self._seed = config.next_seed()
        self._order, self._at = np.arange(len(images)), 0

    def next_batch(self, batch_size: int, shuffle: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """The next images and labels; each epoch takes them in another order.

        At the end of an epoch the batch is filled up from the next one.

        Raises:
            DataError: the batch is larger than the data.
        """
        if not 1 <= batch_size <= self.num_examples:
            raise DataError(f"next_batch expected a size from 1 to {self.num_examples}, received {batch_size}.")
        if self._at == 0 and self.epochs_completed == 0:
            self._begin(shuffle)
        index = self._order[self._at : self._at + batch_size]
        self._at += len(index)
        if self._at == self.num_examples:
            self.epochs_completed += 1
            self._begin(shuffle)
            self._at = batch_size - len(index)
            index = np.concatenate([index, self._order[: self._at]])
        return self.images[index], self.labels[index]

    def _begin(self, shuffle: bool) -> None:
        generator = config.generator(self._seed, "shuffle", self.epochs_completed)
        self._order = generator.permutation(self.num_examples) if shuffle else np.arange(self.num_examples)
        self._at = 0


class Sets(NamedTuple):
    """The parts of a data set."""

    train: Batches
    validation: Batches
    test: Batches
