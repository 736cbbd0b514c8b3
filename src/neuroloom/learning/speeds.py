"""Which engine is fastest for a network: a table of measured times, looked up by task, kind and size.

A row of the table is a reference network: its kind (dense, convolutional, recurrent), its work (multiplications in a
forward pass of one batch) and the time on each engine of a training step, or of predicting a batch. A network is
compared with the reference of its kind whose work is nearest, as a ratio. The package ships a table;
`neuroloom doctor --measure` replaces it by one of this machine.
"""

from __future__ import annotations

import bisect
import functools
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from neuroloom import engines, tree
from neuroloom.engines import Engine
from neuroloom.folders import cache_folder
from neuroloom.layers import LSTM, Conv2D, Embedding, Layer, Network, SimpleRNN
from neuroloom.ops.graph import Node

SHIPPED = Path(__file__).with_name("speeds.json")
RECURRENT = (SimpleRNN, LSTM)
FREE_LENGTH = 32  # taken for an axis whose length is not known before the data are

WORTH_CHANGING = 1.05
"""How many times as fast as the engine in use another must be to be taken: less may be another run's noise."""

WORTH_SAYING = 1.5
"""How many times as fast another engine must be for `fit` to say so."""


@dataclass(frozen=True)
class Row:
    """Measured times of a reference network.

    Attributes:
        name: of the reference, such as 'mnist mlp'.
        kind: see `kind_of`.
        work: see `work_of`.
        ms: engine -> milliseconds per training step, or per call of `predict`.
        task: 'train' or 'predict'.
        samples: in a batch, or in a call of `predict`.
    """

    name: str
    kind: str
    work: float
    ms: dict[str, float]
    task: str = "train"
    samples: int = 0


@dataclass(frozen=True)
class Table:
    """What was measured, and where.

    Attributes:
        machine: in words.
        device: 'cpu' or 'gpu': the table says nothing about the other.
        rows: the references.
    """

    machine: str
    device: str
    rows: tuple[Row, ...]

    def nearest(self, network: Network, batch_size: int, task: str = "train") -> Row | None:
        """The reference of the network's kind whose work is nearest."""
        kind, work = network.once(measures)
        rows = self._sorted.get((kind, task))
        if not rows:
            return None
        size = max(1.0, work * batch_size)
        above = bisect.bisect(rows, size, key=lambda row: row.work)
        near = rows[max(0, above - 1) : above + 1]  # the ones below and above
        return min(near, key=lambda row: abs(math.log(row.work / size)))

    @functools.cached_property
    def _sorted(self) -> dict[tuple[str, str], list[Row]]:
        """The rows by kind and task, those with the least work first."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in sorted(self.rows, key=lambda row: row.work):
            found.setdefault((row.kind, row.task), []).append(row)
        return found

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Table:
        """The table in a file that `save` wrote."""
        found = json.loads(path.read_text())
        return cls(found["machine"], found["device"], tuple(Row(**row) for row in found["rows"]))


def measured_path() -> Path:
    """Where this machine's own table lies, if it was measured."""
    return cache_folder() / "speeds.json"


@functools.cache
def table() -> Table:
    """This machine's table, else the shipped one."""
    try:
        return Table.read(measured_path())
    except (OSError, ValueError, KeyError, TypeError):  # none, or none that can be used
        return Table.read(SHIPPED)


def fastest(network: Network, batch_size: int, task: str = "train") -> str:
    """The name of the installed engine that does it fastest, as far as is known; the one in use where that is close.

    Args:
        batch_size: samples per step, or with the task 'predict' all of them.
    """
    here = engines.current()
    asked, kept = (table(), here.name, batch_size, task), network.once(_Answer)
    last = kept.answer
    if asked != last[0]:
        row = _row(here, network, batch_size, task)
        last = kept.answer = asked, choice(row, here.name) if row else here.name
    return last[1]


class _Answer:
    """What was asked about a network last, and the answer: finding it anew takes a twentieth of a small prediction."""

    def __init__(self, network: Network) -> None:
        self.answer: tuple[Any, str] = None, ""


def choice(row: Row, here: str) -> str:
    """The installed engine with the least time in a row; the one in use, `here`, where that is close."""
    known = {name: ms for name, ms in row.ms.items() if engines.dispatch.installed(name)}
    best = min(known, key=known.__getitem__, default=here)
    close = here in known and known[here] < WORTH_CHANGING * known[best]
    return here if close else best


def hint(network: Network, batch_size: int, engine: Engine) -> str | None:
    """One line where another installed engine is known to be much faster for this network."""
    row, best = _row(engine, network, batch_size), fastest(network, batch_size)
    if row is None or engine.name not in row.ms or best not in row.ms:
        return None
    ratio = row.ms[engine.name] / row.ms[best]
    if ratio < WORTH_SAYING:
        return None
    return (
        f"The {best} engine is about {ratio:.1f} times as fast as {engine.name} for {row.kind} networks of this size: "
        f"fit(..., engine={best!r}), or engine='auto'."
    )


def _row(engine: Engine, network: Network, batch_size: int, task: str = "train") -> Row | None:
    """The reference for a network, if the table was made on the kind of device that the engine computes on."""
    found = table()
    return found.nearest(network, batch_size, task) if found.device == device_of(engine) else None


@functools.cache
def device_of(engine: Engine) -> str:
    """'cpu' or 'gpu': where the engine computes by default."""
    return "cpu" if "cpu" in engine.devices()[0].lower() else "gpu"


def measures(network: Network) -> tuple[str, float]:
    """The network's kind and work, to be asked for with `network.once`: they take longer than a small prediction."""
    return kind_of(network), work_of(network)


def kind_of(network: Network) -> str:
    """'convolutional' or 'recurrent' if such a layer is among the layers, else 'dense'."""
    layers = [layer for layer, _ in _layers(network)]
    if any(isinstance(layer, Conv2D) for layer in layers):
        return "convolutional"
    return "recurrent" if any(isinstance(layer, RECURRENT) for layer in layers) else "dense"


def work_of(network: Network) -> float:
    """Multiplications by weights in the forward pass of one sample.

    >>> import neuroloom as nl
    >>> model = nl.Sequential([nl.layers.Dense(8, input_shape=(3,)), nl.layers.Dense(1)])
    >>> work_of(model.network)  # 3 * 8 + 8 * 1
    32.0
    """
    return float(sum(_products(layer) * _positions(layer, node) for layer, node in _layers(network)))


def _layers(network: Network) -> Iterator[tuple[Layer, Node]]:
    """Each call of a layer and its Node, inside sub-networks too, and inside the networks of a learner."""
    if not isinstance(network, Network):
        for child in network.children.values():
            yield from _layers(child)
        return
    for node in network.order:
        if isinstance(node.call, Network):
            yield from _layers(node.call)
        elif isinstance(node.call, Layer):
            yield node.call, node


def _products(layer: Layer) -> int:
    if isinstance(layer, Embedding):
        return 0
    return sum(math.prod(w.shape) for w in layer.specs.values() if len(w.shape) > 1)


def _positions(layer: Layer, node: Node) -> int:
    """How often the weights are used per sample: per step of time, or per place in the output."""
    given: Any = tree.first(node.args).shape if isinstance(layer, RECURRENT) else node.shape
    lengths = given[1:2] if isinstance(layer, RECURRENT) else given[1:-1]
    return math.prod(FREE_LENGTH if n is None else n for n in lengths)
