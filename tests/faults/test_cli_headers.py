"""The first row of a CSV file: names or data."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from neuroloom.cli import main
from neuroloom.cli.sources import open_source
from neuroloom.data import read_csv
from neuroloom.errors import DataError


@pytest.fixture
def table(tmp_path):
    def write(text, names=()):
        (tmp_path / "t.csv").write_text(text)
        return read_csv(tmp_path / "t.csv", names)

    return write


def test_names_that_pandas_counts_are_names(tmp_path):
    """Fault 23: the names 0, 1, 2 were taken for data, and the column named 2 got a third class 2."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(60, 2)).round(3))
    frame[2] = np.arange(60) % 2
    frame.to_csv(tmp_path / "t.csv", index=False)
    source = open_source(str(tmp_path / "t.csv"), "2", None, seed=0)
    assert source.preparation.classes == ("0", "1") and source.about == "t.csv: 60 rows of 3 columns."
    assert [column.name for column in source.preparation.schema.columns] == ["0", "1"]
    assert "The first row, 0, 1, 2, was read as the names of the columns." in source.notes
    with pytest.raises(DataError, match="Did you mean '2'"):
        open_source(str(tmp_path / "t.csv"), "c2", None, seed=0)


def test_names_that_are_numbers_are_known_again_where_the_target_is_not_there(tmp_path):
    """Fault 23: the model decides what the first row of a later file is."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)).round(3))
    frame[0] = np.arange(60) % 2
    frame.to_csv(tmp_path / "t.csv", index=False)
    preparation = open_source(str(tmp_path / "t.csv"), "0", None, seed=0).preparation
    (tmp_path / "new.csv").write_text("1,2\n0.5,0.25\n")
    assert preparation.features(preparation.read(tmp_path / "new.csv")).shape == (1, 2)
    (tmp_path / "t.csv").write_text("\n".join(line for line in (tmp_path / "t.csv").read_text().split("\n")[1:]))
    unnamed = open_source(str(tmp_path / "t.csv"), "c0", None, seed=0).preparation
    (tmp_path / "new.csv").write_text("0,1,2\n0.5,0.25,3\n")
    assert unnamed.read(tmp_path / "new.csv").names == ("c0", "c1", "c2")


@pytest.mark.parametrize(
    "text, names, expected",
    [
        ("0,1\n0.5,1\n", (), ("0", "1")),  # no 0 stands below the first cell
        ("0,1\n1,0\n0,1\n", (), ("c0", "c1")),  # a table of exclusive or
        ("0,1\n1,0\n0,1\n", ("1",), ("0", "1")),
        ("0,1,2\n0,1,2\n", (), ("0", "1", "2")),
        ("0,0,0\n0,1,1\n", (), ("c0", "c1", "c2")),
        ("3,7,2\n1,5,2\n", ("2",), ("c0", "c1", "c2")),  # one number that is there by chance
        ("2001,2002\n5,6\n", ("2002", "2001"), ("2001", "2002")),
        ("1,5;2,5\n3,5;4,5\n", (), ("c0", "c1")),
        ("0.25,0.5,label\n1,2,a\n3,4,a\n", (), ("0.25", "0.5", "label")),
        ("0.25,0.5,label\n1,2,3\n3,4,5\n", (), ("0.25", "0.5", "label")),
        ("0.25,0.5,label\n1,2,a\n", ("0.5", "0.25"), ("0.25", "0.5", "label")),
        (",0,1\n0,5,6\n1,7,8\n", (), ("c0", "0", "1")),
    ],
)
def test_first_rows_with_numbers(table, text, names, expected):
    """Fault 23: a header of numbers, alone or beside words."""
    found = table(text, names)
    assert found.names == expected
    named = expected != tuple(f"c{i}" for i in range(len(expected)))
    assert found.rows == text.count("\n") - named


@pytest.mark.parametrize(
    "text",
    [
        "5.1,3.5,setosa\n4.9,3.0,setosa\n",
        "5,3,setosa\n4,3,virginica\n4,2,setosa\n",  # without fractions it was taken for names
        "5.1,3.5,p1\n4.9,3.0,p2\n",
        "1.5,?,3\n1.2,2,4\n",
        "1,5;x\n2,5;y\n3,5;x\n",
    ],
)
def test_data_beside_words_are_no_names(table, text):
    """Fault 23: what looks like data is refused, not lost as a header."""
    with pytest.raises(DataError, match=r"received data: .* beside words .*Put a row of names above it"):
        table(text)


def test_target_of_a_file_without_names_is_told_what_its_columns_are_called(tmp_path, monkeypatch):
    """Fault 23: the hint for a row of numbers that was taken for data."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("2001,2002\n" + "5,6\n7,8\n" * 10)
    result = CliRunner().invoke(main, ["train", "t.csv", "--target", "2002"])
    assert result.exit_code == 2
    assert "its first row holds numbers and was read as data, so its columns are named c0, c1" in result.stderr
