"""The command line: every command on real data, every wrong input in one line, nothing half-written."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import neuroloom as nl
from data_folder import DATA, needs_data
from neuroloom import engines, files
from neuroloom.cli import main, no_interrupt_lost
from neuroloom.cli.doctor import engine_row
from neuroloom.cli.preparation import ImagePreparation, ReviewPreparation, preparation_from_config
from neuroloom.cli.report import Section, html_report, table
from neuroloom.cli.scores import ClassScores, ValueScores
from neuroloom.cli.sources import NAMES, open_source, split_rows
from neuroloom.cli.trained import read_trained
from neuroloom.data.tables import TableSchema, read_csv
from neuroloom.errors import DataError, ModelFileError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def fine(*args: object) -> Result:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result


def people(rows: int = 60) -> str:
    """A CSV with numbers, categories, missing cells, an empty column and a clear rule: older than 40 buys."""
    lines = ["age,city,nothing,bought"]
    for i in range(rows):
        age = 20 + 7 * i % 41
        lines.append(f"{'' if i % 9 == 5 else age},{('Riga', 'Oslo', '')[i % 3]},,{'yes' if age > 40 else 'no'}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with people.csv, and people.safetensors trained on it."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "people.csv").write_text(people())
    fine("train", folder / "people.csv", "--target", "bought", "--epochs", 40, "--out", folder / "people.safetensors")
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of digits after two epochs."""
    path = tmp_path_factory.mktemp("digits") / "digits.safetensors"
    fine("train", "digits", "--epochs", 2, "--out", path)
    return path


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --------------------------------------------------------------------------------------------------- training


def test_train_writes_the_model_and_one_page_that_needs_nothing_else(here: Path) -> None:
    result = fine("train", "iris", "--epochs", 30)
    assert sorted(path.name for path in here.iterdir()) == ["iris.html", "iris.safetensors"]
    page = (here / "iris.html").read_text()
    assert page.count("<svg") == 2 and "<script" not in page
    assert not re.search(r'(src|href)="(?!#|data:)', page)  # "#..." refers to the page itself
    assert "\x1b" not in result.output and all(len(line) <= 80 for line in result.output.splitlines())
    for text in ("90 training, 30 validation, 30 test rows", "always 'setosa'", "true \\ predicted", "Epoch  3/30"):
        assert text in result.output


def test_digits_report_shows_mistakes_and_the_accuracy_is_far_above_the_baseline(digits: Path) -> None:
    test = read_trained(digits).training["test"]
    assert test["accuracy"] > 0.8 > 0.11 > test["baseline_accuracy"]
    assert "Mistakes" in digits.with_suffix(".html").read_text()


@pytest.mark.slow
def test_digits_reach_97_percent_for_ten_seeds(here: Path) -> None:
    for seed in range(10):
        fine("train", "digits", "--seed", seed)
        assert read_trained(here / "digits.safetensors").training["test"]["accuracy"] >= 0.97


def test_the_test_accuracy_is_that_of_the_saved_model_on_the_test_part(digits: Path) -> None:
    (_, _), (x, y) = nl.datasets.digits.load_data()
    outputs = nl.load_model(digits).predict(x[..., None].astype("float32") / 16)
    assert read_trained(digits).training["test"]["accuracy"] == pytest.approx((outputs.argmax(1) == y).mean())


def test_regression_is_scored_in_the_units_of_the_table(here: Path) -> None:
    result = fine("train", "diabetes", "--epochs", 30)
    (_, y_train), (x, y) = nl.datasets.diabetes.load_data()
    model, trained = nl.load_model(here / "diabetes.safetensors"), read_trained(here / "diabetes.safetensors")
    names = nl.datasets.diabetes.feature_names
    features = trained.preparation.features(nl.data.as_table({n: x[:, i] for i, n in enumerate(names)}))
    predicted = trained.preparation.values(model.predict(features)[:, 0])
    test = trained.training["test"]
    assert test["rmse"] == pytest.approx(np.sqrt(np.mean((predicted - y) ** 2)), rel=1e-5)
    assert test["mae"] == pytest.approx(np.abs(predicted - y).mean(), rel=1e-5)
    assert test["rmse"] < 0.85 * test["baseline_rmse"]
    assert abs(trained.usual - y_train.mean()) < 10 and "Residuals" in result.output


