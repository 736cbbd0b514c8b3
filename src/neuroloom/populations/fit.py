"""Many networks at once: `fit_many` trains models of equal structure as one program."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroloom import config, engines, tree
from neuroloom.calls import friendly
from neuroloom.data.sources import train_validation_split
from neuroloom.errors import ConfigurationError, DataError, NonFiniteError, nearest
from neuroloom.layers import Layer
from neuroloom.layers.parts import layers_in, parts_of
from neuroloom.learning import CallbackList, History, Progress
from neuroloom.learning.batches import gives_batches, parts
from neuroloom.learning.callbacks import Callback, TerminateOnNaN
from neuroloom.learning.feed import ArrayFeed
from neuroloom.learning.history import format_logs
from neuroloom.models.model import HELD_OUT, Model, _checked, _whole
from neuroloom.populations.lifting import parted
from neuroloom.populations.members import Members
from neuroloom.populations.shard import Data
from neuroloom.populations.together import Terms, Together

Callbacks = Sequence[Callback] | Callback | Callable[[int], Sequence[Callback]] | None
Index = list[np.ndarray | None]


@dataclass
class _Given:
    """What `fit_many` was given to train on. The rows are checked anew for each structure, whose inputs may differ."""

    x: Any
    y: Any
    sample_weight: Any
    class_weight: Any
    split: float
    validation_data: Any
    rows: Any
    validation_rows: Any

    def __post_init__(self) -> None:
        beside = {"validation_data": self.validation_data, "validation_rows": self.validation_rows}
        ways = [name for name, value in beside.items() if value is not None] + ["validation_split"] * (self.split > 0)
        if len(ways) > 1:
            raise ConfigurationError(f"Give one kind of validation data, received {' and '.join(ways)}.")
        if self.split and self.rows is not None:
            raise ConfigurationError("validation_split cannot be given beside rows; give validation_rows.")
        if gives_batches(self.x):
            raise DataError("fit_many expected arrays for x and y, received batches. Train such models one by one.")
        if self.validation_data is not None and not (
            isinstance(self.validation_data, list | tuple) and len(self.validation_data) in (2, 3)
        ):
            raise DataError("validation_data expected a tuple (x, y) or (x, y, sample_weight).")

    def data(self, model: Model, members: Sequence[int], n: int) -> tuple[Data, Data | None]:
        """What some of n members, which have the structure of a model, train on and are validated on."""
        rows = model._checked_rows(self.x, self.y, self.sample_weight, "")
        everyone: Index = [None] * n
        held_out = None
        if self.validation_data is not None:
            x, y, weight = parts(self.validation_data)
            held_out = Data(model._checked_rows(x, y, weight, "validation "), everyone)
        elif self.validation_rows is not None:
            held_out = Data(rows, _indices("validation_rows", self.validation_rows, n, rows))
        elif self.split:
            rows, rest = train_validation_split(rows, self.split)
            held_out = Data(rest, everyone)
        index = everyone if self.rows is None else _indices("rows", self.rows, n, rows)
        return Data(model._weighted(rows, self.class_weight), index).of(members), held_out and held_out.of(members)


def _indices(name: str, given: Any, n: int, rows: Any) -> Index:
    """For each member the numbers of its rows, checked."""
    total = tree.first(rows).shape[0]
    if not hasattr(given, "__len__") or len(given) != n:
        received = f"{len(given)}" if hasattr(given, "__len__") else repr(given)
        raise ConfigurationError(f"{name} expected {n} lists of row numbers, one per model, received {received}.")
    return [None if one is None else _index(f"{name}[{i}]", one, total) for i, one in enumerate(given)]


def _index(name: str, given: Any, total: int) -> np.ndarray:
    index = np.asarray(given)
    if index.dtype == bool and index.shape == (total,):
        index = np.flatnonzero(index)
    if index.ndim != 1 or not index.size or index.dtype.kind not in "iu":
        raise DataError(f"{name} expected whole numbers, at least one, received {index.dtype} of shape {index.shape}.")
    if index.min() < 0 or index.max() >= total:
        raise DataError(f"{name} expected numbers from 0 to {total - 1}, received {index.min()} to {index.max()}.")
    return index.astype(np.int32)


class Population(Members):
    """Models that are trained together: an indexable sequence of ordinary models.

    Args:
        models: the models.
        settings: for each model what distinguishes it, such as {"learning_rate": 0.1}.
        monitor: the name of the value by which models are compared; None: "val_loss", without validation "loss".

    Attributes:
        models, settings, monitor: as given.
        callbacks: for each model its own copies of the callbacks of the last training.
    """

    def fit(self, x: Any, y: Any, **options: Any) -> Population:
        """Train all models, as `fit_many` with these options does; returns the population itself."""
        return fit_many(self, x, y, **check_options("fit", options))


def check_options(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options for `fit_many`, or an error that suggests the nearest name."""
    known = [option for option in inspect.signature(fit_many).parameters if option not in ("models", "x", "y")]
    unknown = next((option for option in options if option not in known), None)
    if unknown is not None:
        raise ConfigurationError(f"{name} has no argument {unknown!r}. {nearest(unknown, known)}")
    return options


