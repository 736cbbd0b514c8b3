"""The PyTorch engine: `engine.py` is the protocol, the other files are its kernels and how steps are recorded."""

from neuroloom.engines.torch.engine import ENGINE, TorchEngine

__all__ = ["ENGINE", "TorchEngine"]
