"""Models: a network with what the user does with it. compile, fit, evaluate, predict, save.

    from neuroloom import layers, models

    model = models.Sequential([layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=10)
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from neuroloom import config, engines, files, losses, metrics, optimizers, tree
from neuroloom.data.sources import as_arrays, train_validation_split
from neuroloom.engines import Engine
from neuroloom.errors import ConfigurationError, DataError, ModelFileError, ShapeError, nearest
from neuroloom.layers import Context, Input, Layer, Network
from neuroloom.layers.base import Weights, show_shape
from neuroloom.ops.graph import Node, has_node
from neuroloom.optimizers.schedules import Schedule
from neuroloom.summary import Summary
from neuroloom.training import CallbackList, Course, History, Progress, Runner, Target, Task, program
from neuroloom.training.feed import ArrayFeed, BatchFeed, Feed
from neuroloom.training.history import format_logs
from neuroloom.training.rows import input_rows, make_rows
from neuroloom.training.step import inputs_of
from neuroloom.typing import Array, Tree

Logs = dict[str, float]

PREDICT_BYTES = 16 << 20
"""About how much data one call of the compiled forward program gets."""


class Model:
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

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        self._network: Network | None = Network(inputs=inputs, outputs=outputs, name=name)
        self._begin(name)

    def _begin(self, name: str | None) -> None:
        self.name = name
        self.stop_training = False
        self.history: History | None = None
        self._seed = config.next_seed()
        self._plan: dict[str, Any] | None = None
        self._forget_training()

    def _forget_training(self) -> None:
        self._task: Task | None = None
        self._slots: Tree = None
        self._step = 0
        self._epochs_seen = 0
        self._rate: float | None = None

    # ---------------------------------------------------------------------------------------------- structure

    @property
    def network(self) -> Network:
        """The graph of layers."""
        if self._network is None:
            raise ShapeError(
                f"{type(self).__name__} does not know its input shape yet. Give the first layer input_shape=..., start "
                f"with Input((...)), or call fit or predict on data first."
            )
        return self._network

    @property
    def layers(self) -> list[Layer]:
        """The layers, in the order in which data meet them."""
        return list(self.network.layers.values())

    def get_layer(self, name: str) -> Layer:
        """A layer by name."""
        found = self.network.layers
        if name not in found:
            raise ConfigurationError(f"The model has no layer {name!r}. {nearest(name, found)}")
        return found[name]

    @property
    def inputs(self) -> list[Node]:
        """The symbolic inputs."""
        return tree.leaves(self.network.inputs)

    @property
    def outputs(self) -> list[Node]:
        """The symbolic outputs."""
        return tree.leaves(self.network.outputs)

    @property
    def input(self) -> Any:
        """The symbolic input, or the list or dict of them."""
        return self.network.inputs

    @property
    def output(self) -> Any:
        """The symbolic output, or the list or dict of them; a part of a model is made from such Nodes."""
        return self.network.outputs

    @property
    def input_shape(self) -> Any:
        """The shape of the input (None: free), or a list or dict of shapes."""
        return tree.map(lambda node: node.shape, self.network.inputs)

    @property
    def output_shape(self) -> Any:
        """The shape of the output (None: free), or a list or dict of shapes."""
        return tree.map(lambda node: node.shape, self.network.outputs)

    def __call__(self, x: Any, training: bool = False) -> Any:
        """The model as a layer: symbolic for symbolic inputs, values for arrays (of the arrays' engine)."""
        if not has_node(x if isinstance(x, list | tuple | Node) else list(x.values()) if isinstance(x, dict) else x):
            self._build_for(x)
            self._draw()
        return self.network(x, training=training)

    def _build_for(self, x: Any) -> None:
        """Make sure that there is a network; a Sequential may make it from data."""
        _ = self.network

    def _draw(self) -> None:
        self.network.initialize(self._seed, "")

    # ------------------------------------------------------------------------------------------------ weights

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Copies of all weights by path, such as 'encoder/dense_1/kernel'."""
        self._draw()
        return {path: _copy(array) for path, array in tree.items(self.network.arrays())}

    @property
    def trainable_weights(self) -> dict[str, np.ndarray]:
        """Copies of the weights that training changes, by path."""
        trained = self.network.weights()
        return {path: array for path, array in self.weights.items() if trained[path][1]}

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in the order of `weights`."""
        return list(self.weights.values())

    def set_weights(self, weights: Sequence[Any] | Mapping[str, Any]) -> None:
        """Replace all weights, given by path or in the order of `weights`.

        Raises:
            ShapeError: another number of weights, another path or another shape.
        """
        self._draw()
        shapes = {path: w.shape for path, (w, _) in self.network.weights().items()}
        given = dict(weights) if isinstance(weights, Mapping) else self._by_order(list(weights), shapes)
        for path in given:
            if path not in shapes:
                raise ShapeError(f"The model has no weight {path!r}. {nearest(path, shapes)}")
        for path, shape in shapes.items():
            if path not in given or np.shape(given[path]) != tuple(shape):
                received = f"shape {np.shape(given[path])}" if path in given else "nothing"
                raise ShapeError(f"The weight {path!r} expected an array of shape {tuple(shape)}, received {received}.")
        arrays = {path: np.array(given[path], np.float32) for path in shapes}
        self.network.assign(tree.from_items(list(arrays.items())))

    def _by_order(self, weights: list[Any], shapes: dict[str, Any]) -> dict[str, Any]:
        if len(weights) != len(shapes):
            raise ShapeError(f"The model has {len(shapes)} weights, received {len(weights)}.")
        return dict(zip(shapes, weights, strict=True))

    def count_params(self) -> int:
        """Number of numbers in all weights."""
        return self.network.count_params()

    def summary(self, print_fn: Callable[[str], Any] | None = None) -> Summary:
        """Print a table of the layers: output shape, number of parameters, memory; and return it.

        Args:
            print_fn: what to print with, line by line; by default the terminal gets a table in colour.
        """
        table = Summary(self.network, self.name or type(self).__name__)
        table.show(print_fn)
        return table

    # ---------------------------------------------------------------------------------------------- compiling

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
    ) -> None:
        """Say how the model learns. Nothing is computed yet.

        Args:
            optimizer: an object or a name, such as 'adam'.
            loss: an object, a name or a function (y_true, y_pred) -> one number per sample; for several outputs a
                list or a dict by output (None: not trained).
            metrics: a list of metrics; for several outputs a list of lists, or a dict by output. A metric's key in the
                logs is the name that is given here.
            loss_weights: for several outputs, a list or dict of numbers.
        """
        self._plan = {
            "optimizer": optimizers.get(optimizer),
            "loss": _resolved(loss, _loss),
            "metrics": metrics,
            "loss_weights": loss_weights,
        }
        self._forget_training()
        if self._network is not None:
            self._make_task()

    @property
    def optimizer(self) -> Any:
        """The optimizer given to `compile`."""
        return self._compiled()["optimizer"]

    @property
    def metrics_names(self) -> list[str]:
        """The names of the numbers that `evaluate` returns."""
        return self._make_task().columns

    def _compiled(self) -> dict[str, Any]:
        if self._plan is None:
            raise ConfigurationError("Call compile(optimizer, loss) before training or evaluating the model.")
        return self._plan

    def _make_task(self) -> Task:
        if self._task is None:
            plan, network = self._compiled(), self.network
            names = _output_names(network)
            loss = _per_output(plan["loss"], names, "loss", shared=True)
            weights = _per_output(plan["loss_weights"], names, "loss_weights", default=1.0)
            kinds = _per_output_metrics(plan["metrics"], names)
            ends = tree.leaves(network.outputs)
            targets = [
                _target(name, node, loss[name], weights[name], kinds[name], len(names) > 1)
                for name, node in zip(names, ends, strict=True)
            ]
            if all(t.loss is None for t in targets):
                raise ConfigurationError("compile expected a loss, such as 'mse' or 'categorical_crossentropy'.")
            self._task = Task(network, tuple(targets), plan["optimizer"])
        return self._task

    @property
    def learning_rate(self) -> float:
        """The current learning rate; a new one counts from the next chunk of steps on."""
        rate = self.optimizer.learning_rate
        if isinstance(rate, Schedule):
            return float(rate(self._step))
        return rate if self._rate is None else self._rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        if isinstance(self.optimizer.learning_rate, Schedule):
            raise ConfigurationError(
                f"The learning rate follows {self.optimizer.learning_rate!r} and cannot be set. "
                f"Compile with a number to change it while training."
            )
        self._rate = config.Number(0, expects="a number of at least 0")(float(value))

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
        engine: str | None = None,
    ) -> History:
        """Train the model.

        Args:
            x: inputs: an array, list, pandas or polars frame, or memory map; a list or dict of them for several inputs; or a
                generator (or any iterable) of batches (x, y) or (x, y, sample_weight).
            y: targets, likewise.
            batch_size: samples per step, 32 by default; the last batch of an epoch is what remains.
            epochs: the number of the last epoch.
            verbose: 0 silent, 1 a live bar, 2 a line per epoch, 'auto' the bar on terminals and in notebooks, else lines.
            callbacks: a list of callbacks.
            validation_split: the share of the samples, taken from the end, to evaluate on after each epoch.
            validation_data: (x, y) or (x, y, sample_weight) to evaluate on after each epoch.
            shuffle: whether each epoch takes the samples in a new order (of the model's seed).
            class_weight: class number -> weight of its samples in the loss.
            sample_weight: (samples,), the weight of each in the loss.
            initial_epoch: the number of the first epoch, counted from 0.
            steps_per_epoch: batches per epoch; needed for generators that never end.
            engine: the engine to train on; by default the one in use.

        Returns:
            the History: `.history["loss"]`, `.plot()`, `.frame()`.

        Raises:
            ShapeError, DataError: data that does not fit the network, the loss, or each other.
            NonFiniteError: a loss that is NaN or infinite; the weights are those before that step.
        """
        chosen = engines.resolve(engine)
        size = _positive("batch_size", 32 if batch_size is None else batch_size)
        first, last = _count("initial_epoch", initial_epoch), _positive("epochs", epochs)
        with engines.engine(chosen.name):
            if _is_batches(x):
                _refuse_with_batches(y=y, sample_weight=sample_weight, batch_size=batch_size)
                batches = self._batches(x, class_weight)
                feed: Feed = BatchFeed(chosen, batches, steps_per_epoch)
            else:
                rows, held_out = self._training_rows(x, y, sample_weight, class_weight, validation_split)
                validation_data = held_out if held_out is not None else validation_data
                feed = ArrayFeed(chosen, rows, size, self._seed if shuffle else None, steps_per_epoch)
            validate = self._validation(chosen, validation_data, size)
            course, state = self._course(chosen, feed, callbacks, verbose, last, first, validate)
            course.run(state, range(first, last), self._epochs_seen)
        assert self.history is not None
        return self.history

    def _course(
        self,
        engine: Engine,
        feed: Feed,
        callbacks: Any,
        verbose: int | str,
        epochs: int,
        initial_epoch: int,
        validate: Callable[[], Logs] | None,
    ) -> tuple[Course, Tree]:
        task = self._make_task()
        self.stop_training = False
        self.history = History()
        given = [callbacks] if not isinstance(callbacks, list | tuple) and callbacks is not None else list(callbacks or [])
        params = {"epochs": epochs, "steps": feed.steps, "verbose": verbose, "initial_epoch": initial_epoch}
        told = CallbackList([*given, self.history, Progress(verbose)], self, params)
        detached = task.detached()
        course = Course(
            engine=engine,
            runner=Runner(engine, ("train", task.signature()), detached.train, len(task.columns)),
            columns=task.columns,
            feed=feed,
            key=engine.key(self._seed),
            callbacks=told,
            keep=self._keep,
            rate=lambda: self.learning_rate,
            fresh_metrics=lambda: task.fresh_metrics(engine),
            validate=validate,
            explain=lambda state, number, step: self._explain(engine, feed, number, step),
            stopped=lambda: self.stop_training,
        )
        return course, self._training_state(engine, task)

    def _training_state(self, engine: Engine, task: Task) -> Tree:
        self._draw()
        params, frozen = self._split(engine)
        assert task.optimizer is not None
        slots = task.optimizer.init(params) if self._slots is None else tree.map(engine.asarray, self._slots)
        return {"params": params, "frozen": frozen, "slots": slots, "step": engine.scalar(self._step, "int32")}

    def _split(self, engine: Engine) -> tuple[dict[str, Array], dict[str, Array]]:
        """(weights that training changes, other weights), by path."""
        trained = self.network.weights()
        arrays = dict(tree.items(self.network.arrays(engine)))
        params = {path: a for path, a in arrays.items() if trained[path][1]}
        return params, {path: a for path, a in arrays.items() if path not in params}

    def _keep(self, state: Tree) -> None:
        """Take the weights and the optimizer's state from a training state."""
        self.network.assign(tree.from_items([*state["params"].items(), *state["frozen"].items()]))
        self._slots, self._step = state["slots"], int(state["step"])

    def _training_rows(
        self, x: Any, y: Any, sample_weight: Any, class_weight: Any, validation_split: float
    ) -> tuple[Tree, Any]:
        if x is None or y is None:
            raise DataError("fit expected x and y, or a generator of batches (x, y).")
        self._build_for(x)
        task = self._make_task()
        rows = make_rows(self.network, task.targets, x, y, sample_weight, class_weight)
        if not validation_split:
            return rows, None
        rows, held_out = train_validation_split(rows, validation_split)
        return rows, _Rows(held_out)

    def _batches(self, source: Any, class_weight: Any) -> Iterable[Tree]:
        """Checked rows of each batch of a generator; also finds the shape of a Sequential's input."""
        if isinstance(source, Iterator):
            head = next(source, None)
            if head is None:
                raise DataError("fit expected at least one batch, but the generator is empty.")
            source = itertools.chain([head], source)
            self._build_for(_parts(head)[0])
            return (self._batch_rows(b, class_weight) for b in source)
        self._build_for(_parts(next(iter(source)))[0])
        return _Restartable(source, lambda b: self._batch_rows(b, class_weight))

    def _batch_rows(self, batch: Any, class_weight: Any) -> Tree:
        x, y, weight = _parts(batch)
        return make_rows(self.network, self._make_task().targets, x, y, weight, class_weight)

    def _validation(self, engine: Engine, data: Any, batch_size: int) -> Callable[[], Logs] | None:
        if data is None:
            return None
        if isinstance(data, _Rows):
            rows = data.rows
        elif isinstance(data, list | tuple) and len(data) in (2, 3):
            x, y, weight = _parts(data)
            rows = make_rows(self.network, self._make_task().targets, x, y, weight, prefix="validation ")
        else:
            raise DataError("validation_data expected a tuple (x, y) or (x, y, sample_weight).")
        feed = ArrayFeed(engine, rows, batch_size)
        return lambda: self._test(engine, feed)

    def _test(self, engine: Engine, feed: Feed) -> Logs:
        task = self._make_task()
        runner = Runner(engine, ("test", task.signature()), task.detached().test, len(task.columns))
        self._draw()
        params, frozen = self._split(engine)
        state, fixed = {"metrics": task.fresh_metrics(engine)}, {"params": params, "frozen": frozen}
        last = None
        for _, chunk in runner.epoch(state, fixed, feed, 0, engine.key(0)):
            last = chunk.rows[-1]
        assert last is not None
        return dict(zip(task.columns, last.tolist(), strict=True))

    def _explain(self, engine: Engine, feed: Feed, number: int, step: int) -> str:
        """Which layer first gave a number that is not finite, for the batch of a step."""
        if not isinstance(feed, ArrayFeed):
            return ""
        index = feed.order(number)[step * feed.batch_size : (step + 1) * feed.batch_size]
        x = [engine.asarray(a[index]) for a in feed.rows["x"]]
        arrays = Weights(self.network.arrays(engine))
        bad = [path for path, a in tree.items(arrays) if not np.isfinite(engine.to_numpy(a)).all()]
        if bad:
            return f"The weight {bad[0]!r} is not finite since the step before: its gradient overflowed."
        ctx = Context(True, engine.fold_in(engine.key(self._seed), self._step))
        layer = self.network.first_not_finite(arrays, inputs_of(self.network, x), ctx)
        return f"The first layer whose output is not finite: {layer!r}." if layer else "All layers' outputs are finite."

    def train_on_batch(self, x: Any, y: Any, sample_weight: Any = None, engine: str | None = None) -> Logs:
        """Take one step on one batch; returns its loss and metrics by name."""
        chosen = engines.resolve(engine)
        with engines.engine(chosen.name):
            rows, _ = self._training_rows(x, y, sample_weight, None, 0.0)
            feed = ArrayFeed(chosen, rows, tree.first(rows).shape[0])
            course, state = self._course(chosen, feed, None, 0, 1, 0, None)
            course.run(state, range(1), 0)
        assert self.history is not None
        return {name: values[-1] for name, values in self.history.history.items()}

    # -------------------------------------------------------------------------------------------------- using

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        return_dict: bool = False,
        engine: str | None = None,
    ) -> Any:
        """Loss and metrics on data.

        Returns:
            the loss, or the list [loss, metric, ...] if there are metrics (names: `metrics_names`); with
            `return_dict` a dict.
        """
        chosen = engines.resolve(engine)
        with engines.engine(chosen.name):
            if _is_batches(x):
                feed: Feed = BatchFeed(chosen, self._batches(x, None))
            else:
                rows, _ = self._training_rows(x, y, sample_weight, None, 0.0)
                feed = ArrayFeed(chosen, rows, _positive("batch_size", 32 if batch_size is None else batch_size))
            logs = self._test(chosen, feed)
        if verbose:
            print(format_logs(logs))
        values = list(logs.values())
        return logs if return_dict else values[0] if len(values) == 1 else values

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = 0, engine: str | None = None) -> Any:
        """The outputs for inputs, as NumPy arrays.

        Args:
            batch_size: samples per call of the compiled program; by default as many as run well. The result does not
                depend on it.
            verbose: accepted for old programs; predicting shows nothing.
        """
        chosen = engines.resolve(engine)
        with engines.engine(chosen.name):
            self._build_for(x)
            self._draw()
            inputs = input_rows(self.network, x)
            forward = program(chosen, ("predict", self.network.signature()), self._forward)
            arrays = self.network.arrays(chosen)
            n = inputs[0].shape[0]
            size = batch_size or _predict_size(inputs)
            parts = [_predict(chosen, forward, arrays, inputs, i, min(size, n - i)) for i in range(0, n, size)]
        return tree.map(lambda *pieces: pieces[0] if len(pieces) == 1 else np.concatenate(pieces), *parts)

    def _forward(self) -> Callable[..., Any]:
        network = self.network.clone()
        return lambda arrays, x: network.call(Weights(arrays), inputs_of(network, x), Context())

    # -------------------------------------------------------------------------------------------------- files

    def get_config(self) -> dict[str, Any]:
        """The structure as JSON values; `from_config` is the inverse."""
        return {"class": type(self).__name__, "network": self.network.get_config()}

    @staticmethod
    def from_config(structure: dict[str, Any]) -> Model:
        """A model of the structure that `get_config` returned, with fresh weights."""
        network = Network.from_config(structure["network"])
        cls: type[Model] = Sequential if structure["class"] == "Sequential" else Model
        model = cls.__new__(cls)
        model._network = network
        model._begin(network.name)
        return model

    def save(self, path: str | os.PathLike[str], extra: dict[str, Any] | None = None) -> None:
        """Write structure, weights and how the model was compiled into one safetensors file.

        Args:
            extra: JSON values of the caller's to keep with the model; `files.inspect` shows them.
        """
        record = {"model": self.get_config(), "compile": self._plan_json(), "extra": extra or {}}
        files.write(path, self.weights, record)

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights alone, by path."""
        files.write(path, self.weights, {})

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Read weights that `save` or `save_weights` wrote for the same structure."""
        shapes = {p: tuple(w.shape) for p, (w, _) in self.network.weights().items()}
        self.set_weights(files.read_weights(path, shapes))

    def _plan_json(self) -> Any:
        try:
            return None if self._plan is None else {k: config.to_json(v) for k, v in self._plan.items()}
        except ConfigurationError:
            return None  # a loss or metric that is a plain function is not kept; compile again after loading

    def __repr__(self) -> str:
        if self._network is None:
            return f"<{type(self).__name__}, input shape unknown>"
        ends = f"{_shown(self.input_shape)} -> {_shown(self.output_shape)}"
        return f"<{type(self).__name__} {ends}, {self.count_params():,} parameters>"