def test_mixed_columns_and_missing_cells_are_learnt_and_recorded(shop: Path) -> None:
    trained = read_trained(shop / "people.safetensors")
    assert trained.training["test"]["accuracy"] >= 0.9 > trained.training["test"]["baseline_accuracy"]
    assert [name for name, _ in trained.preparation.facts()] == ["age", "city", "bought (target)"]
    record = json.dumps(files.read_record(shop / "people.safetensors"))
    assert str(shop) not in record and str(Path.home()) not in record


def test_nothing_is_learnt_from_validation_and_test_rows(shop: Path) -> None:
    source = open_source(str(shop / "people.csv"), "bought", None, seed=3)
    assert source.preparation.schema == TableSchema.fit(source.train, "bought")  # type: ignore[attr-defined]
    lines = [set(part.lines) for part in (source.train, source.validation, source.test)]
    assert set.union(*lines) == set(range(2, 62)) and sum(map(len, lines)) == 60
    assert source.notes and "'nothing'" in source.notes[0]


def test_the_same_seed_gives_the_same_file_and_another_seed_another(here: Path) -> None:
    Path("people.csv").write_text(people())
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        fine("train", "people.csv", "--target", "bought", "--epochs", 2, "--seed", seed, "--out", f"{name}.safetensors")
    first, again, other = (files.read_header(f"{name}.safetensors") for name in "abc")
    assert first == again and first.digest != other.digest
    first, again, other = (Path(f"{name}.html").read_text().replace(f"{name}.safetensors", "") for name in "abc")
    assert first == again != other


def test_task_decides_what_whole_numbers_are(here: Path) -> None:
    generator = np.random.default_rng(0)
    rows = "".join(f"{a:.3f},{round(3 * a) + 3}\n" for a in generator.uniform(-1, 1, 80))
    Path("marks.csv").write_text("a,mark\n" + rows)
    assert "classes" in fine("train", "marks.csv", "--target", "mark", "--epochs", 1).output
    regression = fine("train", "marks.csv", "--target", "mark", "--epochs", 1, "--task", "regression").output
    assert "RMSE" in regression and re.search(r"a number, [23]\.\d+ ± [12]\.\d+", regression)


@needs_data
def test_real_files_without_column_names(here: Path) -> None:
    text = (DATA / "iris" / "iris.csv").read_text()  # type: ignore[operator]
    Path("flowers.csv").write_text("a,b,c,d,species\n" + text)
    fine("train", "flowers.csv", "--target", "species", "--epochs", 40)
    assert read_trained(Path("flowers.safetensors")).training["test"]["accuracy"] >= 0.85
    red = DATA / "wine-quality" / "winequality-red.csv"  # type: ignore[operator]
    fine("train", red, "--target", "c10", "--epochs", 10, "--out", "red.safetensors")
    assert read_trained(Path("red.safetensors")).training["test"]["r2"] > 0.4
    refused = run("train", DATA / "iris" / "iris.csv", "--target", "c4")  # type: ignore[operator]
    assert refused.exit_code == 2 and "names of columns" in refused.stderr


@needs_data
def test_reviews_are_read_from_a_table_of_texts(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROLOOM_DATA", str(DATA))
    Path("new.csv").write_text('text,label\n"A wonderful, wonderful film!",positive\n"Boring; awful.",negative\n')
    raw = ReviewPreparation(("negative", "positive")).read(Path("new.csv"))
    index = nl.datasets.imdb.get_word_index()
    words = ["a", "wonderful", "wonderful", "film"]
    assert raw.x[0] == [1, *(index[word] + 3 for word in words)] and raw.y.tolist() == [1, 0]


@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_other_engines_train_too(here: Path, engine: str) -> None:
    fine("train", "wine", "--engine", engine, "--epochs", 10)
    trained = read_trained(here / "wine.safetensors").training
    assert trained["engine"].startswith(engine) and trained["test"]["accuracy"] > 0.8


def test_an_engine_that_cannot_train_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.load("numpy"), "trains", False)
    result = run("train", "wine", "--engine", "numpy")
    assert result.exit_code == 2 and "The engine 'numpy' cannot train. Use --engine jax or" in result.stderr
    assert engine_row("numpy")[0][3] == "forward only"


