"""Activation functions by name. Their mathematics stands in `neuroloom.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from neuroloom import ops
from neuroloom.calls import public
from neuroloom.config import Check
from neuroloom.errors import ConfigurationError, UnknownNameError, nearest
from neuroloom.ops import (
    elu,
    gelu,
    hard_sigmoid,
    leaky_relu,
    log_softmax,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
)
from neuroloom.typing import Array


def linear(x: Array) -> Array:
    """x."""
    return x


def exponential(x: Array) -> Array:
    """eˣ."""
    return ops.exp(x)


_BY_NAME: dict[str, Callable[..., Any]] = {
    fn.__name__: fn
    for fn in (
        linear,
        relu,
        sigmoid,
        tanh,
        softmax,
        log_softmax,
        softplus,
        softsign,
        elu,
        selu,
        gelu,
        silu,
        leaky_relu,
        hard_sigmoid,
        exponential,
    )
}
_BY_NAME["swish"] = silu


def names() -> list[str]:
    """The names that `get` knows."""
    return sorted(_BY_NAME)


def register(name: str, fn: Callable[[Array], Array]) -> None:
    """Give a function of your own a name, so that layers which use it can be saved.

    A program that loads such a model must register the name as well.

    >>> register("cube", lambda x: x * x * x)
    >>> get("cube")(2.0)
    8.0
    """
    if _BY_NAME.get(name, fn) is not fn and name in _LIBRARY:
        raise ConfigurationError(f"The activation name {name!r} belongs to the library; choose another name.")
    _BY_NAME[name] = fn


_LIBRARY = frozenset(_BY_NAME)


def get(activation: str | Callable[..., Any] | None) -> Callable[..., Any]:
    """The function of a name; a function is returned as it is, None means `linear`.

    >>> get("relu") is relu
    True
    >>> get("sotfmax")
    Traceback (most recent call last):
        ...
    neuroloom.errors.UnknownNameError: Unknown activation 'sotfmax'. Did you mean 'softmax'?
    """
    if activation is None:
        return linear
    if callable(activation):
        return activation
    if isinstance(activation, str) and activation in _BY_NAME:
        return _BY_NAME[activation]
    if isinstance(activation, str):
        raise UnknownNameError(f"Unknown activation {activation!r}. {nearest(activation, _BY_NAME)}")
    raise ConfigurationError(f"Expected an activation's name or a function, received {activation!r}.")


class _ActivationCheck(Check):
    """Strings must be known; registered functions become their names, so that configurations can be written."""

    expects = "an activation's name or a function"

    def __call__(self, value: Any) -> Any:
        fn = get(value)
        if isinstance(value, str):
            return value
        return next((name for name, known in _BY_NAME.items() if known is fn), fn)


Activation = Annotated[Any, _ActivationCheck()]
"""A field that holds an activation: its name, a function, or None."""

public(__name__)
