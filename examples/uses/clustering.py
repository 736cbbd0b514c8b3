"""Clustering: the eruptions of Old Faithful, and wines from three growers.

Old Faithful's 272 eruptions are short or long; nobody has labelled them, so the groups of a competitive layer are
compared with those of k-means. The 178 wines have 13 measurements and three growers, which the networks are not told:
the adjusted Rand index compares their groups with the growers, and is 1 for the same groups, 0 for random ones.
"""

import numpy as np
import real
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from neuroloom import plots
from neuroloom.networks import CompetitiveLayer, NeuralGas, SelfOrganizingMap


def old_faithful():
    """How alike the groups of a competitive layer and of k-means are, and a picture of them."""
    x = np.loadtxt(real.file("old-faithful", "faithful.csv"), delimiter=",", skiprows=1)
    scaler = StandardScaler().fit(x)
    net = CompetitiveLayer(n_units=2, random_state=0).fit(scaler.transform(x))
    found = net.predict(scaler.transform(x))
    alike = adjusted_rand_score(KMeans(2, n_init=10, random_state=0).fit_predict(scaler.transform(x)), found)
    margin = 0.06 * np.ptp(x, axis=0)
    axes = np.linspace(x.min(axis=0) - margin, x.max(axis=0) + margin, 400).T
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    kinds = np.array(["short", "long"] if net.weights_[0, 0] < net.weights_[1, 0] else ["long", "short"])
    regions = kinds[net.predict(scaler.transform(grid))].reshape(400, 400)
    names = ("eruption, minutes", "waiting for the next, minutes")
    return alike, plots.decision_regions(x, kinds[found], (*axes, regions), names, "Two units of a competitive layer")


def wine():
    """The adjusted Rand index of each way to find three groups of wines."""
    data = load_wine()
    x = StandardScaler().fit_transform(data.data)
    som = SelfOrganizingMap(shape=(8, 8), random_state=0).fit(x)
    groups = {
        "three units of neural gas": NeuralGas(n_units=3, random_state=0).fit(x).predict(x),
        "a map of 8 x 8 units, its units grouped": som.cluster(3).ravel()[som.predict(x)],
        "k-means": KMeans(3, n_init=10, random_state=0).fit_predict(x),
    }
    return {name: adjusted_rand_score(data.target, found) for name, found in groups.items()}


def main():
    alike, figure = old_faithful()
    print(f"Old Faithful: adjusted Rand index of the layer's groups and of k-means's {alike:.3f}")
    results = wine()
    for name, index in results.items():
        print(f"wine, {name}: adjusted Rand index with the growers {index:.3f}")
    return {"old faithful": alike} | results, [figure]


if __name__ == "__main__":
    main()
