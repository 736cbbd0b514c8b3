"""Labels and identifiers stay the texts of the file, and what a column is, is decided once, in training."""

import csv
import io
import json
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner

from neuroloom.cli import main
from neuroloom.cli.sources import open_source
from neuroloom.data import TableSchema, class_weight_vector, read_csv, to_categorical
from neuroloom.errors import DataError

IDS = ("10000000000000001", "10000000000000002", "10000000000000003")  # float64 holds only the second

LABELS = {
    "leading zeros": ("7", "007", "08"),
    "postcodes": ("01234", "1234", "80331"),
    "17 digits": IDS,
    "versions": ("3.9", "3.10", "dev"),
    "zeros and a word": ("01", "02", "abs"),
    "signs": ("+1", "1", "-1"),
    "fractions and none": ("1.0", "1", "2"),
}


def fine(*args):
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    return result


def write(path, labels, rows=60):
    """A table whose x says which of the labels it is, and whose other column says nothing."""
    lines = [f"{i % len(labels) + i % 7 / 100},{i * 37 % 11 / 10},{labels[i % len(labels)]}" for i in range(rows)]
    path.write_text("\n".join(["x,noise,y", *lines]) + "\n")
    return path


@pytest.mark.parametrize("case", LABELS)
@pytest.mark.parametrize("task", [None, "classification"])
def test_labels_of_a_file_are_its_texts(tmp_path, case, task):
    """Fault 8: `7`, `007`, `08` became two classes; ids of 17 digits became numbers that the file does not hold."""
    labels = LABELS[case]
    path = write(tmp_path / "t.csv", labels)
    schema = open_source(str(path), "y", task, seed=0).preparation.schema
    assert set(schema.classes) == set(labels) and len(schema.classes) == len(labels)
    table = read_csv(path)
    back = schema.inverse_target(schema.transform_target(table)).tolist()
    assert back == table.column("y").tolist() == [labels[i % len(labels)] for i in range(60)]


@pytest.mark.parametrize("case", ["postcodes", "versions"])
def test_predict_answers_with_the_texts_of_the_file_and_evaluate_knows_them(tmp_path, monkeypatch, case):
    """Faults 8 and 24: `01234` was answered as `1234`; 3.10 was no class where no row said dev."""
    monkeypatch.chdir(tmp_path)
    labels = LABELS[case]
    write(tmp_path / "t.csv", labels)
    fine("train", "t.csv", "--target", "y", "--epochs", 60)
    (tmp_path / "new.csv").write_text("x,noise\n0,0.5\n1,0.5\n2,0.5\n")
    answers = list(csv.DictReader(io.StringIO(fine("predict", "t.safetensors", "new.csv").stdout)))
    assert [row["prediction"] for row in answers] == list(labels)
    assert set(answers[0]) == {"prediction", *(f"p_{label}" for label in labels)}
    rest = [f"{i},0.5,{labels[i]}\n" for i in (0, 1, 1, 0, 1)]  # no row of the third class
    (tmp_path / "some.csv").write_text("x,noise,y\n" + "".join(rest))
    assert re.search(r"right +5 ", fine("evaluate", "t.safetensors", "some.csv").output)
    assert all(label in fine("inspect", "t.safetensors").output for label in labels)


@pytest.mark.parametrize("case", LABELS)
@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_labels_are_read_by_what_training_decided(tmp_path, case, left_out):
    """Fault 24: classes 3.9, 3.10 and dev were read as numbers where no row said dev."""
    labels = LABELS[case]
    trained = TableSchema.fit(read_csv(write(tmp_path / "t.csv", labels)), "y", task="multiclass")
    schema = TableSchema.from_config(json.loads(json.dumps(trained.to_config())))  # as a model file keeps it
    rest = [label for i, label in enumerate(labels) if i != left_out]
    later = read_csv(write(tmp_path / "later.csv", rest, 4))
    numbers = schema.transform_target(later)
    assert [schema.classes[i] for i in numbers] == [rest[i % 2] for i in range(4)]


