"""Associative memories at work, on the digits that scikit-learn brings along."""

import itertools

import numpy as np

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import ContinuousHopfield, DenseAssociativeMemory, Hopfield, ModernHopfield

_UNITS = ["s₁", "s₂", "s₃", "s₄", "…", "s₆₄"]
_PAIRS = [pair for pair in itertools.permutations(_UNITS, 2) if "…" not in pair]


def _patterns():
    """One picture of each digit, ink 1 and paper -1, and the same with the right half covered."""
    (x, y), _ = nl.datasets.digits.load_data()
    x = np.stack([x[y == d][0].reshape(64) for d in range(10)])
    stored = np.where(x > 7, 1.0, -1.0)
    half = stored.reshape(10, 8, 8).copy()
    half[:, :, 5:] = -1
    return x / 16, stored, half.reshape(10, 64)


def hopfield():
    """Ten digits in 64 units, more than Hebb's rule can hold; the pseudo-inverse recalls them from their left part."""
    _, stored, half = _patterns()
    net = Hopfield(rule="pseudo-inverse", random_state=0).fit(stored)
    found = net.transform(half)
    print(f"{(found == stored).all(axis=1).sum()} of 10 recalled, capacity {net.capacity_:.0f}")
    print("energies fall:", bool((np.diff(net.trajectory(half)[1], axis=0) <= 1e-6).all()))
    diagram = plots.unit_diagram([_UNITS], _PAIRS)
    return diagram, plots.recalls(stored, half, found, (8, 8), "Hopfield, rule='pseudo-inverse'")


def continuous_hopfield():
    """Graded units flow to the stored digits, and their energy falls all the way."""
    _, stored, half = _patterns()
    net = ContinuousHopfield(rule="pseudo-inverse", gain=8.0).fit(stored)
    states, energies = net.trajectory(0.5 * half, steps=60)
    print(f"{(np.sign(states[-1]) == stored).all(axis=1).sum()} of 10 recalled")
    print("energies fall:", bool((np.diff(energies, axis=0) <= 1e-6).all()))
    return plots.unit_diagram([_UNITS], _PAIRS), plots.energies(energies, "ContinuousHopfield", "step")


def dense_associative_memory():
    """300 digits in 64 units."""
    (x, _), _ = nl.datasets.digits.load_data()
    stored = np.unique(np.where(x[:300].reshape(300, 64) > 7, 1.0, -1.0), axis=0)
    given = stored.copy()
    given[:, np.random.default_rng(0).permutation(64)[:6]] *= -1
    net = DenseAssociativeMemory(degree=30, random_state=0).fit(stored)
    found = net.transform(given)
    print(f"{(found == stored).all(axis=1).sum()} of {len(stored)} recalled with 6 of 64 pixels wrong")
    some = slice(0, 300, 30)
    return plots.unit_diagram([_UNITS], _PAIRS), plots.recalls(
        stored[some], given[some], found[some], (8, 8), "degree 30"
    )


def modern_hopfield():
    """Grey pictures are recalled from their left part in one step of attention."""
    x, _, _ = _patterns()
    stored = x - 0.5
    half = stored.reshape(10, 8, 8).copy()
    half[:, :, 5:] = 0
    net = ModernHopfield(beta=8.0).fit(stored)
    found = net.transform(half.reshape(10, 64))
    print(f"largest difference from the stored pictures: {abs(found - stored).max():.3f}")
    diagram = plots.unit_diagram([["s₁", "s₂", "…", "s₆₄"], ["ξ₁", "ξ₂", "…", "ξ₁₀"]])
    return diagram, plots.recalls(stored, half.reshape(10, 64), found, (8, 8), "ModernHopfield")
