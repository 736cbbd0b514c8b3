"""Tensor libraries behind one closed protocol."""

from neuroloom.engines.base import Engine, Spec, Windows
from neuroloom.engines.dispatch import current, engine, engines, installed, load, of, resolve, use

__all__ = ["Engine", "Spec", "Windows", "current", "engine", "engines", "installed", "load", "of", "resolve", "use"]
