"""Memories at work on letters: how many come back from damaged pictures."""

import functools
import itertools
import warnings

import numpy as np

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import BAM, BrainStateInABox, HammingMemory, Hopfield, ThresholdHopfield

# A to Z of an IBM VGA font, 8 x 8 pixels: 16 hexadecimal digits a letter, from D. Hepper's font8x8 (public domain).
_FONT = """
3078ccccfccccc00 fc66667c6666fc00 3c66c0c0c0663c00 f86c6666666cf800 fe6268786862fe00 fe6268786860f000 3c66c0c0ce663e00
ccccccfccccccc00 7830303030307800 1e0c0c0ccccc7800 e6666c786c66e600 f06060606266fe00 c6eefefed6c6c600 c6e6f6decec6c600
386cc6c6c66c3800 fc66667c6060f000 78ccccccdc781c00 fc66667c6c66e600 78cce0701ccc7800 fcb4303030307800 ccccccccccccfc00
cccccccccc783000 c6c6c6d6feeec600 c6c66c38386cc600 cccccc7830307800 fec68c183266fe00
"""


def _letters():
    """The 26 letters as rows of 64 pixels: ink 1, paper -1."""
    return np.array([[1.0 if bit == "1" else -1.0 for bit in f"{int(word, 16):064b}"] for word in _FONT.split()])


def _flipped(patterns, share, rng):
    """The patterns with this share of their pixels reversed, others in each row."""
    order = rng.random(patterns.shape).argsort(axis=1)
    return np.where(order < round(share * patterns.shape[1]), -patterns, patterns)


def _erased(patterns, share, rng):
    """The patterns with this share of their pixels made paper, others in each row."""
    order = rng.random(patterns.shape).argsort(axis=1)
    return np.where(order < round(share * patterns.shape[1]), -1.0, patterns)


def _rates(memory, patterns, shares, damage):
    """The rate at which fitted memories recall damaged patterns, over 10 damages of each share."""
    rates = []
    for share in shares:
        rng = np.random.default_rng(0)
        found = memory.transform(np.concatenate([damage(patterns, share, rng) for _ in range(10)]))
        rates.append((np.where(found > 0, 1.0, -1.0) == np.tile(patterns, (10, 1))).all(axis=1).mean())
    return rates


def _quietly(example):
    """The example without the warnings that a memory is beyond its capacity: that is what it shows."""

    @functools.wraps(example)
    def run():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* beyond the capacity of .*")
            return example()

    return run


def _table(shares, rates):
    """Print a line of rates per memory."""
    width = max(map(len, rates))
    print(" " * width, *(f"{share:5.0%}" for share in shares))
    for name, values in rates.items():
        print(f"{name:>{width}}", *(f"{value:5.2f}" for value in values))


@_quietly
def bam():
    """Three letters, the triple that does best, call up their digits, and the digits their letters; ten are too many.

    Then random pairs.
    """
    (x, y), _ = nl.datasets.digits.load_data()
    digits = np.stack([np.where(x[y == d][0].reshape(64) > 7, 1.0, -1.0) for d in range(10)])
    for names in ("HIS", "ABCDEFGHIJ"):
        letters, called = _letters()[[ord(name) - 65 for name in names]], digits[: len(names)]
        memory = BAM().fit(letters, called)
        there = (memory.predict(letters) == called).all(axis=1).sum()
        back = (memory.recall_inputs(called) == letters).all(axis=1).sum()
        print(f"{names}: {there} digits and {back} letters of {len(names)} come back")
    rng, shares = np.random.default_rng(0), np.arange(0, 0.51, 0.05)
    rates = {f"{pairs} pairs": [_random_pairs(pairs, share, rng) for share in shares] for pairs in (4, 8, 12, 16)}
    print("random pairs of 100 and 80 units, the rate at which x calls up y with bits of x flipped:")
    _table(shares, rates)
    layers = [["x₁", "x₂", "…", "x₁₀₀"], ["y₁", "y₂", "…", "y₈₀"]]
    pairs = [(a, b) for a in layers[0] for b in layers[1] if "…" not in (a, b)]
    diagram = plots.unit_diagram(layers, pairs + [(b, a) for a, b in pairs])
    return diagram, plots.recall_rates(shares, rates, "bits of x that are flipped", "BAM of 100 and 80 units")


