"""neuroloom: neural networks with the Keras vocabulary, on the tensor engine you choose.

`import neuroloom as nl` loads no engine; each part is loaded at its first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from neuroloom import (
        activations,
        callbacks,
        config,
        data,
        datasets,
        engines,
        errors,
        initializers,
        layers,
        losses,
        metrics,
        models,
        networks,
        ops,
        optimizers,
        plots,
        populations,
        regularizers,
        saving,
        session,
        testing,
        utils,
    )
    from neuroloom.engines.dispatch import engine, use
    from neuroloom.layers import Input
    from neuroloom.models import Learner, Model, Move, Sequential, load_model
    from neuroloom.populations import cross_validate, ensemble, fit_many, grid_search, population, random_search

_MODULES = {
    "activations", "callbacks", "config", "data", "datasets", "engines", "errors", "initializers", "layers", "losses",
    "metrics", "models", "networks", "ops", "optimizers", "plots", "populations", "regularizers", "saving",
    "session", "testing", "utils",
}  # fmt: skip

_OBJECTS = {
    "engine": "neuroloom.engines.dispatch",
    "use": "neuroloom.engines.dispatch",
    "Input": "neuroloom.layers",
    "Model": "neuroloom.models",
    "Sequential": "neuroloom.models",
    "Learner": "neuroloom.models",
    "Move": "neuroloom.models",
    "load_model": "neuroloom.models",
    "fit_many": "neuroloom.populations",
    "population": "neuroloom.populations",
    "cross_validate": "neuroloom.populations",
    "grid_search": "neuroloom.populations",
    "random_search": "neuroloom.populations",
    "ensemble": "neuroloom.populations",
}

__all__ = [
    "__version__", "activations", "callbacks", "config", "data", "datasets", "engines", "errors", "initializers",
    "layers", "losses", "metrics", "models", "networks", "ops", "optimizers", "plots", "populations",
    "regularizers", "saving", "session", "testing", "utils", "engine", "use", "Input", "Model", "Sequential",
    "Learner", "Move", "load_model",
    "fit_many", "population", "cross_validate", "grid_search", "random_search", "ensemble",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _OBJECTS:
        return getattr(importlib.import_module(_OBJECTS[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"neuroloom.{name}")
    nearest = importlib.import_module("neuroloom.errors").nearest
    raise AttributeError(f"module 'neuroloom' has no attribute {name!r}. {nearest(name, __all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
