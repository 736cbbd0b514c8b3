"""Calls and names that do not fit, with errors that say what was meant.

`friendly` turns Python's TypeError of a call that does not fit a signature into a ConfigurationError, `public` lets a
module suggest the nearest of its names, `run_own` names the user's function that fails. Where nothing is wrong, they
cost next to nothing.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, TypeVar

from neuroloom.errors import ConfigurationError, NeuroloomError, nearest

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

_OPTIMIZERS = "Give it to the optimizer: compile(optimizers.Adam(learning_rate=0.01), ...)."
_THREAD = "Leave it out: the next batches are prepared while the last ones are trained on."
_ANY_BATCH = "Leave it out: a network takes batches of any size."

ARGUMENTS = {
    "nb_epoch": "Write epochs.",
    "samples_per_epoch": "Write steps_per_epoch, a number of batches.",
    "nb_val_samples": "Write validation_steps, a number of batches.",
    "workers": _THREAD,
    "use_multiprocessing": _THREAD,
    "max_queue_size": _THREAD,
    "learning_rate": _OPTIMIZERS,
    "lr": _OPTIMIZERS,
    "weighted_metrics": "Sample weights count in the loss only; give metrics.",
    "batch_size": _ANY_BATCH,
    "batch_shape": f"Write the shape of one sample. {_ANY_BATCH}",
    "batch_input_shape": "Write input_shape, the shape of one sample.",
    "input_dim": "Write input_shape=(n,).",
    "safe_mode": "Leave it out: nothing in a file is ever executed.",
    "callbacks": "Callbacks hear of trainings; give them to fit.",
}
"""What to do instead of arguments that other versions of Keras have, where there is no argument of that name."""


def unknown_argument(owner: str, name: str, known: Iterable[str]) -> ConfigurationError:
    """The error of an argument that there is not.

    >>> str(unknown_argument("fit", "nb_epoch", ["epochs"])), str(unknown_argument("fit", "epoch", ["epochs"]))
    ("fit has no argument 'nb_epoch'. Write epochs.", "fit has no argument 'epoch'. Did you mean 'epochs'?")
    """
    return ConfigurationError(f"{owner} has no argument {name!r}. {ARGUMENTS.get(name) or nearest(name, known)}")


def friendly(fn: F) -> F:
    """A function whose arguments, where they do not fit its signature, are refused by name.

    >>> @friendly
    ... def double(number): return 2 * number
    >>> double(nmber=3)
    Traceback (most recent call last):
        ...
    neuroloom.errors.ConfigurationError: double has no argument 'nmber'. Did you mean 'number'?
    """

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:  # raised by what fn does
                raise
            raise _unfit(fn, args, kwargs) or error from None

    return call  # type: ignore[return-value]


def friendly_methods(cls: C) -> C:
    """A class whose constructor and public methods are `friendly`."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and (name in ("__init__", "__call__") or not name.startswith("_")):
            setattr(cls, name, friendly(method))
    return cls


def _unfit(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ConfigurationError | None:
    """What is wrong with the arguments of a call; None if they fit."""
    parameters = list(inspect.signature(fn).parameters.values())
    owner = fn.__name__
    if parameters and parameters[0].name == "self":
        owner = type(args[0]).__name__ if owner in ("__init__", "__call__") else owner
        parameters, args = parameters[1:], args[1:]
    places = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = [*places, *(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)]
    given = {*places[: len(args)], *kwargs}
    for name in kwargs:
        if name not in named:
            return unknown_argument(owner, name, named)
        if name in places[: len(args)]:
            return ConfigurationError(f"{owner} received the argument {name!r} twice, by its place and by its name.")
    if len(args) > len(places):
        allowed = f"at most {len(places)} arguments by their places ({', '.join(places)})"
        return ConfigurationError(f"{owner} takes {allowed}, received {len(args)}.")
    needed = (p.name for p in parameters if p.default is p.empty and p.name in named and p.name not in given)
    missing = next(needed, None)
    return missing and ConfigurationError(f"{owner} needs the argument {missing!r}.")  # type: ignore[return-value]


# ---------------------------------------------------------------------------------------------------------- names


class Public(ModuleType):
    """A module that suggests the nearest of its names."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}. {nearest(name, _names(self))}")


def public(name: str) -> None:
    """Make the module of this name a `Public` one."""
    sys.modules[name].__class__ = Public


def _names(module: ModuleType) -> list[str]:
    """The names that a module has for others."""
    package = module.__name__.partition(".")[0]
    own = (n for n, v in vars(module).items() if str(getattr(v, "__module__", "")).startswith(package))
    return list(getattr(module, "__all__", None) or (n for n in own if not n.startswith("_")))


# ----------------------------------------------------------------------------------------------- users' functions


def check_own(kind: str, function: Callable[..., Any], form: str) -> None:
    """Refuse a function that cannot take (y_true, y_pred).

    Args:
        kind: what it is given as: "loss" or "metric".
        form: how such a function can look.
    """
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        raise ConfigurationError(
            f"The {kind} {own_name(function)!r} expected to take two arguments (y_true, y_pred), but takes "
            f"{inspect.signature(function)}. {_example(form)}"
        ) from None
    except ValueError:  # a function of C that has no signature
        return


def run_own(
    kind: str, function: Callable[..., Any], form: str, engine: str, y_true: Any, y_pred: Any, fits: Any
) -> Any:
    """What a user's function returns; where that is nothing of use, or an error, the message names the function.

    Args:
        engine: the name of the engine whose arrays it gets.
        fits: fits(value) says whether the value can be used.
    """
    gets = (
        f"It is called with arrays of {engine}: y_true of shape {tuple(y_true.shape)}, y_pred of shape "
        f"{tuple(y_pred.shape)}. {_example(form)}"
    )
    try:
        value = function(y_true, y_pred)
    except NeuroloomError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {str(error).partition(chr(10))[0].rstrip('.')}"
        raise ConfigurationError(f"The {kind} {own_name(function)!r} failed with {what}. {gets}") from error
    if not fits(value):
        received = (
            "None. Is a return missing?" if value is None else f"a {type(value).__name__}, not an array of {engine}."
        )
        raise ConfigurationError(f"The {kind} {own_name(function)!r} returned {received} {gets}")
    return value


def own_name(function: Any) -> str:
    """How messages name a user's function."""
    return str(getattr(function, "__name__", type(function).__name__))


def _example(form: str) -> str:
    return (
        f"Write it with neuroloom.ops, without NumPy, float() and `if` on values (ops.where chooses):\n"
        f"    def f(y_true, y_pred):\n        return {form}"
    )
