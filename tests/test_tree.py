"""Trees of arrays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroloom import tree

names = st.text("abc_1", min_size=1, max_size=4)
trees = st.recursive(
    st.integers() | st.none(),
    lambda child: st.lists(child, max_size=3) | st.tuples(child, child) | st.dictionaries(names, child, max_size=3),
    max_leaves=12,
)
dicts = st.recursive(st.integers(), lambda child: st.dictionaries(names, child, min_size=1, max_size=3), max_leaves=12)


@given(trees)
def test_map_keeps_the_structure(value):
    assert tree.map(lambda leaf: leaf, value) == value
    assert tree.leaves(tree.map(lambda leaf: leaf + 1, value)) == [leaf + 1 for leaf in tree.leaves(value)]
    assert tree.leaves(tree.map(lambda a, b: a - b, value, value)) == [0] * len(tree.leaves(value))


@given(trees)
def test_items_are_the_leaves_in_order(value):
    assert [leaf for _, leaf in tree.items(value)] == tree.leaves(value)


@given(dicts.filter(lambda value: isinstance(value, dict)))
def test_from_items_is_the_inverse_of_items(value):
    assert tree.from_items(list(tree.items(value))) == value


def test_paths_join_keys_and_positions():
    value = {"encoder": {"dense": {"kernel": 1, "bias": None}}, "states": [2, (3, 4)]}
    assert list(tree.items(value)) == [
        ("encoder/dense/kernel", 1),
        ("states/0", 2),
        ("states/1/0", 3),
        ("states/1/1", 4),
    ]
    assert next(iter(tree.items(value, "model"))) == ("model/encoder/dense/kernel", 1)
    assert tree.first(value) == 1


def test_a_leaf_is_a_tree():
    assert list(tree.items(5)) == [("", 5)]
    assert tree.map(lambda a: a + 1, 5) == 6
    assert tree.leaves(None) == [] and tree.map(str, None) is None


def test_trees_of_other_structure_do_not_map():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        tree.map(lambda a, b: a, [1, 2], [1])
    with pytest.raises(KeyError):
        tree.map(lambda a, b: a, {"x": 1}, {"y": 1})


def test_dicts_keep_their_order():
    assert list(tree.map(lambda a: a, {"b": 1, "a": 2})) == ["b", "a"]
