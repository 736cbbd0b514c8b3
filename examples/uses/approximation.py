"""Approximation: a function from noisy measurements of it.

y = sin(2x) exp(-x/4) on [0, 6] is measured at 100 places with noise of standard deviation 0.15. The error is measured
against the function itself, at 1,000 places, and is the mean over 20 sets of measurements. Only GRNN chooses anything
by the data, its width, and it does so from the measurements alone.
"""

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neuroloom import plots
from neuroloom.networks import GRNN, ELMRegressor, RBFRegressor

NOISE = 0.15


def truth(x):
    return np.sin(2 * x) * np.exp(-x / 4)


def networks(seed):
    return {
        "RBFRegressor": RBFRegressor(n_centers=10, random_state=seed),
        "GRNN": GRNN(random_state=seed),
        "ELMRegressor": make_pipeline(StandardScaler(), ELMRegressor(n_hidden=50, random_state=seed)),
    }


def main(sets=20):
    grid, errors = np.linspace(0, 6, 1000), {}
    for seed in range(sets):
        rng = np.random.default_rng(seed)
        x = rng.uniform(0, 6, 100)
        y = truth(x) + rng.normal(0, NOISE, 100)
        curves = {name: net.fit(x[:, None], y).predict(grid[:, None]) for name, net in networks(seed).items()}
        for name, curve in curves.items():
            errors.setdefault(name, []).append(np.sqrt(np.mean((curve - truth(grid)) ** 2)))
    results = {name: float(np.mean(found)) for name, found in errors.items()}
    for name, error in results.items():
        print(f"{name}: error {error:.3f} where the measurements have {NOISE}")
    return results, [plots.approximation(x, y, grid, {"the function": truth(grid)} | curves)]


if __name__ == "__main__":
    main()
