"""Frames whose columns have other names than texts, or the same one several times."""

import datetime

import numpy as np
import pandas as pd
import pytest

import neuroloom as nl
from neuroloom import layers
from neuroloom.data import TableSchema
from neuroloom.data.frames import as_table
from neuroloom.data.sources import as_arrays, column_names
from neuroloom.errors import DataError

each_engine = pytest.mark.parametrize("engine", ["jax", "torch", "numpy"])

X = np.array([[1.0, 20.0], [3.0, 40.0], [5.0, 60.0]])

NAMES = {
    "numbers": ([0, 1], ("0", "1")),
    "other numbers": ([7, 3], ("7", "3")),
    "fractions": ([0.5, 1.5], ("0.5", "1.5")),
    "booleans": ([True, False], ("True", "False")),
    "tuples": (pd.Index([("a", 1), ("b", 2)], tupleize_cols=False), ("('a', 1)", "('b', 2)")),
    "several levels": (pd.MultiIndex.from_product([["a"], [1, 2]]), ("('a', 1)", "('a', 2)")),
    "dates": ([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)], ("2020-01-01", "2021-01-01")),
    "times": (pd.DatetimeIndex(["2020-01-01", "2021-01-01"]), ("2020-01-01 00:00:00", "2021-01-01 00:00:00")),
    "mixed": (["a", 1], ("a", "1")),
    "none": (pd.Index([None, "b"], dtype=object), ("None", "b")),
    "places swapped": (["1", "0"], ("1", "0")),
    "the same": (["a", "a"], ("a", "a")),
    "the same number": ([4, 4], ("4", "4")),
    "categories": (pd.CategoricalIndex(["u", "v"]), ("u", "v")),
}
each_name = pytest.mark.parametrize("names", NAMES)


def frame(names, values=X):
    """A frame of pandas with such names."""
    return pd.DataFrame(values, columns=NAMES[names][0])


def differing():
    """A network that gives the first input minus the second."""
    model = nl.Sequential([layers.Dense(1, use_bias=False, input_shape=(2,))])
    model.set_weights([[[1.0], [-1.0]]])
    model.compile(nl.optimizers.SGD(1e-30), "mae")
    return model


@each_name
def test_columns_keep_their_order_and_names(names):
    """Fault 20: the names are texts in messages."""
    assert column_names(frame(names)) == list(NAMES[names][1])
    assert np.array_equal(as_arrays(frame(names)), X)
    broken = X.copy()
    broken[1, 1] = np.nan
    with pytest.raises(DataError) as error:
        differing().predict(frame(names, broken))
    assert f"column {NAMES[names][1][1]!r}" in str(error.value)


@each_engine
@each_name
def test_every_entry_takes_such_frames(engine, names):
    """Fault 20: predict, evaluate and fit give what the array gives."""
    model, x = differing(), frame(names)
    assert model.predict(x, engine=engine).ravel().tolist() == [-19, -37, -55]
    assert model.evaluate(x, np.zeros(3), verbose=0, engine=engine) == 37
    if engine != "numpy":
        assert model.fit(x, np.zeros(3), batch_size=3, verbose=0, engine=engine).history["loss"] == [37]


@each_engine
@pytest.mark.parametrize("name", [3, 0, None, 1.5, ("a", 1), datetime.date(2020, 1, 1), "y"])
@pytest.mark.parametrize("framed", [False, True])
def test_targets_and_weights_of_such_names(engine, name, framed):
    """Fault 20: y and sample_weight, as a series and by to_frame()."""
    y = pd.Series([0.0, 1.0, 2.0], name=name, index=[5, 6, 7])
    weight = pd.Series([1.0, 0.0, 2.0], name=name)
    if framed:
        y, weight = y.to_frame(), weight.to_frame()
    found = differing().evaluate(frame("numbers"), y, sample_weight=weight, verbose=0, engine=engine)
    assert found == pytest.approx((19 * 1 + 0 + 57 * 2) / 3, rel=1e-6)


@pytest.mark.parametrize("labels", [[7, 9, 7], [0.5, 1.5, 0.5], ["u", "v", "u"], [True, False, True]])
def test_dummies_of_any_labels(labels):
    """Fault 20: get_dummies names its columns by what it finds."""
    first = int(labels[0] == sorted(set(labels))[0])
    sign = 1 if first else -1
    assert differing().predict(pd.get_dummies(pd.Series(labels))).ravel().tolist() == [sign, -sign, sign]


@each_name
def test_tables_of_such_frames(names):
    """Fault 20: a table needs different names, and finds them as texts."""
    given, texts = frame(names), NAMES[names][1]
    if len(set(texts)) < len(texts):
        with pytest.raises(DataError, match="different names, received"):
            as_table(given)
    else:
        assert as_table(given).names == texts
        assert as_table(given).column(texts[1]).tolist() == [20, 40, 60]


def test_a_target_may_be_a_number():
    """Fault 20: as the frame calls it."""
    table = pd.DataFrame({0: [1.0, 2.0, 3.0, 4.0], 1: ["u", "v", "u", "v"]})
    schema = TableSchema.fit(table, 1)
    assert schema.classes == ("u", "v") and schema.feature_names_out == ("0",)
    assert schema.transform_target(table).tolist() == [0, 1, 0, 1]


def test_names_that_are_one_text_are_not_one_column():
    """Fault 20: 1 and "1" are two columns of a frame or of a dict, of which a table would lose one."""
    for table in (pd.DataFrame({1: [1.0], "1": [2.0]}), {1: [1.0], "1": [2.0]}):
        with pytest.raises(DataError, match="different names, received '1', '1'"):
            as_table(table)
    assert as_arrays(pd.DataFrame({1: [1.0], "1": [2.0]})).tolist() == [[1, 2]]


def test_the_frame_stays_as_it_was():
    """Fault 20: its names are not changed on the way."""
    given = frame("several levels")
    differing().predict(given)
    assert given.equals(frame("several levels")) and given.columns.equals(frame("several levels").columns)
