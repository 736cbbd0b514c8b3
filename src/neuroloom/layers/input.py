"""The start of a functional model."""

from __future__ import annotations

from neuroloom.calls import friendly
from neuroloom.errors import ConfigurationError
from neuroloom.ops.graph import Node


@friendly
def Input(shape: tuple[int | None, ...] | int, dtype: str = "float32", name: str | None = None) -> Node:
    """A symbolic input, the start of a functional model.

    Args:
        shape: of one sample, without the batch; None where a length is free.
        dtype: what arrays are converted to.
        name: for models that take a dict of inputs.

    >>> import neuroloom as nl
    >>> nl.layers.Input((28, 28, 1))
    <Node Input float32[?, 28, 28, 1]>
    """
    if isinstance(shape, bool) or not isinstance(shape, int | tuple | list):
        raise ConfigurationError(f"Input expected the shape of one sample, such as Input((8,)), received {shape!r}.")
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(n is not None and (not isinstance(n, int) or n < 1) for n in lengths):
        raise ConfigurationError(f"Input expected a shape of positive whole numbers or None, received {shape!r}.")
    return Node(None, shape=(None, *lengths), dtype=dtype, name=name)
