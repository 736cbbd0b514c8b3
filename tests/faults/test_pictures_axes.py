"""Pictures with axes: smooth edges of regions, weights with a legend, frames around wrong answers only."""

import ast
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import same_color

from neuroloom import plots
from neuroloom.plots import style

EXAMPLES = Path(__file__).parents[2] / "examples" / "networks"


@pytest.mark.parametrize("slope", [0.2, 0.35, 0.6])
def test_edges_of_regions_have_no_steps(slope):
    """Fault 38: an edge went in steps of a cell; stairs are longer than the straight line that they follow."""
    x = np.linspace(-1, 1, 150)
    answers = x[:, None] > slope * x
    figure = plots.decision_regions([[0, -0.5], [0, 0.5]], [False, True], (x, x, answers))
    edge = figure.axes[0].collections[0].get_paths()[0].vertices
    edge = edge[(abs(edge) < 0.95).all(axis=1)]
    edge = edge[np.argsort(edge[:, 0])]
    straight = np.linalg.norm(edge[-1] - edge[0])
    assert straight > 1.5
    assert np.linalg.norm(np.diff(edge, axis=0), axis=1).sum() < 1.01 * straight
    assert abs(edge[:, 1] - slope * edge[:, 0]).max() < 1.0 * (x[1] - x[0])


def test_answers_of_no_class_of_the_points_stay_white():
    """Fault 38: an answer that no point has is not given to another class."""
    x = np.linspace(0, 1, 21)
    answers = np.where(x < 0.5, "a", "other") + np.full((21, 1), "")
    region = plots.decision_regions([[0.2, 0.5]], ["a"], (x, x, answers)).axes[0].collections[0]
    assert 0.4 < region.get_paths()[0].get_extents().x1 < 0.55


@pytest.mark.parametrize("name", ["threshold", "lvq", "radial", "mlp", "cascade", "../uses/clustering"])
def test_examples_ask_for_a_fine_grid(name):
    """Fault 38: regions were drawn from 150 x 150 places over some 400 pixels."""
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))
    sizes = [
        ast.literal_eval(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "reshape"
        and len(node.args) == 2
        and isinstance(node.args[0], ast.Constant)
        and ast.dump(node.args[0]) == ast.dump(node.args[1])
        and "predict" in ast.dump(node.func)
    ]
    assert sizes and min(sizes) >= 400


@pytest.mark.parametrize(
    "title", ["", "Weights of the first units", "A title that is much longer than a picture of so few weights is wide"]
)
@pytest.mark.parametrize("shape", [(1, 4), (2, 2), (1, 1), (12, 10), (40, 3)])
def test_titles_and_names_of_weights_are_not_cut(title, shape):
    """Fault 38: the title of the weights of McCulloch and Pitts's units was cut at the right."""
    figure = plots.hinton(np.ones(shape), range(shape[0]), range(shape[1]), title, ("columns", "rows"))
    figure.draw_without_rendering()
    box = figure.get_tightbbox(figure._get_renderer())
    assert box.x0 >= -0.01 and box.y0 >= -0.01
    assert box.x1 <= figure.get_figwidth() + 0.01 and box.y1 <= figure.get_figheight() + 0.01


LONG = "A title that goes on and on, so that it is far longer than the picture below it could ever be wide, or two"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.decision_regions([[0, 0]], [1], ([0, 1], [0, 1], np.ones((2, 2))), title=LONG),
        lambda: plots.energies([[0.0], [-1.0]], LONG),
        lambda: plots.recall_rates([0, 1], {"a": [1, 0]}, title=LONG),
        lambda: plots.u_matrix([[1, 2], [3, 4]], title=LONG),
        lambda: plots.label_map([[1, 2], [3, 4]], title=LONG),
    ],
)
def test_long_titles_are_not_cut(draw):
    """Fault 38: the same of other pictures: a title that is too long goes on in a second line."""
    figure = draw()
    figure.draw_without_rendering()
    box = figure.axes[0]._left_title.get_window_extent(figure._get_renderer())
    assert box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.receptive_fields(np.ones((2, 4)), (2, 2), LONG),
        lambda: plots.recalls(*np.ones((3, 2, 4)), (2, 2), LONG),
        lambda: plots.connections(np.ones((2, 2)), title=LONG),
    ],
)
def test_headings_widen_their_figure(draw):
    """Fault 38: the same of the headings of several pictures."""
    figure = draw()
    figure.draw_without_rendering()
    assert figure._suptitle.get_window_extent(figure._get_renderer()).x1 <= figure.bbox.x1


