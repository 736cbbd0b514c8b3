"""Checks that need the rest of the library: updates of weights, and layers that train."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from neuroloom import engines, layers, optimizers, tree
from neuroloom.engines import Engine, dispatch
from neuroloom.models import Sequential
from neuroloom.testing.compare import Checks, close, drawn, put

CHECKS = Checks()

RULES = (
    optimizers.SGD(),
    optimizers.SGD(momentum=0.5),
    optimizers.SGD(momentum=0.5, nesterov=True),
    optimizers.Adagrad(),
    optimizers.RMSprop(),
    optimizers.RMSprop(momentum=0.5, centered=True),
    optimizers.Adam(),
    optimizers.Adam(amsgrad=True),
    optimizers.AdamW(),
)


@CHECKS.add("update_rule")
def _update_rule(engine: Engine) -> None:
    """Three steps by the engine's fused rules are those of the optimizers' own arithmetic."""
    for rule in RULES:
        plain = fused = put(engine, {"w": drawn(3, 4), "b": [drawn(4), drawn(2, 2, 2)]})
        slots, own = rule.init(plain), rule.init(plain)
        for step in range(3):
            grads = put(engine, {"w": drawn(3, 4, seed=step), "b": [drawn(4, seed=step), drawn(2, 2, 2, seed=step)]})
            plain, slots = rule.update(plain, grads, slots, 0.1, step)
            fused, own = rule.overwrite(engine.kept(fused), grads, engine.kept(own), 0.1, step)
        close(engine, [fused, own], [plain, slots])


NETWORKS: dict[str, Callable[[], list[Any]]] = {
    "dense": lambda: [layers.Input((6,)), layers.Dense(5, "tanh"), layers.Dense(3, "softmax")],
    "normalization": lambda: [
        layers.Input((6,)), layers.Dense(4, "relu"), layers.BatchNormalization(), layers.Dense(3, "softmax"),
    ],
    "convolution": lambda: [
        layers.Input((6, 5, 2)), layers.Conv2D(4, 3, padding="same", strides=2, activation="relu"),
        layers.MaxPooling2D((2, 1)), layers.Flatten(), layers.Dense(3, "softmax"),
    ],
    "recurrent": lambda: [
        layers.Input((5, 2)), layers.LSTM(4, return_sequences=True), layers.SimpleRNN(3), layers.Dense(3, "softmax"),
    ],
    "embedding": lambda: [
        layers.Input((5,), dtype="int32"), layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3),
        layers.Dense(3, "softmax"),
    ],
    "dropout": lambda: [layers.Input((6,)), layers.Dense(5, "gelu"), layers.Dropout(0.0), layers.Dense(3, "softmax")],
}  # fmt: skip
"""Small classifiers of three classes."""


def _trains(name: str, engine: Engine) -> None:
    """The losses of a few epochs, and what is predicted then, are NumPy's; the loss falls."""
    expected = _trained(name, engines.load(dispatch.HOST), engine.trains)
    found = _trained(name, engine, engine.trains)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-4)
    assert not engine.trains or found[0][-1] < found[0][0], f"the loss does not fall: {found[0]}"


def _trained(name: str, engine: Engine, trains: bool) -> tuple[list[float], np.ndarray]:
    model = Sequential(NETWORKS[name]())
    model.set_weights([0.5 * drawn(*w.shape, seed=i) + 0.1 for i, w in enumerate(model.get_weights())])
    model.compile("adam", "sparse_categorical_crossentropy")
    shape = tuple(n for n in tree.first(model.network.inputs).shape[1:])
    x = drawn(12, *shape)
    x = np.abs(4 * x).astype("int32") % 9 if name == "embedding" else x.astype("float32")
    losses = []
    with dispatch.standing_in(engine):
        if trains:
            y = np.arange(12) % 3
            fitted = model.fit(x, y, epochs=4, batch_size=5, shuffle=False, verbose=0, engine=engine.name)
            losses = fitted.history["loss"]
        return losses, model.predict(x, engine=engine.name)


for _name in NETWORKS:
    CHECKS[f"training: {_name}"] = functools.partial(_trains, _name)
