"""The start of a functional model, with its arguments checked."""

from __future__ import annotations

from neuroloom.calls import friendly
from neuroloom.errors import ConfigurationError
from neuroloom.layers import network
from neuroloom.ops.graph import Node


@friendly
def Input(shape: tuple[int | None, ...] | int, dtype: str = "float32", name: str | None = None) -> Node:
    if isinstance(shape, bool) or not isinstance(shape, int | tuple | list):
        raise ConfigurationError(f"Input expected the shape of one sample, such as Input((8,)), received {shape!r}.")
    return network.Input(shape, dtype, name)


Input.__doc__ = network.Input.__doc__
