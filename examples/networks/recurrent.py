"""Networks with a memory at work."""

import numpy as np
from sklearn.metrics import confusion_matrix

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import (
    EchoStateRegressor,
    ElmanClassifier,
    ElmanRegressor,
    JordanClassifier,
    JordanRegressor,
)

_CONTEXT = [("h₁(t)", "h₁′"), ("h₂(t)", "h₂′")]


def _narma(n, seed):
    """A tenth-order system: its input, and the output that follows (A. Atiya and A. Parlos, 2000)."""
    u, y = np.random.default_rng(seed).uniform(0, 0.5, n), np.zeros(n)
    for t in range(9, n - 1):
        y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
    return u[None, :-1, None], y[None, 1:, None]


def echo_state_regressor():
    """NARMA-10, the usual test of a reservoir: the output hangs on products of inputs ten steps apart.

    The settings were chosen on another series than the one measured on.
    """
    (u, y), (u_test, y_test) = _narma(2000, seed=1), _narma(3000, seed=2)
    for units in (50, 100, 200):
        net = EchoStateRegressor(
            n_units=units, input_scaling=0.1, bias_scaling=0.2, spectral_radius=0.95, washout=200, alpha=1e-9,
            random_state=0,
        ).fit(u, y)  # fmt: skip
        found = net.predict(u_test)
        error = np.square(found - y_test)[:, 200:].mean() / y_test[:, 200:].var()
        print(f"{units} units: squared error {error:.3f} of the variance")
    diagram = plots.unit_diagram(
        [["u(t)"], ["x₁", "x₂", "…", "xₙ"], ["ŷ(t)"]],
        [("u(t)", "x₁"), ("u(t)", "x₂"), ("u(t)", "xₙ"), ("x₁", "ŷ(t)"), ("x₂", "ŷ(t)"), ("xₙ", "ŷ(t)")],
        delayed=[("x₁", "x₂"), ("x₂", "xₙ"), ("xₙ", "x₁")],
    )  # fmt: skip
    last = slice(-120, None)
    return diagram, plots.series(
        np.arange(120), y_test[0, last, 0], {"200 units": found[0, last, 0]}, "NARMA-10", label="wanted"
    )


def elman_regressor():
    """A delayed echo: the output is to be the input of five steps before, which only the context units can hold."""
    u, u_test = np.random.default_rng(0).uniform(-1, 1, (2, 40, 25, 1))
    delayed, delayed_test = (np.concatenate([0 * v[:, :5], v[:, :-5]], axis=1) for v in (u, u_test))
    net = ElmanRegressor(n_hidden=16, max_iter=1500, random_state=0).fit(u, delayed)
    print(f"R² on new series: {net.score(u_test, delayed_test):.3f}")
    found = net.predict(u_test)[0, :, 0]
    diagram = plots.unit_diagram([["u(t)", "h₁′", "h₂′"], ["h₁(t)", "h₂(t)"], ["ŷ(t)"]], delayed=_CONTEXT)
    return diagram, plots.series(
        np.arange(25), delayed_test[0, :, 0], {"ElmanRegressor": found}, "Five steps before", label="wanted"
    )


def elman_classifier():
    """Handwritten digits read row by row, from the top: eight steps of eight pixels, and the class after the last."""
    (x, y), (x_test, y_test) = nl.datasets.digits.load_data()
    x, x_test = x.reshape(-1, 8, 8) / 16, x_test.reshape(-1, 8, 8) / 16
    net = ElmanClassifier(n_hidden=40, max_iter=400, random_state=0).fit(x, y)
    print(f"accuracy on {len(y_test)} new digits: {net.score(x_test, y_test):.3f}")
    diagram = plots.unit_diagram([["row t", "h₁′", "h₂′"], ["h₁(t)", "h₂(t)"], ["P(0)", "…", "P(9)"]], delayed=_CONTEXT)
    return diagram, plots.confusion_matrix(confusion_matrix(y_test, net.predict(x_test)))


def jordan_regressor():
    """A tank with an outlet: what flows in is known, the level follows, and the network hears its own last level."""
    inflow, inflow_test = np.random.default_rng(0).uniform(0, 0.5, (2, 30, 40, 1))

    def level(flow):
        found = np.zeros_like(flow)
        for t in range(1, flow.shape[1]):
            found[:, t] = np.maximum(found[:, t - 1] + 0.3 * flow[:, t] - 0.12 * np.sqrt(found[:, t - 1]), 0)
        return found

    net = JordanRegressor(n_hidden=12, max_iter=1500, random_state=0).fit(inflow, level(inflow))
    wanted = level(inflow_test)
    print(f"R² on new series: {net.score(inflow_test, wanted):.3f}")
    diagram = plots.unit_diagram([["u(t)", "ŷ′"], ["h₁(t)", "h₂(t)", "h₃(t)"], ["ŷ(t)"]], delayed=[("ŷ(t)", "ŷ′")])
    found = net.predict(inflow_test)[0, :, 0]
    return diagram, plots.series(
        np.arange(40), wanted[0, :, 0], {"JordanRegressor": found}, "Level of the tank", label="wanted"
    )


def jordan_classifier():
    """Whether the ones so far are even or odd: each answer turns over the last one or keeps it.

    It learns from series of 8 bits, and is asked about series of 200.
    """
    rng = np.random.default_rng(0)
    bits, bits_test = rng.integers(0, 2, (60, 8, 1)), rng.integers(0, 2, (20, 200, 1))
    parity, parity_test = (np.cumsum(b[:, :, 0], axis=1) % 2 for b in (bits, bits_test))
    net = JordanClassifier(n_hidden=10, max_iter=500, random_state=0).fit(bits, parity)
    print(f"right answers in series of 200 bits: {net.score(bits_test, parity_test):.4f}")
    layers = [["bit t", "even′", "odd′"], ["h₁(t)", "h₂(t)", "h₃(t)"], ["even", "odd"]]
    diagram = plots.unit_diagram(layers, delayed=[("even", "even′"), ("odd", "odd′")])
    found = net.predict_proba(bits_test)[0, :30, 1]
    return diagram, plots.series(
        np.arange(30), parity_test[0, :30], {"P(odd)": found}, "Parity of the bits so far", label="wanted"
    )