def _random_pairs(count, share, rng):
    """The mean rate at which flipped x call up their y, over 20 memories."""
    rates = []
    for _ in range(20):
        x, y = (np.where(rng.random((count, units)) < 0.5, -1.0, 1.0) for units in (100, 80))
        rates.append((BAM().fit(x, y).predict(_flipped(x, share, rng)) == y).all(axis=1).mean())
    return np.mean(rates)


@_quietly
def hamming_memory():
    """All 26 letters, from pictures with pixels flipped or erased, beside Hopfield networks of the same letters."""
    letters, shares = _letters(), np.array([0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6])
    memories = {
        f"Hopfield, {rule}": Hopfield(rule=rule, random_state=0) for rule in ("hebb", "storkey", "pseudo-inverse")
    }
    memories["HammingMemory"] = HammingMemory()
    for damage in (_flipped, _erased):
        rates = {name: _rates(memory.fit(letters), letters, shares, damage) for name, memory in memories.items()}
        print(f"rate of letters recalled with pixels {damage.__name__[1:]}:")
        _table(shares, rates)
    diagram = plots.unit_diagram([["x₁", "x₂", "…", "x₆₄"], ["A", "B", "…", "Z"], ["ξ₁", "ξ₂", "…", "ξ₆₄"]])
    return diagram, plots.recall_rates(shares, rates, "pixels that are erased", "26 letters of 64 pixels")


@_quietly
def threshold_hopfield():
    """Units of 0 and 1 need thresholds: at Hopfield's 0 few patterns come back, at those that are learned they do."""
    shares = np.arange(0, 0.46, 0.05)
    random = np.where(np.random.default_rng(1).random((8, 64)) < 0.5, -1.0, 1.0)
    for name, patterns in (("8 random patterns", random), ("the letters A, B, C", _letters()[:3])):
        rates = {}
        for called, thresholds in (("thresholds of 0", 0.0), ("learned thresholds", None)):
            net = ThresholdHopfield(units="binary", thresholds=thresholds, random_state=0).fit(patterns)
            rates[called] = _rates(net, patterns, shares, _flipped)
        print(f"rate of {name} of 64 pixels recalled with pixels flipped:")
        _table(shares, rates)
        if patterns is random:
            figure = plots.recall_rates(shares, rates, "pixels that are flipped", "8 random patterns, units of 0 and 1")
    units = ["s₁", "s₂", "s₃", "s₄"]
    pairs = list(itertools.permutations(units, 2))
    return plots.unit_diagram([["1"], units], [("1", unit) for unit in units] + pairs), figure


def brain_state_in_a_box():
    """Faint letters in noise grow into the corners of the cube where the letters are stored."""
    letters, rng = _letters(), np.random.default_rng(0)
    net = BrainStateInABox(epochs=2000).fit(letters)
    for noise in (0.1, 0.2, 0.3):
        given = 0.3 * letters + noise * rng.normal(size=(10, *letters.shape))
        found = net.transform(given.reshape(-1, 64)).reshape(given.shape)
        print(f"noise of {noise}: {(found == letters).all(axis=2).mean():.2f} of the letters come back")
        if noise == 0.2:
            figure = plots.recalls(letters[:10], given[0, :10], found[0, :10], (8, 8), "Letters of 0.3 in noise of 0.2")
    _, energies = net.trajectory(given[0], steps=200)
    print("energies fall:", bool((np.diff(energies, axis=0) <= 1e-6).all()))
    units = ["x₁", "x₂", "x₃", "x₄"]
    return plots.unit_diagram([units], list(itertools.permutations(units, 2))), figure
