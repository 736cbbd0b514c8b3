"""Tables: strict reading, what a schema learns, the way back, and every fault refused with its place."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from data_folder import DATA, needs_data
from neuroloom.data import Table, TableSchema, as_table, read_csv
from neuroloom.errors import ConfigurationError, DataError


@pytest.fixture
def csv_file(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# Reading CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_delimiters_quotes_and_mark(csv_file, delimiter):
    text = '\ufeffname;note\nAnn;"said ""hi"""\n\n"Bo";"two\nlines"\nCy;x\n'.replace(";", delimiter)
    table = read_csv(csv_file(text))
    assert table.names == ("name", "note") and table.rows == 3
    assert table.column("note").tolist() == ['said "hi"', "two\nlines", "x"]
    assert table.where(2) == "line 6"


def test_csv_quoted_delimiter_and_other_delimiters_inside_cells(csv_file):
    table = read_csv(csv_file('b,c;a\n"2,5;x";1\n'))
    assert read_csv(csv_file("x, y, z;n\n1;2\n3;4\n")).names == ("x, y, z", "n")
    assert table.names == ("b,c", "a") and table.column("b,c")[0] == "2,5;x"


def test_csv_without_names(csv_file):
    table = read_csv(csv_file("1,2.5\n3,4\r\n"))
    assert table.names == ("c0", "c1") and table.rows == 2 and table.lines == (1, 2)


def test_csv_of_one_column_and_unnamed_column(csv_file):
    assert read_csv(csv_file("age\n3\n4\n")).names == ("age",)
    assert read_csv(csv_file(",age\n0,3\n")).names == ("c0", "age")


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "empty file"),
        (" \n\n", "empty file"),
        ("a,b\n", "rows of data under the column names, received none"),
        ("a,b\n1,2\n\n3\n", "line 4 has 1 cells, expected 2"),
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 cells, expected 2"),
        ("a,b,a\n1,2,3\n", "received 'a' more than once"),
        ('a,b\n1,"2\n', "line 2 cannot be read as CSV: unexpected end of data"),
        ('a,b\n1,2,3\n4,"5\n', "line 3 cannot be read as CSV: unexpected end of data"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "received data: '5.1' beside words"),
        (b"a,b\n1,caf\xe9\n", "UTF-8, received byte 0xe9 at offset 9"),
        ("a,b\n" + "x" * 200_000 + ",1\n", "field larger than field limit"),
    ],
)
def test_csv_faults_are_refused_with_their_place(csv_file, text, message):
    with pytest.raises(DataError, match=message):
        read_csv(csv_file(text))


def test_csv_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.csv expected a CSV file.*No such file"):
        read_csv(tmp_path / "nowhere.csv")


# Frames and dicts


def frame_data():
    return {"n": [1, None, 3], "r": [0.5, 1.5, None], "s": ["a", None, "b"], "b": [True, False, True]}


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(frame_data()),
        pd.DataFrame(frame_data()).convert_dtypes(),
        pd.DataFrame(frame_data()).astype({"s": "category"}),
        pl.DataFrame(frame_data()),
        pl.DataFrame(frame_data(), schema_overrides={"s": pl.Categorical}),
    ],
    ids=["pandas", "pandas-nullable", "pandas-category", "polars", "polars-category"],
)
def test_frames_become_the_same_table(frame):
    table = as_table(frame)
    assert table.names == ("n", "r", "s", "b")
    np.testing.assert_array_equal(table.column("n"), [1, np.nan, 3])
    np.testing.assert_array_equal(table.column("r"), [0.5, 1.5, np.nan])
    assert table.column("s").tolist() == ["a", None, "b"]
    assert table.column("b").tolist() == [True, False, True] and table.where(1) == "row 1"


@pytest.mark.parametrize("kind", ["Int64", "Int8", "Float32", "boolean", "string"])
def test_nullable_columns_of_pandas(kind):
    value = {"boolean": True, "string": "a"}.get(kind, 1)
    column = as_table({"c": pd.Series([value, None, value], dtype=kind)}).column("c")
    if kind in ("boolean", "string"):
        assert column.tolist() == [value, None, value]
    else:
        np.testing.assert_array_equal(column, [1, np.nan, 1])


