"""Sessions: where graphs are run and variables have their values."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from neuroloom import config as settings
from neuroloom import engines
from neuroloom.errors import GraphError, NeuroloomError, ShapeError
from neuroloom.layers import Layer
from neuroloom.layers.base import show_shape
from neuroloom.learning.loop import program
from neuroloom.ops import draws
from neuroloom.session.evaluate import Run, Special, needed, variables_of
from neuroloom.session.graph import Graph, Tensor, Variable, current_sessions, get_default_graph, wide
from neuroloom.session.summary import Record
from neuroloom.session.values import converted, numbers
from neuroloom.typing import Array


class Plan:
    """How some fetches are computed from some feeds: a compiled program, and what it is given.

    Attributes:
        fetched: the Tensors whose values are wanted.
        fed: the Tensors whose values are given, in the order of the program's arguments.
        reads, writes: the variables that it needs and changes.
    """

    def __init__(self, session: Session, fetched: list[Tensor], fed: list[Tensor], training: bool) -> None:
        self.fetched = [t for t in fetched if t.dtype != "string"]
        self.fed = fed
        order = needed([t for t in self.fetched if not isinstance(t, Variable)], fed)
        self.constants = [t for t in order if t.call is None and t.value is not None]
        for tensor in order:
            if tensor.call is None and tensor.value is None:
                raise GraphError(
                    f"The placeholder {tensor.name!r} ({tensor.dtype}, shape {_shown(tensor.shape)}) has no value. "
                    f"Give it one: run(..., feed_dict={{{tensor.name}: ...}})."
                )
        self.order = [t for t in order if t.call is not None]
        self.training = training
        read, written = variables_of(self.order)
        self.reads = self._first_read(read, written)
        self.reads += [t for t in self.fetched if isinstance(t, Variable) and t not in {*self.reads, *written}]
        self.writes = written
        self.kept = [v for v in written if v not in self.reads]
        self.needs_key = any(_draws(t, training) for t in self.order)
        self.engine = session.engine
        self.tensors = [*self.order, *self.constants, *self.fed, *self.reads]
        with wide(self.tensors, self.engine):
            self.values = [self.engine.asarray(t.value, t.dtype) for t in self.constants]
        names = (tuple(t.number for t in self.fetched), tuple(t.number for t in fed), training)
        with wide(self.tensors, self.engine):
            self._program = program(self.engine, ("session", session.graph.number, names), lambda: self._compute)

    def run(self, *given: Any) -> Any:
        """The outputs, the new values of the variables, and what `Run.wrong` says, if there is an index to check.

        Raises:
            GraphError: the engine refuses an operation.
        """
        with wide(self.tensors, self.engine):
            try:
                return self._program.run(*given)
            except (NeuroloomError, KeyboardInterrupt):
                raise
            except Exception as error:  # whatever the engine raises
                names = ", ".join(repr(t.name) for t in self.fetched)
                raise GraphError(f"{names} cannot be computed: {str(error).strip().splitlines()[0]}") from error

    def _first_read(self, read: list[Variable], written: list[Variable]) -> list[Variable]:
        """The variables whose value from before the run counts."""
        fresh: set[Variable] = set()
        found: dict[Variable, None] = {}
        for node in self.order:
            own, changed = variables_of([node])
            found |= dict.fromkeys(v for v in own if v not in fresh)
            fresh |= set(changed)
        return list(found)

    def _compute(self, state: list[Array], fed: list[Array], constants: list[Array], key: Any, count: Any) -> Any:
        with engines.engine(self.engine.name):
            values = dict(zip([*self.fed, *self.constants], [*fed, *constants], strict=True))
            key = draws.fold_in(key, count) if self.needs_key else None
            run = Run(self.engine, dict(zip(self.reads, state, strict=True)), values, key, self.training)
            found = run.compute(self.order)
            outputs = [found[t] for t in self.fetched]
            return outputs, [run.state[v] for v in self.writes], [] if run.wrong is None else [run.wrong]


def _draws(tensor: Tensor, training: bool) -> bool:
    call = tensor.call
    if isinstance(call, Layer):
        return training
    return isinstance(call, Special) and (call.draws or any(_draws(t, training) for t in getattr(call, "between", ())))


class Session:
    """Runs parts of a graph, and keeps the values of its variables. May be used from several threads: runs take turns.

    Args:
        graph: by default the default graph.
        engine: 'jax', 'torch' or 'numpy'; by default the engine in use.

    Each different set of fetches, feeds and feed shapes is compiled once. Operations of one run are executed in the
    order in which they were created: what reads a variable after an assignment of the same run gets the new value.

    >>> import neuroloom.session as nls
    >>> x = nls.placeholder("int16")
    >>> with nls.Session() as sess:
    ...     print(sess.run(x * x, feed_dict={x: 3}))
    9
    """

    def __init__(
        self, target: str = "", graph: Graph | None = None, config: Any = None, engine: str | None = None
    ) -> None:
        self.graph = graph or get_default_graph()
        self.engine = engines.resolve(engine)
        self._values: dict[Variable, Array] = {}
        self._plans: dict[Any, Plan] = {}
        self._lock = threading.RLock()
        self._closed, self._count = False, 0
        self._key: Any = None

    # ------------------------------------------------------------------------------------------------- running

    def run(self, fetches: Any, feed_dict: Mapping[Any, Any] | None = None) -> Any:
        """The values of some Tensors.

        Args:
            fetches: a Tensor, an operation or a name, or nested lists, tuples and dicts of them; the result has the
                same form. An operation gives None.
            feed_dict: values by placeholder, or by any other Tensor that they are to stand for.

        Raises:
            GraphError: a closed session, a placeholder without value, a variable that is not initialised, what is not
                in the graph, a value of another dtype, an index that is out of range. No variable is changed.
            ShapeError: a value that has another shape.
        """
        with self._lock:
            self._check_open()
            fetched: list[Tensor] = []
            self._collect(fetches, fetched)
            fed, arrays, training = self._fed(feed_dict or {})
            plan = self._plan(fetched, fed, training)
            values = self._execute(plan, arrays)
            answers = {t: _answer(t, value) for t, value in zip(plan.fetched, values, strict=True)}
            answers |= {t: t.value for t in fetched if t.dtype == "string"}
            return self._shape(fetches, answers)

    def _collect(self, fetches: Any, found: list[Tensor]) -> None:
        if isinstance(fetches, list | tuple):
            for part in fetches:
                self._collect(part, found)
        elif isinstance(fetches, dict):
            self._collect(list(fetches.values()), found)
        else:
            found.append(self._tensor(fetches))

    def _tensor(self, fetch: Any) -> Tensor:
        if isinstance(fetch, str):
            return self.graph.get_tensor_by_name(fetch)
        if not isinstance(fetch, Tensor):
            raise GraphError(f"run expected Tensors, operations or their names, received {fetch!r}.")
        if fetch.graph is not self.graph:
            raise GraphError(f"{fetch!r} belongs to another graph than this session. Use Session(graph=...).")
        return fetch

    def _shape(self, fetches: Any, answers: dict[Tensor, Any]) -> Any:
        if isinstance(fetches, list | tuple):
            parts = [self._shape(part, answers) for part in fetches]
            return type(fetches)(*parts) if hasattr(fetches, "_fields") else type(fetches)(parts)
        if isinstance(fetches, dict):
            return {name: self._shape(part, answers) for name, part in fetches.items()}
        return answers[self._tensor(fetches)]

    def _fed(self, feed_dict: Mapping[Any, Any]) -> tuple[list[Tensor], list[Any], bool]:
        if not isinstance(feed_dict, Mapping):
            raise GraphError(f"feed_dict expected a dict of values by placeholder, received {feed_dict!r}.")
        fed, arrays, training = [], [], False
        for given, value in feed_dict.items():
            tensor = self._tensor(given)
            if tensor is self.graph.by_name.get(LEARNING_PHASE):
                training = bool(value)
                continue
            fed.append(tensor)
            arrays.append(self._array(tensor, value))
        return fed, arrays, training

    def _array(self, tensor: Tensor, value: Any) -> Any:
        array = value if isinstance(value, np.ndarray) else _plain(tensor, value)
        if array.dtype.name != tensor.dtype or not array.dtype.isnative:
            array = converted(array, tensor.dtype, f"feed_dict expected {tensor.dtype} for {tensor.name!r}")
        if tensor.shape is not None and array.shape != tensor.shape:
            _check_shape(tensor, array)
        if self.engine.traces and array.dtype.itemsize < 8:
            return array
        with wide([tensor], self.engine):
            return self.engine.asarray(array.copy(), tensor.dtype)  # the caller may go on changing his

    def _plan(self, fetched: list[Tensor], fed: list[Tensor], training: bool) -> Plan:
        key = (tuple(map(id, fetched)), tuple(map(id, fed)), training)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = Plan(self, list(dict.fromkeys(fetched)), fed, training)
        return plan

    def _execute(self, plan: Plan, arrays: list[Any]) -> list[Any]:
        values = self._values
        try:
            state = [values[v] for v in plan.reads]
        except KeyError:
            missing = next(v for v in plan.reads if v not in values)
            raise GraphError(
                f"The variable {missing.name!r} has no value in this session. First run "
                f"global_variables_initializer(), created after the variable; each session has values of its own."
            ) from None
        key, count = None, None
        if plan.needs_key:
            key, count = self._random_key(), np.int32(self._count % 2**31)
            self._count += 1
        outputs, new, wrong = plan.run(state, arrays, plan.values, key, count)
        for found in wrong:
            _check_index(self.graph, self.engine.to_numpy(found))
        values.update(zip(plan.writes, new, strict=True))
        return [_numpy(self.engine, output) for output in outputs]

    def _random_key(self) -> Array:
        if self._key is None:
            seed = settings.next_seed() if self.graph.seed is None else self.graph.seed
            self._key = self.engine.asarray(draws.key(seed, "session"), "int32")
        return self._key

    # ----------------------------------------------------------------------------------------------- variables

    def values_of(self, variables: Iterable[Variable]) -> dict[Variable, np.ndarray]:
        """The values of variables."""
        variables = list(variables)
        return dict(zip(variables, self.run(variables), strict=True))

    def load(self, values: Mapping[Variable, Any]) -> None:
        """Give variables values.

        Raises:
            ShapeError: a value of another shape.
        """
        with self._lock:
            self._check_open()
            for variable, value in values.items():
                array = numbers(value, variable.dtype, f"load expected {variable.dtype} for {variable.name!r}")
                if tuple(array.shape) != tuple(variable.shape):
                    _check_shape(variable, array)
                with wide([variable], self.engine):
                    self._values[variable] = self.engine.asarray(array, variable.dtype)

    # ------------------------------------------------------------------------------------------------- closing

    def _check_open(self) -> None:
        if self._closed:
            raise GraphError("The session is closed. Make a new one; its variables have to be initialised again.")

    def close(self) -> None:
        """Forget the values of the variables; the session cannot be used any more."""
        self._closed = True
        self._values.clear()
        self._plans.clear()

    def __enter__(self) -> Session:
        self._check_open()
        current_sessions().append(self)
        self._inside = self.graph.as_default()
        self._inside.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._inside.__exit__(None, None, None)
        current_sessions().remove(self)
        self.close()


class InteractiveSession(Session):
    """A Session that `Tensor.eval()` uses from now on, until it is closed."""

    def __init__(
        self, target: str = "", graph: Graph | None = None, config: Any = None, engine: str | None = None
    ) -> None:
        super().__init__(target, graph, config, engine)
        current_sessions().append(self)

    def close(self) -> None:
        if self in current_sessions():
            current_sessions().remove(self)
        super().close()


LEARNING_PHASE = "learning_phase"


def learning_phase() -> Tensor:
    """A placeholder: with `feed_dict={learning_phase(): True}` layers act as in training, else they do not."""
    graph = get_default_graph()
    found = graph.by_name.get(LEARNING_PHASE)
    return found or Tensor(graph, f"/{LEARNING_PHASE}", None, (), {}, (), "bool")


def _plain(tensor: Tensor, value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        raise GraphError(f"feed_dict expected numbers for {tensor.name!r}, received {value!r}. Run it first.")
    if tensor.dtype in ("string", "none"):
        raise GraphError(f"{tensor!r} cannot be fed.")
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"feed_dict expected an array for {tensor.name!r}: {error}.") from None


def _check_shape(tensor: Tensor, array: np.ndarray) -> None:
    wanted = tensor.shape
    fits = len(wanted) == array.ndim and all(n in (None, m) for n, m in zip(wanted, array.shape, strict=True))
    if not fits:
        raise ShapeError(f"{tensor.name!r} expected shape {show_shape(wanted)}, received {tuple(array.shape)}.")


def _check_index(graph: Graph, wrong: np.ndarray) -> None:
    number, index, length = map(int, wrong)
    if number:
        name = graph.tensors[number - 1].name
        raise GraphError(f"{name!r} expected indices from 0 to {length - 1}, received {index}.")


def _shown(shape: Any) -> str:
    return "unknown" if shape is None else show_shape(shape)


def _numpy(engine: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [_numpy(engine, part) for part in value]
    return np.array(engine.to_numpy(value))[()]


def _answer(tensor: Tensor, value: Any) -> Any:
    return tensor.call.collect(value) if isinstance(tensor.call, Record) else value
