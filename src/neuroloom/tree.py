"""Trees: nested dicts, lists and tuples with arrays at the leaves.

`None` is an empty tree, not a leaf. Dicts keep their order. A path joins keys and positions with `/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from neuroloom.typing import Tree


class Stamped(dict[str, Any]):
    """A dict of trees with a stamp: two of equal stamps have the same leaves."""

    __slots__ = ("stamp",)

    def __init__(self, items: dict[str, Any], stamp: Any) -> None:
        super().__init__(items)
        self.stamp = stamp


def map(fn: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """`fn` applied to each leaf (and to the leaves at the same place of `rest`).

    >>> map(lambda a, b: a + b, {"x": 1, "y": [2, None]}, {"x": 10, "y": [20, None]})
    {'x': 11, 'y': [22, None]}
    """
    if tree is None:
        return None
    if isinstance(tree, dict):
        if not rest:
            return {k: map(fn, v) for k, v in tree.items()}
        return {k: map(fn, v, *[r[k] for r in rest]) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):  # faster than a union, and eager steps come here often
        return type(tree)([map(fn, *items) for items in zip(tree, *rest, strict=True)])
    return fn(tree, *rest)


def leaves(tree: Tree) -> list[Any]:
    """All leaves, in order.

    >>> leaves({"x": 1, "y": [2, (3, None)]})
    [1, 2, 3]
    """
    found: list[Any] = []
    _collect(tree, found)
    return found


def _collect(tree: Tree, found: list[Any]) -> None:
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, (list, tuple)):
        if tree is not None:
            found.append(tree)
        return
    for child in tree:
        if isinstance(child, (dict, list, tuple)):
            _collect(child, found)
        elif child is not None:
            found.append(child)


def items(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(path, leaf) pairs, in order.

    >>> dict(items({"encoder": {"dense": {"kernel": 1, "bias": 2}}}))
    {'encoder/dense/kernel': 1, 'encoder/dense/bias': 2}
    """
    if tree is None:
        return
    if isinstance(tree, dict):
        children: Any = tree.items()
    elif isinstance(tree, list | tuple):
        children = enumerate(tree)
    else:
        yield prefix, tree
        return
    for key, child in children:
        yield from items(child, f"{prefix}/{key}" if prefix else str(key))


def from_items(pairs: Iterator[tuple[str, Any]] | list[tuple[str, Any]]) -> dict[str, Any]:
    """The nested dict that `items` came from (dicts only).

    >>> from_items([("a/b", 1), ("a/c", 2)])
    {'a': {'b': 1, 'c': 2}}
    """
    root: dict[str, Any] = {}
    for path, leaf in pairs:
        *parents, last = path.split("/")
        node = root
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = leaf
    return root


def first(tree: Tree) -> Any:
    """The first leaf."""
    return leaves(tree)[0]
