"""Optimisation: the travelling salesman's tour through 10 and through 30 cities.

Cities are random points of a square. The shortest tour of ten is computed exactly (Held and Karp, by dynamic
programming); for thirty the best known is the shortest of 2,000 random tours improved until no exchange of two edges
helps. A tour is measured by how much longer it is, as the mean over five sets of cities:

* a self-organizing map whose units are a ring, an elastic band that stretches towards the cities;
* Hopfield and Tank's network of n² units, the classical one, the best of 20 starts;
* simulated annealing, 8 chains that turn parts of the tour around.
"""

import numpy as np

from neuroloom import plots
from neuroloom.networks import HopfieldTank, SelfOrganizingMap, simulated_annealing
from neuroloom.networks.boltzmann.annealing import tour_lengths


def cities(n, seed):
    return np.random.default_rng(seed).uniform(0, 1, (n, 2))


def distances(x):
    return np.sqrt(((x[:, None] - x) ** 2).sum(axis=2))


def length(x, tour):
    """Of the closed tour."""
    return float(np.sqrt(((x[tour] - x[np.roll(tour, -1)]) ** 2).sum(axis=1)).sum())


def optimum(x):
    """The length of the shortest tour: best[s, j] is the shortest way from city 0 through the set s to j."""
    d, n = distances(x), len(x) - 1
    best = np.full((1 << n, n), np.inf)
    best[1 << np.arange(n), np.arange(n)] = d[0, 1:]
    for s in range(1, 1 << n):
        for j in range(n):
            if not s >> j & 1:
                continue
            before = best[s ^ (1 << j)] + d[1:, j + 1]
            best[s, j] = min(best[s, j], before.min())
    return float((best[-1] + d[1:, 0]).min())


def improved(d, tour):
    """The tour after all exchanges of two edges that make it shorter, the best one first (2-opt)."""
    n = len(tour)
    i, j = np.triu_indices(n, 2)
    while True:
        here, there = tour, np.roll(tour, -1)
        gain = d[here[i], there[i]] + d[here[j], there[j]] - d[here[i], here[j]] - d[there[i], there[j]]
        best = gain.argmax()
        if gain[best] < 1e-12:
            return tour
        tour = tour.copy()
        tour[i[best] + 1 : j[best] + 1] = tour[i[best] + 1 : j[best] + 1][::-1]


def best_known(x, restarts=2000):
    """The length of the shortest of many tours that no exchange of two edges improves."""
    rng, d = np.random.default_rng(0), distances(x)
    return min(length(x, improved(d, rng.permutation(len(x)))) for _ in range(restarts))


def ring(x, seed=0):
    """A ring of three units per city, and the cities in the order in which they lie on it."""
    som = SelfOrganizingMap(shape=(3 * len(x),), toroidal=True, training="online", epochs=200, random_state=seed)
    radius = (3 * len(x) / 8, 0.3)
    som.set_params(init="random", learning_rate=(0.8, 0.5), radius=radius, decay="exponential").fit(x)
    return np.argsort(som.predict(x), kind="stable")


def hopfield_tank(x, seed=0):
    return HopfieldTank(random_state=seed).fit(x).tour_


def annealing(x, seed=0):
    rng = np.random.default_rng(seed)
    start = np.stack([rng.permutation(len(x)) for _ in range(8)])
    found = simulated_annealing(
        tour_lengths, start, distances(x), moves="reverse", hot=1.0, cold=0.005, steps=20_000, random_state=seed
    )
    return found.state


WAYS = {"ring of a self-organizing map": ring, "Hopfield and Tank": hopfield_tank, "simulated annealing": annealing}


def main(sets=5, restarts=2000):
    results, tours = {}, {}
    for n, reference in ((10, optimum), (30, lambda x: best_known(x, restarts))):
        places = [cities(n, seed) for seed in range(sets)]
        known = [reference(x) for x in places]
        for name, way in WAYS.items():
            tours[name] = [way(x) for x in places]
            lengths = np.array([length(x, tour) for x, tour in zip(places, tours[name], strict=True)])
            excess = np.round(lengths / known - 1, 9) + 0.0  # no -0
            results[name, n] = {"mean": excess.mean(), "worst": excess.max()}
            print(
                f"{n} cities, {name}: {excess.mean():.1%} longer than the shortest known, at worst {excess.max():.1%}"
            )
    return results, [plots.tours(places[0], [found[0] for found in tours.values()], list(tours))]


if __name__ == "__main__":
    main()
