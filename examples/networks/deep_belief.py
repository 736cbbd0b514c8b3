"""Deep belief networks on the digits that scikit-learn brings along."""

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from neuroloom import plots
from neuroloom.networks import DeepBeliefClassifier, DeepBeliefNetwork

_LAYERS = [["v₁", "v₂", "…", "v₆₄"], ["h¹₁", "h¹₂", "…"], ["h²₁", "h²₂", "…"]]
_PAIRS = [
    *((h, v) for h in ("h¹₁", "h¹₂") for v in ("v₁", "v₂", "v₆₄")),
    *((a, b) for h in ("h¹₁", "h¹₂") for g in ("h²₁", "h²₂") for a, b in ((h, g), (g, h))),
]


def deep_belief_network():
    """Digits that it dreams after learning two layers, without labels."""
    X, _ = load_digits(return_X_y=True)
    X = X / 16
    net = DeepBeliefNetwork(layers=(150, 80), epochs=40, random_state=0).fit(X[:1500])
    error = ((net.reconstruct(X[1500:]) - X[1500:]) ** 2).mean()
    plain = ((X[:1500].mean(axis=0) - X[1500:]) ** 2).mean()
    print(f"mean squared error on digits never seen: {error:.3f} through both layers, {plain:.3f} of the mean digit")
    dreams = net.sample(40, steps=2000).reshape(-1, 8, 8)
    return plots.unit_diagram(_LAYERS, _PAIRS), plots.images(1 - dreams, columns=10)


def deep_belief_classifier():
    """Two layers learned without labels and then fine-tuned with labels."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.3, random_state=0)
    net = DeepBeliefClassifier(layers=(200, 100), epochs=30, random_state=0).fit(X, y)
    linear = LogisticRegression(C=1.0, max_iter=1000).fit(X, y)
    print(
        f"right on test digits: {net.score(X_test, y_test):.3f}, logistic regression {linear.score(X_test, y_test):.3f}"
    )
    diagram = plots.unit_diagram([*_LAYERS, ["0", "1", "…", "9"]])
    return diagram, plots.receptive_fields(net.rbms_[0].components_[:100], (8, 8), "100 units of the first layer")
