"""The NumPy engine: `engine.py` is the protocol, `tape.py` and `rules.py` its derivatives."""

from neuroloom.engines.numpy.engine import ENGINE, NumpyEngine

__all__ = ["ENGINE", "NumpyEngine"]
