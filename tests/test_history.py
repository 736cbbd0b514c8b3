"""The history: every number in full precision, shown by one function, as table, picture and frame."""

import importlib.util
import math
import pickle

import numpy as np
import pytest

from neuroloom.errors import DataError, NeuroloomError
from neuroloom.learning.callbacks import CallbackList
from neuroloom.learning.history import History, format_logs, format_number


def history(rows, first=0):
    """A history of these logs."""
    found = History()
    with CallbackList(found, object(), {"epochs": len(rows), "steps": 2, "verbose": 0}) as every:
        every.on_train_begin()
        for epoch, logs in enumerate(rows, first):
            every.on_epoch_end(epoch, logs)
    return found


ROWS = [{"loss": 0.1 + 0.2, "val_loss": 2.0}, {"loss": 0.25, "val_loss": 1.5}, {"loss": 0.125, "val_loss": 1.75}]


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0.0000"), (0.43215, "0.4321"), (0.001, "0.0010"), (0.00099, "9.9000e-04"), (-2.5, "-2.5000"),
        (99999.0, "99999.0000"), (1e5, "1.0000e+05"), (math.nan, "nan"), (-math.inf, "-inf"),
        (np.float32(0.5), "0.5000"),
    ],
)  # fmt: skip
def test_numbers_as_shown(value, text):
    assert format_number(value) == text


def test_numbers_are_kept_in_full_precision_as_python_floats():
    found = history([{"loss": np.float32(0.1)}, {"loss": 0.1 + 0.2}], first=4)
    assert found.history == {"loss": [float(np.float32(0.1)), 0.30000000000000004]}
    assert found.epoch == [4, 5] and all(type(v) is float for v in found.history["loss"])
    assert found.params == {"epochs": 2, "steps": 2, "verbose": 0}


def test_a_value_that_comes_and_goes_leaves_nan():
    found = history([{"loss": 3.0}, {"loss": 2.0, "f1": 0.5}, {"loss": 1.0}])
    assert np.array_equal(found.history["f1"], [math.nan, 0.5, math.nan], equal_nan=True)


def test_an_epoch_without_new_names_takes_no_longer_for_those_before_it():
    class Epochs(list):
        counted = 0

        def __len__(self):
            self.counted += 1
            return super().__len__()

    found = history(ROWS)
    found.epoch = epochs = Epochs(found.epoch)
    found.on_epoch_end(3, ROWS[0])
    assert epochs.counted == 0
    found.on_epoch_end(4, ROWS[0] | {"new": 1.0})
    assert epochs.counted == 1 and len(found.history["new"]) == 5


def test_it_holds_no_model_and_can_be_pickled():
    found = history(ROWS)
    assert not hasattr(found, "model")
    again = pickle.loads(pickle.dumps(found))
    assert again.history == found.history and again.epoch == [0, 1, 2]


def test_state_brings_back_equal_numbers():
    found, again = history([{"loss": math.nan}, {"loss": 0.1 + 0.2, "f1": 1e-300}]), History()
    again.on_train_begin()
    again.set_state(found.get_state())
    assert repr(again.history) == repr(found.history) and again.epoch == [0, 1]
    again.on_epoch_end(2, {"loss": 1.0, "f1": 2.0})
    assert len(again.history["f1"]) == 3 and len(found.history["f1"]) == 2


def test_repr_names_the_last_and_the_best():
    text = "<History of 3 epochs: loss 0.1250  val_loss 1.7500; lowest val_loss 1.5000 in epoch 2>"
    assert repr(history(ROWS)) == text
    assert repr(history([{"reward": 2.0}])) == "<History of 1 epoch: reward 2.0000>"
    assert repr(History()) == "<History of 0 epochs>"


def test_html_is_escaped_and_long_ones_are_cut():
    page = history([{"<b>": 0.5}])._repr_html_()
    assert "&lt;b&gt;" in page and "<th><b>" not in page
    page = history([{"loss": 40.0 - i} for i in range(40)])._repr_html_()
    assert page.count("<tr>") == 14 and "…" in page
    assert "<td><b>40</b></td><td><b>1.0000</b></td>" in page and "<td>7</td>" not in page


def test_plot_writes_the_file_of_its_ending(tmp_path):
    figure = history(ROWS).plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert figure.axes[0].get_title(loc="left") == "Loss"
    with pytest.raises(DataError, match=r"received none\. Was fit called\?"):
        History().plot()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frame_of_the_library_that_is_there(library, monkeypatch):
    pytest.importorskip(library, reason=f"{library} is not installed")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: find(name) if name in (library, "narwhals") else None)
    frame = history(ROWS, first=7).frame()
    assert type(frame).__module__.startswith(library)
    assert list(frame.columns) == ["epoch", "loss", "val_loss"]
    assert list(frame["epoch"]) == [7, 8, 9] and list(frame["loss"]) == [0.1 + 0.2, 0.25, 0.125]


def test_frame_without_a_library(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NeuroloomError, match=r"found neither\. Install one with: pip install pandas"):
        history(ROWS).frame()


def test_logs_on_one_line():
    assert format_logs(ROWS[0]) == "loss 0.3000  val_loss 2.0000"
