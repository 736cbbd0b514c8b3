"""Textbook networks as one would write them down in NumPy: what `textbook` measures neuroloom beside.

Each function takes the data and returns a call without arguments. scikit-learn's networks are peers where it has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

Act = Callable[[], object]


def rows(n: int, features: int, seed: int = 0) -> np.ndarray:
    """Normal numbers, (n, features), float32."""
    return np.random.default_rng(seed).normal(size=(n, features)).astype(np.float32)


def patterns(n: int) -> tuple[np.ndarray]:
    """Random patterns of -1 and 1, of 1,000 units."""
    return (np.random.default_rng(0).choice([-1.0, 1.0], (n, 1000)),)


def points(n: int) -> tuple[np.ndarray]:
    """Normal points of the plane."""
    return (rows(n, 2),)


def wave(x: np.ndarray) -> np.ndarray:
    """A smooth target."""
    return np.sin(x[:, 0]) + x[:, 1] ** 2


# ------------------------------------------------------------------------------------------------- radial units


def orthogonal_least_squares(X: np.ndarray, y: np.ndarray, n: int, width: float) -> np.ndarray:
    """Chen's selection: lengths and products of all candidates are brought up to date, not the candidates."""
    x = X.astype(np.float64)
    apart = (x**2).sum(1)[:, None] - 2 * x @ x.T + (x**2).sum(1)
    phi = np.exp(-apart / (2 * width**2))
    given = phi
    phi, error = phi - phi.mean(0), y - y.mean()
    left, q, chosen = (phi**2).sum(0), np.zeros((0, len(x))), []
    alive = left > 1e-10 * left.max()
    for _ in range(n):
        gain = np.where(alive, (error @ phi) ** 2 / np.where(alive, left, 1), -1)
        best = int(gain.argmax())
        new = phi[:, best] - q.T @ (q @ phi[:, best])
        new /= np.linalg.norm(new)
        error = error - new * (new @ error)
        left = left - (new @ phi) ** 2
        alive &= left > 1e-10 * len(x)
        q = np.vstack([q, new])
        chosen.append(best)
    design = np.hstack([given[:, chosen], np.ones((len(x), 1))])
    return np.linalg.lstsq(design, y)[0]


# ------------------------------------------------------------------------------------------- adaptive resonance


def art1(X: np.ndarray, vigilance: float, choice: float, passes: int) -> np.ndarray:
    """A row looks for the category of largest choice among those that match."""
    x = (X > 0).astype(np.float64)
    w, count = np.zeros((len(x), x.shape[1])), 0
    for _ in range(passes):
        before = w[:count].copy()
        for row in x:
            shared = w[:count] @ row
            fits = shared >= vigilance * row.sum() - 1e-13
            if fits.any():
                j = np.where(fits, shared / (choice + w[:count].sum(1)), -1).argmax()
                w[j] = np.minimum(w[j], row)
            else:
                w[count] = row
                count += 1
        if len(before) == count and (before == w[:count]).all():
            break
    return w[:count]


# -------------------------------------------------------------------------------------------- growing neural gas


def growing_gas(X: np.ndarray, units: int, every: int, epochs: int) -> np.ndarray:
    """Fritzke's algorithm with the ages of edges in a matrix, of which each input reads and writes one row."""
    rng, d = np.random.default_rng(0), X.shape[1]
    w, error = np.zeros((units, d)), np.zeros(units)
    age, alive, seen = np.full((units, units), -1.0), np.zeros(units, bool), 0
    w[:2], alive[:2] = X[:2], True
    for _ in range(epochs):
        for i in rng.permutation(len(X)):
            x = X[i]
            apart = np.where(alive, ((x - w) ** 2).sum(1), np.inf)
            s = apart.argmin()
            error[s] += apart[s]
            apart[s] = np.inf
            u = apart.argmin()
            near = np.flatnonzero(age[s] >= 0)
            age[s, near] += 1
            age[near, s] += 1
            w[s] += 0.2 * (x - w[s])
            w[near] += 0.006 * (x - w[near])
            age[s, u] = age[u, s] = 0
            old = near[age[s, near] > 50]
            if len(old):
                age[s, old] = age[old, s] = -1
                alive[old] &= (age[old] >= 0).any(1)
            seen += 1
            if seen % every == 0 and not alive.all():
                q = np.where(alive, error, -1).argmax()
                f = np.where(age[q] >= 0, error, -1).argmax()
                r = alive.argmin()
                w[r], alive[r] = (w[q] + w[f]) / 2, True
                age[q, f] = age[f, q] = -1
                age[q, r] = age[r, q] = age[f, r] = age[r, f] = 0
                error[[q, f]] *= 0.5
                error[r] = error[q]
            error *= 0.995
    return w[alive]


