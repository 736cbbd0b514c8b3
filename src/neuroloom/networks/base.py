"""What every textbook network is: a scikit-learn estimator whose learning rule runs as one program on an engine.

    class Adaline(RegressorMixin, Network):
        learning_rate: Positive = 0.01              # fields are the parameters, annotations are their checks
        epochs: PositiveInt = 50

        def fit(self, X, y):
            p = self._start()                                   # parameters checked, self.seed_ set
            X, y = self._rows(X, y, y_numeric=True)             # checked float32 rows
            w = np.zeros(X.shape[1])
            self.coef_, self.loss_curve_ = self._run(_lms, X, y, w, p.learning_rate, epochs=p.epochs)
            return self

    def _lms(engine, X, y, w, rate, *, epochs): ...             # pure, over `ops`; engine.scan and engine.loop

docs/networks.md says the rest.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from neuroloom import config, engines, tree
from neuroloom.engines import Engine
from neuroloom.errors import DataError, NonFiniteError
from neuroloom.learning import loop
from neuroloom.networks import saving
from neuroloom.ops import draws
from neuroloom.typing import Tree

Self = TypeVar("Self", bound="Network")

LARGEST = float(np.finfo(np.float32).max)
"""The largest number that float32 has."""

BLOCK = 256
"""Rows in a block of `_per_row`."""

SMALL = 1 << 16
"""Up to this many numbers a rule that is `direct` is computed by NumPy."""

LITTLE = 300_000
"""Up to these `costs` NumPy computes a rule where nobody chose an engine. To load JAX and to compile takes 0.7 to 3 s:
even the five fits of a cross-validation are over by then."""

FIRST_LOOK = 30_000
"""Costs of the passes of a longer rule that NumPy makes before it is compiled: many problems are solved by then."""

ORDERS = 1 << 20
"""Most numbers of rows in the orders that are made at a time; and MOST_ORDERS orders."""

MOST_ORDERS = 16

AS_IT_IS = 1 << 20
"""Bytes up to which an array is handed to a compiled function as it is."""

WHOLE = {"int64": "int32", "uint64": "int32", "uint32": "int32"}
SINGLE = {"float64": "float32", "float16": "float32", **WHOLE}
DOUBLE = {"float32": "float64", "float16": "float64", **WHOLE}
"""What arrays become on their way to the engine, so that all engines compute alike."""


class EngineName(config.Check):
    """The name of an engine."""

    expects = "the name of an engine"

    def __call__(self, value: Any) -> Engine:
        return engines.resolve(value)


class Seed(config.Check):
    """What scikit-learn takes as a random state."""

    expects = "a whole number of at least 0, a numpy.random.RandomState"

    def __call__(self, value: Any) -> int:
        if isinstance(value, np.random.RandomState):
            return int(value.randint(2**31 - 1))
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise self.refuse()
        return int(value)


EngineField = Annotated[str, EngineName()]
SeedField = Annotated[Any, Seed()]


@dataclass_transform(kw_only_default=True, eq_default=False)
class Network(BaseEstimator):
    """Base of every textbook network. Its fields are parameters; what it learns ends in `_`.

    Args:
        engine: the tensor library that computes: "jax", "torch", "numpy"; None is the one in use (`neuroloom.use`).
            Where nobody chose any, NumPy does small work, which is over before JAX is loaded and has compiled.
        random_state: a seed (whole number) or a `numpy.random.RandomState`; None draws another one at each fit
            (from `neuroloom.utils.set_random_seed`).
    """

    renamed: ClassVar[dict[str, str]] = {}

    engine: EngineField | None = None
    random_state: SeedField | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _as_dataclass(cls)
        saving.register(cls)

    # ------------------------------------------------------------------------------- for the methods of networks

    def _start(self, again: bool = False) -> SimpleNamespace:
        """The checked parameters. Sets `seed_`, unless this is a further `partial_fit` (`again`)."""
        p = self._checked()
        if not (again and hasattr(self, "seed_")):
            self.seed_ = config.next_seed() if p.random_state is None else p.random_state
        return p

    def _checked(self) -> SimpleNamespace:
        """The parameters in canonical form, for methods other than `fit`.

        Raises:
            ConfigurationError: one has a value that it cannot have.
        """
        return SimpleNamespace(**config.canonical(self))

    def _rows(self, X: Any, *y: Any, reset: bool = True, dtype: Any = None, **checks: Any) -> Any:
        """X as checked rows (with y: both), by scikit-learn's `validate_data`: float32 where X is that, else float64.

        Whoever takes something off X does so before `_run` makes it float32, which has 7 digits. X may be the user's
        own array: what is kept of it has to be a copy.

        Args:
            dtype: of the rows in the place of these, for networks that scale them before they become float32.
            reset: False where X has to have the columns that the network was fitted with.
            dtype: of X; float64 for networks that scale it before the engine sees it.
            checks: see `sklearn.utils.validation.check_array` and `check_X_y`.
        """
        if not reset:
            check_is_fitted(self)
        found = validate_data(self, X, *y, reset=reset, dtype=dtype or [np.float64, np.float32], order="C", **checks)
        if dtype is None:
            self._within_reach(found[0] if y else found)
        if checks.get("y_numeric") and found[1].dtype.kind not in "fiub":
            raise DataError(f"{type(self).__name__} expected numbers as targets, received {found[1].dtype}.")
        return found

    def _within_reach(self, X: np.ndarray) -> None:
        """Raise DataError where a number is too large for float32."""
        largest = max(np.fmax.reduce(X, axis=None), -np.fmin.reduce(X, axis=None))
        if largest > LARGEST:
            row, column = np.argwhere(np.abs(X) > LARGEST)[0]
            raise DataError(
                f"{type(self).__name__} expected numbers up to {LARGEST:.2g} in size, received {X[row, column]:g} in "
                f"row {row}, column {column} of X. Scale X first."
            )

    def _finite(self, *learned: Tree) -> None:
        """Raise NonFiniteError unless all these numbers, which a training found, are finite."""
        if not all(np.isfinite(part).all() for part in tree.leaves(learned)):
            raise NonFiniteError(
                f"The weights of {type(self).__name__} became NaN or infinite while it learned. Scale the features to "
                f"about unit size, or take a smaller learning_rate."
            )

    def _labels(self, y: Any, classes: Any = None, again: bool = False) -> np.ndarray:
        """y as numbers of classes (int32); sets `classes_`, unless this is a further `partial_fit` (`again`)."""
        check_classification_targets(y)
        found = np.unique(y)
        if not again:
            self.classes_ = found if classes is None else np.unique(classes)
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise DataError(
                f"classes was {self.classes_.tolist()} at the first partial_fit and cannot become "
                f"{np.unique(classes).tolist()}."
            )
        unknown = [label for label in found if label not in self.classes_]
        if unknown:
            raise DataError(
                f"{type(self).__name__} expected classes among {self.classes_.tolist()}, received "
                f"{np.array(unknown).tolist()}. Name all classes at the first partial_fit."
            )
        if len(self.classes_) < 2:
            raise DataError(
                f"{type(self).__name__} expected at least two classes, received one class: {self.classes_.tolist()}."
            )
        return np.searchsorted(self.classes_, y).astype(np.int32)

    def _generator(self, *stream: int | str) -> np.random.Generator:
        """NumPy's generator for one purpose, such as initial weights: equal for equal seeds on every engine."""
        return config.generator(self.seed_, type(self).__name__, *stream)

    def _in_passes(
        self, rule: Callable[..., Any], state: Any, n: int, passes: int, key: np.ndarray | None, /, *values: Tree,
        **static: Any,
    ) -> Any:  # fmt: skip
        """`rule(engine, state, orders, ends, *values)`, again and again until the state says that it is done.

        The orders of some passes are made on the host at a time: XLA's sort takes ten times as long as NumPy's, and
        longer than an online rule's pass.

        Args:
            rule: gives the state after the passes `ends[0]` to `ends[1]`, of `ends[2]`: (whether to go on, passes
                done, ...).
            n: rows.
            key: of the orders; None: the rows come as they are, and orders are ().
        """
        at_once = passes if key is None else min(passes, MOST_ORDERS, max(1, ORDERS // n))
        by_numpy = _passes_by_numpy(
            self.engine, passes, _COSTS[rule](state, (), (0, passes, passes), *values, **static)
        )
        while state[0] and state[1] < passes:
            first = int(state[1])
            last = min(first + at_once, by_numpy if first < by_numpy else passes)
            engine = "numpy" if first < by_numpy else engines.resolve(self.engine)
            orders: Any = ()
            if key is not None:
                orders = np.zeros((at_once, n), np.int32)
                orders[: last - first] = draws.permutations(key, np.arange(first, last, dtype=np.int32), n)
            state = run(engine, rule, state, orders, (first, last, passes), *values, **static)
        return state

    def _run(self, rule: Callable[..., Any], /, *values: Tree, **static: Any) -> Any:
        """`rule(engine, *values, **static)` on this network's engine; see `run`."""
        return run(self.engine, rule, *values, **static)

    def _answer(self, rule: Callable[..., Any], *values: Tree, **static: Any) -> Any:
        """The same in float64, for `predict` and its like; see `answer`."""
        return answer(self.engine, rule, *values, **static)

    def _per_row(self, rule: Callable[..., Any], X: np.ndarray, *values: Tree, **static: Any) -> np.ndarray:
        """`rule(engine, rows, *values, **static)` in float64 for all rows of X, by blocks of equal length.

        So the memory that it takes does not grow with the rows, and any number of them is computed by one program.
        """
        blocks = [X[i : i + BLOCK] for i in range(0, len(X), BLOCK)]
        blocks[-1] = np.concatenate([blocks[-1], np.zeros((BLOCK - len(blocks[-1]), *X.shape[1:]), X.dtype)])
        return np.concatenate([self._answer(rule, block, *values, **static) for block in blocks])[: len(X)]

    # --------------------------------------------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters and what was learned into one safetensors file; `networks.load` reads it.

        The parameters `engine` and a `random_state` that is no number are left out.

        Raises:
            ModelFileError: the folder is missing or cannot be written to.
            ConfigurationError: a parameter cannot be written, such as a function.
        """
        saving.save(self, path)


def run(engine: str | Engine | None, rule: Callable[..., Any], /, *values: Tree, **static: Any) -> Any:
    """A pure function `rule(engine, *values, **static)` as one program on an engine.

    Args:
        rule: a function of a module (no closure: it is the program's name).
        values: trees of arrays and numbers, which arrive as arrays of the engine: floats as float32, whole numbers
            as int32. Equal shapes share a compiled program.
        static: hashable values that the program is compiled for, such as names and sizes.

    Returns:
        what `rule` returns, as NumPy arrays.
    """
    return _execute(_engine_for(engine, rule, values, static), SINGLE, rule, values, static)


def answer(engine: str | Engine | None, rule: Callable[..., Any], *values: Tree, **static: Any) -> Any:
    """`run` in float64, so that a row's answer does not depend on the rows beside it.

    A product of float32 matrices does in its last bit: 6e-8, where scikit-learn's checks expect 1e-9.
    """
    chosen = _engine_for(engine, rule, values, static)
    with chosen.double():
        return _execute(chosen, DOUBLE, rule, values, static)


_DIRECT: set[Callable[..., Any]] = set()


def direct(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a rule of a few array operations, without loop and gradient.

    For up to SMALL numbers NumPy has its answer before an engine has compiled it, and before a compiled one has been
    handed the numbers; so no engine is asked.
    """
    _DIRECT.add(rule)
    return rule


_COSTS: dict[Callable[..., Any], Callable[..., float]] = {}


def costs(cost: Callable[[SimpleNamespace], float]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Marks a rule with loops or gradients: `cost` is given the rule's arguments, by name, and says about how many
    microseconds NumPy takes for it, from counts such as rows, passes and units.

    Up to LITTLE it is NumPy that computes, if nobody chose an engine: neither by the argument `engine`, nor by
    `neuroloom.use`, `with neuroloom.engine`, or NEUROLOOM_ENGINE. It depends on counts alone, so that the same call
    always gives the same numbers.
    """

    def mark(rule: Callable[..., Any]) -> Callable[..., Any]:
        names = inspect.signature(rule)
        _COSTS[rule] = lambda *values, **static: cost(SimpleNamespace(**names.bind(None, *values, **static).arguments))
        return rule

    return mark


def _engine_for(engine: Any, rule: Callable[..., Any], values: Any, static: dict[str, Any]) -> Engine:
    """The engine that a rule with these values runs on."""
    if rule in _DIRECT and sum(np.size(leaf) for leaf in tree.leaves(values)) <= SMALL:
        return engines.load(engines.dispatch.HOST)
    if engine is None and not engines.chosen() and rule in _COSTS and _COSTS[rule](*values, **static) <= LITTLE:
        return engines.load(engines.dispatch.HOST)
    return engines.resolve(engine)


def _passes_by_numpy(engine: Any, passes: int, cost: float) -> int:
    """How many of the passes, which cost so much all together, NumPy makes: all, the first ones, or none."""
    if engine is not None or engines.chosen():
        return 0
    return passes if cost <= LITTLE else int(FIRST_LOOK * passes / cost)


def _execute(
    engine: Engine, widths: dict[str, str], rule: Callable[..., Any], values: Any, static: dict[str, Any]
) -> Any:
    made = loop.program(
        engine, ("network", rule, config.signature(static)), lambda: functools.partial(_inside, engine, rule, static)
    )
    given = tree.map(lambda leaf: _array(engine, leaf, widths), values)
    return tree.map(lambda leaf: _result(engine.to_numpy(leaf), widths), made.run(*given))


def _result(array: np.ndarray, widths: dict[str, str]) -> np.ndarray:
    """An array of the caller's own, with floats as wide as other engines give: NumPy's single numbers widen them."""
    return np.array(array, widths.get(str(array.dtype)) if array.dtype.kind == "f" else None)


def _inside(engine: Engine, rule: Callable[..., Any], static: dict[str, Any], *values: Any) -> Any:
    with engines.engine(engine.name):
        return rule(engine, *values, **static)


def _array(engine: Engine, leaf: Any, widths: dict[str, str]) -> Any:
    array = np.asarray(leaf)
    dtype = widths.get(str(array.dtype), str(array.dtype))
    array = array.astype(dtype, copy=False)
    if engine.traces and array.nbytes < AS_IT_IS:
        return array  # a compiled function makes an array of its own of it, in a fraction of the time
    return engine.asarray(array, dtype)


def _as_dataclass(cls: type) -> None:
    dataclasses.dataclass(eq=False, repr=False, kw_only=True)(cls)
    config.friendly_init(cls)


_as_dataclass(Network)
