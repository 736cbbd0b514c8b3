"""The JAX engine: `engine.py` is the protocol, the other files are its kernels and what XLA needs to be told."""

from neuroloom.engines.jax.engine import ENGINE, JaxEngine

__all__ = ["ENGINE", "JaxEngine"]
