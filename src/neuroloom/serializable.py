"""Names under which files know classes of a user's own."""

from __future__ import annotations

from typing import Any

from neuroloom import config
from neuroloom.calls import friendly
from neuroloom.errors import ConfigurationError


@friendly
def register_serializable(package: Any = "Custom", name: str | None = None) -> Any:
    """A decorator: files know the class as `package>name`.

    Without it they know a class of a user's own by its name alone, from its definition on; with it two programs may
    have classes of one name. A file is read only where its classes are registered: reading never imports anything.
    Keras has it as `register_keras_serializable`.

    Args:
        package: whose class it is.
        name: by default the class's.

    Raises:
        ConfigurationError: no class of the library's kinds, or a name that another class has.

    >>> import neuroloom as nl
    >>> @register_serializable(package="mine")
    ... class Twice(nl.layers.Layer):
    ...     def call(self, w, x, ctx):
    ...         return 2 * x
    >>> config.object_json(Twice())["class"]
    'mine>Twice'
    """
    if isinstance(package, type):  # @register_serializable, without parentheses
        return _registered(package, "Custom", None)
    return lambda cls: _registered(cls, package, name)


def _registered(cls: Any, package: Any, name: Any) -> Any:
    for what, text in (("package", package), ("name", name or "name")):
        if not isinstance(text, str) or not text or ">" in text:
            raise ConfigurationError(
                f"register_serializable expected {what} to be a text without '>', received {text!r}."
            )
    if not isinstance(cls, type) or not hasattr(cls, "register_as"):
        raise ConfigurationError(
            f"register_serializable expected a subclass of Layer, Model, Learner, Loss, Metric or the like, received "
            f"{cls!r}. A function gets a name with neuroloom.activations.register."
        )
    cls.register_as(f"{package}>{name or cls.__name__}")
    return cls


register_keras_serializable = register_serializable
get_registered_name = config.registered_name
