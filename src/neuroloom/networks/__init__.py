"""Textbook networks as scikit-learn estimators. Each name is loaded at its first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from neuroloom.errors import nearest

if TYPE_CHECKING:
    from neuroloom.networks.annealing import simulated_annealing, tour_lengths
    from neuroloom.networks.art import ART1, ART2A, FuzzyART
    from neuroloom.networks.art_map import ARTMAP
    from neuroloom.networks.bam import BAM
    from neuroloom.networks.base import Network
    from neuroloom.networks.boltzmann import BoltzmannMachine
    from neuroloom.networks.bsb import BrainStateInABox
    from neuroloom.networks.cascade import CascadeCorrelationClassifier, CascadeCorrelationRegressor
    from neuroloom.networks.cellular import CellularNetwork
    from neuroloom.networks.cmac import CMAC
    from neuroloom.networks.competitive import CompetitiveLayer
    from neuroloom.networks.connected import ConnectedNetwork
    from neuroloom.networks.deep_belief import DeepBeliefClassifier, DeepBeliefNetwork
    from neuroloom.networks.deep_boltzmann import DeepBoltzmannMachine
    from neuroloom.networks.dense_memory import DenseAssociativeMemory, ModernHopfield
    from neuroloom.networks.echo import EchoStateRegressor
    from neuroloom.networks.elm import ELMClassifier, ELMRegressor
    from neuroloom.networks.gas import NeuralGas
    from neuroloom.networks.gas_growing import GrowingNeuralGas
    from neuroloom.networks.glvq import GLVQ, GMLVQ, GRLVQ, RSLVQ
    from neuroloom.networks.hamming import HammingNetwork
    from neuroloom.networks.hebbian import Hebb, Instar, Oja, Outstar, Sanger
    from neuroloom.networks.hopfield import ContinuousHopfield, Hopfield
    from neuroloom.networks.hopfield_tank import HopfieldTank
    from neuroloom.networks.hopfield_thresholds import ThresholdHopfield
    from neuroloom.networks.kernel import GRNN, PNN
    from neuroloom.networks.lvq import LVQ
    from neuroloom.networks.memory import HammingMemory
    from neuroloom.networks.mlp import MultilayerPerceptronClassifier, MultilayerPerceptronRegressor
    from neuroloom.networks.perceptron import Perceptron
    from neuroloom.networks.radial import RBFClassifier, RBFRegressor
    from neuroloom.networks.rbm import BernoulliRBM, GaussianRBM
    from neuroloom.networks.recurrent import ElmanClassifier, ElmanRegressor, JordanClassifier, JordanRegressor
    from neuroloom.networks.saving import load
    from neuroloom.networks.som import SelfOrganizingMap
    from neuroloom.networks.threshold import Adaline, DeltaRule, McCullochPitts

_FAMILIES = {
    "base": ["Network"],
    "saving": ["load"],
    "threshold": ["McCullochPitts", "Adaline", "DeltaRule"],
    "perceptron": ["Perceptron"],
    "hebbian": ["Hebb", "Oja", "Sanger", "Instar", "Outstar"],
    "hopfield": ["Hopfield", "ContinuousHopfield"],
    "hopfield_thresholds": ["ThresholdHopfield"],
    "bam": ["BAM"],
    "memory": ["HammingMemory"],
    "bsb": ["BrainStateInABox"],
    "cellular": ["CellularNetwork"],
    "connected": ["ConnectedNetwork"],
    "dense_memory": ["DenseAssociativeMemory", "ModernHopfield"],
    "kernel": ["GRNN", "PNN"],
    "radial": ["RBFRegressor", "RBFClassifier"],
    "cmac": ["CMAC"],
    "elm": ["ELMRegressor", "ELMClassifier"],
    "competitive": ["CompetitiveLayer"],
    "som": ["SelfOrganizingMap"],
    "gas": ["NeuralGas"],
    "gas_growing": ["GrowingNeuralGas"],
    "hamming": ["HammingNetwork"],
    "lvq": ["LVQ"],
    "echo": ["EchoStateRegressor"],
    "recurrent": ["ElmanRegressor", "ElmanClassifier", "JordanRegressor", "JordanClassifier"],
    "rbm": ["BernoulliRBM", "GaussianRBM"],
    "boltzmann": ["BoltzmannMachine"],
    "deep_belief": ["DeepBeliefNetwork", "DeepBeliefClassifier"],
    "deep_boltzmann": ["DeepBoltzmannMachine"],
    "annealing": ["simulated_annealing", "tour_lengths"],
    "hopfield_tank": ["HopfieldTank"],
    "glvq": ["GLVQ", "GRLVQ", "GMLVQ", "RSLVQ"],
    "art": ["ART1", "FuzzyART", "ART2A"],
    "art_map": ["ARTMAP"],
    "mlp": ["MultilayerPerceptronClassifier", "MultilayerPerceptronRegressor"],
    "cascade": ["CascadeCorrelationClassifier", "CascadeCorrelationRegressor"],
}
"""module -> the public names in it. Files find classes in this list."""

_MODULE_OF = {name: module for module, names in _FAMILIES.items() for name in names}

__all__ = [*_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"neuroloom.networks.{_MODULE_OF[name]}"), name)
    if name in _FAMILIES:
        return importlib.import_module(f"neuroloom.networks.{name}")
    raise AttributeError(f"module 'neuroloom.networks' has no attribute {name!r}. {nearest(name, _MODULE_OF)}")


def __dir__() -> list[str]:
    return sorted(__all__)
