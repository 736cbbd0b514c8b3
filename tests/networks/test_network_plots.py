"""Pictures of networks: what is drawn where, and wrong input."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from neuroloom import plots
from neuroloom.errors import ConfigurationError, ShapeError


def test_a_hinton_square_has_the_area_of_its_weight():
    axes = plots.hinton([[4.0, -1.0, 0.0], [2.0, 0.0, -4.0]], "ab", "xyz").axes[0]
    positive, negative = axes.collections
    sizes = [path.get_extents() for path in positive.get_paths()]
    np.testing.assert_allclose([box.width for box in sizes], [0.92, 0.92 * np.sqrt(0.5)])
    assert [tuple(np.round((box.p0 + box.p1) / 2, 9)) for box in sizes] == [(0, 0), (0, 1)]
    assert len(negative.get_paths()) == 2 and not same_color(positive.get_facecolor(), negative.get_facecolor())
    assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "y", "z"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row is on top


def test_regions_lie_on_the_side_of_their_points():
    x, y = np.linspace(-1, 1, 9), np.linspace(0, 2, 7)
    figure = plots.decision_regions(
        [[-0.5, 1], [0.5, 1]], ["l", "r"], (x, y, np.where(x > 0, "r", "l") + np.full((7, 1), ""))
    )
    left, points, right, _ = figure.axes[0].collections
    assert left.get_paths()[0].get_extents().x1 <= 0.2 and right.get_paths()[0].get_extents().x0 >= -0.2
    assert points.get_offsets().tolist() == [[-0.5, 1]]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["l", "r"]


def test_energies_have_a_line_per_state():
    axes = plots.energies([[0.0, 5.0], [-2.0, 4.0], [-3.0, 1.0]]).axes[0]
    assert [list(line.get_ydata()) for line in axes.lines] == [[0, -2, -3], [5, 4, 1]]


def test_misses_have_a_frame():
    stored = np.array([[1.0, -1, 1, -1, 1, 1], [1, 1, 1, 1, 1, 1]])
    found = stored.copy()
    found[1, 2] = -1
    figure = plots.recalls(stored, stored, found, (2, 3))
    widths = [axes.spines["top"].get_linewidth() for axes in figure.axes]
    assert widths.index(max(widths)) == 5 and widths.count(max(widths)) == 1
    assert figure.axes[5].images[0].get_array().tolist() == [[1, 1, -1], [1, 1, 1]]


def test_units_are_connected_to_the_next_layer_or_as_told():
    axes = plots.unit_diagram([["a", "b", "…"], ["c"], ["d", "e"]]).axes[0]
    circles, arrows = (
        [p for p in axes.patches if hasattr(p, "radius")],
        [p for p in axes.patches if hasattr(p, "_posA_posB")],
    )
    assert len(circles) == 5 and len(arrows) == 4
    told = plots.unit_diagram([["a", "b"]], [("a", "b")]).axes[0]
    assert len(told.patches) == 3


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda: plots.hinton([1.0, 2.0]), "expected weights"),
        (lambda: plots.hinton([[1.0, 2.0]], rows="ab"), "2 and 0 names"),
        (lambda: plots.energies([1.0]), r"expected shape \(steps \+ 1, states\), received \(1,\)"),
        (lambda: plots.recalls(np.ones((2, 4)), np.ones((2, 4)), np.ones((1, 4)), (2, 2)), r"three arrays \(2, 4\)"),
        (lambda: plots.decision_regions([[1, 2]], [0], ([1, 2], [3], [[0, 0], [0, 0]])), "for 1 rows and 2 columns"),
    ],
)
def test_arrays_that_do_not_fit_are_errors(draw, message):
    with pytest.raises(ShapeError, match=message):
        draw()


def test_an_edge_to_nowhere_is_an_error():
    with pytest.raises(ConfigurationError, match="an edge from 'a' to 'z'"):
        plots.unit_diagram([["a"], ["b"]], [("a", "z")])
