"""Networks in model files: parameters and learned attributes as JSON, arrays as tensors; nothing is executed."""

from __future__ import annotations

import math
import os
import re
from typing import Any, TypeAlias

import numpy as np

import neuroloom.networks as front
from neuroloom import config, files
from neuroloom.errors import ConfigurationError, ModelFileError, NeuroloomError, UnknownNameError, nearest

CLASSES: dict[str, type] = {}
"""name -> class, of the networks that were loaded. The library's names belong to the library."""

LEARNED = re.compile(r"[a-zA-Z]([a-zA-Z0-9_]*[a-zA-Z0-9])?_")
"""Names of learned attributes."""

Arrays: TypeAlias = dict[str, np.ndarray]


def register(cls: type) -> None:
    """Make a class known to `load`; what families share has a name with `_` and is none."""
    if cls.__name__ in front.__all__ and not cls.__module__.startswith("neuroloom.networks."):
        raise ConfigurationError(f"The network name {cls.__name__!r} belongs to neuroloom; choose another class name.")
    if not cls.__name__.startswith("_"):
        CLASSES[cls.__name__] = cls


def find(name: str) -> type:
    """The class of this name, loading its family if need be."""
    if name in front.__all__ and name not in CLASSES:
        getattr(front, name)
    if name not in CLASSES:
        known = {*CLASSES, *front.__all__} - {"Network", "load"}
        raise UnknownNameError(f"Unknown network {name!r}. {nearest(name, known)}")
    return CLASSES[name]


def save(network: Any, path: str | os.PathLike[str]) -> None:
    """See `Network.save`."""
    arrays: Arrays = {}
    record = _pack_network(network, "", arrays)
    kinds = {name: [array.dtype.name, list(array.shape)] for name, array in arrays.items()}
    files.write(path, arrays, {"network": record, "arrays": kinds})


def load(path: str | os.PathLike[str]) -> Any:
    """Read a network that `save` wrote: the same class, parameters and learned attributes. Nothing is executed.

    Raises:
        ModelFileError: the file is damaged, of another kind, or does not fit together.
    """
    record = files.read_record(path)
    if "network" not in record:
        raise ModelFileError(path, "holds no network of neuroloom.networks.", "neuroloom.load_model reads models.")
    try:
        shapes = {name: (dtype, tuple(shape)) for name, (dtype, shape) in record["arrays"].items()}
        return unpack(record["network"], files.read_arrays(path, shapes))
    except ModelFileError:
        raise
    except (NeuroloomError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ModelFileError(path, f"the network's record cannot be used: {error}") from error


# ------------------------------------------------------------------------------------------ values as JSON and back


def pack(value: Any, path: str, arrays: Arrays) -> Any:
    """A JSON value for `value`; its arrays go into `arrays` under their paths."""
    if type(value).__name__ in CLASSES and isinstance(value, CLASSES[type(value).__name__]):
        return {"network": _pack_network(value, path, arrays)}
    if isinstance(value, np.ndarray):
        return _pack_array(value, path, arrays)
    if isinstance(value, dict):
        return {"dict": [[k, pack(v, f"{path}/{k}", arrays)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [pack(v, f"{path}/{i}", arrays) for i, v in enumerate(value)]}
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return {"float": repr(float(value))}
    return {"value": config.to_json(value)}


def _pack_array(value: np.ndarray, path: str, arrays: Arrays) -> Any:
    if value.dtype.kind in "fiub":
        arrays[path.lstrip("/")] = value
        return {"array": path.lstrip("/")}
    if value.dtype.kind not in "OU" or value.ndim != 1:
        raise ConfigurationError(f"{path} is an array of {value.dtype}, which a model file cannot hold.")
    return {"strings" if value.dtype.kind == "U" else "objects": [config.to_json(v) for v in value]}


def _pack_network(network: Any, path: str, arrays: Arrays) -> Any:
    parameters = {k: v for k, v in network.get_params(deep=False).items() if k != "engine"}
    if isinstance(parameters.get("random_state"), np.random.RandomState):
        del parameters["random_state"]
    learned = {k: v for k, v in vars(network).items() if k.endswith("_") and not k.startswith("_")}
    return {
        "class": type(network).__name__,
        "parameters": {k: pack(v, f"{path}/{k}", arrays) for k, v in parameters.items()},
        "learned": {k: pack(v, f"{path}/{k}", arrays) for k, v in learned.items()},
    }


def unpack(record: Any, arrays: Arrays) -> Any:
    """The network of what `pack` gave."""
    network = find(str(record["class"]))(**{k: _value(v, arrays) for k, v in record["parameters"].items()})
    for name, value in record["learned"].items():
        if not LEARNED.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a learned attribute")
        setattr(network, name, _value(value, arrays))
    return network


def _value(packed: Any, arrays: Arrays) -> Any:
    ((kind, value),) = packed.items()
    return _UNPACK[kind](value, arrays)


_UNPACK: dict[str, Any] = {
    "network": unpack,
    "array": lambda name, arrays: arrays[name],
    "strings": lambda values, arrays: np.array([str(v) for v in values]),
    "objects": lambda values, arrays: np.array(values, dtype=object),
    "dict": lambda pairs, arrays: {k: _value(v, arrays) for k, v in pairs},
    "list": lambda values, arrays: [_value(v, arrays) for v in values],
    "tuple": lambda values, arrays: tuple(_value(v, arrays) for v in values),
    "float": lambda text, arrays: float(text),
    "value": lambda value, arrays: config.from_json(value),
}