# ------------------------------------------------------------------------------------------------------ Hopfield


def hebb(X: np.ndarray) -> np.ndarray:
    """Sums of products, without self-connections."""
    w = X.T @ X / X.shape[1]
    np.fill_diagonal(w, 0)
    return w


def pseudo_inverse(X: np.ndarray) -> np.ndarray:
    """The projection onto the patterns."""
    w = np.linalg.pinv(X) @ X
    np.fill_diagonal(w, 0)
    return w


def storkey(X: np.ndarray) -> np.ndarray:
    """Pattern by pattern, with the local fields of all pairs of units."""
    n = X.shape[1]
    w = np.zeros((n, n))
    for s in X:
        field = (w @ s)[:, None] - w * s
        w += (np.outer(s, s) - s[:, None] * field.T - field * s) / n
        np.fill_diagonal(w, 0)
    return w


# ----------------------------------------------------------------------------------------- reservoirs, random layers


def echo_state(u: np.ndarray, y: np.ndarray, units: int, washout: int, alpha: float) -> np.ndarray:
    """A reservoir driven step by step, and its linear layer by the normal equations."""
    rng = np.random.default_rng(0)
    w_in, bias = rng.uniform(-1, 1, (units, u.shape[1])), rng.uniform(-0.1, 0.1, units)
    w = rng.normal(size=(units, units)) * (rng.random((units, units)) < 0.1)
    w *= 0.9 / abs(np.linalg.eigvals(w)).max()
    states, x = np.zeros((len(u), units)), np.zeros(units)
    for t, now in enumerate(u):
        x = np.tanh(w_in @ now + w @ x + bias)
        states[t] = x
    return normal_equations(np.hstack([states, u])[washout:], y[washout:], alpha)


def extreme_learning(X: np.ndarray, y: np.ndarray, hidden: int, alpha: float) -> np.ndarray:
    """A random layer, and the linear one by the normal equations."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(X.shape[1], hidden)) / np.sqrt(X.shape[1])
    return normal_equations(np.tanh(X @ a + rng.uniform(-1, 1, hidden)), y, alpha)


def normal_equations(rows: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """The ridge regression's weights, centred."""
    centred, targets = rows - rows.mean(0), y - y.mean(0)
    return np.linalg.solve(centred.T @ centred + alpha * np.eye(rows.shape[1]), centred.T @ targets)


# -------------------------------------------------------------------------------------------- Levenberg-Marquardt


def levenberg_marquardt(X: np.ndarray, y: np.ndarray, hidden: int, epochs: int, block: int = 1000) -> np.ndarray:
    """2-layer network with the Jacobian from backpropagation, a block of rows at a time."""
    rng, d, n = np.random.default_rng(0), X.shape[1], len(X)
    w = rng.normal(size=(d + 2) * hidden + 1) * 0.5

    def parts(w: np.ndarray) -> Any:
        a, rest = w[: d * hidden].reshape(d, hidden), w[d * hidden :]
        return a, rest[:hidden], rest[hidden : 2 * hidden], rest[-1]

    def error(w: np.ndarray) -> float:
        a, b, v, c = parts(w)
        return float(np.mean((np.tanh(X @ a + b) @ v + c - y) ** 2))

    f, damping = error(w), 0.001
    for _ in range(epochs):
        a, b, v, c = parts(w)
        h, g = np.zeros((len(w), len(w))), np.zeros(len(w))
        for i in range(0, n, block):
            x = X[i : i + block]
            z = np.tanh(x @ a + b)
            delta = (1 - z**2) * v
            j = np.hstack([(x[:, :, None] * delta[:, None, :]).reshape(len(x), -1), delta, z, np.ones((len(x), 1))])
            h += j.T @ j
            g += j.T @ (z @ v + c - y[i : i + block])
        for _ in range(20):
            new = w - np.linalg.solve(2 / n * h + damping * np.eye(len(w)), 2 / n * g)
            if (now := error(new)) < f:
                w, f, damping = new, now, damping / 10
                break
            damping *= 10
    return w


# --------------------------------------------------------------------------------------------------- both sides


def network(name: str, make: Callable[[], tuple[Any, ...]], **arguments: Any) -> Act:
    """A fit of one of neuroloom's networks."""
    from neuroloom import networks

    given = make()
    return lambda: getattr(networks, name)(random_state=0, **arguments).fit(*given)


def of_scikit_learn(name: str, make: Callable[[], tuple[Any, ...]], **arguments: Any) -> Act:
    """A fit of one of scikit-learn's linear models."""
    from sklearn import linear_model

    given = make()
    return lambda: getattr(linear_model, name)(random_state=0, **arguments).fit(*given)


