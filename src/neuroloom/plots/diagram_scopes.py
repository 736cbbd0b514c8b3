"""A graph's name scopes as a tree, with each edge cut into the parts that lie in one scope each.

An edge from a box in scope a to a box in scope b leaves a through a port at its bottom, runs where both scopes lie,
and enters b through a port at its top. All edges of one box share the ports, so each scope is a graph of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neuroloom.errors import ConfigurationError, DataError, nearest

if TYPE_CHECKING:
    from neuroloom.plots.diagram import Box

End = tuple[str, str]
"""('box', name), ('scope', path), ('in', source's name) or ('out', source's name)."""


@dataclass
class Scope:
    """What lies in one scope.

    Attributes:
        path: its names joined by '/'; '' for the whole graph.
        items: the boxes and scopes in it, in the order of the graph.
        edges: (from, to, name of the box whose value it carries).
        boxes: number of boxes in it and in the scopes within.
    """

    path: str
    items: dict[End, Box | Scope] = field(default_factory=dict)
    edges: dict[tuple[End, End, str], None] = field(default_factory=dict)
    boxes: int = 0

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    def ports(self, kind: str) -> list[End]:
        """The ports of a kind, 'in' or 'out'."""
        return list(dict.fromkeys(end for a, b, _ in self.edges for end in (a, b) if end[0] == kind))

    def scopes(self) -> list[Scope]:
        """The scopes directly in it."""
        return [item for item in self.items.values() if isinstance(item, Scope)]


def scopes_of(name: str) -> list[str]:
    """The paths of the scopes that a box lies in, from the outermost.

    >>> scopes_of("a/b/dense")
    ['a', 'a/b']
    """
    parts = name.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def scope_tree(boxes: Sequence[Box]) -> Scope:
    """The tree of scopes of a graph.

    Raises:
        DataError: there are no boxes.
        ConfigurationError: two boxes of one name, or an input that no box has.
    """
    if not boxes:
        raise DataError("A diagram expected at least one box, received none.")
    known = {box.name for box in boxes}
    if len(known) < len(boxes):
        names = [box.name for box in boxes]
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigurationError(f"A diagram expected boxes of different names, received {twice!r} more than once.")
    root = Scope("")
    table = {"": root}
    for box in boxes:
        _add(table, box)
    for box in boxes:
        for source in dict.fromkeys(box.inputs):
            if source not in known:
                raise ConfigurationError(
                    f"The box {box.name!r} has the input {source!r}, and there is no such box. {nearest(source, known)}"
                )
            _connect(table, source, box.name)
    return root


def _add(table: dict[str, Scope], box: Box) -> None:
    parent = table[""]
    parent.boxes += 1
    for path in scopes_of(box.name):
        scope = parent.items.setdefault(("scope", path), Scope(path))
        assert isinstance(scope, Scope)
        table[path] = parent = scope
        parent.boxes += 1
    parent.items[("box", box.name)] = box


def _connect(table: dict[str, Scope], source: str, target: str) -> None:
    out, into = scopes_of(source), scopes_of(target)
    common = sum(a == b for a, b in zip(out, into, strict=False))  # equal paths come first
    tail: End = ("box", source)
    for path in reversed(out[common:]):
        table[path].edges[tail, ("out", source), source] = None
        tail = ("scope", path)
    head: End = ("box", target)
    for path in reversed(into[common:]):
        table[path].edges[("in", source), head, source] = None
        head = ("scope", path)
    table[out[common - 1] if common else ""].edges[tail, head, source] = None