@friendly
def fit_many(
    models: Sequence[Model],
    x: Any,
    y: Any,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: int | str = "auto",
    callbacks: Callbacks = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    *,
    rows: Sequence[Any] | None = None,
    validation_rows: Sequence[Any] | None = None,
    monitor: str | None = None,
    engine: str | None = None,
) -> Population:
    """Train many compiled models on the same data, those of equal structure together as one program.

    Each ends up as `model.fit` would have left it alone, to rounding: its own seed draws its weights, batch orders and
    dropout. Of equal structure are models that differ in nothing but seeds, learning rates, dropout rates and the
    strengths of L1 and L2 penalties. A model whose loss or gradient is not finite keeps the weights before that step
    and learns no more, while the others go on; where its loss was finite, a RuntimeWarning says so.

    On JAX the program is vectorised over the models (one set of the data on the device, one gather of all their
    batches), on a processor in as many parts as it has cores. The PyTorch engine, whose steps run eagerly, trains one
    model after another, with the results that each has alone; so does JAX where the data do not fit into memory.

    Args:
        models: compiled models, no two of which share a layer. They learn in place.
        x, y, batch_size, epochs, verbose, validation_split, validation_data, shuffle, class_weight, sample_weight,
            engine: as for `Model.fit`. What is shown are means over the models that learn.
        callbacks: a list, of which every model gets a copy of its own, or a function from a model's number to its list.
            They hear of epochs, not of single steps. `EarlyStopping` ends the training of its model alone.
        rows: for each model the numbers of the samples that it trains on (a fold, a bootstrap sample), or None for all.
        validation_rows: for each model the numbers of the samples that it is validated on.
        monitor: the value by which models are compared; by default "val_loss", without validation "loss".

    Returns:
        the Population of the models.

    Raises:
        ConfigurationError: no models, one that is not compiled, a layer in two models, lists that do not fit.
        ShapeError, DataError: data that does not fit the networks.
        NonFiniteError: the loss or a gradient of every single model became NaN or infinite.

    >>> import numpy as np, neuroloom as nl
    >>> def build():
    ...     model = nl.Sequential([nl.layers.Dense(1, input_shape=(1,))])
    ...     model.compile(nl.optimizers.SGD(0.1), "mse")
    ...     return model
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> population = nl.fit_many([build() for _ in range(3)], x, 2 * x, epochs=100, verbose=0)
    >>> [round(float(model.predict([[1.0]])[0, 0]), 2) for model in population]
    [2.0, 2.0, 2.0]
    """
    terms = Terms(
        engines.resolve(engine),
        _whole("batch_size", 32 if batch_size is None else batch_size, 1),
        _whole("epochs", epochs, 1),
        _checked("shuffle", shuffle, config.Flag()),
        Progress(verbose).verbose,  # type: ignore[arg-type]
    )
    split = _checked("validation_split", validation_split, HELD_OUT)
    given = _Given(x, y, sample_weight, class_weight, split, validation_data, rows, validation_rows)
    found = models if isinstance(models, Population) else Population(models)
    found.monitor = monitor or found.monitor
    _train(found, given, terms, callbacks)
    return found


