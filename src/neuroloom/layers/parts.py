"""The layers inside a layer: found in its fields and attributes, known by path, copied with what they share.

A layer that is found at several places is one layer: it has one path, the first, and one set of weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

from neuroloom import config
from neuroloom.config import Configured, snake
from neuroloom.errors import ConfigurationError

if TYPE_CHECKING:
    from neuroloom.layers.base import Layer, Weight


class Parts(NamedTuple):
    """All layers in a tree of layers, the layer itself first.

    Attributes:
        paths: layer -> its path; "" for the outermost.
        keys: layer -> the same as a tuple of names.
        trains: path -> False for layers that are frozen, by themselves or by a layer around them.
        owners: (names, layer) of the outermost, and of those that have weights of their own.
        shared: for every place, the number of the layer that is there, where a layer is at several places; else ().
    """

    paths: dict[Layer, str]
    keys: dict[Layer, tuple[str, ...]]
    trains: dict[str, bool]
    owners: list[tuple[tuple[str, ...], Layer]]
    shared: tuple[int, ...]


class Version:
    """A number that grows whenever a layer anywhere is given, or gives up, layers or weights."""

    now = 0

    @classmethod
    def next(cls) -> None:
        cls.now += 1


def parts_of(root: Layer) -> Parts:
    """The layers in a layer; looked for anew only when layers have changed."""
    kept = vars(root).get("_parts")
    if kept is None or kept[0] != Version.now:
        kept = (Version.now, _find(root))
        vars(root)["_parts"] = kept
    found: Parts = kept[1]
    return found


def _find(root: Layer) -> Parts:
    paths: dict[Layer, str] = {}
    keys: dict[Layer, tuple[str, ...]] = {}
    trains: dict[str, bool] = {}
    number: dict[Layer, int] = {}
    places: list[int] = []
    around: list[Layer] = []

    def visit(layer: Layer, own: tuple[str, ...], free: bool) -> None:
        if layer in around:
            raise ConfigurationError(
                f"{layer.label} holds itself, directly or through a layer in it, as {'/'.join(own)!r}."
            )
        places.append(number.setdefault(layer, len(number)))
        free = free and layer.trainable
        if layer in paths:
            trains[paths[layer]] |= free
            return
        paths[layer], keys[layer] = "/".join(own), own
        trains[paths[layer]] = free
        around.append(layer)
        for name, child in layer.children.items():
            visit(child, (*own, name), free)
        around.pop()

    visit(root, (), True)
    owners = [(own, layer) for layer, own in keys.items() if layer.specs or not own]
    return Parts(paths, keys, trains, owners, tuple(places) if len(places) > len(number) else ())


def layers_in(value: Any) -> Iterator[Layer]:
    """The layers directly in a value: itself, or those in lists, tuples and dicts; a model stands for its network."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from layers_in(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from layers_in(one)
    elif isinstance(value, Configured):
        if value.kind == "layer":
            yield value  # type: ignore[misc]
    elif hasattr(type(value), "__layer__"):
        found = value.__layer__()
        if found is not None:
            yield found


def named(found: list[Layer], where: str) -> dict[str, Layer]:
    """Layers by name: given names, and class names with numbers for the rest."""
    found = list(dict.fromkeys(found))
    given = [layer.name for layer in found if layer.name]
    for name in given:
        if given.count(name) > 1:
            raise ConfigurationError(f"Two different layers have the name {name!r}; names in a {where} are unique.")
    names: dict[str, Layer] = {}
    taken = set(given)
    for layer in found:
        name = layer.name or free_name(snake(type(layer).__name__), taken)
        taken.add(name)
        names[name] = layer
    return names


def free_name(base: str, taken: set[str]) -> str:
    """A name that is not taken: the base, or the base with a number."""
    numbered = (f"{base}_{i}" for i in range(1, len(taken) + 2))
    return base if base not in taken else next(name for name in numbered if name not in taken)


def specs_of(root: Layer) -> dict[str, tuple[Weight, bool]]:
    """path -> (what a layer asked for, whether gradients train it), for all layers in a layer."""
    parts = parts_of(root)
    found: dict[str, tuple[Weight, bool]] = {}
    for layer, path in parts.paths.items():
        free = parts.trains[path]
        for name, weight in layer.specs.items():
            found[f"{path}/{name}" if path else name] = weight, free and weight.trainable
    return found


def signature_of(root: Layer) -> Any:
    """Equal for layers of equal structure that share their inner layers in the same way: the key of programs."""
    return root.signature(), parts_of(root).shared


# ------------------------------------------------------------------------------------------------------ copies


def copied(value: Any, memo: dict[int, Any], number: Callable[[Any], Any] | None = None) -> Any:
    """A copy of layers (also in lists, tuples, dicts and other objects with fields), without their arrays.

    Args:
        memo: id -> copy; a layer that is at several places has one copy.
        number: what stands in the place of each number that its class declares as `lifted`.
    """
    if isinstance(value, list | tuple):
        return type(value)([copied(v, memo, number) for v in value])
    if isinstance(value, dict):
        return {k: copied(v, memo, number) for k, v in value.items()}
    if isinstance(value, Configured):
        if value.kind != "layer":
            return value if number is None else _with_numbers(value, memo, number)
        if id(value) not in memo:
            memo[id(value)] = value.copied(memo, number)  # type: ignore[attr-defined]
        return memo[id(value)]
    if hasattr(type(value), "__copied__"):
        if id(value) not in memo:
            memo[id(value)] = value.__copied__(memo, number)
        return memo[id(value)]
    return value


def _with_numbers(value: Configured, memo: dict[int, Any], number: Callable[[Any], Any]) -> Configured:
    """A loss's, regularizer's or other object's copy; itself where nothing in it changes."""
    new = copied_fields(value, memo, number)
    if all(part is getattr(value, name) for name, part in new.items()):
        return value
    made = copy.copy(value)
    for name, part in new.items():  # the constructor is passed by: its checks know numbers, not a program's arrays
        object.__setattr__(made, name, part)
    return made


def copied_fields(value: Configured, memo: dict[int, Any], number: Callable[[Any], Any]) -> dict[str, Any]:
    """The fields of an object as they are in its copy."""
    return {
        f.name: number(getattr(value, f.name))
        if f.name in value.lifted
        else copied(getattr(value, f.name), memo, number)
        for f in fields(value)  # type: ignore[arg-type]
    }


def attribute_signature(value: Any, seen: frozenset[int] = frozenset()) -> Any:
    """A hashable value, equal for attributes of equal contents; functions, modules and classes by identity."""
    if isinstance(value, Configured):
        return value.signature()
    if isinstance(value, list | tuple):
        return tuple(attribute_signature(v, seen) for v in value)
    if isinstance(value, dict):
        return tuple((k, attribute_signature(v, seen)) for k, v in value.items())
    if isinstance(value, set | frozenset):
        return frozenset(attribute_signature(v, seen) for v in value)
    if hasattr(type(value), "__layer__"):
        return attribute_signature(value.__layer__(), seen)
    if hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value) and id(value) not in seen:
        return type(value), attribute_signature(vars(value), seen | {id(value)})
    found = config.signature(value)
    try:
        hash(found)
    except TypeError:
        return type(value), id(value)
    return found
