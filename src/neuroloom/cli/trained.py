"""What the command line keeps in a model file beside the model, and how it comes back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroloom import files
from neuroloom.cli.preparation import Preparation, preparation_from_config
from neuroloom.data.config_reader import Fields
from neuroloom.errors import DataError, ModelFileError
from neuroloom.models import Model, load_model


@dataclass(frozen=True)
class Trained:
    """What training learnt beside the weights.

    Attributes:
        preparation: of the data.
        usual: the best guess without inputs: a class number, or a value.
        training: how it was trained and tested: JSON values for people to read.
    """

    preparation: Preparation
    usual: float
    training: dict[str, Any]

    def to_config(self) -> dict[str, Any]:
        """The record as JSON, for `Model.save(extra=...)`."""
        return {"preparation": self.preparation.to_config(), "usual": self.usual, "training": self.training}


def read_trained(path: Path) -> Trained:
    """What `neuroloom train` wrote into a model file; reads no weights.

    Raises:
        ModelFileError: no such file, no model file, or one that `neuroloom train` did not write.
    """
    extra = files.read_record(path).get("extra")
    if not extra:
        raise ModelFileError(
            path, "records no preparation of data.", "Only models of `neuroloom train` can be used here."
        )
    try:
        fields = Fields(extra, "extra", ("preparation", "usual", "training"))
        preparation = preparation_from_config(extra["preparation"], "extra.preparation")
        training = extra["training"] if isinstance(extra["training"], dict) else {}
        return Trained(preparation, _usual(fields, preparation), training)
    except DataError as error:
        raise ModelFileError(path, f"records a preparation that cannot be used: {error}") from error


def _usual(fields: Fields, preparation: Preparation) -> float:
    usual = fields.number("usual")
    if preparation.classes and usual not in range(len(preparation.classes)):
        raise DataError(f"extra.usual expected a class number, received {usual}.")
    return usual


def open_model(path: Path) -> tuple[Model, Trained]:
    """A model with what training recorded.

    Raises:
        ModelFileError: see `read_trained`; or the model has not one output per class.
    """
    trained, model = read_trained(path), load_model(path)
    width = len(trained.preparation.classes) or 1
    if model.output_shape != (None, width):
        raise ModelFileError(path, f"has outputs of shape {model.output_shape}; its preparation needs (None, {width}).")
    return model, trained


def outputs_for(model: Model, preparation: Preparation, data: Any, engine: str | None) -> np.ndarray:
    """The network's outputs for raw data, shape (rows, classes or 1)."""
    return model.predict(preparation.features(data), engine=engine)