def _train(population: Population, given: _Given, terms: Terms, callbacks: Callbacks) -> None:
    """Train the members, group by group."""
    models, n = population.models, len(population)
    check_members(models)
    population.callbacks = [_own_callbacks(callbacks, i) for i in range(n)]
    with engines.engine(terms.engine.name):
        for model in models:
            model._compiled()
            model._see(given.x, given.y, given.sample_weight)
        failed: list[bool] = []
        for members in _groups(models):
            data, held_out = given.data(models[members[0]], members, n)
            failed += _train_group(
                terms, [models[i] for i in members], [population.callbacks[i] for i in members], data, held_out
            )
    if all(failed):
        raise NonFiniteError(
            f"The losses or gradients of all {n} models became NaN or infinite. Try smaller learning rates, "
            f"clipnorm=1.0 in the optimizer, or scaled inputs."
        )


def _train_group(
    terms: Terms, models: list[Model], callbacks: list[list[Callback]], data: Data, held_out: Data | None
) -> list[bool]:
    """Train models of equal structure: together where the engine compiles and the data fit, else one by one.

    Returns:
        which of them ended at a step whose loss or new weights were not finite.
    """
    fits = all(ArrayFeed(terms.engine, one.rows, 1).resident for one in (data, held_out) if one)
    if not (terms.engine.traces and fits):
        return _one_by_one(terms, models, callbacks, data, held_out)
    told = []
    for model, own in zip(models, callbacks, strict=True):
        model.stop_training, model.history = False, History()
        params = {"epochs": terms.epochs, "steps": None, "verbose": terms.verbose, "initial_epoch": 0}
        told.append(CallbackList([*own, model.history], model, params))
    together = Together(terms, models, told, data, held_out)
    together.run()
    return together.failed.tolist()


def _one_by_one(
    terms: Terms, models: list[Model], callbacks: list[list[Callback]], data: Data, held_out: Data | None
) -> list[bool]:
    engine, size, failed = terms.engine, terms.batch_size, []
    for i, (model, own) in enumerate(zip(models, callbacks, strict=True)):
        feed = ArrayFeed(engine, data.alone(i), size, model._seed if terms.shuffle else None)
        validate = None if held_out is None else model._test(engine, ArrayFeed(engine, held_out.alone(i), size))
        lone, state = model._trainer(engine, feed, [*own, TerminateOnNaN()], 0, terms.epochs, 0, validate)
        lone.run(state, range(terms.epochs))
        failed.append(lone.failed)
        if terms.verbose:
            assert model.history is not None
            print(f"Model {i + 1}/{len(models)}  {format_logs(model.history._row(-1))}", flush=True)
    return failed


# ------------------------------------------------------------------------------------------------------- members


def check_members(models: Sequence[Any]) -> None:
    """Models, at least one, and no layer in two of them.

    Raises:
        ConfigurationError: anything else.
    """
    if not models:
        raise ConfigurationError("Expected a list of at least one model, received none.")
    owner: dict[int, int] = {}
    for i, model in enumerate(models):
        if not isinstance(model, Model):
            raise ConfigurationError(f"Expected models, received {model!r} at place {i}.")
        for layer in _layers(model):
            if owner.setdefault(id(layer), i) != i:
                raise ConfigurationError(
                    f"The models {owner[id(layer)]} and {i} share the layer {layer!r}, and so its weights. Build each "
                    f"model with layers of its own."
                )


def _layers(model: Model) -> list[Layer]:
    """All layers, those of layers and models inside too."""
    known = model.__layer__()
    given = list(layers_in(vars(model)["_chain"])) if known is None else [known]
    return [layer for one in given for layer in parts_of(one).paths]


def _own_callbacks(callbacks: Callbacks, i: int) -> list[Callback]:
    """The callbacks of model i: its own copies, none of which listens to single steps."""
    given = callbacks(i) if callable(callbacks) else copy.deepcopy(callbacks)
    own = [given] if isinstance(given, Callback) else list(given or ())
    for one in own:
        alone = CallbackList([one], None, {})
        if alone.wants_batches or alone.between_steps:
            raise ConfigurationError(
                f"{type(one).__name__} listens to single steps, which many models at once take as one program. "
                f"Train its model alone, with fit."
            )
    return own


def _groups(models: Sequence[Model]) -> list[list[int]]:
    """The numbers of the models, by structure, in the order in which structures first appear."""
    found: dict[Any, list[int]] = {}
    for i, model in enumerate(models):
        found.setdefault(parted(model._make_task())[0], []).append(i)
    return list(found.values())
