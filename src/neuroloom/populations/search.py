"""Cross-validation, and searches for good settings: all candidates and folds are trained together."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroloom import config
from neuroloom.calls import friendly, friendly_methods
from neuroloom.errors import ConfigurationError
from neuroloom.learning.callbacks import Callback
from neuroloom.learning.history import format_number, frame
from neuroloom.models.model import Model, _checked, _whole
from neuroloom.populations.fit import Population, check_options, fit_many
from neuroloom.populations.folds import Build, first_seed, fit_folds, folds_of, refuse_validation
from neuroloom.populations.members import cell, falling, html_table, text_cells, text_table
from neuroloom.populations.variants import made

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@friendly
def grid_search(
    build: Build,
    values: Mapping[str, Sequence[Any]],
    x: Any,
    y: Any,
    cv: Any = 5,
    *,
    seed: int | None = None,
    refit: bool = True,
    **options: Any,
) -> Search:
    """Try all combinations of values. Arguments, result and errors are those of `random_search`.

    Args:
        values: name -> a list of values.

    >>> import numpy as np, neuroloom as nl
    >>> def build(units):
    ...     layers = [nl.layers.Dense(units, activation="tanh", input_shape=(1,)), nl.layers.Dense(1)]
    ...     model = nl.Sequential(layers)
    ...     model.compile("adam", "mse")
    ...     return model
    >>> x = np.linspace(-1, 1, 30)[:, None]
    >>> found = nl.grid_search(build, {"units": [2, 4], "learning_rate": [0.1, 1e-6]}, x, x, cv=3, epochs=30, verbose=0)
    >>> len(found.candidates), found.best_settings["learning_rate"]
    (4, 0.1)
    """
    from sklearn.model_selection import ParameterGrid

    wrong = next((name for name, one in values.items() if isinstance(one, str) or not np.iterable(one)), None)
    if not values or wrong is not None or not all(len(one) for one in values.values()):
        received = f"{values[wrong]!r} for {wrong!r}" if wrong is not None else f"{dict(values)!r}"
        raise ConfigurationError(f"grid_search expected a list of values for each name, received {received}.")
    candidates = list(ParameterGrid(dict(values)))
    return _search("grid_search", build, candidates, x, y, cv, first_seed(seed), refit, options)


@friendly
def random_search(
    build: Build,
    values: Mapping[str, Any],
    x: Any,
    y: Any,
    cv: Any = 5,
    *,
    n: int = 10,
    seed: int | None = None,
    refit: bool = True,
    **options: Any,
) -> Search:
    """Try n settings that are drawn at random.

    All candidates and folds of equal structure are one program. Fold i has the same seed for every candidate, so that
    candidates are compared on equal terms.

    Args:
        build: makes a compiled model; its arguments may be searched over.
        values: name -> a list, of which each value is equally likely, or a distribution of `scipy.stats`. A name is an
            argument of `build`, or "learning_rate", "l2" or "dropout" (see `population`).
        x, y: all data.
        cv: folds, as for `cross_validate`; None: one of `validation_data`, `validation_split` among the options says
            what to compare on.
        n: how many settings; if there are only lists, none twice.
        seed: of the draws and of the models. None: the process's stream of seeds.
        refit: whether the best settings are trained anew on all data, for as many epochs as the weights of the folds'
            models had (on average), without callbacks that watch the validation.
        options: as for `fit_many`; `monitor` is what is compared, "val_loss" by default.

    Returns:
        a Search: `.best`, the model trained anew; `.best_settings`; a table.

    Raises:
        ConfigurationError: an unknown name or option, or no way to compare.

    Source: Bergstra and Bengio, Random search for hyper-parameter optimization, 2012.
    """
    from sklearn.model_selection import ParameterSampler

    first = first_seed(seed)
    for name, one in values.items():
        if not hasattr(one, "rvs") and (isinstance(one, str) or not hasattr(one, "__len__") or not len(one)):
            raise ConfigurationError(f"random_search expected for {name!r} a list or a distribution, received {one!r}.")
    count = _whole("n", n, 1)
    if not any(hasattr(one, "rvs") for one in values.values()):  # of lists alone there are not more
        count = min(count, math.prod(len(one) for one in values.values()))
    drawn = [_plain(one) for one in ParameterSampler(dict(values), count, random_state=first)]
    return _search("random_search", build, drawn, x, y, cv, first, refit, options)


@friendly_methods
class Search:
    """What a search returns.

    Attributes:
        candidates: the settings that were tried, the best first.
        scores: of each candidate the mean over the folds of the monitored value. spreads: its standard deviation.
        monitored: the name of that value.
        population: all models of all folds, in the order in which they were made.
        best: the model that was trained anew with the best settings; without `refit`, or where no candidate has a
            finite score, None.
    """

    def __init__(self, population: Population, candidates: Sequence[dict[str, Any]]) -> None:
        self.population, self.monitored = population, population.monitored
        per = len(population) // len(candidates)
        values = np.array([population.value(i) for i in range(len(population))]).reshape(-1, per)
        epochs = np.array([population.epoch(i) + 1 for i in range(len(population))]).reshape(-1, per)
        with np.errstate(invalid="ignore"):  # of candidates that diverged
            means, spreads = values.mean(axis=1), values.std(axis=1)
        keys = np.where(np.isfinite(means), means if falling(self.monitored) else -means, np.inf)
        order = np.argsort(keys, kind="stable")
        self.candidates = [dict(candidates[i]) for i in order]
        self.scores, self.spreads = means[order], spreads[order]
        self.epochs = epochs.mean(axis=1)[order]
        self.best: Model | None = None

    @property
    def best_settings(self) -> dict[str, Any]:
        """The settings with the best score."""
        return self.candidates[0]

    @property
    def best_score(self) -> float:
        """The best score."""
        return float(self.scores[0])

    def columns(self) -> dict[str, list[Any]]:
        """The table by columns: a row per candidate, the best first."""
        names = dict.fromkeys(name for one in self.candidates for name in one)
        settings = {name: [one.get(name) for one in self.candidates] for name in names}
        scores = {self.monitored: self.scores.tolist(), "±": self.spreads.tolist(), "epochs": self.epochs.tolist()}
        return {"rank": list(range(1, len(self.candidates) + 1)), **settings, **scores}

    def frame(self) -> Any:
        """The table as a data frame (pandas, else polars)."""
        return frame(self.columns(), "Search")

    def plot(self, path: Any = None) -> Figure:
        """The learning curves of all candidates and folds."""
        return self.population.plot(path)

    def _title(self) -> str:
        best = ", ".join(f"{name} {cell(value)}" for name, value in self.best_settings.items())
        score = f"{self.monitored} {format_number(self.best_score)}"
        return f"Search over {len(self.candidates)} settings: best {score} with {best}"

    def __repr__(self) -> str:
        return f"<{self._title()}>\n{text_table(text_cells(self.columns()))}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._title())}</p>{html_table(text_cells(self.columns()))}"


def _search(
    caller: str,
    build: Build,
    candidates: list[dict[str, Any]],
    x: Any,
    y: Any,
    cv: Any,
    seed: int,
    refit: bool,
    options: dict[str, Any],
) -> Search:
    check_options(caller, options)
    if cv is not None:
        refuse_validation(caller, options)
    elif not any(options.get(name) for name in ("validation_data", "validation_split")):
        raise ConfigurationError(f"{caller} expected folds (cv=5), validation_data or validation_split to compare on.")
    folds = [] if cv is None else folds_of(made(build, [candidates[0]])[0], cv, x, y, None)
    per = max(1, len(folds))
    population = made(build, [{"seed": (seed + i) % 2**32, **one} for one in candidates for i in range(per)])
    fit_folds(population, x, y, folds * len(candidates), options, caller)
    found = Search(population, candidates)
    if _checked("refit", refit, config.Flag()) and np.isfinite(found.best_score):
        found.best = _trained_anew(build, found, seed, x, y, options)
    return found


def _trained_anew(build: Build, found: Search, seed: int, x: Any, y: Any, options: dict[str, Any]) -> Model:
    """The best settings on all data."""
    left_out = ("validation_data", "validation_split", "monitor", "epochs", "callbacks")
    kept = {name: value for name, value in options.items() if name not in left_out}
    given = options.get("callbacks")
    own = [given] if isinstance(given, Callback) else given or []
    callbacks = own if callable(own) else [c for c in own if not getattr(c, "monitor", "").startswith("val_")]
    population = made(build, [{"seed": seed, **found.best_settings}])
    epochs = max(1, round(float(found.epochs[0])))
    return fit_many(population, x, y, epochs=epochs, callbacks=callbacks, **kept)[0]


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """NumPy's numbers as Python's."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()}
