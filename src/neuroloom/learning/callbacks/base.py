"""What a callback is, and the list that tells every callback what happens.

A callback overrides the hooks it needs; the list finds out once which ones those are, so all others cost nothing.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self

from neuroloom.calls import friendly
from neuroloom.config import Check, Choice, File
from neuroloom.errors import ConfigurationError, nearest

Logs = dict[str, float]
"""Name of a loss or metric -> its value."""

State = dict[str, Any]
"""What a callback remembers: JSON values and NumPy arrays."""


class Callback:
    """Base of all callbacks: override the hooks you need.

    `logs` holds the loss and the metrics. What an earlier callback adds to the logs of an epoch's end is seen by
    the later ones, and by the history.

    Attributes:
        model: the model in training. A callback may set `model.stop_training` and `model.learning_rate`, and call
            `get_weights`, `set_weights`, `save` and `save_weights`.
        params: "epochs", "steps" (per epoch; None if unknown) and "verbose" of the training.
        between_steps: True declares that the callback must act between two steps. Training then returns to
            Python after every single step, which is slower; without it several steps run as one program, and
            their logs arrive afterwards, each step's own, in order.
        nan_action: what training does at a loss that is NaN or infinite: "raise" an error or "stop" as if the last
            epoch were reached; None leaves it to the other callbacks. If all of them leave it, training raises.

    >>> class Losses(Callback):
    ...     def on_train_begin(self, logs=None):
    ...         self.losses = []
    ...     def on_train_batch_end(self, batch, logs=None):
    ...         self.losses.append(logs["loss"])
    """

    model: Any
    params: dict[str, Any]
    between_steps: bool = False
    nan_action: Literal["raise", "stop"] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = friendly(cls.__init__)  # type: ignore[method-assign]

    def set_model(self, model: Any) -> None:
        """Receive the model, before training."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Receive the parameters of the training, before it."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Training begins. Forget earlier trainings here; on a resume, `set_state` comes right after."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Training has ended without an error; `logs` are those of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch begins; the first one is 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch has ended; values from the validation data are called `val_...`."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A step begins; the first one of an epoch is 0. Without `between_steps` it may have run already."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A step has ended; `logs` are the running values of the epoch up to and with this step."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_end`."""

    def on_chunk_end(self, step: int, logs: Logs | None = None) -> None:
        """Some steps have run as one program; `step` of this epoch are done. Comes a few times a second."""

    def close(self) -> None:
        """Release files and the terminal. Called when training is over in whatever way, also by an error."""

    def get_state(self) -> State:
        """What a resumed training needs to go on as if it had never stopped: JSON values and NumPy arrays."""
        return {}

    def set_state(self, state: State) -> None:
        """Take over what `get_state` returned."""


def expect(owner: object, name: str, check: Check, value: Any) -> Any:
    """An argument in its canonical form, or a ConfigurationError."""
    try:
        return check(value)
    except ValueError as error:
        raise ConfigurationError(f"{type(owner).__name__} expected {name} to be {error}, received {value!r}.") from None


def expect_path(owner: object, name: str, value: Any) -> str:
    """The path of a file or folder, as text."""
    return str(expect(owner, name, File(), value))


def check_place(owner: object, path: str | os.PathLike[str], folder: bool = False) -> None:
    """Refuse a path at which no file (or folder, with files in it) can be written; folders on the way may be missing.

    Every callback that writes files asks this when training begins: not after its first epoch.
    """
    place = Path(path)
    if place.exists() and place.is_dir() != folder:
        raise _no_place(owner, place, f"there is a {'file' if folder else 'folder'} of that name")
    inside = next(one for one in (place, *place.absolute().parents) if one.is_dir() or (one.exists() and one != place))
    if not inside.is_dir():
        raise _no_place(owner, place, f"{inside} is a file")
    try:
        if place.is_file():
            place.open("ab").close()
        else:
            tempfile.TemporaryFile(dir=inside).close()
    except OSError as error:
        raise _no_place(owner, place, f"{inside} cannot be written to ({error.strerror})") from None


def _no_place(owner: object, place: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"{type(owner).__name__} cannot write {place}: {why}. Choose another place.")


class LambdaCallback(Callback):
    """A callback from functions, each with the arguments of the hook whose name it is given by.

    >>> seen = []
    >>> stop = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"])))
    >>> stop.on_epoch_end(3, {"loss": 0.5})
    >>> seen
    [(3, 0.5)]
    """

    def __init__(
        self,
        *,
        on_train_begin: Callable[[Logs | None], Any] | None = None,
        on_train_end: Callable[[Logs | None], Any] | None = None,
        on_epoch_begin: Callable[[int, Logs | None], Any] | None = None,
        on_epoch_end: Callable[[int, Logs | None], Any] | None = None,
        on_train_batch_begin: Callable[[int, Logs | None], Any] | None = None,
        on_train_batch_end: Callable[[int, Logs | None], Any] | None = None,
        on_chunk_end: Callable[[int, Logs | None], Any] | None = None,
    ) -> None:
        given = {hook: function for hook, function in locals().items() if hook in HOOKS and function is not None}
        for hook, function in given.items():
            if not callable(function):
                raise ConfigurationError(f"LambdaCallback expected {hook} to be a function, received {function!r}.")
            setattr(self, hook, function)


class TerminateOnNaN(Callback):
    """What to do when the loss becomes NaN or infinite; the training loop looks for it at every step.

    Without this callback training raises a NonFiniteError that names the step. In other libraries the check is
    off unless such a callback is given.

    Args:
        action: "stop" ends training quietly, as if `model.stop_training` were set; "raise" raises NonFiniteError.
    """

    def __init__(self, action: Literal["raise", "stop"] = "stop") -> None:
        self.nan_action = expect(self, "action", Choice("raise", "stop"), action)


# ---------------------------------------------------------------------------------------------- the list of them

HOOKS = (
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_chunk_end",
)
OLD_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}
LIKE_A_HOOK = re.compile(r"on_(train|epoch|batch|chunk|test|predict)")


class CallbackList:
    """All callbacks of one training, told of every event in their order.

    Used as a context manager, it closes them at the end, also after an error.

    Args:
        callbacks: Callback objects, one of them, or None.
        model: what they get as `self.model`.
        params: what they get as `self.params`.

    Attributes:
        wants_batches: whether any of them overrides a hook of single steps.
        between_steps: whether any of them must act between two steps.
        nan_action: "raise" or "stop": what to do at a loss that is not finite.

    Raises:
        ConfigurationError: something is no callback, or has a method that looks like a misspelt hook.
    """

    def __init__(self, callbacks: Callback | Iterable[Callback] | None, model: Any, params: dict[str, Any]) -> None:
        given = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
        self.callbacks = [_checked(callback) for callback in given]
        if any(not _of_library(callback) for callback in self.callbacks):
            params = {k: v for k, v in params.items() if k != "metrics"}  # they may add to the logs
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
        self._listeners = {hook: [getattr(c, hook) for c in self.callbacks if _overrides(c, hook)] for hook in HOOKS}
        self.wants_batches = any(self._listeners[hook] for hook in OLD_NAMES)
        self.between_steps = any(c.between_steps for c in self.callbacks)
        self.nan_action = next((c.nan_action for c in self.callbacks if c.nan_action), "raise")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._tell("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._tell("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._tell("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._tell("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._tell("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._tell("on_train_batch_end", batch, logs)

    def on_chunk_end(self, step: int, logs: Logs | None = None) -> None:
        self._tell("on_chunk_end", step, logs)

    def _tell(self, hook: str, *event: Any) -> None:
        for listener in self._listeners[hook]:
            listener(*event)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with ExitStack() as every:  # one that fails to close does not keep the others open
            for callback in self.callbacks:
                every.callback(callback.close)

    def get_state(self) -> dict[str, State]:
        """The states of the callbacks that have one, by class: "EarlyStopping", a second one "EarlyStopping_1"."""
        states = {name: callback.get_state() for name, callback in self._named().items()}
        return {name: state for name, state in states.items() if state}

    def set_state(self, states: dict[str, State]) -> None:
        """Take over what `get_state` returned; call it after `on_train_begin`. New callbacks start afresh."""
        named = self._named()
        for name, state in states.items():
            if name not in named:
                raise ConfigurationError(
                    f"The training to resume had the callback {name}, which is not among the callbacks given now: "
                    f"{', '.join(named) or 'none'}. Give the same callbacks again."
                )
            named[name].set_state(state)

    def _named(self) -> dict[str, Callback]:
        seen: Counter[str] = Counter()
        named = {}
        for callback in self.callbacks:
            kind = type(callback).__name__
            named[f"{kind}_{seen[kind]}" if seen[kind] else kind] = callback
            seen[kind] += 1
        return named


def _overrides(callback: Callback, hook: str) -> bool:
    """Whether a hook, or its older name, is not the empty one of the base class."""
    names = (hook, OLD_NAMES.get(hook, hook))
    methods = ((getattr(callback, name), getattr(Callback, name)) for name in names)
    return any(getattr(method, "__func__", method) is not empty for method, empty in methods)


def _of_library(callback: Callback) -> bool:
    return type(callback) is not LambdaCallback and type(callback).__module__.startswith("neuroloom.")


def _checked(callback: Any) -> Callback:
    if not isinstance(callback, Callback):
        hint = f" Write {callback.__name__}(...)." if isinstance(callback, type) else ""
        raise ConfigurationError(
            f"callbacks expected objects of (subclasses of) neuroloom.callbacks.Callback, received {callback!r}.{hint}"
        )
    known = {*HOOKS, *OLD_NAMES.values()}
    for name in dir(callback):
        if LIKE_A_HOOK.match(name) and name not in known:
            raise ConfigurationError(
                f"{type(callback).__name__} defines {name!r}, which no training calls. {nearest(name, known)}"
            )
    return callback
