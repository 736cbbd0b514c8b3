"""Textbook networks as scikit-learn estimators. Each name is loaded at its first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from neuroloom.errors import nearest

if TYPE_CHECKING:
    from neuroloom.networks.base import Network
    from neuroloom.networks.boltzmann.annealing import simulated_annealing, tour_lengths
    from neuroloom.networks.boltzmann.deep_belief import DeepBeliefClassifier, DeepBeliefNetwork
    from neuroloom.networks.boltzmann.deep_boltzmann import DeepBoltzmannMachine
    from neuroloom.networks.boltzmann.machine import BoltzmannMachine
    from neuroloom.networks.boltzmann.rbm import BernoulliRBM, GaussianRBM
    from neuroloom.networks.competitive.gas import NeuralGas
    from neuroloom.networks.competitive.gas_growing import GrowingNeuralGas
    from neuroloom.networks.competitive.glvq import GLVQ, GMLVQ, GRLVQ, RSLVQ
    from neuroloom.networks.competitive.hamming import HammingNetwork
    from neuroloom.networks.competitive.layer import CompetitiveLayer
    from neuroloom.networks.competitive.lvq import LVQ
    from neuroloom.networks.competitive.som import SelfOrganizingMap
    from neuroloom.networks.linear.hebbian import Hebb, Instar, Oja, Outstar, Sanger
    from neuroloom.networks.linear.perceptron import Perceptron
    from neuroloom.networks.linear.threshold import Adaline, DeltaRule, McCullochPitts
    from neuroloom.networks.memory.bam import BAM
    from neuroloom.networks.memory.bsb import BrainStateInABox
    from neuroloom.networks.memory.cellular import CellularNetwork
    from neuroloom.networks.memory.dense_memory import DenseAssociativeMemory, ModernHopfield
    from neuroloom.networks.memory.hamming_memory import HammingMemory
    from neuroloom.networks.memory.hopfield import ContinuousHopfield, Hopfield
    from neuroloom.networks.memory.hopfield_tank import HopfieldTank
    from neuroloom.networks.memory.hopfield_thresholds import ThresholdHopfield
    from neuroloom.networks.multilayer.cascade import CascadeCorrelationClassifier, CascadeCorrelationRegressor
    from neuroloom.networks.multilayer.connected import ConnectedNetwork
    from neuroloom.networks.multilayer.elm import ELMClassifier, ELMRegressor
    from neuroloom.networks.multilayer.mlp import MultilayerPerceptronClassifier, MultilayerPerceptronRegressor
    from neuroloom.networks.radial.cmac import CMAC
    from neuroloom.networks.radial.kernel import GRNN, PNN
    from neuroloom.networks.radial.rbf import RBFClassifier, RBFRegressor
    from neuroloom.networks.recurrent.echo import EchoStateRegressor
    from neuroloom.networks.recurrent.elman import ElmanClassifier, ElmanRegressor, JordanClassifier, JordanRegressor
    from neuroloom.networks.resonance.art import ART1, ART2A, FuzzyART
    from neuroloom.networks.resonance.art_map import ARTMAP
    from neuroloom.networks.saving import load

_FAMILIES = {
    "base": ["Network"],
    "saving": ["load"],
    "linear.threshold": ["McCullochPitts", "Adaline", "DeltaRule"],
    "linear.perceptron": ["Perceptron"],
    "linear.hebbian": ["Hebb", "Oja", "Sanger", "Instar", "Outstar"],
    "memory.hopfield": ["Hopfield", "ContinuousHopfield"],
    "memory.hopfield_thresholds": ["ThresholdHopfield"],
    "memory.bam": ["BAM"],
    "memory.hamming_memory": ["HammingMemory"],
    "memory.bsb": ["BrainStateInABox"],
    "memory.cellular": ["CellularNetwork"],
    "multilayer.connected": ["ConnectedNetwork"],
    "memory.dense_memory": ["DenseAssociativeMemory", "ModernHopfield"],
    "radial.kernel": ["GRNN", "PNN"],
    "radial.rbf": ["RBFRegressor", "RBFClassifier"],
    "radial.cmac": ["CMAC"],
    "multilayer.elm": ["ELMRegressor", "ELMClassifier"],
    "competitive.layer": ["CompetitiveLayer"],
    "competitive.som": ["SelfOrganizingMap"],
    "competitive.gas": ["NeuralGas"],
    "competitive.gas_growing": ["GrowingNeuralGas"],
    "competitive.hamming": ["HammingNetwork"],
    "competitive.lvq": ["LVQ"],
    "recurrent.echo": ["EchoStateRegressor"],
    "recurrent.elman": ["ElmanRegressor", "ElmanClassifier", "JordanRegressor", "JordanClassifier"],
    "boltzmann.rbm": ["BernoulliRBM", "GaussianRBM"],
    "boltzmann.machine": ["BoltzmannMachine"],
    "boltzmann.deep_belief": ["DeepBeliefNetwork", "DeepBeliefClassifier"],
    "boltzmann.deep_boltzmann": ["DeepBoltzmannMachine"],
    "boltzmann.annealing": ["simulated_annealing", "tour_lengths"],
    "memory.hopfield_tank": ["HopfieldTank"],
    "competitive.glvq": ["GLVQ", "GRLVQ", "GMLVQ", "RSLVQ"],
    "resonance.art": ["ART1", "FuzzyART", "ART2A"],
    "resonance.art_map": ["ARTMAP"],
    "multilayer.mlp": ["MultilayerPerceptronClassifier", "MultilayerPerceptronRegressor"],
    "multilayer.cascade": ["CascadeCorrelationClassifier", "CascadeCorrelationRegressor"],
}
"""module -> the public names in it. Files find classes in this list."""

_MODULE_OF = {name: module for module, names in _FAMILIES.items() for name in names}

__all__ = [*_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"neuroloom.networks.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'neuroloom.networks' has no attribute {name!r}. {nearest(name, _MODULE_OF)}")


def __dir__() -> list[str]:
    return sorted(__all__)
