"""Small helpers under the name that programs written for Keras expect them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from neuroloom.calls import public
from neuroloom.config import set_random_seed
from neuroloom.data.labels import to_categorical
from neuroloom.diagram import boxes_of
from neuroloom.errors import ConfigurationError
from neuroloom.layers import Network
from neuroloom.plots.diagram import Drawing, draw
from neuroloom.serializable import register_keras_serializable, register_serializable

__all__ = ["plot_model", "register_keras_serializable", "register_serializable", "set_random_seed", "to_categorical"]

public(__name__)


def plot_model(model: Any, to_file: str | os.PathLike[str] | None = None, show_shapes: bool = True) -> Drawing:
    """Draw a model: layers, operations and inputs, nested models as scopes that a click collapses.

    Notebooks show the drawing that is returned. Keras draws through Graphviz and writes 'model.png' by default; here
    nothing else needs to be installed, the picture is SVG, and no file is written unless one is named.

    Args:
        model: a Model or Sequential whose input shape is known, or a Network.
        to_file: where to write it, '.svg' or '.html'.
        show_shapes: whether shapes stand beside the edges.

    Raises:
        ConfigurationError: no model, or another kind of file.

    >>> import neuroloom as nl
    >>> plot_model(nl.Sequential([nl.layers.Dense(3, input_shape=(2,))])).title
    'Sequential'
    """
    network = getattr(model, "network", model)
    if not isinstance(network, Network):
        raise ConfigurationError(f"plot_model expected a Model, received {model!r}.")
    boxes = boxes_of(network)
    if not show_shapes:
        boxes = [replace(box, shape=None) for box in boxes]
    drawing = draw(boxes, getattr(model, "name", None) or type(model).__name__)
    if to_file is not None:
        drawing.save(to_file)
    return drawing