class Sequential(Model):
    """A chain of layers.

    The input's shape comes from `Input(...)` as first element, from `input_shape=` of the first layer, or from the
    first data that the model sees.

    Args:
        layers: layers and models; more are added with `add`.

    >>> import neuroloom as nl
    >>> model = nl.Sequential([nl.layers.Dense(16, activation="relu", input_shape=(4,)), nl.layers.Dense(3)])
    >>> model
    <Sequential (?, 4) -> (?, 3), 131 parameters>
    """

    def __init__(self, layers: Iterable[Any] = (), name: str | None = None) -> None:
        self._network = None
        self._chain: list[Any] = []
        self._begin(name)
        for layer in layers:
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Append a layer or a model."""
        chain = self._chain_now()
        if isinstance(layer, Node):
            if chain:
                raise ConfigurationError("Input comes first in a Sequential.")
        elif not isinstance(layer, Layer | Model):
            hint = f" Write {layer.__name__}(...)." if isinstance(layer, type) else ""
            raise ConfigurationError(f"Sequential expected a layer, received {layer!r}.{hint}")
        chain.append(layer)
        self._chain, self._network = chain, None
        self._task = None
        start = chain[0]
        shape = None if isinstance(start, Node | Model) else start.input_shape
        if isinstance(start, Node) and len(chain) > 1:
            self._connect(start, chain[1:])
        elif shape is not None:
            self._connect(Input(shape, start.input_dtype), chain)
        elif isinstance(start, Model) and start._network is not None:
            self._connect(start.network.inputs, chain, follow=start)

    def _chain_now(self) -> list[Any]:
        if not hasattr(self, "_chain"):  # loaded from a file
            order = self.network.order
            self._chain = [order[0], *(node.call for node in order[1:])]
        return self._chain

    def _connect(self, start: Node, chain: list[Any], follow: Model | None = None) -> None:
        value: Any = Input(start.shape[1:], start.dtype, start.name) if follow else start
        source = value
        for layer in chain:
            value = layer(value)
        self._network = Network(inputs=source, outputs=value, name=self.name)

    def _build_for(self, x: Any) -> None:
        if self._network is not None:
            return
        if not self._chain:
            raise ConfigurationError("The Sequential has no layers; add some before using it.")
        data = as_arrays(x if not _is_batches(x) else None, name="x")
        if not isinstance(data, np.ndarray):
            raise DataError("A Sequential has one input; it received several arrays. Use Model(inputs, outputs).")
        first = self._chain[0]
        self._connect(Input(data.shape[1:], getattr(first, "input_dtype", "float32")), self._chain)

    @property
    def layers(self) -> list[Layer]:
        """The layers in order."""
        return [layer for layer in self._chain_now() if not isinstance(layer, Node)]

    def pop(self) -> Any:
        """Remove and return the last layer."""
        chain = self._chain_now()
        if not chain:
            raise ConfigurationError("The Sequential has no layer to remove.")
        last, self._chain, self._network = chain[-1], [], None
        self._task = None
        for layer in chain[:-1]:
            self.add(layer)
        return last


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model that `Model.save` wrote. Nothing in such a file is executed.

    Raises:
        ModelFileError: the file is damaged, of another kind, or does not fit together.
    """
    record = files.read_record(path)
    if "model" not in record:
        raise ModelFileError(path, "holds weights but no model.", "Build the model and call load_weights.")
    try:
        model = Model.from_config(record["model"])
    except (ConfigurationError, ShapeError, KeyError, TypeError, IndexError, ValueError) as error:
        raise ModelFileError(path, f"the model's configuration cannot be used: {error}") from error
    model.load_weights(path)
    if record.get("compile"):
        plan = {name: config.from_json(value) for name, value in record["compile"].items()}
        model.compile(**plan)
    return model


