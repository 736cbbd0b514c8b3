"""What `fit` accepts becomes arrays, unchanged; what it cannot accept is refused with its place."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from neuroloom.data import class_weight_vector, to_categorical
from neuroloom.data.sources import (
    as_arrays,
    check_finite,
    column_names,
    sample_count,
    train_validation_split,
)
from neuroloom.errors import DataError

# Conversion


@pytest.mark.parametrize(
    "given, dtype",
    [
        (np.array([1.5], np.float64), np.float32),
        (np.array([1.5], np.float16), np.float32),
        (np.array([-7], np.int64), np.int32),
        (np.array([7], np.uint64), np.int32),
        (np.array([7], np.uint32), np.int32),
        (np.array([2**31 - 1], np.int64), np.int32),
        (np.array([2**31], np.int64), np.float32),
        (np.array([-(2**31)], np.int64), np.int32),
        (np.array([-(2**40)], np.int64), np.float32),
        (np.array([7], np.uint8), np.uint8),
        (np.array([7], np.int16), np.int16),
        (np.array([True]), np.bool_),
        ([1.5], np.float32),
        ([True, False], np.bool_),
        ((3, 4), np.int32),
        (np.zeros((0, 3), np.int64), np.int32),
    ],
)
def test_width_of_numbers(given, dtype):
    out = as_arrays(given)
    assert out.dtype == dtype and np.array_equal(out, given)


def test_the_caller_decides_the_width_of_floats():
    x = np.array([0.1])
    assert as_arrays(x, dtype=None) is x
    assert as_arrays(x.astype(np.float32), dtype="float64").dtype == np.float64
    assert as_arrays(np.array([1]), dtype="float64").dtype == np.int32


def test_fitting_array_is_not_copied():
    x = np.zeros((2, 3), np.float32)
    assert as_arrays(x) is x


def test_memory_map_stays_one(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(6, dtype=np.float32).reshape(3, 2))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert as_arrays(x) is x
    train, validation = train_validation_split(as_arrays({"x": x})["x"], 0.34)
    assert isinstance(train, np.memmap) and validation.tolist() == [[2, 3], [4, 5]]


def test_trees_keep_their_form():
    tree = {"a": [np.zeros((2, 3)), pd.Series([1, 2])], "b": ([1, 2], [3, 4]), "c": (np.ones(2), [5, 6])}
    out = as_arrays(tree)
    assert type(out["a"]) is list and out["a"][0].shape == (2, 3) and out["a"][1].dtype == np.int32
    assert out["b"].tolist() == [[1, 2], [3, 4]]  # rows, not inputs
    assert type(out["c"]) is tuple and out["c"][1].tolist() == [5, 6]


def test_list_of_single_numbers_is_one_array():
    assert as_arrays([np.float64(1), np.float32(2)]).tolist() == [1, 2]


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_and_series(library):
    frame = library.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 2.5]})
    out = as_arrays(frame)
    assert out.dtype == np.float32 and out.shape == (3, 2)
    np.testing.assert_array_equal(out, [[1, 0.5], [2, np.nan], [3, 2.5]])
    assert column_names(frame) == ["a", "b"] and column_names(out) is None
    assert as_arrays(frame["a"]).tolist() == [1, 2, 3] and as_arrays(frame["a"]).shape == (3,)
    assert as_arrays(frame[["a"]]).shape == (3, 1)


class Foreign:
    """An array of another library."""

    ndim = 1

    def __array__(self, dtype=None, copy=None):
        return np.array([1.0, 2.0])


def test_array_of_another_library():
    assert as_arrays(Foreign()).dtype == np.float32
    assert [leaf.tolist() for leaf in as_arrays([Foreign(), Foreign()])] == [[1, 2], [1, 2]]


@pytest.mark.parametrize(
    "given, message",
    [
        ([[1, 2], [3, 4], [5]], r"ragged lists: x\[2\] has length 1, x\[0\] has length 2"),
        ([[[1], [2]], [[3], [4, 5]]], r"x\[1\]\[1\] has length 2, x\[1\]\[0\] has length 1"),
        ([[1, 2], 3], r"x\[1\] is a number, x\[0\] has length 2"),
        (["cat", "dog"], r"received text \(the first: 'cat'\).*np.unique"),
        (np.array(["cat", None], object), r"received text \(the first: 'cat'\)"),
        (np.array([None, 1], object), r"received None at x\[0\]\. Fill it in"),
        (np.array([[1], [1, 2]], object), r"Python objects \(the first: list at x\[0\]\)\. Pad lists"),
        ([1, None], r"received None at x\[1\]"),
        (3.5, "received the single number 3.5"),
        (None, "expected an array, list or frame of numbers, received NoneType"),
        (np.array([1j]), "received complex128"),
        (np.array(["2020-01-01"], "datetime64[D]"), r"received datetime64\[D\]"),
        (pd.DataFrame({"a": [1], "city": ["Riga"]}), "column 'city' of x expected numbers, received text"),
        (pl.DataFrame({"a": [1], "city": ["Riga"]}), "column 'city' of x expected numbers, received text"),
        (pl.Series([[1], [1, 2]]), "Python objects"),
        (pd.DataFrame(), "frame with columns"),
        ({"a": {"b": ["u"]}}, r"x\['a'\]\['b'\] expected numbers"),
        ([np.zeros(2), ["u", "v"]], r"x\[1\] expected numbers"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(given, message):
    with pytest.raises(DataError, match=message):
        as_arrays(given)


def test_messages_use_the_name_of_the_data():
    with pytest.raises(DataError, match=r"^y expected numbers"):
        as_arrays(["a"], name="y")


# Checks


def test_sample_count():
    tree = {"a": np.zeros((4, 2)), "b": [np.zeros(4), None]}
    assert sample_count(x=tree, y=np.zeros(4), sample_weight=None) == 4


@pytest.mark.parametrize(
    "trees, message",
    [
        ({"x": np.zeros((5, 2)), "y": np.zeros(4)}, "received x with 5, y with 4"),
        ({"x": {"a": np.zeros(3), "b": np.zeros(2)}}, r"x\['a'\] with 3, x\['b'\] with 2"),
        ({"x": [np.zeros(3)], "y": np.zeros(1)}, r"x\[0\] with 3, y with 1"),
        ({"x": np.zeros((0, 2))}, "at least one sample, received none in x"),
        ({"x": None}, "none in no data"),
    ],
)
def test_sample_counts_that_differ_are_refused(trees, message):
    with pytest.raises(DataError, match=message):
        sample_count(**trees)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row, column", [(0, 0), (2, 1), (4, 2)])
def test_check_finite_names_the_place(monkeypatch, value, row, column):
    monkeypatch.setattr("neuroloom.data.numbers.CHUNK", 6)  # two rows at a time
    x = np.zeros((5, 3))
    check_finite("x", x)
    x[row, column] = value
    with pytest.raises(
        DataError, match=rf"received {value} at x\[{row}, {column}\] \(row {row}, column '{'abc'[column]}'\)"
    ):
        check_finite("x", x, list("abc"))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", np.longdouble])
@pytest.mark.parametrize("layout", [lambda x: x, np.asfortranarray, lambda x: x[:, ::2], lambda x: x[::-1]])
@pytest.mark.parametrize("large", [1.0, None])
def test_check_finite_sees_every_place(dtype, layout, large):
    """Of large numbers, whose squares are infinite, too."""
    largest = min(np.finfo(np.float32).max, np.finfo(np.dtype(dtype).newbyteorder("=")).max)
    x = layout(np.full((4, 6), largest if large is None else large, dtype))
    check_finite("x", x)
    for place in np.ndindex(x.shape):
        for value in (np.nan, np.inf, -np.inf):
            broken = x.copy(order="A")
            broken[place] = value
            with pytest.raises(DataError, match=rf"received {value} at x\[{place[0]}, {place[1]}\]"):
                check_finite("x", broken)


def test_check_finite_of_other_arrays():
    check_finite("x", np.array([1, 2]))
    check_finite("x", np.zeros((0, 2)))
    check_finite("x", np.full(9, np.finfo(np.float32).max, np.float32))  # their sum is infinite, they are not
    with pytest.raises(DataError, match=r"y\[1\] \(row 1\)"):
        check_finite("y", np.array([0.0, np.nan]), ["y"])


def test_check_finite_reads_a_memory_map_in_chunks(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("neuroloom.data.numbers.CHUNK", 10)
    np.save(tmp_path / "x.npy", np.zeros((7, 5)))
    array = np.load(tmp_path / "x.npy", mmap_mode="r")
    check_finite("x", array, inner=lambda chunk, same: seen.append(chunk.size) or np.vdot(chunk, same))
    assert seen == [10, 10, 10, 5]


# Splitting


@pytest.mark.parametrize("samples, fraction, cut", [(10, 0.2, 8), (10, 0.25, 7), (3, 0.5, 1), (5, 0.4, 3)])
def test_validation_is_the_last_fraction(samples, fraction, cut):
    tree = {"x": np.arange(samples), "w": None, "y": (np.arange(samples) * 2,)}
    train, validation = train_validation_split(tree, fraction)
    assert train["x"].tolist() == list(range(cut)) and validation["x"].tolist() == list(range(cut, samples))
    assert validation["y"][0].tolist() == [2 * i for i in range(cut, samples)] and train["w"] is None
    assert np.shares_memory(train["x"], tree["x"])


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, 0.9, 1e-20])
def test_split_that_leaves_nothing_is_refused(fraction):
    with pytest.raises(DataError, match="validation_split"):
        train_validation_split(np.zeros(5), fraction)


# Labels


@pytest.mark.parametrize("y", [[0, 2, 1], [[0], [2], [1]], np.array([0.0, 2.0, 1.0]), np.array([0, 2, 1], np.uint8)])
def test_to_categorical(y):
    out = to_categorical(y)
    assert out.dtype == np.float32 and out.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_to_categorical_of_more_axes_and_classes():
    out = to_categorical([[0, 1, 2], [2, 1, 0]], num_classes=5)
    assert out.shape == (2, 3, 5) and out.argmax(-1).tolist() == [[0, 1, 2], [2, 1, 0]]
    assert to_categorical([True, False]).tolist() == [[0, 1], [1, 0]]
    assert to_categorical([[[0], [1]]]).shape == (1, 2, 2)


@pytest.mark.parametrize(
    "y, classes, message",
    [
        ([0, 3], 3, r"labels from 0 to 2, received 3 at y\[1\]"),
        ([[0, 1], [-1, 0]], None, r"received -1 at y\[1, 0\]"),
        ([0.5], None, "whole class numbers"),
        ([np.nan], None, "whole class numbers"),
        (["a"], None, "np.unique"),
        ([], None, "at least one label"),
    ],
)
def test_labels_of_no_class_are_refused(y, classes, message):
    with pytest.raises(DataError, match=message):
        to_categorical(y, classes)


@pytest.mark.parametrize("y", [[2, 0, 1, 2], [[2], [0], [1], [2]], np.eye(3)[[2, 0, 1, 2]], np.array([2.0, 0, 1, 2])])
def test_class_weights(y):
    out = class_weight_vector(y, {0: 0.5, 2: 3})
    assert out.dtype == np.float32 and out.tolist() == [3, 0.5, 1, 3]


def test_class_weights_of_a_binary_target():
    assert class_weight_vector(np.array([[0.0], [1.0]]), {1: 9.0}).tolist() == [1, 9]
    assert class_weight_vector([1, 2], {0: 5}).tolist() == [1, 1]


@pytest.mark.parametrize(
    "y, weights, message",
    [
        ([0, 1], {7: 1.0}, r"class numbers from 0 to 1 \(as in y\), received 7. The nearest is 1"),
        ([0, 1], {-1: 1.0}, "received -1. The nearest is 0"),
        ([0, 1], {"cat": 1.0}, "received 'cat'"),
        ([0, 1], {True: 1.0}, "received True"),
        ([0, 1], {0: -1.0}, r"class_weight\[0\] expected a finite number of 0 or more, up to 3.4e\+38, received -1.0"),
        ([0, 1], {0: np.nan}, "received nan"),
        ([0, 1], {0: "2"}, "received '2'"),
        ([0, -1], {0: 1.0}, "values from -1 to 0. Use sample_weight"),
        ([[0, 1, 1], [1, 0, 0]], {0: 1.0}, r"one-hot vectors, received an array of shape \(2, 3\)"),
        ([0.5, 1.0], {0: 1.0}, "whole class numbers"),
        ([], {}, "at least one label"),
    ],
)
def test_class_weights_that_do_not_fit_are_refused(y, weights, message):
    with pytest.raises(DataError, match=message):
        class_weight_vector(y, weights)


def test_importing_and_converting_arrays_loads_nothing_heavy():
    code = (
        "import sys, numpy as np, neuroloom.data.sources as s; s.as_arrays([np.zeros(2)]); "
        "print({'narwhals', 'pandas', 'polars', 'sklearn'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
