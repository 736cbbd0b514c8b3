"""Associative memory: 26 letters from half of them, or from noise.

Each of the 26 capital letters, bitmaps of 8 x 8 pixels, is stored. Then the memory is given the letter with its lower
half erased, or with pixels turned over (100 times each), and a letter counts if all 64 pixels come back. Some letters
have the same upper half, so that nobody can tell them all. 26 letters that are much alike are too many for Hebb's rule
and 64 units. An erased pixel is 0 to the modern network, and paper to the others, which know no third value.
"""

import warnings

import numpy as np
import real

from neuroloom import plots
from neuroloom.networks import ContinuousHopfield, DenseAssociativeMemory, Hopfield, ModernHopfield

SHOWN = slice(0, 26, 2)


def memories():
    return {
        "Hopfield, Hebb": Hopfield(random_state=0),
        "Hopfield, Storkey": Hopfield(rule="storkey", random_state=0),
        "Hopfield, pseudo-inverse": Hopfield(rule="pseudo-inverse", random_state=0),
        "ContinuousHopfield, pseudo-inverse": ContinuousHopfield(rule="pseudo-inverse"),
        "DenseAssociativeMemory, degree 20": DenseAssociativeMemory(degree=20, random_state=0),
        "ModernHopfield": ModernHopfield(beta=1.0),
    }


def damaged(letters, times):
    """Letters with their lower half erased, and with 10 % and 20 % of their pixels turned over."""
    rng = np.random.default_rng(0)
    half = letters.copy()
    half[:, 32:] = 0
    many = np.repeat(letters, times, axis=0)
    noisy = {f"{share:.0%} turned over": many * np.where(rng.random(many.shape) < share, -1, 1) for share in (0.1, 0.2)}
    return {"lower half erased": half} | noisy


def main(times=100):
    _, bitmaps = real.letters()
    letters = 2 * bitmaps - 1
    given, results, found = damaged(letters, times), {}, {}
    _, copies = np.unique(letters[:, :32], axis=0, return_counts=True)
    results["possible"] = len(copies) / 26
    print(f"{(copies == 1).sum()} of 26 upper halves are of one letter only; at most {len(copies)} can be told by them")
    for name, memory in memories().items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Hebb's and Storkey's rules say that it is too much
            memory.fit(letters)
        for damage, states in given.items():
            found[damage] = np.sign(memory.transform(states))
            wanted = np.repeat(letters, len(states) // 26, axis=0)
            results[name, damage] = float((found[damage] == wanted).all(axis=1).mean())
        print(f"{name}: " + ", ".join(f"{results[name, d]:.3f} with {d}" for d in given))
    name = "lower half erased"
    parts = (states[SHOWN] for states in (letters, given[name], found[name]))
    figure = plots.recalls(*parts, (8, 8), f"ModernHopfield, {name}")
    return results, [figure]


if __name__ == "__main__":
    main()
