"""scikit-learn's MLPClassifier, in the rows that it can express.

It has neither RMSprop nor accuracy while training: rows with RMSprop run with its Adam, and it computes the loss only,
which makes its work less than that of the others. It draws its own first weights (Glorot's). Without a stopping rule,
without weight decay; one `fit` call with `warm_start` goes on where the last one ended.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.networks import Dense, Weights
from benchmarks.peers import Absent, Run
from benchmarks.rows import Row


def build(row: Row, x: np.ndarray, y: np.ndarray, weights: Weights, threads: int) -> Run:
    layers = [layer for layer in row.network if isinstance(layer, Dense)]
    if len(layers) < len(row.network) or row.metric is None or row.dtype != "float32":
        raise Absent("MLPClassifier has dense layers, class labels and float32 only.")
    model = MLPClassifier(
        hidden_layer_sizes=[layer.units for layer in layers[:-1]],
        activation=layers[0].activation,
        learning_rate_init=row.optimizer.learning_rate,
        alpha=0.0,
        batch_size=row.batch_size,
        epsilon=1e-7,
        tol=0.0,
        warm_start=True,
        random_state=0,
    )
    labels = y.reshape(len(y)).astype(np.int32)

    def train(epochs: int, shuffle: bool = True) -> list[tuple[float, float]]:
        model.set_params(max_iter=epochs, n_iter_no_change=epochs + 1, shuffle=shuffle)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, labels)
        return [(loss, 0.0) for loss in model.loss_curve_[-epochs:]]

    def predict(x: np.ndarray) -> np.ndarray:
        if not hasattr(model, "classes_"):
            train(1)
        return model.predict_proba(x)

    return Run(train, predict)