def smooth(n: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and a smooth target."""
    x = rows(n, features)
    return x, wave(x)


def noisy_labels(n: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and labels that no plane separates."""
    x = rows(n, features)
    return x, (x[:, 0] + rows(n, 1, 1)[:, 0] * 0.5 > 0).astype(int)


def bits(n: int, features: int) -> tuple[np.ndarray]:
    """Patterns of 0 and 1 around 40 of them."""
    rng = np.random.default_rng(0)
    kinds = rng.random((40, features)) < 0.4
    return ((kinds[rng.integers(0, 40, n)] ^ (rng.random((n, features)) < 0.05)).astype(float),)


def series() -> np.ndarray:
    """A long series of one number."""
    t = np.arange(5001)
    return (np.sin(t / 7) + 0.5 * np.sin(t / 3.1))[:, None]


def by_hand(act: Callable[..., Any], make: Callable[[], tuple[Any, ...]], *settings: Any) -> Act:
    """One of the functions above, with its data."""
    return partial(act, *make(), *settings)


def next_numbers() -> tuple[np.ndarray, np.ndarray]:
    u = series()
    return u[:-1], u[1:]


def one_sequence() -> tuple[np.ndarray, np.ndarray]:
    u, y = next_numbers()
    return u[None], y[None]


@dataclass(frozen=True)
class Pair:
    """A network's fit, and what another or a plain program does for the same."""

    title: str
    ours: Callable[[], Act]
    peer: Callable[[], Act]
    name: str = "NumPy by hand"


def pair(
    title: str, make: Callable[[], tuple[Any, ...]], act: Callable[..., Any], settings: Any, name: str, **arguments: Any
) -> Pair:
    """A network beside a function above, on the same rows."""
    return Pair(title, partial(network, name, make, **arguments), partial(by_hand, act, make, *settings))


def beside_scikit_learn(title: str, name: str, other: str, own: dict[str, Any], given: dict[str, Any]) -> Pair:
    """A single layer beside scikit-learn's, 20 passes over 10,000 rows of 20."""
    make = partial(noisy_labels, 10_000, 20)
    theirs = partial(of_scikit_learn, other, make, max_iter=20, tol=None, **given)
    return Pair(title, partial(network, name, make, max_iter=20, **own), theirs, "scikit-learn")


LMS = {"loss": "squared_error", "alpha": 0, "learning_rate": "constant", "eta0": 0.01}

PAIRS: dict[str, Pair] = {
    "rbf-ols": pair(
        "50 of 2,000 centres by orthogonal least squares", partial(smooth, 2000, 4), orthogonal_least_squares,
        (50, 1.0), "RBFRegressor", centers="ols", n_centers=50, width=1.0,
    ),
    "art1": pair(
        "ART 1, 2,000 patterns of 64", partial(bits, 2000, 64), art1, (0.7, 1.0, 20), "ART1", vigilance=0.7
    ),
    **{
        f"gas-{units}": pair(
            f"growing neural gas up to {units} units, 20,000 inputs", partial(points, 10_000), growing_gas,
            (units, every, 2), "GrowingNeuralGas", max_units=units, insert_every=every, epochs=2,
        )
        for units, every in ((50, 100), (500, 20))
    },
    **{
        f"hopfield-{rule}": pair(
            f"{n} patterns of 1,000 units stored, {rule}", partial(patterns, n), act, (), "Hopfield", rule=rule
        )
        for rule, act, n in (("hebb", hebb, 100), ("pseudo-inverse", pseudo_inverse, 100), ("storkey", storkey, 20))
    },
    "perceptron": beside_scikit_learn(
        "perceptron, 20 passes over 10,000 rows of 20", "Perceptron", "Perceptron", {}, {}
    ),
    "adaline": beside_scikit_learn(
        "Adaline, 20 passes over 10,000 rows of 20", "Adaline", "SGDClassifier",
        {"tol": 0, "learning_rate": 0.01}, LMS,
    ),
    "echo-state": Pair(
        "echo states, 200 units, 5,000 steps",
        partial(network, "EchoStateRegressor", one_sequence, n_units=200, washout=100),
        partial(by_hand, echo_state, next_numbers, 200, 100, 1e-6),
    ),
    "extreme-learning": pair(
        "extreme learning, 200 units, 10,000 rows of 20", partial(smooth, 10_000, 20), extreme_learning, (200, 1e-3),
        "ELMRegressor", n_hidden=200,
    ),
    "levenberg-marquardt": pair(
        "4-20-1, 5,000 rows, 10 epochs of lm", partial(smooth, 5000, 4), levenberg_marquardt, (20, 10),
        "MultilayerPerceptronRegressor", hidden=(20,), algorithm="lm", epochs=10,
    ),
}  # fmt: skip
