"""Models of one structure that differ in seeds and in numbers: `population`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuroloom import config
from neuroloom.calls import friendly
from neuroloom.config import Configured
from neuroloom.errors import ConfigurationError, nearest
from neuroloom.layers import Dropout, Layer, Network
from neuroloom.models.learner import Learner
from neuroloom.models.model import Model, _checked, _whole
from neuroloom.populations.fit import Population, check_members
from neuroloom.regularizers import L2

Build = Callable[..., Model]

NUMBERS: dict[str, config.Check] = {
    "learning_rate": config.Number(0, open_low=True, expects="positive numbers"),
    "l2": config.Number(0, expects="numbers of at least 0"),
    "dropout": config.Number(0, 1, open_high=True, expects="numbers from 0 up to, but not, 1"),
}
"""What a model can be given beside the arguments of its builder, and which values that may have."""


@friendly
def population(
    build: Build,
    n: int | None = None,
    *,
    seeds: Sequence[int] | None = None,
    learning_rate: float | Sequence[float] | None = None,
    l2: float | Sequence[float] | None = None,
    dropout: float | Sequence[float] | None = None,
) -> Population:
    """Many models of one structure, to be trained as one program with `fit`.

    A list has one entry per model; a single number holds for all. What `build` takes as an argument of that name it is
    given; else the number is put into the model that it returned.

    Args:
        build: makes a compiled model, with layers of its own.
        n: how many; needed where no list says it.
        seeds: one whole number below 2**32 per model. Model i is what `build` makes after `set_random_seed(seeds[i])`.
        learning_rate: of the optimizers.
        l2: λ of the penalty λ Σ w² on the kernel of every layer that can have one, in the place of the layer's own.
        dropout: the rate of all Dropout layers.

    Returns:
        the Population, not trained yet.

    Raises:
        ConfigurationError: lists of different lengths; numbers out of range; a model that has no place for a number,
            such as a dropout without a Dropout layer.

    >>> import neuroloom as nl
    >>> def build():
    ...     model = nl.Sequential([nl.layers.Dense(1, input_shape=(1,))])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> nl.population(build, seeds=[1, 2, 3], learning_rate=[0.1, 0.01, 0.001])
    <Population of 3 models, not trained>
    model  seed  learning_rate
        0     1         0.1000
        1     2         0.0100
        2     3         0.0010
    """
    given = {"seed": seeds, "learning_rate": learning_rate, "l2": l2, "dropout": dropout}
    lists = {name: _listed(value) for name, value in given.items() if value is not None}
    size = _size(n, {name: len(values) for name, values in lists.items() if values is not None})
    settings = [
        {name: given[name] if values is None else values[i] for name, values in lists.items()} for i in range(size)
    ]
    return made(build, settings)


def _listed(value: Any) -> list[Any] | None:
    """A list of numbers; None for a single one."""
    if np.ndim(value) == 0:
        return None
    return np.asarray(value).tolist() if np.ndim(value) == 1 else list(value)


def _size(n: int | None, lengths: dict[str, int]) -> int:
    if n is None and not lengths:
        raise ConfigurationError("population expected n, the number of models, or a list with one entry per model.")
    size = next(iter(lengths.values())) if n is None else _whole("n", n, 1)
    for name, length in lengths.items():
        if length != size:
            raise ConfigurationError(
                f"population expected {size} entries in {'seeds' if name == 'seed' else name}, one per model, "
                f"received {length}."
            )
    return size


def made(build: Build, settings: Sequence[dict[str, Any]]) -> Population:
    """The models of some settings: arguments of `build`, "seed", and the names of NUMBERS.

    Raises:
        ConfigurationError: a setting that neither `build` nor the model has a place for.
    """
    if not callable(build) or isinstance(build, Model):
        hint = " Write a function that builds and compiles the model." if isinstance(build, Model) else ""
        raise ConfigurationError(f"Expected a function that makes a compiled model, received {build!r}.{hint}")
    models = [_made(build, one) for one in settings]
    check_members(models)
    return Population(models, settings)


def _made(build: Build, settings: dict[str, Any]) -> Model:
    rest = dict(settings)
    seed = rest.pop("seed", None)
    arguments = {name: rest.pop(name) for name in list(rest) if _takes(build, name)}
    unknown = next((name for name in rest if name not in NUMBERS), None)
    if unknown is not None:
        known = {*inspect.signature(build).parameters, *NUMBERS}
        raise ConfigurationError(f"The function that builds has no argument {unknown!r}. {nearest(unknown, known)}")
    _check_takes(build, arguments)
    if seed is None:
        model = build(**arguments)
    else:
        with config.seeded(seed):
            model = build(**arguments)
    if not isinstance(model, Model):
        raise ConfigurationError(f"Expected a function that returns a compiled model, but it returned {model!r}.")
    for name, value in rest.items():
        _PUT[name](model, _checked(name, value, NUMBERS[name]))
    return model


def _check_takes(build: Build, arguments: dict[str, Any]) -> None:
    """Refuse a function that needs more than it is given, whose own error would not say what to do."""
    try:
        inspect.signature(build).bind(**arguments)
    except TypeError as error:
        raise ConfigurationError(
            f"The function that builds was called with {', '.join(arguments) or 'no arguments'}: {error}. Write "
            f"lambda: {getattr(build, '__name__', 'build')}(...), with the values; searches take them among `values`."
        ) from None


def _takes(build: Build, name: str) -> bool:
    parameters = inspect.signature(build).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


# ----------------------------------------------------------------------------------------- numbers into a model


def _put_l2(model: Model, value: float) -> None:
    _change(model, "kernel_regularizer", L2(value), "l2 needs a layer with a kernel_regularizer, such as Dense")


def _put_dropout(model: Model, value: float) -> None:
    _change(model, "rate", value, "dropout needs a Dropout layer", Dropout)


_PUT = {"learning_rate": lambda model, value: model._put_rate(value), "l2": _put_l2, "dropout": _put_dropout}


def _change(model: Model, name: str, value: Any, needs: str, kind: type[Layer] = Layer) -> None:
    """Put copies with another value in the place of all layers (of a kind) that have a field."""
    if isinstance(model, Learner):
        raise ConfigurationError(f"A learner cannot be given {name}. Make it an argument of the function that builds.")
    done: dict[Any, Any] = {}

    def changed(part: Any) -> Any:
        if part not in done:
            done[part] = _changed(part, name, value, kind, changed)
        return done[part]

    if model._network is not None:
        new = changed(model._network)
        found = new is not model._network
        model._network = new
        vars(model).pop("_chain", None)  # a Sequential makes it from the network
    else:
        chain = vars(model)["_chain"]
        new = [changed(part) if isinstance(part, Layer) else part for part in chain]
        found = any(a is not b for a, b in zip(chain, new, strict=True))
        vars(model)["_chain"] = new
    if not found:
        raise ConfigurationError(f"{needs}, and the model has none.")
    model._forget_training()


def _changed(part: Any, name: str, value: Any, kind: type[Layer], changed: Callable[[Any], Any]) -> Any:
    if isinstance(part, Network):
        calls = {node.call: changed(node.call) for node in part.order if isinstance(node.call, Layer)}
        same = all(old is new for old, new in calls.items())
        return part if same else part.rebuilt(lambda node: calls.get(node.call, node.call))
    if not isinstance(part, Configured) or not isinstance(part, kind) or not hasattr(part, name):
        return part
    new = part.clone(**{name: value})
    if part.cell.specs is not None:
        new.cell.specs = new.build(part.cell.shape)  # they hold the regularizers
        new.cell.put(part.cell.arrays)
    return new
