"""Models: a network with what the user does with it. compile, fit, evaluate, predict, save.

from neuroloom import layers, models

model = models.Sequential([layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=10)
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neuroloom import config, engines, files, tree
from neuroloom.calls import friendly_methods
from neuroloom.data.sources import sample_count, train_validation_split
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, DataError
from neuroloom.layers import Network
from neuroloom.layers.base import Cell
from neuroloom.layers.parts import Version, specs_of
from neuroloom.layers.run import FiniteRun
from neuroloom.learning import CallbackList, History, Plan, Progress, Runner, Supervised, Trainer, predict
from neuroloom.learning.batches import Patience, converted, first_of, gives_batches, parts, refuse_beside_batches
from neuroloom.learning.feed import ArrayFeed, BatchFeed, Feed
from neuroloom.learning.history import format_logs
from neuroloom.learning.rows import class_weighted, make_rows, unread_rows
from neuroloom.learning.speeds import fastest, hint
from neuroloom.learning.state import BESIDE, TrainState, check_slots, copied, numbers_of, without_weights
from neuroloom.learning.supervised import inputs_of
from neuroloom.models.structure import Structure
from neuroloom.optimizers import SGD
from neuroloom.optimizers.schedules import Schedule
from neuroloom.typing import Array, Tree

Logs = dict[str, float]

_said: set[str] = set()
"""What has been said once and need not be said again."""

_checked = config.checked

HELD_OUT = config.Number(0, 1, open_high=True, expects="a share of the samples from 0 up to, but not, 1")


class _Frequency(config.Check):
    """After which epochs to evaluate on the validation data."""

    expects = "a positive whole number of epochs, or a list of the epochs' numbers from 1"

    def __call__(self, value: Any) -> int | tuple[int, ...]:
        try:
            return config.Integers(None)(value) if isinstance(value, list | tuple) else config.Integer(1)(value)
        except ValueError:
            raise self.refuse() from None


@friendly_methods
class Model(Structure):
    """A network of layers from inputs to outputs, with several of each if need be.

    Args:
        inputs: what `Input(...)` returned, or a list or dict of such.
        outputs: what layers made of them, or a list or dict of such.
        name: its part of the weights' paths when it is used inside another model.

    >>> import neuroloom as nl
    >>> x = nl.Input((4,))
    >>> hidden = nl.layers.Dense(8, activation="tanh")(x)
    >>> model = nl.Model(x, [nl.layers.Dense(1)(hidden), nl.layers.Dense(3)(hidden)])
    >>> model.output_shape
    [(None, 1), (None, 3)]
    """

    stop_training = False
    history: History | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "compute_loss" in cls.__dict__:
            _check_compute_loss(cls)

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None) -> None:
        if inputs is None and outputs is None and type(self).call is not Model.call:
            self._network = None
            self._begin(name)
            self._write()
            return
        if inputs is None and outputs is None:
            raise ConfigurationError(
                f"{type(self).__name__} expected inputs and outputs, as in Model(x, y), or a class that defines "
                f"call(self, inputs)."
            )
        self._network = Network(inputs=inputs, outputs=outputs, name=name)
        self._begin(name)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """What a class of your own computes with the layers that it made in `__init__`."""
        return self(inputs, training=training, mask=mask)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Array:
        """What training makes small: the compiled loss, penalties and added losses. For classes of your own to define.

        It runs inside the compiled step, in `evaluate` too, so it uses the functions of `neuroloom.ops`, and may call
        the model's layers. What it returns, a scalar, is all that is trained: `super().compute_loss(...)` has the
        compiled loss in it. The loss given to `compile` says which `y` fits.

        Args:
            x, y, y_pred: a batch, in the structure of the model's inputs and outputs.
            sample_weight: (batch,), or None.
            training: whether a step of training asks.
        """
        if self._compiled_loss is None:
            raise ConfigurationError(
                "compute_loss runs inside a step of fit or evaluate. Call a loss of neuroloom.losses on arrays instead."
            )
        return self._compiled_loss(y, y_pred, sample_weight)

    def _begin(self, name: str | None) -> None:
        super()._begin(name)
        self._compiled_loss: Callable[[Any, Any, Any], Array] | None = None
        self.stop_training = False
        self.history = None
        self._plan: Plan | None = None
        self._forget_training()
        self._frame = frozenset((*vars(self), "_network", "_chain", "_frame", "_arguments"))

    def _forget_training(self) -> None:
        self._loaded = False  # whether a file said how it is compiled, and no training has told so yet
        self._task: Supervised | None = None
        self._task_version = -1
        self._state = TrainState(self._seed)  # without the weights, which the layers hold

    # ---------------------------------------------------------------------------------------------- compiling

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        precision: str = "float32",
        *,
        run_eagerly: bool = False,
        steps_per_execution: int | str = 1,
        jit_compile: bool | str = "auto",
    ) -> None:
        """Say how the model learns. Nothing is computed yet.

        Args:
            optimizer: an object or a name, such as 'adam'.
            loss: an object, a name or a function (y_true, y_pred) -> one number per sample; for several outputs a
                list or a dict by output (None: not trained).
            metrics: a list of metrics; for several outputs a list of lists, or a dict by output. A metric's key in the
                logs is the name that is given here.
            loss_weights: for several outputs, a list or dict of numbers.
            precision: what the layers compute in while they learn: "float32" or "bfloat16", which has the range of
                float32 with 8 bits of accuracy and is faster on GPUs with units for it, not on most CPUs. Weights,
                losses, metrics and updates stay float32, as do `evaluate` and `predict`. Keras calls this the dtype
                policy "mixed_bfloat16".
            run_eagerly: only False. The engine says how steps run; on "torch" one by one, as Python.
            steps_per_execution, jit_compile: accepted for programs written for Keras. As many steps as run in a fifth
                of a second are one program, and engines that compile do so.

        Raises:
            UnknownNameError: no optimizer, loss or metric has this name.
            ConfigurationError: an argument has a value that it cannot have.
        """
        precision = _checked("precision", precision, config.Choice("float32", "bfloat16"))
        if _checked("run_eagerly", run_eagerly, config.Flag()):
            raise ConfigurationError(
                "run_eagerly expected False, received True. To run each step as Python, train with "
                "fit(..., engine='torch')."
            )
        if steps_per_execution != "auto":
            _whole("steps_per_execution", steps_per_execution, 1)
        if jit_compile != "auto":
            _checked("jit_compile", jit_compile, config.Flag())
        self._plan = Plan.of(optimizer, loss, metrics, loss_weights, precision)
        self._forget_training()
        if self._network is not None:
            self._make_task()

    @property
    def optimizer(self) -> Any:
        """The optimizer given to `compile`, with the rate of now; to set its `learning_rate` sets the model's."""
        optimizer = self._compiled().optimizer
        return optimizer if isinstance(optimizer.learning_rate, Schedule) else optimizer.of_model(self)

    @property
    def metrics_names(self) -> list[str]:
        """The names of the numbers that `evaluate` returns."""
        return self._make_task().test_columns

    def _compiled(self) -> Plan:
        if self._plan is None:
            raise ConfigurationError("Call compile(optimizer, loss) before training or evaluating the model.")
        return self._plan

    def _make_task(self) -> Supervised:
        if self._task is None or self._task_version != Version.now:
            task = self._compiled().task(self.network)
            if type(self).compute_loss is not Model.compute_loss:
                task = replace(task, model=self)
            if self._task is None or self._task.signature() != task.signature():
                self._task = task
            self._task_version = Version.now
        return self._task

    @property
    def learning_rate(self) -> float:
        """The current learning rate; a new one counts from the next chunk of steps on."""
        rate = self._compiled().optimizer.learning_rate
        if isinstance(rate, Schedule):
            return float(rate(int(self._state.step)))
        return rate if self._state.learning_rate is None else self._state.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        given = self._compiled().optimizer.learning_rate
        if isinstance(given, Schedule):
            raise ConfigurationError(
                f"The learning rate follows {given!r} and cannot be set. "
                f"Compile with a number to change it while training."
            )
        rate = _checked("learning_rate", value, config.Number(0, expects="a number of at least 0"))
        self._state = replace(self._state, learning_rate=rate)

    def _put_rate(self, value: float) -> None:
        """Compile with another learning rate."""
        plan = self._compiled()
        if isinstance(plan.optimizer.learning_rate, Schedule):
            raise ConfigurationError(
                f"learning_rate cannot be set: it follows {plan.optimizer.learning_rate!r}. Compile with a number."
            )
        self._plan = replace(plan, optimizer=replace(plan.optimizer, learning_rate=value))
        self._forget_training()

    @property
    def state(self) -> TrainState:
        """All of the training as one value, in NumPy arrays of its own.

        A model of equal structure, compiled alike, that is given it goes on as this one would: with the same weights,
        memory of the optimizer, orders of batches and random numbers. It can be set at any time, by a callback too.

        >>> import numpy as np, neuroloom as nl
        >>> model = nl.Sequential([nl.layers.Dense(1, input_shape=(1,))])
        >>> model.compile("adam", "mse")
        >>> history = model.fit([[1.0], [2.0]], [[2.0], [4.0]], epochs=3, verbose=0)
        >>> before = model.state
        >>> before.step, before.epoch, sorted(before.slots)
        (3, 3, ['momentum', 'velocity'])
        >>> first = model.fit([[1.0], [2.0]], [[2.0], [4.0]], verbose=0).history
        >>> model.state = before
        >>> model.fit([[1.0], [2.0]], [[2.0], [4.0]], verbose=0).history == first
        True
        """
        self._draw()
        params, frozen = ({path: copied(a) for path, a in part.items()} for part in self._split(None))
        slots, step = tree.map(copied, self._state.slots), int(self._state.step)
        return replace(self._state, params=params, frozen=frozen, slots=slots, step=step)

    @state.setter
    def state(self, value: TrainState) -> None:
        if not isinstance(value, TrainState):
            raise ConfigurationError(f"state expected the state of a model, received {value!r:.60}.")
        if value.slots is not None:
            with engines.engine("numpy") as host:
                check_slots(self._make_task().slots(self._split(host)[0], None, host), value.slots)
        self.set_weights({**(value.params or {}), **(value.frozen or {})})
        self._seed, self._state = value.seed, without_weights(value)

    # ----------------------------------------------------------------------------------------------- training

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
        engine: str | None = None,
    ) -> History:
        """Train the model.

        Args:
            x: inputs: an array, list, pandas or polars frame, or memory map; a list or dict of them for several
                inputs; or a generator (or any iterable) of batches (x, y) or (x, y, sample_weight). Numbers, whole
                ones too, are rounded to float32; an input of whole numbers takes those of 32 bits. What does not fit is
                an error. A batch is copied as it comes, so its arrays may be filled anew for the next.
            y: targets, likewise.
            batch_size: samples per step, 32 by default; the last batch of an epoch is what remains.
            epochs: the number of the last epoch.
            verbose: 0 silent, 1 a live bar, 2 a line per epoch, 'auto' the bar on terminals and in notebooks, else
                lines.
            callbacks: a list of callbacks.
            validation_split: the share of the samples, taken from the end, to evaluate on after each epoch.
            validation_data: (x, y) or (x, y, sample_weight) to evaluate on after each epoch, or a generator (or any
                iterable) of such batches. Class weights do not count there.
            shuffle: whether each epoch takes the samples in a new order (of the model's seed).
            class_weight: class number -> weight of its samples in the loss.
            sample_weight: (samples,), the weight of each in the loss.
            initial_epoch: the number of the first epoch, counted from 0; less than `epochs`.
            steps_per_epoch: batches per epoch; needed for generators that never end.
            validation_steps: batches of the validation data to evaluate on; None: all.
            validation_batch_size: samples per batch of the validation data; None: as many as in training.
            validation_freq: evaluate on the validation data every so many epochs, or after the epochs of a list, whose
                numbers begin with 1.
            engine: the engine to train on; by default the one in use. 'auto' takes the installed one that is known to
                be fastest for such a network (`neuroloom doctor` shows the table).

        Returns:
            the History: `.history["loss"]`, `.plot()`, `.frame()`.

        Raises:
            ShapeError, DataError: data that does not fit the network, the loss, or each other.
            NonFiniteError: a loss, a gradient or a new weight that is NaN or infinite; the weights are those before
                that step.
        """
        size = _size(batch_size)
        chosen = self._engine(engine, x, size)
        first, last = _whole("initial_epoch", initial_epoch, 0), _whole("epochs", epochs, 1)
        if first >= last:
            raise ConfigurationError(
                f"initial_epoch expected a number below epochs, received {first} and epochs={last}: nothing would be "
                f"trained. epochs is the number of the last epoch; for {last} more write epochs={first + last}."
            )
        steps, validation_steps = (
            _steps("steps_per_epoch", steps_per_epoch),
            _steps("validation_steps", validation_steps),
        )
        frequency = _checked("validation_freq", validation_freq, _Frequency())
        seed = self._seed if _checked("shuffle", shuffle, config.Flag()) else None
        share = _checked("validation_split", validation_split, HELD_OUT)
        if share and validation_data is not None:
            raise ConfigurationError("Give validation_data or validation_split, not both.")
        with engines.engine(chosen.name):
            if gives_batches(x):
                refuse_beside_batches(
                    y=y, sample_weight=sample_weight, batch_size=batch_size, validation_split=share or None
                )
                feed: Feed = BatchFeed(chosen, self._batches(x, class_weight), steps, first)
            else:
                rows, held_out = self._training_rows(x, y, sample_weight, class_weight, share)
                _check_some_weight(rows)
                validation_data = held_out if held_out is not None else validation_data
                feed = ArrayFeed(chosen, rows, size, seed, steps)
            if engine is None and verbose:
                self._say_faster(chosen, size)
            checked_size = size if validation_batch_size is None else _size(validation_batch_size)
            validate = self._validation(chosen, validation_data, checked_size, validation_steps, verbose)
            if verbose:
                self._say_fresh_optimizer()
            trainer, state = self._trainer(chosen, feed, callbacks, verbose, last, first, validate)
            self._warn_of_nothing()
            trainer.frequency = frequency
            return self._run(trainer, state, range(first, last))

    def _run(self, trainer: Trainer, state: Tree, epochs: range) -> History:
        """Train. A callback of another training of this model may do so: that one keeps its history."""
        history = self.history
        assert history is not None
        try:
            trainer.run(state, epochs)
        finally:
            self.history = history
            self.network.say_written()  # to a training around this one
        return history

    def _warn_of_nothing(self) -> None:
        specs = specs_of(self.network).values()
        if not any(trained for _, trained in specs) and any(weight.trainable for weight, _ in specs):
            warnings.warn(
                f"{type(self).__name__} has weights, but all of them are frozen: fit trains nothing. Set "
                f"trainable = True on the model or on layers of it.",
                stacklevel=4,
            )

    def _say_fresh_optimizer(self) -> None:
        """Once after loading: what the file does not hold."""
        if self._loaded and self._state.slots is None:
            self._loaded = False
            print(
                "The model was read from a file, which holds no state of the optimizer: it starts afresh, from step 0."
            )

    def _engine(self, name: str | None, x: Any, batch_size: int) -> Engine:
        """The engine of a call; 'auto' asks the table of speeds, which needs to know the network."""
        if name != "auto":
            return engines.resolve(name)
        if not gives_batches(x):
            self._build_for(x)
        return engines.load(fastest(self.network, batch_size))

    def _say_faster(self, engine: Engine, batch_size: int) -> None:
        """Once per process: that another engine would train such a network much faster."""
        line = hint(self.network, batch_size, engine)
        if line and line not in _said:
            _said.add(line)
            print(line)

    def _trainer(
        self,
        engine: Engine,
        feed: Feed,
        callbacks: Any,
        verbose: int | str,
        epochs: int,
        initial_epoch: int,
        validate: Callable[[], Logs] | None,
    ) -> tuple[Trainer, Tree]:
        task = self._make_task()
        self.stop_training = False
        self.history = History()
        given = callbacks if isinstance(callbacks, list | tuple) else [] if callbacks is None else [callbacks]
        params: dict[str, Any] = {"epochs": epochs, "steps": feed.steps, "verbose": verbose}
        params["initial_epoch"] = initial_epoch
        params["metrics"] = [*task.columns, *(f"val_{name}" for name in task.test_columns if validate is not None)]
        told = CallbackList([*given, self.history, Progress(verbose)], self, params)  # type: ignore[arg-type]
        trainer = Trainer(
            engine=engine,
            runner=Runner(engine, ("train", task.signature()), lambda: task.detached().train, len(task.columns)),
            columns=task.columns,
            feed=feed,
            key=engine.key(self._seed),
            callbacks=told,
            keep=self._keep,
            enter=lambda state: self._enter(engine, state),
            next_epoch=self._next_epoch,
            metrics=task.fresh_metrics(engine),
            validate=validate,
            explain=lambda batch, after: self._explain(engine, task, batch, after),
            stopped=lambda: self.stop_training,
        )
        return trainer, self._training_state(engine, task)

    def _training_state(self, engine: Engine, task: Supervised) -> Tree:
        self._draw()
        params, frozen = self._split(engine)
        slots = task.slots(params, self._state.slots, engine)
        self._seen = Cell.writes
        step = engine.scalar(int(self._state.step), "int32")
        extra = tree.map(engine.asarray, self._own_state())
        return {"params": params, "frozen": frozen, "slots": slots, "step": step, **extra}

    def _own_state(self) -> dict[str, np.ndarray]:
        """What steps need beside weights and the optimizer's memory, and do not change."""
        return {}

    def _split(self, engine: Engine | None) -> tuple[dict[str, Array], dict[str, Array]]:
        """(weights that training changes, other weights), by path."""
        trained = specs_of(self.network)
        arrays = dict(tree.items(self.network.arrays(engine)))
        params = {path: arrays[path] for path, (_, trains) in trained.items() if trains}
        return params, {path: arrays[path] for path in trained if path not in params}

    def _enter(self, engine: Engine, state: Tree) -> Tree:
        """The state of the next chunk: with the learning rate, and what callbacks have set meanwhile."""
        if self.network.written_since(self._seen):
            state = {**state, **self._training_state(engine, self._make_task())}
        return {**state, "learning_rate": engine.scalar(self.learning_rate)}

    def _next_epoch(self) -> int:
        """The number of the epoch that begins, counted over all trainings since `compile`: it names the shuffle."""
        self._count_epochs(1)
        return self._state.epoch - 1

    def _count_epochs(self, n: int) -> None:
        self._state = replace(self._state, epoch=self._state.epoch + n)

    def _keep(self, state: Tree) -> None:
        """Take the weights and the optimizer's state from a training state."""
        self.network.assign(tree.from_items([*state["params"].items(), *state["frozen"].items()]))
        self._state = replace(self._state, slots=state["slots"], step=state["step"])

    def _training_rows(
        self, x: Any, y: Any, sample_weight: Any, class_weight: Any, validation_split: float
    ) -> tuple[Tree, Any]:
        if x is None or y is None:
            raise DataError("Expected x and y, or a generator of batches (x, y).")
        self._compiled()
        self._build_for(x)
        task, held_out = self._make_task(), None
        rows = make_rows(self.network, task.targets, x, y, sample_weight)
        if validation_split:
            rows, rest = train_validation_split(rows, validation_split)
            held_out = CheckedRows(rest)
        return self._weighted(rows, class_weight), held_out

    def _weighted(self, rows: Tree, class_weight: Any) -> Tree:
        """The rows, with the weights of their classes."""
        return class_weighted(self.network, rows, class_weight)

    def _see(self, x: Any, y: Any, weight: Any) -> None:
        """Learn from data what the structure does not say."""
        self._build_for(x)

    def _batches(self, source: Any, class_weight: Any, patience: Callable[[], None] = lambda: None) -> Iterable[Tree]:
        """Checked rows of each batch; a Sequential learns its input's shape from the first."""
        self._compiled()
        head, source = first_of(source)
        self._first_batch(head)

        def convert(batch: Any) -> Tree:
            patience()
            return self._batch_rows(batch, class_weight)

        return converted(source, convert)

    def _first_batch(self, head: Any) -> None:
        self._build_for(parts(head)[0])

    def _batch_rows(self, batch: Any, class_weight: Any) -> Tree:
        x, y, weight = parts(batch)
        rows = make_rows(self.network, self._make_task().targets, x, y, weight)
        return self._weighted(rows, class_weight)

    def _checked_rows(self, x: Any, y: Any, weight: Any, prefix: str) -> Tree:
        return make_rows(self.network, self._make_task().targets, x, y, weight, prefix=prefix)

    def _validation(
        self, engine: Engine, data: Any, batch_size: int, steps: int | None, verbose: int | str
    ) -> Callable[[], Logs] | None:
        if data is None:
            return None
        if gives_batches(data):
            patience = Patience(data, steps, verbose, "validation_steps")
            return self._test(engine, BatchFeed(engine, self._batches(data, None, patience), steps))
        if isinstance(data, CheckedRows):
            rows = data.rows
        elif isinstance(data, list | tuple) and len(data) in (2, 3):
            x, y, weight = parts(data)
            rows = self._checked_rows(x, y, weight, "validation ")
        else:
            raise DataError("validation_data expected a tuple (x, y) or (x, y, sample_weight).")
        return self._test(engine, ArrayFeed(engine, rows, batch_size, steps=steps))

    def _test(self, engine: Engine, feed: Feed) -> Callable[[], Logs]:
        """A function that gives loss and metrics of the data with the weights of that moment."""
        task = self._make_task()
        columns = task.test_columns
        runner = Runner(engine, ("test", task.signature()), lambda: task.detached().test, len(columns))
        self._draw()

        def test() -> Logs:
            state, fixed = {"metrics": task.fresh_metrics(engine, testing=True)}, self._fixed(engine)
            *_, (_, last) = runner.epoch(state, fixed, feed, 0, engine.key(0))
            return dict(zip(columns, last.rows[-1].tolist(), strict=True))

        return test

    def _fixed(self, engine: Engine) -> Tree:
        """What an evaluation does not change."""
        params, frozen = self._split(engine)
        return {"params": params, "frozen": frozen, **tree.map(engine.asarray, self._own_state())}

    @np.errstate(all="ignore")  # NumPy would warn of what is looked for
    def _explain(self, engine: Engine, task: Supervised, batch: Tree, after: Tree) -> str:
        """Which layer, gradient or weight is not finite, for a batch on the device and the state after its step."""
        params, frozen = self._split(engine)
        bad = not_finite(engine, {**params, **frozen})
        if bad:
            return f"The weight {bad!r} was not finite before."
        key = engine.fold_in(engine.key(self._seed), int(self._state.step))
        run = FiniteRun(True, key)
        run.apply(self.network, self.network.arrays(engine), (inputs_of(self.network, batch["x"]),))
        if run.found:
            return f"The first layer whose output is not finite: {run.found!r}."
        plain = replace(task, optimizer=SGD()).detached()  # an optimizer may clip gradients
        gradient = not_finite(engine, plain._learn(params, frozen, batch, key)[0])
        if gradient:
            return f"All layers' outputs are finite, the gradient of the weight {gradient!r} is not."
        weight = not_finite(engine, {**after["params"], **after["frozen"]})
        if weight:
            return f"All layers' outputs and gradients are finite, the new value of the weight {weight!r} is not."
        return "All layers' outputs are finite."

    def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None, engine: str | None = None) -> Logs:
        """Take one step on one batch; returns its loss and metrics by name."""
        chosen = self._engine(engine, x, 32)
        with engines.engine(chosen.name):
            rows, _ = self._training_rows(x, y, sample_weight, None, 0.0)
            feed = ArrayFeed(chosen, rows, tree.first(rows).shape[0])
            trainer, state = self._trainer(chosen, feed, None, 0, 1, 0, None)
            history = self._run(trainer, state, range(1))
        return {name: values[-1] for name, values in history.history.items()}

    # -------------------------------------------------------------------------------------------------- using

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        return_dict: bool = False,
        steps: int | None = None,
        engine: str | None = None,
    ) -> Any:
        """Loss and metrics on data.

        Args:
            x, y, batch_size, sample_weight, engine: as for `fit`.
            steps: batches to evaluate on; None: all. Needed for generators that never end.

        Returns:
            the loss, or the list [loss, metric, ...] if there are metrics (names: `metrics_names`); with
            `return_dict` a dict.
        """
        size, steps = _size(batch_size), _steps("steps", steps)
        chosen = self._engine(engine, x, size)
        with engines.engine(chosen.name):
            if gives_batches(x):
                refuse_beside_batches(y=y, sample_weight=sample_weight, batch_size=batch_size)
                patience = Patience(x, steps, verbose, "steps")
                feed: Feed = BatchFeed(chosen, self._batches(x, None, patience), steps)
            else:
                rows, _ = self._training_rows(x, y, sample_weight, None, 0.0)
                feed = ArrayFeed(chosen, rows, size, steps=steps)
            logs = self._test(chosen, feed)()
        if verbose:
            print(format_logs(logs))
        values = list(logs.values())
        return logs if return_dict else values[0] if len(values) == 1 else values

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
        engine: str | None = None,
    ) -> Any:
        """The outputs for inputs, as NumPy arrays.

        Args:
            batch_size: samples per call of the compiled program; by default as many as run well. The result does not
                depend on it.
            verbose: accepted for old programs; predicting shows nothing.
            steps: the number of batches, of 32 samples unless `batch_size` is given, to predict; None: all.
        """
        size = None if batch_size is None else _whole("batch_size", batch_size, 1)
        steps = _steps("steps", steps)
        self._build_for(x)
        network = self.network
        rows, check = unread_rows(network, x)
        if steps is not None:
            rows = [part[: steps * (size or 32)] for part in rows]
        n = len(rows[0])
        if len(rows) > 1 or not n:
            sample_count(x=rows)  # says what does not fit
        chosen = engines.load(fastest(network, n, "predict")) if engine == "auto" else engines.resolve(engine)
        with engines.engine(chosen.name):
            self._draw()
            return predict(chosen, network, rows, check, size)

    # -------------------------------------------------------------------------------------------------- files

    def save(
        self, path: str | os.PathLike[str], extra: dict[str, Any] | None = None, *, training: bool = False
    ) -> None:
        """Write structure, weights and how the model was compiled into one safetensors file.

        Args:
            extra: JSON values of the caller's to keep with the model; `files.read_record(path)["extra"]` gives them
                back.
            training: whether to keep the state of the training too, so that `fit` after `load_model` goes on exactly:
                what the optimizer remembers, counts, seed and learning rate. The file is up to three times as large.
        """
        path = _checked("path", path, config.File())
        record = {"model": self.to_json(), "compile": self._compile_json(), "extra": extra or {}}
        weights = dict(self.weights.items())
        if _checked("training", training, config.Flag()):
            state = self.state
            record["training"], weights = state.record(), {**weights, **state.arrays()}
        files.write(path, weights, record)

    def _compile_json(self) -> dict[str, Any] | None:
        return None if self._plan is None else self._plan.to_json()

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights alone, by path."""
        files.write(_checked("path", path, config.File()), dict(self.weights.items()), {})

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Read weights that `save` or `save_weights` wrote for the same structure."""
        path = _checked("path", path, config.File())
        beside = {name: one for name, one in files.read_header(path).weights.items() if name.startswith(BESIDE)}
        found = files.read_arrays(path, {**self._expected(), **beside})
        self.set_weights({name: array for name, array in found.items() if name not in beside})

    def _load_training(self, path: str, record: Any) -> None:
        """Read the weights and the state of the training."""
        given = numbers_of(record)
        slots: Tree = None
        with engines.engine("numpy") as host:
            params, frozen = self._split(host)
            if record["slots"]:
                slots = self._make_task().slots(params, None, host)
        shapes = {f"{BESIDE}{name}": (array.dtype.name, array.shape) for name, array in tree.items(slots)}
        arrays = files.read_arrays(path, {**self._expected(), **shapes})
        names = iter(shapes)
        self.state = replace(
            given,
            params={name: arrays[name] for name in params},
            frozen={name: arrays[name] for name in frozen},
            slots=tree.map(lambda _: arrays[next(names)], slots),
        )

    def _expected(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """The dtypes and shapes of the weights in a file."""
        return {path: (w.dtype, tuple(w.shape)) for path, (w, _) in specs_of(self.network).items()}


def _check_compute_loss(cls: type[Model]) -> None:
    names = ("x", "y", "y_pred", "sample_weight", "training")
    try:
        inspect.signature(cls.__dict__["compute_loss"]).bind(None, **dict.fromkeys(names))
    except TypeError as error:
        raise ConfigurationError(
            f"{cls.__name__}.compute_loss expected the arguments (self, x, y, y_pred, sample_weight, training): "
            f"{error}."
        ) from None


def not_finite(engine: Engine, arrays: Mapping[str, Array]) -> str | None:
    """The first path whose array is not finite."""
    return next((path for path, a in arrays.items() if not np.isfinite(engine.to_numpy(a)).all()), None)


class CheckedRows:
    """Rows that have been checked already."""

    def __init__(self, rows: Tree) -> None:
        self.rows = rows


def _size(batch_size: int | None) -> int:
    return _whole("batch_size", 32 if batch_size is None else batch_size, 1)


def _whole(name: str, value: Any, low: int) -> int:
    return int(_checked(name, value, config.Integer(low)))


def _steps(name: str, value: int | None) -> int | None:
    return None if value is None else _whole(name, value, 1)


def _check_some_weight(rows: Tree) -> None:
    if rows["weight"] is not None and not rows["weight"].any():
        raise DataError(
            "Expected a positive weight for at least one sample, but class_weight and sample_weight make all of them "
            "0: nothing would be learned."
        )
