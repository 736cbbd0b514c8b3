"""Figures: what is drawn where, checked on the figure's own objects; SVG that needs nothing else."""

import gc
import re
import subprocess
import sys
import weakref
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from neuroloom import plots
from neuroloom.errors import ConfigurationError, DataError, ShapeError
from neuroloom.plots import style

HISTORY = {
    "loss": [0.9, 0.5, 0.3, 0.2],
    "accuracy": [0.5, 0.7, 0.8, 0.9],
    "val_loss": [1.0, 0.6, 0.4, 0.45],
    "val_accuracy": [0.4, 0.6, 0.75, 0.7],
    "learning_rate": [0.1, 0.1, 0.01, 0.001],
}


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def lines(axes):
    """(colour, points) of the lines that connect values."""
    return [(line.get_color(), line.get_ydata().tolist()) for line in axes.lines if len(line.get_ydata()) > 2]


# --------------------------------------------------------------------------------------------------------- curves


def test_a_panel_per_metric_with_training_and_validation():
    figure = plots.curves(HISTORY)
    assert titles(figure) == ["Loss", "Accuracy", "Learning rate"]
    assert lines(figure.axes[0]) == [(style.BLUE, HISTORY["loss"]), (style.ORANGE, HISTORY["val_loss"])]
    assert lines(figure.axes[1]) == [(style.BLUE, HISTORY["accuracy"]), (style.ORANGE, HISTORY["val_accuracy"])]
    assert lines(figure.axes[2]) == [(style.FAINT, HISTORY["learning_rate"])]
    assert legend(figure) == ["training", "validation", "lowest validation loss: epoch 3"]


def test_the_best_epoch_is_marked_in_every_panel():
    figure = plots.curves(HISTORY, epochs=[11, 12, 13, 14])
    for axes in figure.axes:
        assert axes.lines[0].get_xdata() == [13, 13]
    marks = [(m.get_xdata()[0], m.get_ydata()[0]) for m in figure.axes[1].lines if m.get_marker() == "o"]
    assert marks == [(13, 0.8), (13, 0.75)]
    assert legend(figure)[-1] == "lowest validation loss: epoch 13"


def test_best_epoch():
    assert plots.best_epoch(HISTORY) == ("val_loss", 2)
    assert plots.best_epoch({"loss": [3.0, np.nan, 2.0, 2.0]}) == ("loss", 2)
    assert plots.best_epoch({"loss": [np.nan]}) is None and plots.best_epoch({"reward": [1.0]}) is None


def test_curves_without_validation_have_one_full_line():
    figure = plots.curves({"loss": [3.0, 2.0, 1.0]})
    assert legend(figure) == ["training", "lowest loss: epoch 3"]
    assert figure.axes[0].lines[1].get_linestyle() == "-"


def test_scale_is_logarithmic_beyond_two_decades():
    figure = plots.curves({"loss": [1.0, 0.009], "mse": [1.0, 0.5], "mae": [1.0, 0.0]})
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear", "linear"]
    assert titles(figure) == ["Loss", "MSE", "MAE"]


