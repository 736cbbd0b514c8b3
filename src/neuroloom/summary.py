"""The table of a network's layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neuroloom import engines, tree
from neuroloom.engines import Spec
from neuroloom.layers import Layer, Network, Run
from neuroloom.layers.base import show_shape
from neuroloom.layers.parts import specs_of
from neuroloom.ops.graph import PROBES, Node, fixed, select


@dataclass(frozen=True)
class Row:
    """One layer or operation: name, class, output shape, number of parameters, what feeds it."""

    name: str
    kind: str
    shape: Any
    parameters: int
    inputs: str


class Summary:
    """A network's layers with shapes, parameters and memory; `str()` gives it as plain text.

    Args:
        opened: a layer in whose place the layers in it stand.
        nested: whether layers in layers are shown.

    Attributes:
        rows: one Row per layer call; with `nested` also one, indented, per layer in a layer, which its row counts too.
        trainable, other: number of parameters that training changes, and of all others.
    """

    def __init__(self, network: Network, title: str, opened: Layer | None = None, nested: bool = False) -> None:
        self.title = title
        self.rows = _rows(network, opened, nested)
        sizes = [(math.prod(w.shape), trained) for w, trained in specs_of(network).values()]
        self.trainable = sum(n for n, trained in sizes if trained)
        self.other = sum(n for n, trained in sizes if not trained)
        self._linear = all(len(list(node.parents())) <= 1 for node in network.order)

    @property
    def cells(self) -> list[list[str]]:
        """The table, without its head."""
        return [
            [r.name, r.kind, _shape_text(r.shape), f"{r.parameters:,}", _bytes(4 * r.parameters)]
            + ([] if self._linear else [r.inputs])
            for r in self.rows
        ]

    @property
    def head(self) -> list[str]:
        """The table's head."""
        return ["Layer", "Class", "Output shape", "Parameters", "Memory"] + ([] if self._linear else ["Inputs"])

    @property
    def foot(self) -> str:
        """The totals in one line."""
        total = self.trainable + self.other
        frozen = f", {self.other:,} of them not trained" if self.other else ""
        return f"{total:,} parameters ({_bytes(4 * total)}){frozen}"

    def __str__(self) -> str:
        table = [self.head, *self.cells]
        widths = [max(len(row[i]) for row in table) for i in range(len(self.head))]
        lines = [
            "  ".join(_align(cell, width, i) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
            for row in table
        ]
        rule = "─" * (sum(widths) + 2 * len(widths) - 2)
        return "\n".join([self.title, rule, lines[0].rstrip(), rule, *(x.rstrip() for x in lines[1:]), rule, self.foot])

    def __repr__(self) -> str:
        return f"<Summary of {self.title}: {len(self.rows)} rows, {self.foot}>"

    def show(self, print_fn: Callable[[str], Any] | None = None) -> None:
        """Print the table: in colour on a terminal, or line by line with a function."""
        if print_fn is not None:
            for line in str(self).split("\n"):
                print_fn(line)
            return
        import rich
        import rich.table

        table = rich.table.Table(title=self.title, title_justify="left", title_style="bold")
        for name in self.head:
            table.add_column(name, justify="right" if name in ("Parameters", "Memory") else "left")
        for row in self.cells:
            table.add_row(*(cell.replace("[", r"\[") for cell in row))
        rich.print(table)
        rich.print(self.foot)


class _Shapes(Run):
    """A run that keeps the shape of each layer's first output."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes_only = True
        self.found: dict[Layer, Any] = {}

    def call(self, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = super().call(layer, args, kwargs)
        self.found.setdefault(layer, [tuple(leaf.shape) for leaf in tree.leaves([value])])
        return value


def _shapes(network: Network) -> dict[Layer, Any]:
    """The shapes of the outputs of all layers in a network, traced without computing."""
    paths = [(path, Spec(w.shape, w.dtype)) for path, (w, _) in specs_of(network).items()]

    def probe(lengths: tuple[int, int]) -> dict[Layer, Any]:
        run = _Shapes()
        inputs = tree.map(lambda node: Spec(fixed(node.shape, lengths), node.dtype), network.inputs)
        engines.current().abstract(lambda w, x: run.apply(network, w, (x,)), tree.from_items(paths), inputs)
        return run.found

    def free(one: Any, other: Any) -> Any:
        pairs = zip(one, other, strict=True)
        shapes = [tuple(m if m == n else None for m, n in zip(a, b, strict=True)) for a, b in pairs]
        return shapes if len(shapes) > 1 else shapes[0]

    one, other = map(probe, PROBES)
    return {layer: free(shape, other[layer]) for layer, shape in one.items()}


def _inside(layer: Layer, depth: int, shapes: dict[Layer, Any], seen: set[Layer], nested: bool) -> list[Row]:
    """Rows of the layers in a layer; of those that are never called the shape is unknown."""
    rows = []
    for name, child in layer.children.items():
        new = child not in seen
        seen.add(child)
        count = child.count_params() if new else 0
        rows.append(Row("  " * depth + name, type(child).__name__, shapes.get(child, ()), count, ""))
        rows += _inside(child, depth + 1, shapes, seen, nested) if nested and new else []
    return rows


def _rows(network: Network, opened: Layer | None, nested: bool) -> list[Row]:
    shapes = _shapes(network) if nested or opened is not None else {}
    labels: dict[Node, str] = {}
    rows = []
    seen: set[Layer] = set()
    for node in network.order:
        call = node.call
        if node.dtype == "tuple":
            labels[node] = network.names.get(call, getattr(call, "__name__", ""))
            continue
        name: str = network.names.get(call) or node.name or str(getattr(call, "__name__", "input"))
        kind = "Input" if call is None else type(call).__name__ if isinstance(call, Layer) else "operation"
        parents = [labels[p] for p in node.parents()]
        if call is select:
            name, kind = f"{parents[0]}[{node.args[1]}]", "output"
        count = call.count_params() if isinstance(call, Layer) and call not in seen else 0
        labels[node] = name
        first = isinstance(call, Layer) and call not in seen
        if first:
            seen.add(call)
        if call is None or call is not opened:
            rows.append(Row(name, kind, node.shape, count, ", ".join(parents)))
        if first and (nested or call is opened):
            rows += _inside(call, int(call is not opened), shapes, seen, nested)
    return rows


def _shape_text(shape: Any) -> str:
    return " ".join(map(show_shape, shape)) if isinstance(shape, list) else show_shape(shape)


def _bytes(n: int) -> str:
    """Bytes in the unit that reads best.

    >>> _bytes(512), _bytes(1_628_200)
    ('512 B', '1.6 MB')
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n} B"


def _align(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column in (3, 4) else cell.ljust(width)
