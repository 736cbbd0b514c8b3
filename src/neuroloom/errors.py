"""The exceptions of neuroloom, in one voice: what was expected, what was received, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NeuroloomError(Exception):
    """Base of every exception that neuroloom raises on purpose."""


class ConfigurationError(NeuroloomError, ValueError):
    """A layer, loss, optimizer or call was given a value that it cannot have."""


class ShapeError(NeuroloomError, ValueError):
    """An array has a shape that does not fit where it was given."""


class DataError(NeuroloomError, ValueError):
    """Data that cannot be used: ragged rows, labels out of range, NaN, a missing file."""


class UnknownNameError(ConfigurationError, KeyError):
    """A name that no registry knows. The message suggests the nearest one."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0]) if self.args else ""


class GraphError(NeuroloomError, ValueError):
    """An explicit graph or its session cannot do what was asked."""


class EngineError(NeuroloomError, RuntimeError):
    """An engine is missing, or cannot do what was asked of it."""


class NonFiniteError(NeuroloomError, FloatingPointError):
    """Training met a loss or an input that is NaN or infinite."""


class ModelFileError(NeuroloomError, ValueError):
    """A model file is damaged, of another kind, or does not fit.

    Attributes:
        path: the file.
        reason: what is wrong with it.
        hint: what to do.
    """

    def __init__(self, path: object, reason: str, hint: str = "") -> None:
        self.path, self.reason, self.hint = str(path), reason, hint
        super().__init__(f"{self.path}: {reason}" + (f" {hint}" if hint else ""))

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.path, self.reason, self.hint)


MANY = 40
"""From more names than this, `nearest` lists the nearest few."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that suggests the known name closest to `name`, or lists the known ones.

    >>> nearest("sotfmax", ["relu", "softmax"])
    "Did you mean 'softmax'?"
    >>> nearest("xyz", ["relu", "softmax"])
    'Known: relu, softmax.'
    """
    names = sorted(set(known))
    match = difflib.get_close_matches(name, names, n=1, cutoff=0.6) or difflib.get_close_matches(
        name.lower(), names, n=1, cutoff=0.6
    )
    if not match and len(names) > MANY:
        return f"The nearest are {', '.join(difflib.get_close_matches(name, names, n=5, cutoff=0))}."
    return f"Did you mean {match[0]!r}?" if match else f"Known: {', '.join(names)}."
