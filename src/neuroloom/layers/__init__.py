"""Layers: frozen dataclasses with pure functions."""

from neuroloom.calls import public
from neuroloom.layers.base import Layer, Weight
from neuroloom.layers.convolutional import AveragePooling2D, Conv2D, GlobalAveragePooling2D, MaxPooling2D
from neuroloom.layers.core import (
    Activation,
    Add,
    Average,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Masking,
    Multiply,
    Reshape,
)
from neuroloom.layers.input import Input
from neuroloom.layers.network import Network
from neuroloom.layers.normalization import BatchNormalization
from neuroloom.layers.recurrent import LSTM, SimpleRNN
from neuroloom.layers.run import Context, Run, Weights
from neuroloom.layers.variables import Variable

__all__ = [
    "Layer", "Weight", "Weights", "Context", "Run", "Variable", "Network", "Input",
    "Dense", "Activation", "Dropout", "Flatten", "Reshape", "Embedding", "Masking",
    "Conv2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "BatchNormalization",
    "SimpleRNN", "LSTM", "Add", "Multiply", "Average", "Concatenate",
]  # fmt: skip

public(__name__)