def test_decimal_columns_are_numbers():
    frame = pl.DataFrame({"x": pl.Series([1, None, 3, 5]).cast(pl.Decimal(10, 2)), "y": [0, 1, 0, 1]})
    schema = TableSchema.fit(frame, "y")
    assert schema.feature_names_out == ("x", "x is missing") and schema.columns[0].median == 3


def test_table_stays_itself():
    table = as_table({"a": [1]})
    assert as_table(table) is table


@pytest.mark.parametrize(
    "data, message",
    [
        ([1, 2], "received list"),
        ({}, "at least one column"),
        ({"a": []}, "at least one column and one row"),
        ({"a": [1], "b": [1, 2]}, r"one length, received \{'a': 1, 'b': 2\}"),
        ({"a": np.zeros((2, 2))}, r"'a' expected one value a row, received shape \(2, 2\)"),
        ({"a": np.array(["2020-01-01"], "datetime64[D]")}, "'a' expected numbers, text or booleans"),
        (pl.LazyFrame({"a": [1]}), "Collect a lazy frame first"),
    ],
)
def test_what_is_no_table_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        as_table(data)


def test_unknown_column_suggests_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'height'"):
        as_table({"height": [1]}).column("heigth")


# Features


def people(**columns):
    base = {"age": [20.0, 40.0, 60.0, 80.0], "city": ["Riga", "Oslo", "Riga", "Oslo"], "y": [0, 1, 0, 1]}
    return as_table(base | columns)


def test_numbers_are_standardised_by_hand():
    schema = TableSchema.fit(people(), "y")
    out = schema.transform(people())
    assert out.dtype == np.float32 and schema.feature_names_out == ("age", "city=Oslo", "city=Riga")
    scale = np.sqrt(500)  # ages 20 40 60 80: mean 50, mean square distance (900 + 100 + 100 + 900) / 4
    np.testing.assert_allclose(out[:, 0], np.array([-30, -10, 10, 30]) / scale, rtol=1e-6)
    assert out[:, 1:].tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]


def test_new_rows_are_measured_with_what_training_taught():
    schema = TableSchema.fit(people(), "y")
    np.testing.assert_allclose(schema.transform({"city": ["Riga"], "age": ["50"]}), [[0, 0, 1]], atol=1e-6)


@pytest.mark.parametrize("mark", ["", "NA", "NaN", "nan", "null", "NULL", "?", " ? ", None, np.nan])
def test_missing_numbers_become_the_median_and_a_feature(mark):
    table = people(age=np.array(["1", "2", mark, "9"], object))
    schema = TableSchema.fit(table, "y")
    assert schema.feature_names_out[:2] == ("age", "age is missing")
    out = schema.transform(table)[:, :2]
    filled = np.array([1, 2, 2, 9.0])  # the median of 1, 2 and 9 is 2
    np.testing.assert_allclose(out[:, 0], (filled - filled.mean()) / filled.std(), rtol=1e-6)
    assert out[:, 1].tolist() == [0, 0, 1, 0]


def test_missing_number_only_later_becomes_the_median():
    table = people(age=[1.0, 2.0, 4.0, 9.0])
    schema = TableSchema.fit(table, "y")
    assert schema.transform(people(age=[np.nan] * 4))[0, 0] == schema.transform(people(age=[3.0] * 4))[0, 0]


def test_missing_category_is_a_feature_of_its_own():
    schema = TableSchema.fit(people(city=["Riga", None, "Riga", "Oslo"]), "y")
    assert schema.feature_names_out[1:] == ("city=Oslo", "city=Riga", "city is missing")
    assert schema.transform(people(city=["?", "Oslo", "", "Riga"]))[:, 1:].tolist() == [
        [0, 0, 1],
        [1, 0, 0],
        [0, 0, 1],
        [0, 1, 0],
    ]


def test_unknown_category_is_zero_everywhere_and_counted():
    schema = TableSchema.fit(people(), "y")
    later = people(city=["Riga", "Bern", "Bern", None])
    assert schema.transform(later)[1:, 1:].tolist() == [[0, 0]] * 3
    assert schema.unknown_categories(later) == {"city": 2}
    assert schema.unknown_categories(people()) == {}


def test_booleans_are_categories():
    schema = TableSchema.fit(people(city=[True, False, True, True]), "y")
    assert schema.feature_names_out[1:] == ("city=False", "city=True")