def test_text_columns_are_text_in_files_where_all_of_their_cells_are_numbers(tmp_path):
    """Fault 24: what a column of features is, was decided by the file that is read, too."""
    lines = "".join(f"{('1', '02', 'A')[i % 3]},{i % 2}\n" for i in range(30))
    (tmp_path / "t.csv").write_text("code,y\n" + lines)
    schema = TableSchema.fit(read_csv(tmp_path / "t.csv"), "y")
    (tmp_path / "new.csv").write_text("code\n02\n1\n2\n")
    new = read_csv(tmp_path / "new.csv")
    assert schema.feature_names_out == ("code=02", "code=1", "code=A")
    assert schema.transform(new).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert schema.unknown_categories(new) == {"code": 1}


@pytest.mark.parametrize(
    "codes, name",
    [(("1", "01", "001"), "01"), (IDS, IDS[0]), (("7", "007", "08"), "007")],
)
def test_columns_of_codes_are_not_numbers(tmp_path, codes, name):
    """Fault 8: `all its cells are equal` was said of 1, 01, 001, and ids were rounded to float64."""
    lines = "".join(f"{codes[i % 3]},{i % 7},{i % 2}\n" for i in range(42))
    (tmp_path / "t.csv").write_text("code,x,y\n" + lines)
    schema = TableSchema.fit(read_csv(tmp_path / "t.csv"), "y")
    assert set(schema.feature_names_out) == {*(f"code={code}" for code in codes), "x"}
    assert schema.notes == (f"Column 'code' is read as text: {name!r} would lose digits as a number.",)


def test_codes_are_values_where_values_are_asked_for(tmp_path):
    """Fault 8: the other side of it, numbers with leading zeros remain numbers for a regression."""
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{i % 7},{i:03d}\n" for i in range(40)))
    schema = TableSchema.fit(read_csv(tmp_path / "t.csv"), "y", task="regression")
    assert schema.target.mean == pytest.approx(19.5)  # of 0, 1, ..., 39


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, dict], ids=["pandas", "polars", "dict"])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64, object])
def test_whole_numbers_of_frames_are_exact_labels(make, dtype):
    """Fault 8: labels of frames went through float64."""
    first = 2**63 if dtype is np.uint64 else 10**17
    ids = [first + 1, first + 2, first + 3]
    columns = {"x": np.arange(12) % 5 / 2, "y": np.array(ids * 4, dtype)}
    if make is pl.DataFrame and dtype is object:
        columns["y"] = pl.Series(ids * 4)
    schema = TableSchema.fit(make(columns), "y")
    assert schema.classes == tuple(ids)
    assert schema.inverse_target(np.array([2, 0, 1])).tolist() == [ids[2], ids[0], ids[1]]
    assert schema.transform_target({"y": np.array(ids[::-1], dtype)}).tolist() == [2, 1, 0]


def test_labels_beyond_64_bits_stay_whole_numbers():
    """Fault 8: NumPy makes float64 of -1 and 2**63 in one array."""
    ids = [-1, 2**63, 2**70]
    schema = TableSchema.fit({"x": np.arange(12) % 5 / 2, "y": np.array(ids * 4, object)}, "y")
    assert schema.inverse_target(np.array([0, 1, 2])).tolist() == ids


def test_whole_numbers_of_frames_that_float64_cannot_hold_are_no_numbers():
    """Fault 8: a feature of such ids was rounded, so that different ids were equal."""
    ids = [10**17 + i % 3 for i in range(12)]
    schema = TableSchema.fit(pd.DataFrame({"id": ids, "x": np.arange(12) % 5 / 2, "y": [0, 1] * 6}), "y")
    assert schema.feature_names_out == (*(f"id={10**17 + i}" for i in range(3)), "x")


@pytest.mark.parametrize("ids", [[10**17, 10**17 + 1], [0, 2**63 + 5], [-(2**40), 1], [1e300, 0.0]])
@pytest.mark.parametrize("use", [to_categorical, lambda y: class_weight_vector(y, {0: 2.0})])
def test_identifiers_are_no_class_numbers(ids, use):
    """Fault 8: ids as class numbers ran out of memory, or wrapped to negative numbers."""
    with pytest.raises(DataError, match=r"class numbers from 0, received .* looks like an identifier.*np.unique"):
        use(np.array(ids, np.uint64 if max(ids) == 2**63 + 5 else None))
