"""Models: networks with what a user does with them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from neuroloom import activations, config, files
from neuroloom.calls import friendly, public
from neuroloom.errors import ConfigurationError, ModelFileError, NeuroloomError
from neuroloom.models.learner import Learner, Move
from neuroloom.models.model import Model
from neuroloom.models.sequential import Sequential

__all__ = ["Learner", "Model", "Move", "Sequential", "load_model"]

public(__name__)


@friendly
def load_model(
    path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None, compile: bool = True
) -> Model:
    """Read a model that `Model.save` wrote. Nothing in such a file is executed.

    A file that was written with `training=True` holds the state of the training, and `fit` goes on from there. Others
    do not: the first `fit` says that the optimizer starts afresh.

    Args:
        custom_objects: classes and activation functions of your own by the names that the file has for them. A class
            is known by its own name from its definition on; functions are registered (see `activations.register`).
        compile: whether the model is compiled as the saved one was.

    Raises:
        ModelFileError: the file is damaged, of another kind, or does not fit together.
    """
    file = config.checked("path", path, config.File())
    classes = dict(custom_objects or {})
    for name in [name for name, one in classes.items() if not isinstance(one, type)]:
        activations.register(name, _function(name, classes.pop(name)))  # layers look it up whenever they are called
    with config.known(classes):
        return _loaded(file, config.checked("compile", compile, config.Flag()))


def _function(name: str, given: Any) -> Any:
    if not callable(given):
        raise ConfigurationError(f"custom_objects expected a class or a function for {name!r}, not {given!r}.")
    return given


def _loaded(path: str, compile: bool) -> Model:
    record = files.read_record(path)
    if "model" not in record:
        raise ModelFileError(path, "holds weights but no model.", "Build the model and call load_weights.")
    try:
        model: Model = Model.from_json(record["model"])
        if compile and record.get("compile"):
            model.compile(**{name: config.from_json(value) for name, value in record["compile"].items()})
            model._loaded = True
        if compile and record.get("training"):
            model._load_training(path, record["training"])
            return model
    except ModelFileError:
        raise
    except (NeuroloomError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(path, f"the model's configuration cannot be used: {error}") from error
    model.load_weights(path)
    return model