@pytest.mark.parametrize(
    "column, reason",
    [
        (["", "NA", "?", None], "all its cells are missing"),
        ([7.0, 7.0, 7.0, 7.0], "all its cells are equal"),
        (["x", "x", "x", "x"], "all its cells are equal"),
        (["p1", "p2", "p3", "p4"], "4 different texts in 4 filled cells"),
    ],
)
def test_columns_that_teach_nothing_are_dropped_with_a_note(column, reason):
    schema = TableSchema.fit(people(city=np.array(column, object)), "y")
    assert schema.feature_names_out == ("age",)
    assert len(schema.notes) == 1 and schema.notes[0].startswith(f"Column 'city' was dropped: {reason}")


def test_constant_column_with_gaps_is_kept_for_the_gaps():
    schema = TableSchema.fit(people(city=[7.0, np.nan, 7.0, np.nan]), "y")
    assert schema.transform(people(city=[7.0, np.nan, 7.0, np.nan]))[:, 1:].tolist() == [[0, 0], [0, 1]] * 2


def test_too_many_categories_are_dropped():
    texts = [f"p{i // 2}" if i < 60 else f"q{i}" for i in range(100)]  # 70 texts in 100 rows
    schema = TableSchema.fit({"id": texts, "x": np.arange(100), "y": [0, 1] * 50}, "y")
    assert schema.feature_names_out == ("x",) and "70 different texts in 100" in schema.notes[0]


@pytest.mark.parametrize("stray", ["abc", "1_000", "inf", "1e999", "0x10"])
def test_stray_text_in_a_column_of_numbers_is_an_error(csv_file, stray):
    rows = "".join(f"{stray if i == 11 else i},{i % 2}\n" for i in range(40))
    with pytest.raises(DataError, match=f"column 'age' line 13: '{stray}' is not a number"):
        TableSchema.fit(read_csv(csv_file("age,y\n" + rows)), "y")


def test_much_text_makes_a_column_of_categories():
    table = {"code": ["1", "2", "A", "1", "2", "A"], "x": [1, 2, 3, 4, 5, 6], "y": [0, 1, 0, 1, 0, 1]}
    assert TableSchema.fit(table, "y").feature_names_out == ("code=1", "code=2", "code=A", "x")


def test_text_in_a_column_of_numbers_at_prediction_is_an_error():
    schema = TableSchema.fit(people(), "y")
    with pytest.raises(DataError, match="column 'age' row 2: 'old' is not a number"):
        schema.transform(people(age=["1", "2", "old", "old"]))


def test_infinite_number_is_an_error():
    with pytest.raises(DataError, match="column 'age' row 1 expected a finite number, received inf"):
        TableSchema.fit(people(age=[1, np.inf, 2, 3]), "y")


def test_numbers_too_large_for_a_deviation_are_an_error():
    with pytest.raises(DataError, match="'age' expected numbers below"):
        TableSchema.fit(people(age=[1e300, 2.0, 3.0, -1e300]), "y")


def test_lacking_column_is_an_error_and_a_further_one_is_ignored():
    schema = TableSchema.fit(people(), "y")
    with pytest.raises(DataError, match=r"lacks 'age', which the schema learnt from. Did you mean 'ages'"):
        schema.transform({"ages": [1], "city": ["Riga"]})
    assert schema.transform({"age": [1], "city": ["Riga"], "shoe": ["x"]}).shape == (1, 3)


# Targets


@pytest.mark.parametrize(
    "target, task, classes",
    [
        (["no", "yes", "no", "yes"], "binary", ("no", "yes")),
        ([True, False, True, True], "binary", (False, True)),
        ([10, 9, 10, 9], "binary", (9, 10)),
        (["10", "9", "10", "9"], "binary", ("9", "10")),
        ([2.0, 1.0, 2.0, 1.0], "binary", (1, 2)),
        (["a", "b", "c", "a"], "multiclass", ("a", "b", "c")),
        ([1, 2, 3, 4], "regression", ()),
        ([0.5, 1.0, 0.5, 1.0], "regression", ()),
    ],
)
def test_the_task_is_seen_from_the_target(target, task, classes):
    schema = TableSchema.fit(people(y=target), "y")
    assert (schema.task, schema.classes) == (task, classes)
    back = schema.inverse_target(schema.transform_target(people(y=target)))
    if task == "regression":
        np.testing.assert_allclose(back, target, rtol=1e-6)
    else:
        labels = schema.transform_target(people(y=target))
        assert labels.dtype == np.int32 and labels.max() == len(classes) - 1
        assert back.tolist() == [schema.classes[i] for i in labels]
        assert back.tolist() == [type(classes[0])(value) for value in target]