@pytest.mark.parametrize("weights, least", [([[0.0, 0.1, 0.4, 0.5]], (4.5, 1.6)), (np.eye(4) - 0.5, (4.5, 3.0))])
def test_few_weights_are_drawn_large(weights, least):
    """Fault 38: the pictures of GRLVQ, GMLVQ and Oja were 2.6 inches wide."""
    figure = plots.hinton(weights)
    assert figure.get_figwidth() >= least[0] and figure.get_figheight() >= least[1]
    figure.draw_without_rendering()
    squares = figure.axes[0].get_window_extent().width / figure.dpi / np.shape(weights)[1]
    assert squares > 0.5  # inches of a column


@pytest.mark.parametrize(
    "weights, signs", [([[1, 2.5]], ["positive"]), ([[-1, 2]], ["positive", "negative"]), ([[-1, 0]], ["negative"])]
)
def test_weights_have_a_legend(weights, signs):
    """Fault 38: nothing said what the colours and the sizes mean."""
    legend = plots.hinton(weights).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == signs
    colours = {"positive": style.BLUE, "negative": style.ORANGE}
    assert all(same_color(p.get_facecolor(), colours[p.get_label()]) for p in legend.get_patches())
    assert legend.get_title().get_text() == f"largest square: {np.abs(weights).max():.3g}"


def test_weights_have_axis_names():
    """Fault 38: PNN's picture did not say what its rows and columns are."""
    axes = plots.hinton([[1, 2]], names=("class", "digit")).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("class", "digit")


@pytest.mark.parametrize("file, name", [("radial", "pnn"), ("hebbian", "hebb"), ("lvq", "gmlvq")])
def test_examples_name_their_axes(file, name):
    """Fault 38: both axes of these examples' pictures have names."""
    tree = ast.parse((EXAMPLES / f"{file}.py").read_text(encoding="utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    call = next(n for n in ast.walk(function) if isinstance(n, ast.Call) and getattr(n.func, "attr", "") == "hinton")
    assert [bool(part.value) for part in call.args[4].elts] == [True, True]


def frames(figure, n):
    return [axes.spines["top"].get_linewidth() > 1 for axes in figure.axes[2 * n :]]


def test_graded_answers_are_wrong_where_another_pattern_is_nearer():
    """Fault 38: grey answers of Boltzmann machines all had the frame of wrong ones."""
    rng = np.random.default_rng(0)
    stored = (rng.random((5, 16)) > 0.5).astype(float)
    found = 0.4 * (1 - stored) + 0.6 * stored  # every pixel off by 0.4 of the range, on the right side
    found[3] = 0.4 * (1 - stored[1]) + 0.6 * stored[1]
    graded = plots.recalls(stored, stored, found, (4, 4), nearest=True)
    assert frames(graded, 5) == [False, False, False, True, False]
    assert frames(plots.recalls(stored, stored, found, (4, 4)), 5) == [True] * 5


@pytest.mark.parametrize("file, name", [("boltzmann", "boltzmann_machine"), ("rbm", "gaussian_rbm")])
def test_graded_examples_are_judged_so(file, name):
    """Fault 38: the examples of networks with graded answers ask for that rule."""
    tree = ast.parse((EXAMPLES / f"{file}.py").read_text(encoding="utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    call = next(n for n in ast.walk(function) if isinstance(n, ast.Call) and getattr(n.func, "attr", "") == "recalls")
    assert {word.arg: ast.literal_eval(word.value) for word in call.keywords} == {"nearest": True}