def test_missing_values_are_bridged():
    figure = plots.curves({"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [np.nan, 3.5, np.nan, 1.5]})
    line = next(line for line in figure.axes[0].lines if line.get_color() == style.ORANGE)
    assert line.get_xdata().tolist() == [2, 4] and line.get_ydata().tolist() == [3.5, 1.5]


@pytest.mark.parametrize(
    "history, epochs, error, message",
    [
        ({}, None, DataError, "at least one epoch of one metric, received none. Was fit called?"),
        ({"loss": []}, None, DataError, "at least one epoch"),
        ({"loss": [1, 2], "f1": [1]}, None, ShapeError, r"expected 2 numbers, .*received shape \(1,\) for 'f1'"),
        ({"loss": [1, 2]}, [1, 2, 3], ShapeError, r"expected 3 numbers, .*received shape \(2,\) for 'loss'"),
    ],
)
def test_curves_of_wrong_histories(history, epochs, error, message):
    with pytest.raises(error, match=message):
        plots.curves(history, epochs)


# ----------------------------------------------------------------------------------------------- confusion matrix


def test_confusion_matrix_has_truth_in_rows():
    axes = plots.confusion_matrix([[6, 2, 0], [1, 3, 0], [0, 0, 0]], ["a", "b", "c"]).axes[0]
    cells = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}
    assert cells[1, 0] == "2\n25 %"  # column 1, row 0: class a taken for b
    assert cells[0, 1] == "1\n25 %" and cells[0, 0] == "6\n75 %" and cells[2, 2] == "0\n0 %"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted class", "True class")
    shares = axes.images[0].get_array()
    assert np.array_equal(shares, [[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 0]])
    colours = {tuple(map(int, text.get_position())): text.get_color() for text in axes.texts}
    assert colours[0, 0] == "white" and colours[1, 0] == style.INK


@pytest.mark.parametrize("n, first, parts", [(11, "7\n100 %", 1), (12, "7", 2), (25, None, 2)])
def test_confusion_matrix_of_many_classes_says_less_in_a_cell(n, first, parts):
    figure = plots.confusion_matrix(7 * np.eye(n))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert (texts[0] if texts else None) == first
    figure.draw_without_rendering()
    assert len(figure.axes[0].child_axes) + 1 == parts  # a colour bar where the cells hold no shares


@pytest.mark.parametrize(
    "matrix, names, error, message",
    [
        ([[1, 2, 3], [4, 5, 6]], None, ShapeError, r"shape \(classes, classes\), received \(2, 3\).*sklearn"),
        ([1, 2], None, ShapeError, r"received \(2,\)"),
        ([[1, 2], [3, 4]], ["a"], ShapeError, "expected 2 names, one per class, received 1"),
        ([[1, -2], [3, 4]], None, DataError, "received -2"),
    ],
)
def test_wrong_confusion_matrices(matrix, names, error, message):
    with pytest.raises(error, match=message):
        plots.confusion_matrix(matrix, names)


# ------------------------------------------------------------------------------------------------------ residuals


def test_residuals_by_hand():
    left, right = plots.residuals([[1.0], [2.0], [3.0], [6.0]], [2.0, 2.0, 2.0, 7.0]).axes
    # errors 1, 0, -1, 1: sum of squares 3; about the mean 3: 4 + 1 + 0 + 9 = 14
    assert left.get_title(loc="left") == "R² = 0.786, RMSE = 0.866"
    assert left.collections[0].get_offsets().tolist() == [[1, 2], [2, 2], [3, 2], [6, 7]]
    assert left.get_xlim() == left.get_ylim()
    counts = [patch.get_height() for patch in right.patches]
    assert sum(counts) == 4 and counts[0] == 1 and counts[-1] == 2
    assert right.texts[0].get_text() == " mean 0.25"


def test_residuals_of_a_constant_have_no_r2():
    axes = plots.residuals([2.0, 2.0], [2.0, 2.0]).axes[0]
    assert axes.get_title(loc="left") == "RMSE = 0"


@pytest.mark.parametrize(
    "y, predicted, error, message",
    [
        ([1.0, 2.0], [1.0], ShapeError, "equally many numbers, received 2 and 1"),
        ([[1.0, 2.0]], [1.0], ShapeError, r"y of shape \(n,\) or \(n, 1\), received \(1, 2\)"),
        ([1.0], [np.nan], DataError, "finite numbers in predicted, received NaN"),
        ([], [], DataError, "received none"),
    ],
)
def test_wrong_residuals(y, predicted, error, message):
    with pytest.raises(error, match=message):
        plots.residuals(y, predicted)


# --------------------------------------------------------------------------------------------------------- images


@pytest.mark.parametrize(
    "array, expected",
    [
        (np.array([[[0, 255]], [[51, 102]]], np.uint8), [0, 1, 0.2, 0.4]),
        (np.array([[[0.0, 0.5]], [[0.25, 1.0]]]), [0, 0.5, 0.25, 1]),
        (np.array([[[-1.0, 0.0]], [[1.0, 3.0]]]), [0, 0.25, 0.5, 1]),  # one scale for all images
        (np.array([[[-4, 0]], [[4, 12]]]), [0, 0.25, 0.5, 1]),
        (np.array([[[True, False]], [[False, True]]]), [1, 0, 0, 1]),
        (np.full((2, 1, 2), 7.0), [0, 0, 0, 0]),
    ],
)
def test_pixels_between_black_and_white(array, expected):
    figure = plots.images(array)
    found = [axes.images[0] for axes in figure.axes]
    assert np.allclose(np.concatenate([image.get_array().ravel() for image in found]), expected, atol=1e-7)
    assert {image.get_clim() for image in found} == {(0, 1)}


def test_images_stand_in_rows_with_titles():
    figure = plots.images(np.zeros((7, 4, 6, 3)), titles=range(7), columns=4)
    assert [axes.get_title() for axes in figure.axes] == list("0123456")
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (2, 4) and figure.axes[0].images[0].get_array().shape == (4, 6, 3)
    wide = plots.images(np.zeros((300, 4, 6, 1)))
    assert wide.axes[0].get_gridspec().ncols == 10


@pytest.mark.parametrize(
    "array, how, error, message",
    [
        (np.zeros((4, 6)), {}, ShapeError, r"received \(4, 6\). Write images\(x\[None\]\) for a single one"),
        (np.zeros((4, 6, 5, 2)), {}, ShapeError, r"received \(4, 6, 5, 2\)"),
        (np.zeros((0, 6, 5)), {}, ShapeError, r"received \(0, 6, 5\)"),
        (np.zeros((2, 6, 5)), {"titles": "abc"}, ShapeError, "expected 2 titles, one per image, received 3"),
        (np.full((2, 6, 5), np.nan), {}, DataError, "received NaN or infinity"),
        (np.zeros((2, 6, 5)), {"columns": 0}, ConfigurationError, "columns to be a positive whole number, received 0"),
    ],
)
def test_wrong_images(array, how, error, message):
    with pytest.raises(error, match=message):
        plots.images(array, **how)


# ------------------------------------------------------------------------------------------------ figures and SVG

FIGURES = {
    "curves": lambda: plots.curves(HISTORY),
    "confusion_matrix": lambda: plots.confusion_matrix(np.arange(196).reshape(14, 14)),
    "residuals": lambda: plots.residuals(np.arange(40.0), np.arange(40.0)[::-1]),
    "images": lambda: plots.images(np.arange(60).reshape(5, 3, 4), titles="abcde"),
}
every_figure = pytest.mark.parametrize("name", FIGURES)


@every_figure
def test_svg_needs_nothing_else_and_is_the_same_each_time(name):
    markup = plots.svg(FIGURES[name]())
    assert ET.fromstring(markup).tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"<(script|style\s+src|text|foreignObject|metadata|!DOCTYPE|\?xml)", markup)
    targets = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', markup)
    assert all(re.match(r"#|data:image/png;base64,", a or b) for a, b in targets)
    assert markup == plots.svg(FIGURES[name]())


@every_figure
def test_nothing_is_cut_off(name):
    """Every text and axes lies within the figure, with a margin."""
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    tight = figure.get_tightbbox()  # in inches
    width, height = figure.get_size_inches()
    assert min(tight.x0, tight.y0, width - tight.x1, height - tight.y1) > 0.015


@every_figure
def test_figures_are_freed(name):
    figure = FIGURES[name]()
    plots.svg(figure)
    gone = weakref.ref(figure)
    del figure
    gc.collect()
    assert gone() is None


def test_pyplot_is_never_loaded():
    """Its figures would stay in memory, and it would choose a window system."""
    program = (
        "import sys; from neuroloom import plots; plots.curves({'loss': [1, 2]}); plots.residuals([1, 2], [1, 3]); "
        "plots.images([[[1]]]); plots.svg(plots.confusion_matrix([[1]])); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
