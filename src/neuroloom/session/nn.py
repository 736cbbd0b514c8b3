"""Functions of neural networks for explicit graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuroloom import ops
from neuroloom.calls import public
from neuroloom.errors import GraphError
from neuroloom.session import rnn as rnn_cell
from neuroloom.session.functions import _named, _one, cast, convert_to_tensor, gather, operands
from neuroloom.session.random import uniform_like
from neuroloom.session.rnn import BasicLSTMCell, BasicRNNCell, GRUCell, MultiRNNCell, dynamic_rnn

__all__ = [
    "BasicLSTMCell", "BasicRNNCell", "GRUCell", "MultiRNNCell", "avg_pool", "bias_add", "conv2d", "dropout",
    "dynamic_rnn", "elu", "embedding_lookup", "l2_loss", "log_softmax", "max_pool", "relu", "rnn_cell", "sigmoid",
    "sigmoid_cross_entropy_with_logits", "softmax", "softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits_v2", "softplus", "sparse_softmax_cross_entropy_with_logits", "tanh",
]  # fmt: skip

public(__name__)

relu = _one("relu", ops.relu)
elu = _one("elu", ops.elu)
tanh = _one("tanh", ops.tanh)
sigmoid = _one("sigmoid", ops.sigmoid)
softplus = _one("softplus", ops.softplus)


def softmax(logits: Any, axis: int = -1, name: str | None = None) -> Any:
    """exp(z) / Σ exp(z) along an axis."""
    return _named("softmax", ops.softmax, logits, axis=axis, name=name)


def log_softmax(logits: Any, axis: int = -1, name: str | None = None) -> Any:
    """z - log Σ exp(z) along an axis."""
    return _named("log_softmax", ops.log_softmax, logits, axis=axis, name=name)


def bias_add(value: Any, bias: Any, name: str | None = None) -> Any:
    """value + bias over the last axis."""
    return _named("bias_add", ops.add, *operands(value, bias), name=name)


def l2_loss(t: Any, name: str | None = None) -> Any:
    """Σ t² / 2."""
    return _named("l2_loss", ops.multiply, ops.sum(ops.square(convert_to_tensor(t))), 0.5, name=name)


def dropout(x: Any, keep_prob: Any = None, rate: Any = None, seed: int | None = None, name: str = "dropout") -> Any:
    """x with elements put to 0 at random, the others divided by the share that is kept.

    Args:
        keep_prob: the share that is kept; may be a placeholder.
        rate: the share that is dropped, instead.
    """
    if (keep_prob is None) == (rate is None):
        raise GraphError("dropout expected keep_prob or rate, one of them.")
    kept = keep_prob if rate is None else 1 - rate
    x = convert_to_tensor(x)
    mask = cast(uniform_like(x, seed, f"{name}/uniform") < kept, x.dtype)
    return _named(name, ops.multiply, x / kept, mask)


def conv2d(
    input: Any, filter: Any = None, strides: Sequence[int] = (1, 1, 1, 1), padding: str = "SAME",
    name: str | None = None, filters: Any = None,
) -> Any:  # fmt: skip
    """Convolution of images (batch, height, width, channels) with filters (height, width, channels, filters).

    Args:
        strides: (1, vertical, horizontal, 1).
        padding: 'SAME' or 'VALID'.
    """
    kernel = filter if filters is None else filters
    return _named(
        "conv2d", ops.conv, convert_to_tensor(input), kernel, _inner("strides", strides), _padding(padding), name=name
    )


def max_pool(value: Any, ksize: Sequence[int], strides: Sequence[int], padding: str, name: str | None = None) -> Any:
    """The largest value in each window of `ksize` = (1, height, width, 1)."""
    sizes = _inner("ksize", ksize), _inner("strides", strides)
    return _named("max_pool", ops.max_pool, value, *sizes, _padding(padding), name=name)


def avg_pool(value: Any, ksize: Sequence[int], strides: Sequence[int], padding: str, name: str | None = None) -> Any:
    """The mean of each window of `ksize` = (1, height, width, 1)."""
    sizes = _inner("ksize", ksize), _inner("strides", strides)
    return _named("avg_pool", ops.average_pool, value, *sizes, _padding(padding), name=name)


def _inner(name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(int(n) for n in sizes)
    if len(sizes) != 4 or sizes[0] != 1 or sizes[3] != 1:
        raise GraphError(f"{name} expected (1, vertical, horizontal, 1), received {sizes}.")
    return sizes[1:3]


def _padding(padding: str) -> str:
    if padding not in ("SAME", "VALID"):
        raise GraphError(f"padding expected 'SAME' or 'VALID', received {padding!r}.")
    return padding.lower()


def embedding_lookup(params: Any, ids: Any, name: str = "embedding_lookup") -> Any:
    """Rows of `params` at whole numbers `ids` of any shape."""
    return gather(params, ids, name=name)


def softmax_cross_entropy_with_logits(
    _sentinel: None = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """-Σ y log softmax(z) over the last axis, for labels y that sum to 1 and logits z."""
    _both(_sentinel, labels, logits, "softmax_cross_entropy_with_logits")
    total = ops.sum(labels * ops.log_softmax(convert_to_tensor(logits), axis=-1), axis=-1)
    return _named("softmax_cross_entropy", ops.negative, total, name=name)


softmax_cross_entropy_with_logits_v2 = softmax_cross_entropy_with_logits


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: None = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """-log softmax(z) at the class that `labels` (whole numbers) name."""
    _both(_sentinel, labels, logits, "sparse_softmax_cross_entropy_with_logits")
    chosen = ops.pick(ops.log_softmax(convert_to_tensor(logits), axis=-1), convert_to_tensor(labels))
    return _named("sparse_softmax_cross_entropy", ops.negative, chosen, name=name)


def sigmoid_cross_entropy_with_logits(
    _sentinel: None = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """-y log σ(z) - (1 - y) log(1 - σ(z)), elementwise, exact for z of any size."""
    _both(_sentinel, labels, logits, "sigmoid_cross_entropy_with_logits")
    return _named("sigmoid_cross_entropy", ops.binary_crossentropy, *operands(labels, logits), name=name)


def _both(sentinel: None, labels: Any, logits: Any, name: str) -> None:
    if sentinel is not None or labels is None or logits is None:
        raise GraphError(f"{name} expected labels=... and logits=... by name, so that they are not mistaken.")
