"""Many networks at once: populations, cross-validation, searches, ensembles."""

from __future__ import annotations

from neuroloom.calls import public
from neuroloom.populations.ensembles import Ensemble, ensemble
from neuroloom.populations.fit import Population, fit_many
from neuroloom.populations.folds import CrossValidation, cross_validate
from neuroloom.populations.search import Search, grid_search, random_search
from neuroloom.populations.variants import population

__all__ = [
    "Population", "fit_many", "population",
    "CrossValidation", "Search", "cross_validate", "grid_search", "random_search",
    "Ensemble", "ensemble",
]  # fmt: skip

public(__name__)