def test_many_whole_numbers_are_values():
    def task(different):
        return TableSchema.fit({"x": np.arange(100) * 0.5, "y": np.arange(100) % different}, "y").task

    assert [task(2), task(20), task(21)] == ["binary", "multiclass", "regression"]


def test_the_task_can_be_said():
    table = people(y=[1, 2, 3, 4])
    assert TableSchema.fit(table, "y", task="multiclass").classes == (1, 2, 3, 4)
    schema = TableSchema.fit(people(y=[0, 1, 0, 1]), "y", task="regression")
    assert schema.transform_target(people(y=[0, 1, 0, 1])).tolist() == [-1, 1, -1, 1]


@pytest.mark.parametrize(
    "target, task, message",
    [
        ([1, 1, 1, 1], None, "two classes or more, received only 1"),
        ([1.5] * 4, None, "different values, received only 1.5"),
        (["a", "b", None, "a"], None, "target 'y' row 2 is missing"),
        ([1.0, 2.0, 3.0, np.nan], "regression", "target 'y' row 3 is missing"),
        (["1", "2", "x", "3"], "regression", "'y' row 2: 'x' is not a number"),
        ([1, 2, 3, 1], "binary", r"two classes \(task='binary'\), received 3"),
        ([0.5, 1.0, 0.5, 1.0], "multiclass", "row 0 expected a class .* received 0.5"),
    ],
)
def test_targets_that_do_not_fit_are_refused(target, task, message):
    with pytest.raises(DataError, match=message):
        TableSchema.fit(people(y=np.array(target, object)), "y", task=task)


def test_target_of_names_is_refused():
    table = {"x": np.arange(40), "y": [f"name {i}" for i in range(40)]}
    with pytest.raises(DataError, match="expected classes, received 40 different texts in 40 rows"):
        TableSchema.fit(table, "y")


def test_unknown_task_target_and_nothing_to_learn_from():
    with pytest.raises(ConfigurationError, match="Did you mean 'regression'"):
        TableSchema.fit(people(), "y", task="regresion")
    with pytest.raises(DataError, match="no column 'Y'"):
        TableSchema.fit(people(), "Y")
    with pytest.raises(DataError, match=r"no column to predict 'y' from. Column 'x' was dropped"):
        TableSchema.fit({"x": [1, 1], "y": [0, 1]}, "y")


def test_label_that_training_did_not_show_is_refused():
    schema = TableSchema.fit(people(y=["cat", "dog", "cat", "dog"]), "y")
    with pytest.raises(DataError, match=r"row 1: 'cta' is not a class seen in training. Did you mean 'cat'"):
        schema.transform_target(people(y=["cat", "cta", "dog", "dog"]))


@pytest.mark.parametrize(
    "numbers, message", [([0, 2], "from 0 to 1, received 0 to 2"), ([-1], "-1"), ([0.3], "argmax")]
)
def test_numbers_of_no_class_are_refused_on_the_way_back(numbers, message):
    with pytest.raises(DataError, match=message):
        TableSchema.fit(people(), "y").inverse_target(np.array(numbers))


# The schema as JSON


def full_schema():
    table = people(age=[1.0, np.nan, 3.0, 4.0], only=["x"] * 4, y=["no", "yes", "no", "yes"])
    return TableSchema.fit(table, "y")


@pytest.mark.parametrize(
    "target", [["no", "yes", "no", "yes"], [True, False, True, True], [3, 5, 4, 3], [0.1, 0.2, 0.3, 0.4]]
)
def test_schema_goes_through_json_unchanged(target):
    schema = TableSchema.fit(people(y=target, age=[1.0, np.nan, 3.0, 4.0]), "y")
    text = json.dumps(schema.to_config(), allow_nan=False)
    back = TableSchema.from_config(json.loads(text))
    assert back == schema and back.classes == schema.classes
    np.testing.assert_array_equal(back.transform(people()), schema.transform(people()))