# ------------------------------------------------------------------------------------------ evaluate, predict


def test_predictions_are_those_of_the_model_in_the_order_of_the_rows(shop: Path, here: Path) -> None:
    fine("predict", shop / "people.safetensors", shop / "people.csv", "-o", "out.csv")
    rows = rows_of(Path("out.csv").read_text())
    trained, model = read_trained(shop / "people.safetensors"), nl.load_model(shop / "people.safetensors")
    outputs = model.predict(trained.preparation.features(read_csv(shop / "people.csv")))
    written = np.array([[row["p_no"], row["p_yes"]] for row in rows], np.float32)
    assert np.array_equal(written, outputs)
    assert [row["prediction"] for row in rows] == [("no", "yes")[i] for i in outputs.argmax(1)]


def test_predictions_of_values_are_in_the_units_of_the_table(here: Path) -> None:
    fine("train", "diabetes", "--epochs", 5)
    (_, _), (x, _) = nl.datasets.diabetes.load_data()
    names = nl.datasets.diabetes.feature_names
    Path("new.csv").write_text("\n".join([",".join(names), *(",".join(map(repr, row)) for row in x.tolist())]))
    written = [float(row["prediction"]) for row in rows_of(fine("predict", "diabetes.safetensors", "new.csv").stdout)]
    trained, model = read_trained(Path("diabetes.safetensors")), nl.load_model("diabetes.safetensors")
    outputs = model.predict(trained.preparation.features(read_csv("new.csv")))
    target = trained.preparation.schema.target  # type: ignore[attr-defined]
    assert written == pytest.approx((outputs[:, 0] * target.scale + target.mean).tolist(), rel=1e-6)


def test_predict_needs_no_target_and_notes_unknown_categories(shop: Path, here: Path) -> None:
    Path("new.csv").write_text("city,age\nRiga,25\nParis,58\n")
    result = fine("predict", shop / "people.safetensors", "new.csv")
    assert [row["prediction"] for row in rows_of(result.stdout)] == ["no", "yes"]
    assert "'city'" in result.stderr and "1 cell" in result.stderr


def test_images_are_predicted_from_arrays(digits: Path, here: Path) -> None:
    (_, _), (x, y) = nl.datasets.digits.load_data()
    np.save("some.npy", x[:5])
    np.savez("known.npz", x=x, y=y)
    from_array = rows_of(fine("predict", digits, "some.npy").stdout)
    from_archive = rows_of(fine("predict", digits, "known.npz").stdout)
    assert len(from_array) == 5 and [r["prediction"] for r in from_archive[:5]] == [r["prediction"] for r in from_array]
    assert fine("evaluate", digits, "known.npz").output == fine("evaluate", digits, "digits").output


def test_every_engine_predicts_the_same(shop: Path) -> None:
    command = ("predict", shop / "people.safetensors", shop / "people.csv", "--engine")
    first, *others = (
        np.array([[row["p_no"], row["p_yes"]] for row in rows_of(fine(*command, engine).stdout)], float)
        for engine in ("jax", "torch", "numpy")
    )
    for other in others:
        np.testing.assert_allclose(other, first, rtol=2e-5, atol=1e-6)


