"""Summaries of a run, and writing them for TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from neuroloom import ops
from neuroloom.calls import public
from neuroloom.errors import GraphError
from neuroloom.files.events import EventWriter
from neuroloom.session.evaluate import Run, Special, special
from neuroloom.session.functions import convert_to_tensor
from neuroloom.session.graph import Graph, Tensor, get_default_graph

__all__ = ["FileWriter", "Summary", "histogram", "image", "merge", "merge_all", "scalar"]

public(__name__)


class Summary(NamedTuple):
    """What one summary operation says of a run."""

    tag: str
    kind: str
    value: Any


class Record(Special):
    """Hands values out of a run, with their tags and kinds."""

    label = "Summary"

    def __init__(self, entries: Sequence[tuple[str, str]]) -> None:
        self.entries = tuple(entries)

    def apply(self, run: Run, node: Tensor) -> Any:
        return [run.values[n] for n in node.args[0]]

    def collect(self, values: Sequence[Any]) -> list[Summary]:
        """The summaries of what `apply` gave, as NumPy arrays."""
        return [Summary(tag, kind, value) for (tag, kind), value in zip(self.entries, values, strict=True)]


def _summary(kind: str, name: str, tensor: Any, axes: int | None) -> Tensor:
    tensor = convert_to_tensor(tensor)
    if axes is not None and tensor.shape is not None and len(tensor.shape) != axes:
        raise GraphError(f"summary.{kind} expected {axes} axes, received {tensor!r}.")
    made = special(tensor.graph, name, Record([(name, kind)]), ([tensor],), (), "none")
    tensor.graph.summaries.append(made)
    return made


def scalar(name: str, tensor: Any) -> Tensor:
    """One number per step."""
    return _summary("scalar", name, tensor, 0)


def histogram(name: str, values: Any) -> Tensor:
    """The distribution of values per step."""
    return _summary("histogram", name, values, None)


def image(name: str, tensor: Any, max_outputs: int = 3) -> Tensor:
    """Images (batch, height, width, channels); the first `max_outputs` of each step."""
    return _summary("image", name, ops.getitem(convert_to_tensor(tensor), slice(max_outputs)), 4)


def merge(inputs: Sequence[Tensor]) -> Tensor:
    """One operation for several summaries."""
    entries = [entry for t in inputs for entry in t.call.entries]
    args = [n for t in inputs for n in t.args[0]]
    return special(inputs[0].graph, "merge", Record(entries), (args,), (), "none")


def merge_all() -> Tensor | None:
    """One operation for all summaries of the graph; None if there are none."""
    found = [t for t in get_default_graph().summaries if isinstance(t.call, Record)]
    return merge(found) if found else None


class FileWriter:
    """Writes summaries and a graph into a folder that TensorBoard reads.

    Args:
        logdir: the folder.
        graph: a Graph to show.
    """

    def __init__(self, logdir: Any, graph: Graph | None = None) -> None:
        self._writer = EventWriter(logdir)
        if graph is not None:
            self.add_graph(graph)

    def add_summary(self, summary: Any, global_step: int = 0) -> None:
        """Write what running a summary operation gave."""
        for one in summary:
            getattr(self._writer, one.kind)(one.tag, one.value, int(global_step))

    def add_graph(self, graph: Graph) -> None:
        """Write a graph."""
        self._writer.graph(graph.boxes())

    def flush(self) -> None:
        """Make sure that everything is on the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Write the rest and close the file."""
        self._writer.close()

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()