@pytest.mark.parametrize(
    "path, value, message",
    [
        ((), [], "schema expected an object"),
        (("columns",), {}, r"schema.columns expected an array"),
        (("columns",), [], r"schema.columns expected one or more columns"),
        (("columns", 0), "age", r"schema.columns\[0\] expected an object whose kind is one of numeric"),
        (("columns", 0, "kind"), "text", r"schema.columns\[0\] expected an object whose kind"),
        (("columns", 0, "kind"), [], r"schema.columns\[0\] expected an object whose kind"),
        (("columns", 0, "mean"), "1", r"schema.columns\[0\].mean expected a finite number, received '1'"),
        (("columns", 0, "mean"), True, r"columns\[0\].mean expected a finite number, received True"),
        (("columns", 0, "mean"), float("nan"), r"columns\[0\].mean expected a finite number"),
        (("columns", 0, "median"), 10**400, r"columns\[0\].median expected a finite number"),
        (("columns", 0, "scale"), 0, r"columns\[0\].scale expected a number above 0"),
        (("columns", 0, "indicator"), 1, r"columns\[0\].indicator expected true or false"),
        (("columns", 0, "means"), 1, r"columns\[0\] has an unknown key 'means'. Did you mean 'mean'"),
        (("columns", 1, "categories"), ["a", 1], r"columns\[1\].categories expected an array of different"),
        (("columns", 1, "categories"), ["a", "a"], r"columns\[1\].categories expected an array of different"),
        (("columns", 1, "name"), "age", "columns of different names"),
        (("columns", 1, "name"), None, r"columns\[1\].name expected a string"),
        (("target", "task"), "regression", "schema.target.task expected one of binary, multiclass"),
        (("target", "classes"), ["a"], "schema.target.classes expected an array of two or more"),
        (("target", "classes"), [0, True], "schema.target.classes"),
        (("target", "classes"), [[], {}], "schema.target.classes"),
        (("target", "classes"), ["a", "b", "c"], "two classes .task is binary., received 3"),
        (("notes",), [1], "schema.notes expected an array of different strings"),
    ],
)
def test_schema_from_damaged_json_is_refused_with_the_path(path, value, message):
    config = full_schema().to_config()
    holder = {"": config}
    place, key = holder, ""
    for step in path:
        place, key = place[key], step
    place[key] = value
    with pytest.raises(DataError, match=message):
        TableSchema.from_config(holder[""])


@pytest.mark.parametrize("path", [("target",), ("columns", 0, "mean"), ("target", "name")])
def test_schema_that_lacks_a_key_is_refused(path):
    config = full_schema().to_config()
    place = config
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    with pytest.raises(DataError, match=f"lacks the key '{path[-1]}'"):
        TableSchema.from_config(config)


# Real files


@needs_data
def test_red_wine():
    table = read_csv(DATA / "wine-quality" / "winequality-red.csv")
    assert (table.rows, len(table.names)) == (1599, 12)
    schema = TableSchema.fit(table, "c11")
    assert schema.task == "multiclass" and schema.classes == ("3", "4", "5", "6", "7", "8")
    assert np.bincount(schema.transform_target(table)).tolist() == [10, 53, 681, 638, 199, 18]
    features = schema.transform(table)
    np.testing.assert_allclose(features.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(features.std(0), 1, atol=1e-5)
    values = TableSchema.fit(table, "c11", task="regression")
    assert values.target.mean == pytest.approx(5.636023)


@needs_data
def test_airline_passengers_and_old_faithful():
    table = read_csv(DATA / "airline-passengers" / "airline-passengers.csv")
    assert table.names == ("Month", "Passengers") and sum(map(int, table.column("Passengers"))) == 40363
    schema = TableSchema.fit(read_csv(DATA / "old-faithful" / "faithful.csv"), "waiting")
    assert schema.task == "regression" and schema.target.mean == pytest.approx(70.897059)


@needs_data
def test_iris_without_names_is_refused_rather_than_cut():
    with pytest.raises(DataError, match="Put a row of names above it"):
        read_csv(DATA / "iris" / "iris.csv")


def test_table_has_rows_even_without_columns():
    assert Table((), ()).rows == 0
