"""Diagrams of units: feedback and inhibition are there, names fit, nothing is squashed."""

import importlib.util
import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from neuroloom import plots
from neuroloom.errors import ConfigurationError
from neuroloom.networks import topology

EXAMPLES = Path(__file__).parents[2] / "examples" / "networks"


def arrows(figure):
    return [patch for patch in figure.axes[0].patches if hasattr(patch, "_posA_posB")]


def edges(figure, kind):
    """(from, to) names of the drawn edges of a kind."""
    names = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    return {tuple(names[tuple(end)] for end in arrow._posA_posB) for arrow in arrows(figure) if arrow.get_gid() == kind}


def drawn(monkeypatch, file, name):
    """The diagram that an example draws, without the training that comes before: networks that answer anything."""
    spec = importlib.util.spec_from_file_location(file, EXAMPLES / f"{file}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Found(Exception):
        pass

    def catch(*args, **kwargs):
        raise Found(plots_of(*args, **kwargs))

    plots_of = plots.unit_diagram
    monkeypatch.setattr(plots, "unit_diagram", catch)
    for network in REPLACED[file]:
        monkeypatch.setattr(module, network, Anything)
    with pytest.raises(Found) as found:
        getattr(module, name)()
    return found.value.args[0]


class Anything:
    """Stands for a trained network: its answers are those of none."""

    length_, loss_curve_ = 1.0, np.ones(1)
    lengths_ = valid_ = np.ones(3)

    def __init__(self, **settings):
        pass

    def fit(self, X, y=None):
        self.y = y
        return self

    def score(self, X, y):
        return 1.0

    def predict(self, X):
        return np.asarray(X)

    predict_proba = predict


REPLACED = {
    "recurrent": ["ElmanRegressor", "ElmanClassifier", "JordanRegressor", "JordanClassifier"],
    "annealing": ["HopfieldTank"],
}


@pytest.mark.parametrize(
    "name, fed_back",
    [
        ("elman_regressor", {("h₁(t)", "h₁′"), ("h₂(t)", "h₂′")}),
        ("elman_classifier", {("h₁(t)", "h₁′"), ("h₂(t)", "h₂′")}),
        ("jordan_regressor", {("ŷ(t)", "ŷ′")}),
        ("jordan_classifier", {("even", "even′"), ("odd", "odd′")}),
    ],
)
def test_recurrent_networks_show_what_is_fed_back(monkeypatch, name, fed_back):
    """Fault 38: the diagrams of Elman and Jordan had no arrows back to the context units."""
    figure = drawn(monkeypatch, "recurrent", name)
    assert edges(figure, "one step later") == fed_back
    assert "one step later" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert all(arrow.get_linestyle() != "solid" for arrow in arrows(figure) if arrow.get_gid() == "one step later")


def test_hopfield_and_tank_shows_its_inhibition(monkeypatch):
    """Fault 38: units of one city, and units of one position, hold each other down; the diagram had excitation."""
    best = SimpleNamespace(energy=1.0, state=np.arange(30))
    monkeypatch.setattr("neuroloom.networks.simulated_annealing", lambda *args, **settings: best)
    figure = drawn(monkeypatch, "annealing", "hopfield_tank")
    units = [f"V{city}{place}" for city in "₁₂₃" for place in "₁₂₃"]
    alike = {(a, b) for a, b in itertools.permutations(units, 2) if (a[1] == b[1]) != (a[2] == b[2])}
    assert edges(figure, "inhibition") == alike and len(alike) == 9 * 4
    assert len(arrows(figure)) == len(alike)  # nothing else


@pytest.mark.parametrize("units", [4, 6])
def test_one_layer_stands_on_a_circle(units):
    """Fault 38: the Hopfield network was drawn as a flat diamond, four times as wide as high."""
    names = [f"s{i}" for i in range(units)]
    axes = plots.unit_diagram([names], list(itertools.permutations(names, 2))).axes[0]
    places = np.array([text.get_position() for text in axes.texts])
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), np.linalg.norm(places[0]))
    assert abs(np.ptp(places[:, 0]) / np.ptp(places[:, 1]) - 1) < 0.2


def test_the_hopfield_examples_use_the_circle():
    """Fault 38: Hopfield's examples give their units as one layer."""
    text = (EXAMPLES / "hopfield.py").read_text(encoding="utf-8")
    assert text.count("unit_diagram([_UNITS], _PAIRS)") == 3


