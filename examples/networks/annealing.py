"""Optimisation: tours through cities by annealing and by Hopfield and Tank's network."""

import itertools

import numpy as np

from neuroloom import plots
from neuroloom.networks import HopfieldTank, simulated_annealing, tour_lengths


def hopfield_tank():
    """Tours through 10 and through 30 random cities, beside those of annealing and random ones."""
    for n in (10, 30):
        cities = np.random.default_rng(n).random((n, 2))
        distances = np.linalg.norm(cities[:, None] - cities, axis=2)
        net = HopfieldTank(random_state=0).fit(cities)
        starts = np.tile(np.arange(n), (8, 1))
        best = simulated_annealing(tour_lengths, starts, distances, moves="reverse", cold=0.005, steps=20_000)
        random = np.stack([np.random.default_rng(i).permutation(n) for i in range(200)])
        print(
            f"{n} cities: annealing {best.energy:.2f}, Hopfield-Tank {net.length_:.2f} (best of 20 starts; median ",
            end="",
        )
        print(
            f"{np.median(net.lengths_):.2f}; {net.valid_.mean():.0%} of the ends were tours without repair), ", end=""
        )
        print(f"random {tour_lengths(random, distances).mean():.2f}")
    titles = [f"HopfieldTank: {net.length_:.2f}", f"simulated_annealing: {best.energy:.2f}"]
    units = [[f"V{city}{place}" for city in "₁₂₃"] for place in "₁₂₃"]
    held_down = [
        (one, other)
        for one, other in itertools.permutations(itertools.chain(*units), 2)
        if one[1] == other[1] or one[2] == other[2]  # the same city, or the same position
    ]
    diagram = plots.unit_diagram(units, [], "One city at each position, and each city once", inhibitory=held_down)
    return diagram, plots.tours(cities, [net.tour_, best.state], titles)