def test_evaluate_reads_a_table_with_answers(shop: Path) -> None:
    result = fine("evaluate", shop / "people.safetensors", shop / "people.csv")
    right = re.search(r"right +(\d+) +(\d+)", result.output)
    predicted = [
        row["prediction"] for row in rows_of(fine("predict", shop / "people.safetensors", shop / "people.csv").stdout)
    ]
    answers = [row["bought"] for row in rows_of((shop / "people.csv").read_text())]
    usual = max(("yes", "no"), key=answers.count)
    assert right is not None
    assert int(right[1]) == sum(p == a for p, a in zip(predicted, answers, strict=True))
    assert f"always {usual!r}" in result.output and int(right[2]) == answers.count(usual)


# ------------------------------------------------------------------------------------------- inspect, doctor


def test_inspect_shows_what_the_file_holds_and_loads_no_engine(shop: Path) -> None:
    code = (
        "import sys; from neuroloom.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "print({'jax', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "inspect", shop / "people.safetensors"], capture_output=True, text=True, timeout=60
    )
    for text in (
        "format version 1",
        "dense/kernel",
        "5 × 64",
        "Adam",
        "age",
        "missing ones flagged",
        "classes no, yes",
        "Seed",
    ):
        assert text in done.stdout, done.stdout + done.stderr
    assert done.stdout.endswith("set()\n")


def test_inspect_shows_weights_alone(here: Path) -> None:
    model = nl.Sequential([nl.Input((3,)), nl.layers.Dense(2)])
    model.save_weights("w.safetensors")
    assert "weights without a model" in fine("inspect", "w.safetensors").output


def test_doctor_lists_engines_and_data_sets(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    monkeypatch.setenv("NEUROLOOM_DATA", str(here))
    Path("tinyshakespeare").mkdir()
    Path("tinyshakespeare/input.txt").write_text("x")
    output = fine("doctor").output
    assert re.search(r"shakespeare +in NEUROLOOM_DATA", output) and re.search(r"digits +built in", output)
    assert re.search(r"jax +[\d.]+ +\S+ +in use by default", output)


def test_doctor_names_the_command_that_installs_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    without_torch(monkeypatch)
    output = fine("doctor").output
    assert re.search(r"torch +- +- +not installed", output) and "pip install 'neuroloom[torch]'" in output


def test_doctor_shows_the_speeds_and_measures_them_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from neuroloom.learning import speeds
    from neuroloom.models import references

    monkeypatch.setenv("NEUROLOOM_CACHE", str(tmp_path))
    monkeypatch.setattr(references, "REFERENCES", references.REFERENCES[:1])
    for name, value in {"STEPS": 2, "CALL_SECONDS": 0.01, "SECONDS": 0.0}.items():
        monkeypatch.setattr(references, name, value)
    speeds.table.cache_clear()
    output = fine("doctor").output
    assert (
        re.search(r"text lstm +recurrent +train +32 +[\d.]+ +- +[\d.]+ +(jax|torch)", output)
        and "measured elsewhere" in output
    )
    output = fine("doctor", "--measure").output
    jax, torch, fastest = re.search(r"tiny +dense +train +16 +([\d.]+) +- +([\d.]+) +(jax|torch)", output).groups()
    ratio = float(jax) / float(torch)
    likely = {"jax"} if ratio < 1.03 else {"torch"} if ratio > 1.07 else {"jax", "torch"}  # the engine in use, if close
    assert fastest in likely and "measured here" in output
    *times, fastest = re.search(r"tiny +dense +predict +256 +([\d.]+) +([\d.]+) +([\d.]+) +(\w+)", output).groups()
    taken = float(times[["jax", "numpy", "torch"].index(fastest)])
    close = fastest == "jax" and taken < 1.01 * speeds.WORTH_CHANGING * min(map(float, times))  # as the table rounds
    assert close or taken == min(map(float, times))
    assert "text lstm" not in output
    speeds.table.cache_clear()


def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    from neuroloom.engines import dispatch

    there = dispatch.installed
    monkeypatch.setattr(dispatch, "installed", lambda name: name != "torch" and there(name))
    monkeypatch.setattr(dispatch, "_loaded", {k: v for k, v in dispatch._loaded.items() if k != "torch"})


# ------------------------------------------------------------------------------------------------ wrong input

GOOD = people(20)
ONE_CLASS = "a,b\n" + "".join(f"{i},yes\n" for i in range(20))
STRAY = "a,b\n" + "".join(f"{'x' if i == 30 else i},{i % 2}\n" for i in range(60))

WRONG = {
    "no such file": (None, ["train", "t.csvx"], "'t.csvx' is neither a data set nor a file. Known: "),
    "typo": (None, ["train", "digit"], "Did you mean 'digits'?"),
    "no target": (GOOD, ["train", "t.csv"], "--target NAME. Columns: age, city, nothing, bought."),
    "no such column": (GOOD, ["train", "t.csv", "--target", "bougth"], "Did you mean 'bought'?"),
    "target of a data set": (None, ["train", "iris", "--target", "species"], "leave out --target"),
    "empty": ("", ["train", "t.csv", "--target", "b"], "received an empty file"),
    "head only": ("a,b\n", ["train", "t.csv", "--target", "b"], "expected rows of data"),
    "ragged": ("a,b\n1,2\n3\n", ["train", "t.csv", "--target", "b"], "line 3 has 1 cells, expected 2"),
    "text as numbers": (STRAY, ["train", "t.csv", "--target", "b"], "line 32: 'x' is not a number"),
    "text as a value": (GOOD, ["train", "t.csv", "--target", "bought", "--task", "regression"], "is not a number"),
    "one class": (ONE_CLASS, ["train", "t.csv", "--target", "b"], "two classes or more, received only 'yes'"),
    "too few rows": ("a,b\n1,x\n2,y\n3,x\n", ["train", "t.csv", "--target", "b"], "too few to hold some out"),
    "missing target": ("a,b\n1,x\n2,\n3,y\n", ["train", "t.csv", "--target", "b"], "line 3"),
    "not text": ("\x00\ud800", ["train", "t.csv", "--target", "b"], "expected text in UTF-8"),
    "folder as data": (None, ["train", ".", "--target", "b"], "it cannot be read"),
    "unknown engine": (GOOD, ["train", "t.csv", "--target", "bought", "--engine", "jxa"], "Did you mean 'jax'?"),
    "no folder": (GOOD, ["train", "t.csv", "--target", "bought", "--out", "no/m.safetensors"], "no folder 'no'"),
    "other ending": (GOOD, ["train", "t.csv", "--target", "bought", "--out", "t.csv"], "ends in .safetensors"),
    "no epochs": (None, ["train", "digits", "--epochs", "0"], "0 is not in the range x>=1"),
    "seed of letters": (None, ["train", "digits", "--seed", "x"], "'x' is not a valid integer"),
    "unknown option": (None, ["train", "digits", "--epoch", "3"], "--epochs"),
    "no model": (GOOD, ["predict", "m.safetensors", "t.csv"], "cannot be read"),
    "csv as model": (GOOD, ["inspect", "t.csv"], "no model file"),
    "nothing to predict": (None, ["predict", "MODEL", "new.csv"], "it cannot be read"),
    "lacking columns": ("age\n31\n", ["predict", "MODEL", "t.csv"], "lacks 'city'"),
    "words for numbers": ("age,city\nold,Riga\n", ["predict", "MODEL", "t.csv"], "line 2: 'old' is not a number"),
    "overwritten input": (GOOD, ["predict", "MODEL", "t.csv", "-o", "t.csv"], "would overwrite what is read"),
    "no place for predictions": (GOOD, ["predict", "MODEL", "t.csv", "-o", "no/o.csv"], "does not exist"),
    "no answers": ("age,city\n31,Riga\n", ["evaluate", "MODEL", "t.csv"], "no column 'bought'"),
    "unknown class": ("age,city,bought\n31,Riga,perhaps\n", ["evaluate", "MODEL", "t.csv"], "is not a class seen"),
    "other data set": (None, ["evaluate", "MODEL", "digits"], "trained on table; the data set 'digits' holds images"),
    "no such data": (None, ["evaluate", "MODEL", "irsi"], "Did you mean 'iris'?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_line_and_exit_code_2_and_nothing_is_written(case: str, here: Path, shop: Path) -> None:
    content, command, expected = WRONG[case]
    if content is not None:
        Path("t.csv").write_bytes(content.encode(errors="surrogatepass"))
    result = run(*(shop / "people.safetensors" if part == "MODEL" else part for part in command))
    assert result.exit_code == 2 and not isinstance(result.exception, Exception), result.output
    assert expected in " ".join(result.stderr.split()), result.stderr
    if not result.stderr.startswith("Usage:"):
        assert result.stderr.startswith("neuroloom: error: ") and result.stderr.count("\n") == 1
    assert [path.name for path in here.iterdir()] == (["t.csv"] if content is not None else [])
    if content is not None:
        assert Path("t.csv").read_bytes() == content.encode(errors="surrogatepass")


IMAGES = {
    "other size": (
        np.zeros((2, 9, 8), np.uint8),
        "expected images of shape (n, 8, 8), received an array of shape (2, 9, 8)",
    ),
    "one image": (np.zeros((8, 8), np.uint8), "received an array of shape (8, 8)"),
    "too bright": (np.full((2, 8, 8), 17), "pixels from 0 to 16, received 17 to 17"),
    "fractions": (np.full((2, 8, 8), 0.5), "Multiply them by 16"),
    "NaN": (np.full((2, 8, 8), np.nan), "pixels from 0 to 16"),
    "text": (np.full((2, 8, 8), "x"), "pixels from 0 to 16, received <U1"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_wrong_images_are_refused(case: str, here: Path, digits: Path) -> None:
    array, expected = IMAGES[case]
    np.save("new.npy", array)
    result = run("predict", digits, "new.npy", "-o", "out.csv")
    assert result.exit_code == 2 and expected in result.stderr and not Path("out.csv").exists()


def test_pickled_objects_are_never_read(here: Path, digits: Path) -> None:
    np.save("new.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "received something else" in run("predict", digits, "new.npy").stderr
    np.savez("new.npz", z=np.zeros(3))
    assert "expected an array named 'x'" in run("predict", digits, "new.npz").stderr


def test_a_missing_engine_is_one_line_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    without_torch(monkeypatch)
    result = run("train", "iris", "--engine", "torch")
    assert result.exit_code == 2 and "pip install 'neuroloom[torch]'" in result.stderr and not list(here.iterdir())


def test_models_that_train_did_not_write_are_refused(here: Path, shop: Path) -> None:
    model = nl.Sequential([nl.Input((3,)), nl.layers.Dense(2)])
    model.save("plain.safetensors")
    Path("t.csv").write_text(GOOD)
    assert "records no preparation" in run("predict", "plain.safetensors", "t.csv").stderr
    extra = files.read_record(shop / "people.safetensors")["extra"]
    model.save("narrow.safetensors", extra={**extra, "usual": 2})
    assert "extra.usual expected a class number" in run("predict", "narrow.safetensors", "t.csv").stderr
    nl.Sequential([nl.Input((5,)), nl.layers.Dense(3)]).save("wide.safetensors", extra=extra)
    assert "its preparation needs (None, 2)" in run("predict", "wide.safetensors", "t.csv").stderr


def test_an_older_model_stays_if_the_report_cannot_be_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("iris.safetensors").write_bytes(b"old")

    def full(*args: object) -> str:
        raise OSError(28, "No space left on device", "iris.html")

    monkeypatch.setattr(sys.modules["neuroloom.cli.train"], "document", full)
    result = run("train", "iris", "--epochs", 1)
    assert result.exit_code == 2 and result.stderr == "neuroloom: error: iris.html: No space left on device.\n"
    assert [(path.name, path.read_bytes()) for path in here.iterdir()] == [("iris.safetensors", b"old")]


@pytest.mark.usefixtures("listening")
@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_control_c_ends_with_130_one_line_and_no_file(here: Path) -> None:
    command = [sys.executable, "-u", "-m", "neuroloom", "train", "digits", "--epochs", "100000"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    while "Learning" not in (line := child.stdout.readline()):
        assert line, child.stderr and child.stderr.read()
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130 and errors == "neuroloom: interrupted; nothing was written.\n"
    assert not list(here.iterdir())


@pytest.mark.usefixtures("listening")
def test_control_c_is_not_lost_where_python_ignores_exceptions() -> None:
    class Finalised:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def work() -> None:
        Finalised()
        for _ in range(1000):
            time.sleep(0.01)

    before = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost():
        work()
    assert sys.unraisablehook is before


# ------------------------------------------------------------------------------------------------------ parts


def test_help_and_version() -> None:
    assert fine("--version").output == f"neuroloom {nl.__version__}\n"
    overview = fine("--help").output
    for command in ("train", "evaluate", "predict", "inspect", "doctor"):
        assert command in overview and "Usage:" in fine(command, "--help").output
    assert all(name in fine("train", "-h").output for name in NAMES)


def test_scores_by_hand() -> None:
    scores = ClassScores(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0]), ("a", "b", "c"), usual=0)
    assert scores.numbers() == {"accuracy": 4 / 6, "baseline_accuracy": 2 / 6}
    assert scores.matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    values = ValueScores(np.array([1.0, 2, 6]), np.array([2.0, 2, 4]), usual=2.0)
    expected = {"rmse": (5 / 3) ** 0.5, "mae": 1, "r2": 1 - 5 / 14}
    expected |= {"baseline_rmse": (17 / 3) ** 0.5, "baseline_mae": 5 / 3, "baseline_r2": 1 - 17 / 14}
    assert values.numbers() == pytest.approx(expected)


def test_split_keeps_every_class_in_proportion_and_a_rare_one_in_training() -> None:
    labels = np.array([0] * 50 + [1] * 10 + [2])
    train, validation, test = split_rows(61, labels, (0.2, 0.2), seed=1)
    assert sorted(np.concatenate([train, validation, test])) == list(range(61))
    assert [np.bincount(labels[part], minlength=3).tolist() for part in (train, validation, test)] == [
        [30, 6, 1], [10, 2, 0], [10, 2, 0],
    ]  # fmt: skip
    again, other = split_rows(61, labels, (0.2, 0.2), seed=1), split_rows(61, labels, (0.2, 0.2), seed=2)
    assert np.array_equal(train, again[0]) and not np.array_equal(train, other[0])


@pytest.mark.parametrize(
    "preparation",
    [ImagePreparation((8, 6, 3), 255, ("cat", "dog")), ReviewPreparation(("negative", "positive"))],
    ids=["images", "reviews"],
)
def test_preparations_come_back_from_json(preparation: ImagePreparation | ReviewPreparation) -> None:
    assert preparation_from_config(json.loads(json.dumps(preparation.to_config()))) == preparation


@pytest.mark.parametrize(
    "config, expected",
    [
        ({"kind": "sound"}, "kind is one of"),
        ({"kind": "images", "shape": [8, 8], "largest": 16, "classes": ["a", "b"]}, "three positive integers"),
        ({"kind": "images", "shape": [8, 8, 1], "largest": 0, "classes": ["a", "b"]}, "a number above 0"),
        ({"kind": "table", "schema": {}}, "lacks the key"),
        ({"kind": "reviews", "classes": ["a", "b"], "x": 1}, "unknown key"),
    ],
)
def test_damaged_preparations_are_refused(config: dict[str, object], expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        preparation_from_config(config)


def test_read_trained_refuses_what_is_no_model(here: Path) -> None:
    with pytest.raises(ModelFileError):
        read_trained(here / "none.safetensors")


def test_report_escapes_every_text() -> None:
    page = html_report("<i>", [Section("<b>", table(["<u>"], [["<s>"]]), "<p>")])
    assert not re.search("<(i|b|u|s)>|<p><p>", page) and page.count("&lt;") == 6