LONG = ["setosa", "versic.", "1 - x₁", "h₁(t)", "x₁₀₀", "box 12", "a long name", "…", "x"]


def outside(figure, axes):
    """Names whose corners lie outside the outline of their unit, as drawn."""
    renderer = figure._get_renderer()
    figure.draw_without_rendering()
    shapes = {tuple(np.round(p.get_center(), 6)): p for p in axes.patches if hasattr(p, "get_center")}
    found = []
    for text in axes.texts:
        if text.get_text() == "…":
            continue
        shape = shapes[tuple(np.round(text.get_position(), 6))]
        corners = text.get_window_extent(renderer).padded(-0.5).corners()
        # The extent holds the line's room for letters below it; the ink is what is measured here.
        middle = corners.mean(axis=0)
        ink = np.array([1, 0.72]) * (corners - middle) + middle
        path = shape.get_transform().transform_path(shape.get_path())
        if not path.contains_points(ink).all():
            found.append(text.get_text())
    return found


def test_names_lie_inside_their_units():
    """Fault 38: names such as 'setosa' ran over the circles."""
    figure = plots.unit_diagram([LONG, ["y"], ["versicolor", "virginica"], ["ŷ"]])
    assert outside(figure, figure.axes[0]) == []


def test_names_of_connected_units_lie_inside():
    """Fault 38: the same for the units of a matrix of connections."""
    names = ["sl", "sw", "pl", "pw", *"abcde", "setosa", "versicolor", "virg."]
    figure = plots.connections(topology.layered((4, 5, 3)), layers=(4, 5, 3), names=names)
    assert outside(figure, figure.axes[1]) == []


@pytest.mark.parametrize("layers", [[["a"], ["b"]], [["a very long name", "b"], ["another very long name"]]])
@pytest.mark.parametrize("title", ["", "A title that is longer than the diagram of so few units is wide"])
def test_all_of_a_diagram_is_in_its_figure(layers, title):
    """Fault 38: titles and outer units are not cut."""
    figure = plots.unit_diagram(layers, title=title, delayed=[(layers[1][0], layers[0][0])])
    figure.draw_without_rendering()
    box = figure.get_tightbbox(figure._get_renderer())
    assert box.x0 >= 0 and box.y0 >= 0
    assert box.x1 <= figure.get_figwidth() and box.y1 <= figure.get_figheight()


def test_lines_bend_round_units_between():
    """Fault 38: an edge over a layer ran behind the unit in the middle."""
    figure = plots.unit_diagram([["a"], ["b"], ["c"]], [("a", "b"), ("b", "c"), ("a", "c")])
    bends = [arrow.get_connectionstyle().rad for arrow in arrows(figure)]
    assert bends == [0, 0, 0.3]


@pytest.mark.parametrize(
    "layers, delayed",
    [
        ([["u(t)", "ŷ′"], ["h₁(t)", "h₂(t)", "h₃(t)"], ["ŷ(t)"]], [("ŷ(t)", "ŷ′")]),
        ([["u", "a′", "b′"], ["h₁", "h₂", "h₃"], ["a", "b"]], [("a", "a′"), ("b", "b′")]),
        ([["u", "h₁′", "h₂′"], ["h₁", "h₂"], ["y"]], [("h₁", "h₁′"), ("h₂", "h₂′")]),
    ],
)
def test_feedback_keeps_clear_of_other_units(layers, delayed):
    """Fault 38: arrows back to the context units run beside the units between, not behind them."""
    figure = plots.unit_diagram(layers, [], delayed=delayed)
    places = {text.get_text(): np.array(text.get_position()) for text in figure.axes[0].texts}
    for edge, arrow in zip(delayed, arrows(figure), strict=True):
        pixels = arrow.get_transform().transform_path(arrow.get_path()).to_polygons(closed_only=False)
        line = arrow.get_transform().inverted().transform(np.concatenate(pixels))
        assert all(np.linalg.norm(line - at, axis=1).min() > 0.3 for name, at in places.items() if name not in edge)


@pytest.mark.parametrize("kind", ["inhibitory", "delayed"])
def test_edges_of_every_kind_need_their_units(kind):
    """Fault 38: edges one step later and inhibition name units that there are."""
    with pytest.raises(ConfigurationError, match="an edge from 'a' to 'z'"):
        plots.unit_diagram([["a"], ["b"]], **{kind: [("a", "z")]})
