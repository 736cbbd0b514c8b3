"""Several models as one: means or votes, and how far their probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from neuroloom.calls import friendly, friendly_methods
from neuroloom.config import Choice, Number
from neuroloom.errors import ConfigurationError, ShapeError
from neuroloom.models.calibration import Calibration, calibration
from neuroloom.models.model import Model, _checked

Kind = Literal["mean", "vote"]


@friendly
def ensemble(models: Sequence[Model], kind: Kind = "mean", weights: Sequence[float] | None = None) -> Ensemble:
    """Several trained models that answer as one.

        mean    Σ wₘ fₘ(x)                              of outputs, for any kind of network
        vote    Σ wₘ [fₘ(x) says class k]               for each class k, for classifiers

    Args:
        models: trained models, such as a Population, with one output of equal shape.
        kind: "mean" or "vote".
        weights: w, one number of at least 0 per model; they are divided by their sum. None: all equal.

    Raises:
        ConfigurationError: no models, wrong weights, votes of models that are no classifiers.

    Source: Hansen and Salamon, Neural network ensembles, 1990. In scikit-learn: VotingClassifier.

    >>> import numpy as np, neuroloom as nl
    >>> def constant(k):
    ...     return nl.Sequential([nl.layers.Dense(1, kernel_initializer=k, input_shape=(1,))])
    >>> models = [constant("zeros"), constant("ones")]
    >>> nl.ensemble(models).predict([[1.0], [3.0]]).tolist()
    [[0.5], [1.5]]
    """
    found = list(models)
    if not found or not all(isinstance(model, Model) for model in found):
        raise ConfigurationError(f"ensemble expected a list of at least one model, received {models!r}.")
    _checked("kind", kind, Choice("mean", "vote"))
    if kind == "vote":
        for model in found:
            _threshold(model)
    return Ensemble(found, kind, _weights(weights, len(found)))


def _weights(weights: Any, n: int) -> np.ndarray:
    if weights is None:
        return np.full(n, 1 / n)
    if np.ndim(weights) != 1 or len(weights) != n:
        raise ConfigurationError(f"weights expected {n} numbers, one per model, received {weights!r}.")
    numbers = np.array([_checked("weights", w, Number(0, expects="numbers of at least 0")) for w in weights])
    if not 0 < numbers.sum() < np.inf:
        raise ConfigurationError(f"weights expected a positive sum, received {weights!r}.")
    return numbers / numbers.sum()


@friendly_methods
class Ensemble:
    """What `ensemble` returns: it predicts, and says how well its probabilities are calibrated.

    Attributes:
        models: the members. kind: "mean" or "vote". weights: of the members, with the sum 1.
    """

    def __init__(self, models: list[Model], kind: Kind, weights: np.ndarray) -> None:
        self.models, self.kind, self.weights = models, kind, weights

    def predict(self, x: Any, **options: Any) -> np.ndarray:
        """The weighted mean of the outputs, or for each class its share of the votes; options as for `Model.predict`.

        Returns:
            an array of the shape of one model's output.
        """
        outputs = [model.predict(x, **options) for model in self.models]
        if not all(isinstance(one, np.ndarray) and one.shape == outputs[0].shape for one in outputs):
            raise ShapeError("ensemble expected models with one output each, all of one shape.")
        if self.kind == "vote":
            outputs = [_said(one, _threshold(model)) for model, one in zip(self.models, outputs, strict=True)]
        return np.tensordot(self.weights, np.stack(outputs), 1).astype(np.float32)

    def classes(self, x: Any, **options: Any) -> np.ndarray:
        """The class of each sample, a whole number; of several that are equally good the first."""
        combined = self.predict(x, **options)
        threshold = 0.5 if self.kind == "vote" else _threshold(self.models[0])
        said = _said(combined, threshold)
        return said[..., 0].astype(np.int64) if said.shape[-1] == 1 else np.argmax(said, axis=-1)

    def calibration(self, x: Any, y: Any, bins: int = 10, **options: Any) -> Calibration:
        """How well the probabilities for x agree with the classes y; see `Calibration`."""
        return calibration(y, self.predict(x, **options), bins)

    def __len__(self) -> int:
        return len(self.models)

    def __repr__(self) -> str:
        return f"<Ensemble of {len(self)} by {self.kind}: {self.models[0]!r}>"


def _said(outputs: np.ndarray, threshold: float) -> np.ndarray:
    """Each output as a decision: 0 or 1 for one unit, else a one at the class with the largest output."""
    if outputs.shape[-1] == 1:
        return (outputs > threshold).astype(np.float32)
    return np.eye(outputs.shape[-1], dtype=np.float32)[np.argmax(outputs, axis=-1)]


def _threshold(model: Model) -> float:
    """Above which output one unit says yes.

    Raises:
        ConfigurationError: the model is no classifier.
    """
    loss = getattr(model._compiled(), "loss", None)
    if getattr(loss, "accuracy", None) is None:
        raise ConfigurationError(
            f"Expected classifiers, compiled with a loss of classification, received {model!r} with {loss!r}. Use "
            f"kind='mean' for a regression."
        )
    return 0.0 if getattr(loss, "from_logits", False) else 0.5