# ---------------------------------------------------------------------------------------------------- helpers


class _Rows:
    """Rows that have been checked already."""

    def __init__(self, rows: Tree) -> None:
        self.rows = rows


class _Restartable:
    """An iterable that can be started anew, with a function applied to each item."""

    def __init__(self, items: Iterable[Any], fn: Callable[[Any], Any]) -> None:
        self.items, self.fn = items, fn

    def __iter__(self) -> Iterator[Any]:
        return (self.fn(item) for item in self.items)

    def __len__(self) -> int:
        return len(self.items)  # type: ignore[arg-type]


def _is_batches(x: Any) -> bool:
    if isinstance(x, Iterator):
        return True
    arrays = isinstance(x, list | tuple | Mapping | str) or hasattr(x, "__array__") or hasattr(x, "__dataframe__")
    return isinstance(x, Iterable) and not arrays and not hasattr(x, "shape")


def _refuse_with_batches(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ConfigurationError(f"{name} cannot be given beside a generator, which makes the batches itself.")


def _parts(batch: Any) -> tuple[Any, Any, Any]:
    if not isinstance(batch, list | tuple) or len(batch) not in (2, 3):
        raise DataError(f"A batch is a tuple (x, y) or (x, y, sample_weight), received {type(batch).__name__}.")
    return (*batch, None) if len(batch) == 2 else tuple(batch)  # type: ignore[return-value]


def _copy(array: Array) -> np.ndarray:
    return np.array(engines.of(array).to_numpy(array))


def _positive(name: str, value: Any) -> int:
    try:
        return config.Integer(1)(value)
    except ValueError as error:
        raise ConfigurationError(f"{name} expected {error}, received {value!r}.") from None


def _count(name: str, value: Any) -> int:
    try:
        return config.Integer(0)(value)
    except ValueError as error:
        raise ConfigurationError(f"{name} expected {error}, received {value!r}.") from None


def _shown(shape: Any) -> str:
    if isinstance(shape, dict):
        return "{" + ", ".join(f"{k}: {show_shape(s)}" for k, s in shape.items()) + "}"
    return f"[{', '.join(map(show_shape, shape))}]" if isinstance(shape, list) else show_shape(shape)


def _loss(spec: Any) -> Any:
    return None if spec is None else losses.get(spec)


def _resolved(spec: Any, get: Callable[[Any], Any]) -> Any:
    """A specification, or a list or dict of them, resolved now so that a typo fails in compile."""
    if isinstance(spec, list | tuple):
        return [get(s) for s in spec]
    if isinstance(spec, dict) and set(spec) != {"class", "config"}:
        return {name: get(s) for name, s in spec.items()}
    return get(spec)


def _output_names(network: Network) -> list[str]:
    """The dict's keys, or the names of the layers that make the outputs."""
    if isinstance(network.outputs, dict):
        return list(network.outputs)
    names: list[str] = []
    for node in tree.leaves(network.outputs):
        base = network.names.get(node.call) or getattr(node.call, "__name__", "output")
        names.append(base if base not in names else f"{base}_{names.count(base)}")
    return names


def _per_output(spec: Any, names: list[str], what: str, shared: bool = False, default: Any = None) -> dict[str, Any]:
    if isinstance(spec, dict):
        for name in spec:
            if name not in names:
                raise ConfigurationError(f"{what} names the output {name!r}. {nearest(name, names)}")
        return {name: spec.get(name, default) for name in names}
    if isinstance(spec, list | tuple):
        if len(spec) != len(names):
            raise ConfigurationError(f"{what} expected {len(names)} entries, one per output, received {len(spec)}.")
        return dict(zip(names, spec, strict=True))
    return dict.fromkeys(names, spec if shared else default)


def _per_output_metrics(spec: Any, names: list[str]) -> dict[str, list[Any]]:
    if spec is None:
        return {name: [] for name in names}
    if isinstance(spec, str) or not isinstance(spec, list | tuple | dict):
        spec = [spec]
    if isinstance(spec, list | tuple) and (len(names) == 1 or not any(isinstance(s, list | tuple) for s in spec)):
        flat = spec[0] if len(spec) == 1 and isinstance(spec[0], list | tuple) else spec
        return {name: list(flat) for name in names}
    found = _per_output(spec, names, "metrics")
    return {name: list(s) if isinstance(s, list | tuple) else [] if s is None else [s] for name, s in found.items()}


def _target(name: str, node: Node, loss: Any, weight: float, kinds: list[Any], several: bool) -> Target:
    pairs = []
    for spec in kinds:
        metric = metrics.resolve(spec, loss, node.shape)
        key = spec if isinstance(spec, str) else getattr(metric, "name", None) or config.snake(type(metric).__name__)
        key = f"{name}_{key}" if several else key
        if key in [k for k, _ in pairs]:
            raise ConfigurationError(f"The metric {key!r} is given twice; give one of them a name.")
        pairs.append((key, metric))
    return Target(name, loss, 1.0 if weight is None else float(weight), tuple(pairs))


def _predict_size(inputs: list[np.ndarray]) -> int:
    """Rows per call: a power of two, about PREDICT_BYTES of inputs."""
    row = sum(a.dtype.itemsize * math.prod(a.shape[1:]) for a in inputs)
    return 1 << max(5, min(14, int(math.log2(max(1, PREDICT_BYTES // max(1, row))))))


def _predict(engine: Engine, forward: Any, arrays: Tree, inputs: list[np.ndarray], start: int, n: int) -> Tree:
    """The outputs of n rows; compiled engines get a power of two of them, so that few programs are made."""
    length = 1 << (n - 1).bit_length() if engine.compiles else n

    def cut(a: np.ndarray) -> Array:
        part = a[start : start + n]
        return engine.asarray(part if n == length else np.concatenate([part, np.repeat(part[-1:], length - n, axis=0)]))

    outputs = forward(arrays, [cut(a) for a in inputs])
    return tree.map(lambda o: np.array(engine.to_numpy(o)[:n]), outputs)
