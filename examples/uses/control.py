"""Control: a plant that follows a reference model, and a pole balanced on a cart.

The plant, y(k+1) = y(k) / (1 + y(k)²) + u(k)³, is to follow y*(k+1) = 0.6 y*(k) + sin(2πk/25) + sin(2πk/10); both are
of Narendra and Parthasarathy (IEEE Trans. Neural Networks 1, 1990). A network learns the plant's inverse from 2,000
random controls: which u leads from y(k) to y(k+1). Then it is asked for the u that leads from where the plant is to
where the model will be. The error is measured on the plant, for 400 steps, as a share of the reference's deviation.

The cart and pole are those of Barto, Sutton and Anderson (IEEE Trans. SMC 13, 1983), with Euler's steps of 0.02 s and a
push of 10 N to the left or the right, as in Gym's CartPole-v1: a run ends where the pole leans by more than 12° or the
cart leaves its track of 2.4 m to each side. A network of 4 - 8 - 1 units, tanh in the middle, says where to push. Its
49 weights are found by the cross-entropy method (Rubinstein, 1999): 60 networks are drawn from a Gaussian, and the
twelve that balance longest give the next one. The last mean then balances from 100 starts that were not used, for 500
steps each.
"""

import numpy as np

import neuroloom as nl
from neuroloom import plots
from neuroloom.networks import MultilayerPerceptronRegressor

SHAPES = ((4, 8), (8,), (8, 1), (1,))
STEPS = 500


# ------------------------------------------------------------------------------------------------------ reference model


def plant(y, u):
    return y / (1 + y**2) + u**3


def inverse(seed=0):
    """A network that says which control leads from a state of the plant to the next."""
    rng = np.random.default_rng(seed)
    y, u = np.zeros(2001), rng.uniform(-1.7, 1.7, 2000)
    for k in range(2000):
        y[k + 1] = plant(y[k], u[k])
    net = MultilayerPerceptronRegressor(hidden=(20, 10), algorithm="lm", epochs=300, random_state=seed)
    return net.fit(np.stack([y[:-1], y[1:]], axis=1), u)


def follow(net, steps=400):
    """The reference model's outputs, and the plant's under control."""
    wanted, found = np.zeros(steps + 1), np.zeros(steps + 1)
    for k in range(steps):
        wanted[k + 1] = 0.6 * wanted[k] + np.sin(2 * np.pi * k / 25) + np.sin(2 * np.pi * k / 10)
        found[k + 1] = plant(found[k], net.predict([[found[k], wanted[k + 1]]])[0])
    return wanted, found


# ------------------------------------------------------------------------------------------------------------ cart-pole


def push(state, right):
    """The next states of carts with poles, (n, 4): place, speed, angle, speed of the angle."""
    gravity, cart, pole, half, dt = 9.8, 1.0, 0.1, 0.5, 0.02
    x, speed, angle, turn = state.T
    force = np.where(right, 10.0, -10.0)
    pushed = (force + pole * half * turn**2 * np.sin(angle)) / (cart + pole)
    bend = (gravity * np.sin(angle) - np.cos(angle) * pushed) / (
        half * (4 / 3 - pole * np.cos(angle) ** 2 / (cart + pole))
    )
    slide = pushed - pole * half * bend * np.cos(angle) / (cart + pole)
    return np.stack([x + dt * speed, speed + dt * slide, angle + dt * turn, turn + dt * bend], axis=1)


def stands(state):
    return (abs(state[:, 0]) < 2.4) & (abs(state[:, 2]) < np.radians(12))


def starts(n, seed):
    return np.random.default_rng(seed).uniform(-0.05, 0.05, (n, 4))


def balanced(says, state, steps=STEPS):
    """For how many steps each cart balances its pole; `says` gives the network's outputs for states."""
    count, alive = np.zeros(len(state)), np.ones(len(state), bool)
    for _ in range(steps):
        state = push(state, says(state) > 0)
        alive &= stands(state)
        count += alive
        if not alive.any():
            break
    return count


def many(weights):
    """The outputs of many networks, (networks, 49 weights), for the states of as many groups of carts."""
    ends = np.cumsum([np.prod(shape) for shape in SHAPES])
    a, b, v, c = (part.reshape(-1, *s) for part, s in zip(np.split(weights, ends[:-1], axis=1), SHAPES, strict=True))

    def says(state):
        hidden = np.tanh(state.reshape(len(weights), -1, 4) @ a + b[:, None])
        return np.ravel(hidden @ v + c[:, None])

    return says


def search(seed=0, networks=60, best=12, tries=5):
    """Weights by the cross-entropy method, and the mean number of steps in each generation."""
    rng = np.random.default_rng(seed)
    mean, deviation, curve = np.zeros(49), np.ones(49) * 2.0, []
    for generation in range(100):
        drawn = mean + deviation * rng.normal(size=(networks, 49))
        state = np.tile(starts(tries, (seed, generation)), (networks, 1))
        counts = balanced(many(drawn), state).reshape(networks, tries).mean(axis=1)
        chosen = drawn[np.argsort(-counts, kind="stable")[:best]]
        mean, deviation = chosen.mean(axis=0), chosen.std(axis=0) + 0.1 * 0.9**generation
        curve.append(counts.mean())
        if balanced(many(mean[None]), starts(50, (seed, 1000 + generation))).min() == STEPS:
            break
    return mean, np.array(curve)


def model(weights):
    """The same network as a model of the library."""
    net = nl.Sequential([nl.Input((4,)), nl.layers.Dense(8, activation="tanh"), nl.layers.Dense(1)])
    ends = np.cumsum([np.prod(shape) for shape in SHAPES])
    net.set_weights([part.reshape(s) for part, s in zip(np.split(weights, ends[:-1]), SHAPES, strict=True)])
    return net


def pole(weights):
    """The place of the cart, and the angle of the pole, from one start."""
    states = [starts(1, 12345)]
    for _ in range(STEPS - 1):
        states.append(push(states[-1], many(weights[None])(states[-1]) > 0))
    path = np.concatenate(states)
    return path[:, 0], {"angle of the pole, tenths of a radian": 10 * path[:, 2]}


def main():
    wanted, found = follow(inverse())
    error = float(np.sqrt(np.mean((found - wanted) ** 2)) / wanted.std())
    print(f"plant: it differs from the reference model by {error:.1%} of the model's deviation")
    weights, curve = search()
    net = model(weights)
    counts = balanced(lambda state: net.predict(state)[:, 0], starts(100, 12345))
    print(f"cart-pole: learned in {len(curve)} generations of 60 networks with 5 starts each")
    all_steps = int((counts == STEPS).sum())
    print(f"cart-pole: balanced for {STEPS} steps from {all_steps} of 100 starts, least {counts.min():.0f}")
    names = "reference model", "place of the cart, m"
    figures = [
        plots.series(np.arange(101), wanted[:101], {"plant": found[:101]}, "The plant follows", label=names[0]),
        plots.series(np.arange(STEPS), *pole(weights), "The pole, from one start", label=names[1]),
    ]
    return {"error": error, "balanced": all_steps}, figures


if __name__ == "__main__":
    main()
