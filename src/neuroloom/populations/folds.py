"""Cross-validation: one model per fold, all trained together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom import config, tree
from neuroloom.calls import friendly, friendly_methods
from neuroloom.errors import ConfigurationError
from neuroloom.learning.history import format_number, frame
from neuroloom.models.model import Model, _whole
from neuroloom.populations.fit import Population, check_options, fit_many
from neuroloom.populations.members import html_table, text_cells, text_table
from neuroloom.populations.variants import made

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Build = Callable[..., Model]
Folds = list[tuple[np.ndarray, np.ndarray]]


@friendly
def cross_validate(
    build: Build, x: Any, y: Any, cv: Any = 5, *, groups: Any = None, seed: int | None = None, **options: Any
) -> CrossValidation:
    """Train one model per fold on the other folds, all as one program, and evaluate each on its own.

    Args:
        build: makes a compiled model.
        x, y: all data, x an array or a list or dict of arrays.
        cv: how scikit-learn cuts the data: a number of folds, contiguous and not shuffled (in equal proportions of the
            classes where y are class numbers and the loss one of classification: StratifiedKFold, else KFold); a
            splitter, such as `KFold(5, shuffle=True, random_state=1)`; or (training rows, test rows) pairs.
        groups: for splitters that keep groups together.
        seed: of the models; fold i has `seed + i`. None: the process's stream of seeds.
        options: as for `fit_many`.

    Returns:
        a CrossValidation: `.scores`, `.mean`, `.std`, `.population`.

    Raises:
        ConfigurationError: an unknown option, or one that the folds rule out.

    >>> import numpy as np, neuroloom as nl
    >>> def build():
    ...     model = nl.Sequential([nl.layers.Dense(1, input_shape=(1,))])
    ...     model.compile("sgd", "mse", metrics=["mae"])
    ...     return model
    >>> x = np.linspace(-1, 1, 30)[:, None]
    >>> found = nl.cross_validate(build, x, 2 * x, cv=3, epochs=2, seed=1, verbose=0)
    >>> sorted(found.scores), len(found.population)
    (['loss', 'mae'], 3)
    """
    refuse_validation("cross_validate", options)
    first = first_seed(seed)
    folds = folds_of(made(build, [{"seed": first}])[0], cv, x, y, groups)
    population = made(build, [{"seed": (first + i) % 2**32} for i in range(len(folds))])
    fit_folds(population, x, y, folds, options, "cross_validate")
    return CrossValidation(population, folds)


@friendly_methods
class CrossValidation:
    """What `cross_validate` returns.

    Attributes:
        population: the model of each fold. folds: (training rows, test rows) of each.
        scores: name -> its value on the test rows of each fold, (folds,).
    """

    def __init__(self, population: Population, folds: Folds) -> None:
        self.population, self.folds = population, folds
        columns = population.columns()
        self.scores = {
            name.removeprefix("val_"): np.array(values) for name, values in columns.items() if name.startswith("val_")
        }

    @property
    def mean(self) -> dict[str, float]:
        """name -> the mean over the folds."""
        return {name: float(values.mean()) for name, values in self.scores.items()}

    @property
    def std(self) -> dict[str, float]:
        """name -> the standard deviation over the folds (of the folds, as NumPy's: divided by their number)."""
        return {name: float(values.std()) for name, values in self.scores.items()}

    def columns(self) -> dict[str, list[Any]]:
        """The table by columns: a row per fold."""
        sizes = {"training": [len(a) for a, _ in self.folds], "test": [len(b) for _, b in self.folds]}
        return {"fold": list(range(len(self.folds))), **sizes, **{k: v.tolist() for k, v in self.scores.items()}}

    def frame(self) -> Any:
        """The table as a data frame (pandas, else polars)."""
        return frame(self.columns(), "CrossValidation")

    def plot(self, path: Any = None) -> Figure:
        """The learning curves of all folds."""
        return self.population.plot(path)

    def _title(self) -> str:
        shown = ", ".join(f"{k} {format_number(m)} ± {format_number(self.std[k])}" for k, m in self.mean.items())
        return f"Cross-validation over {len(self.folds)} folds: {shown}"

    def __repr__(self) -> str:
        return f"<{self._title()}>\n{text_table(text_cells(self.columns()))}"

    def _repr_html_(self) -> str:
        return f"<p>{self._title()}</p>{html_table(text_cells(self.columns()))}"


def refuse_validation(caller: str, options: dict[str, Any]) -> None:
    """An error for options that the folds rule out."""
    check_options(caller, options)
    for name in ("rows", "validation_rows", "validation_data", "validation_split"):
        if options.get(name) is not None:
            raise ConfigurationError(f"{caller} expected no {name}: the folds say what is trained on.")


def folds_of(model: Model, cv: Any, x: Any, y: Any, groups: Any) -> Folds:
    """(training rows, test rows) of each fold, as scikit-learn cuts them."""
    from sklearn.model_selection import check_cv

    several = isinstance(y, dict) or (isinstance(y, list | tuple) and np.ndim(y[0]) > 0 and hasattr(y[0], "shape"))
    labels = np.asarray(tree.first(y) if several else y)
    classes = getattr(getattr(model._compiled(), "loss", None), "accuracy", None) is not None
    try:
        splitter = check_cv(cv, labels, classifier=classes)
        return [(np.asarray(a), np.asarray(b)) for a, b in splitter.split(np.zeros(len(labels)), labels, groups)]
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"cv={cv!r} cannot cut the data: {error}") from error


def fit_folds(population: Population, x: Any, y: Any, folds: Folds, options: dict[str, Any], caller: str) -> None:
    """Train each model on the training rows of its fold; without folds, as the options say."""
    train, test = ([fold[i] for fold in folds] or None for i in (0, 1))
    fit_many(population, x, y, rows=train, validation_rows=test, **check_options(caller, options))


def first_seed(seed: int | None) -> int:
    """The seed of the first model: as given, else of the process's stream."""
    return config.next_seed() % 2**32 if seed is None else _whole("seed", seed, 0)
