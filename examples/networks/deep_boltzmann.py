"""A deep Boltzmann machine on the digits that scikit-learn brings along."""

import numpy as np
from sklearn.datasets import load_digits

from neuroloom import plots
from neuroloom.networks import DeepBoltzmannMachine

_LAYERS = [["v₁", "v₂", "…", "v₆₄"], ["h¹₁", "h¹₂", "…"], ["h²₁", "h²₂", "…"]]
_BELOW = [(h, v) for h in ("h¹₁", "h¹₂") for v in ("v₁", "v₂", "v₆₄")]
_ABOVE = [(g, h) for g in ("h²₁", "h²₂") for h in ("h¹₁", "h¹₂")]
_PAIRS = [pair for above, below in [*_BELOW, *_ABOVE] for pair in ((above, below), (below, above))]


def deep_boltzmann_machine():
    """Black and white digits that it dreams, and how probable it finds digits that it has never seen."""
    X = (load_digits().data > 7).astype(float)
    X, X_test = X[:1500], X[1500:]
    net = DeepBoltzmannMachine(layers=(100, 50), random_state=0).fit(X)
    log_z, low, high = net.ais(chains=100, steps=2000)
    print(f"ln p of a test digit, in nats: at least {net.lower_bound(X_test, log_z).mean():.1f}", end=" ")
    print(f"(training {net.lower_bound(X, log_z).mean():.1f}; ln Z {log_z:.2f}, from {low:.2f} to {high:.2f})")
    shallow = DeepBoltzmannMachine(layers=(100,), random_state=0).fit(X)
    one_layer = shallow.lower_bound(X_test, shallow.ais(chains=100, steps=2000)[0]).mean()  # exact for one layer
    p = (X.sum(axis=0) + 1) / (len(X) + 2)
    plain = (X_test * np.log(p) + (1 - X_test) * np.log(1 - p)).sum(axis=1).mean()
    print(f"without the second layer, trained alike: {one_layer:.1f}; independent pixels: {plain:.1f}")
    shown = np.concatenate([X[:10], net.sample(40, steps=2000)]).reshape(-1, 8, 8)
    titles = ["data", *[""] * 9, "dreams", *[""] * 39]
    return plots.unit_diagram(_LAYERS, _PAIRS), plots.images(1 - shown, titles, columns=10)
