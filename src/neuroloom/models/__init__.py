"""Models: networks with what a user does with them."""

from __future__ import annotations

import os

from neuroloom import config, files
from neuroloom.errors import ModelFileError, NeuroloomError
from neuroloom.models.ensembles import Ensemble, ensemble
from neuroloom.models.folds import CrossValidation, cross_validate
from neuroloom.models.many import Population, fit_many
from neuroloom.models.model import Model
from neuroloom.models.search import Search, grid_search, random_search
from neuroloom.models.sequential import Sequential
from neuroloom.models.variants import population

__all__ = [
    "Model", "Sequential", "load_model",
    "Population", "fit_many", "population",
    "CrossValidation", "Search", "cross_validate", "grid_search", "random_search",
    "Ensemble", "ensemble",
]  # fmt: skip

CLASSES: dict[str, type[Model]] = {"Model": Model, "Sequential": Sequential}
"""What a model file may name."""


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model that `Model.save` wrote. Nothing in such a file is executed.

    The file holds no state of the optimizer (its running means, its step): the first `fit` says that it starts afresh.

    Raises:
        ModelFileError: the file is damaged, of another kind, or does not fit together.
    """
    record = files.read_record(path)
    if "model" not in record:
        raise ModelFileError(path, "holds weights but no model.", "Build the model and call load_weights.")
    try:
        model = CLASSES[record["model"]["class"]].from_config(record["model"])
        if record.get("compile"):
            model.compile(**{name: config.from_json(value) for name, value in record["compile"].items()})
            model._loaded = True
    except (NeuroloomError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(path, f"the model's configuration cannot be used: {error}") from error
    model.load_weights(path)
    return model
