"""Drawings of graphs: what is drawn, that nothing overlaps, that text cannot harm, and what a click does."""

import itertools
import json
import os
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuroloom as nl
from neuroloom import layers, ops, plots
from neuroloom.diagram import boxes_of
from neuroloom.errors import ConfigurationError, DataError
from neuroloom.plots import Box, diagram_frames, diagram_scopes, diagram_svg
from neuroloom.plots.diagram_layout import Link, arrange
from neuroloom.utils import plot_model

SVG = "{http://www.w3.org/2000/svg}"


def chain(n, scope=""):
    boxes = [Box("x", "input", "Input", (), (None, 8))]
    for i in range(n):
        boxes.append(Box(f"{scope}dense_{i}", "layer", "Dense", (boxes[-1].name,), (None, i + 1)))
    return boxes


def op(name, *inputs):
    return Box(name, "operation", name.rpartition("/")[2], inputs, (None, 4))


def nested():
    return [
        Box("image", "input", "Input", (), (None, 28, 28)),
        op("encoder/conv/a", "image"),
        op("encoder/conv/b", "encoder/conv/a"),
        op("encoder/mean", "encoder/conv/b"),
        op("encoder/spread", "encoder/conv/b"),
        op("sample", "encoder/mean", "encoder/spread"),
        op("decoder/c", "sample", "encoder/mean"),
        op("loss", "decoder/c", "image"),
    ]


def random_graph(n, seed, scopes):
    random, boxes = Random(seed), []
    for i in range(n):
        scope = "".join(f"s{random.randrange(3)}/" for _ in range(random.randrange(scopes + 1)))
        sources = [box.name for box in random.sample(boxes, min(random.randrange(4), len(boxes)))]
        boxes.append(Box(f"{scope}n{i}", random.choice(list(diagram_svg.KINDS)), "box", tuple(sources), (i,)))
    return boxes


GRAPHS = {
    "chain": chain(20),
    "nested": nested(),
    "circle": [op("a", "c"), op("b", "a"), op("c", "b"), op("d", "b"), op("e", "e")],
    "scopes in turn": [op("a/1"), op("b/1", "a/1"), op("a/2", "b/1"), op("b/2", "a/2")],
    "random": random_graph(40, 1, 0),
    "random with scopes": random_graph(60, 2, 3),
}
every_graph = pytest.mark.parametrize("boxes", GRAPHS.values(), ids=GRAPHS)


def frame_of(boxes):
    table = {box.name: box for box in boxes}
    used = {name for box in boxes for name in box.inputs}
    return diagram_frames.framed(diagram_scopes.scope_tree(boxes), table, set(table) - used)


def frames(frame):
    return [frame, *(inner for item in frame.items if item.frame for inner in frames(item.frame))]


def parsed(boxes, title=None):
    return ET.fromstring(plots.draw(boxes, title).svg)


def texts(root):
    return [element.text for element in root.iter(f"{SVG}text")]


# ------------------------------------------------------------------------------------------------------ what is drawn


def test_a_drawing_has_boxes_arrows_shapes_and_a_legend():
    root = parsed(chain(2), "two layers")
    assert texts(root) == [
        "two layers", "input", "layer",
        "Input", "x", "Dense", "dense_0", "Dense", "dense_1", "→ ? × 2", "? × 8", "? × 1",
    ]  # fmt: skip
    kinds = [e.get("class") for e in root.iter() if "nld-item" in e.get("class", "")]
    assert kinds == ["nld-item nld-box nld-input", *["nld-item nld-box nld-layer"] * 2]
    assert len([e for e in root.iter() if e.get("class") == "nld-line"]) == 2
    assert len([e for e in root.iter() if e.get("class") == "nld-arrow"]) == 2


def test_every_kind_has_its_own_form_and_colours():
    forms = {re.sub(r"[\d.]+", "", diagram_svg._form(kind, 80, 30)) + str("rx" in kind) for kind in diagram_svg.KINDS}
    rounding = re.search(r'rx="([\d.]+)"', diagram_svg._form("input", 80, 30)).group(1)
    assert len(forms) == 4 and rounding == "15"  # inputs and layers are both round, but not equally
    assert diagram_svg._form("layer", 80, 30) != diagram_svg._form("input", 80, 30)
    assert len(set(diagram_svg.KINDS.values())) == len(diagram_svg.KINDS) == 5
    for fill, line in diagram_svg.KINDS.values():  # WCAG 1.4.11: graphics need a contrast of 3, text one of 4.5
        assert contrast(line, fill) >= 3 and contrast("#222222", fill) >= 4.5 and contrast("#555555", fill) >= 4.5


def contrast(a, b):
    """The ratio that WCAG 2 defines."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, bright = sorted((luminance(a), luminance(b)))
    return (bright + 0.05) / (dark + 0.05)


def test_details_are_tooltips():
    box = Box("encoder/dense", "layer", "Dense", (), (None, 64), "float32", {"units": "64", "parameters": "4,160"})
    titles = [e.text for e in parsed([box]).iter(f"{SVG}title")]
    assert titles == [
        "encoder/dense\nDense (layer)\nfloat32 ? × 64\nunits: 64\nparameters: 4,160", "encoder\n1 box",
    ]  # fmt: skip


def test_shapes_stand_once_per_value_and_scope():
    shapes = [e.text for e in parsed(nested()).iter(f"{SVG}text") if "nld-shape" in e.get("class", "")]
    assert shapes.count("? × 28 × 28") == 1
    assert len(shapes) == 7  # of image, a, b, mean, spread, sample and c
    unknown = [Box("a", "constant", "text"), Box("b", "operation", "f", ("a",), ()), op("c", "b")]
    assert [t for t in texts(parsed(unknown)) if t in ("scalar", "")] == ["scalar"]


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'a"b&c', "ünï→漢字", "x\x00\x1b", "\ud800", "]]>", " "])
def test_text_of_users_is_only_text(name):
    boxes = [Box(name, "layer", name, (), (1,), name, {name: name}), Box(f"{name} 2", "layer", "ok", (name,))]
    svg = plots.draw(boxes, name).svg
    root = ET.fromstring(svg)
    assert len(list(root.iter(f"{SVG}script"))) == 1
    shown = re.sub("[\x00-\x08\x0b-\x1f\ud800-\udfff]", "�", name)
    assert shown in texts(root) and shown in root.get("aria-label")
    svg.encode("utf-8")


def test_long_names_are_shortened_but_whole_in_the_tooltip():
    name = "a" * 30 + "b" * 30
    root = parsed([Box(name, "layer", "Dense")])
    assert f"{'a' * 17}…{'b' * 16}" in texts(root)
    assert next(root.iter(f"{SVG}title")).text.startswith(name)


def test_drawings_share_a_page():
    one, other = plots.draw(chain(2)).svg, plots.draw(nested()).svg
    assert " id=" not in one + other and "url(#" not in one + other
    assert all(name.startswith(".nld-") for name in re.findall(r"(?m)^(\.[\w-]+)", diagram_svg._CSS))
    script = diagram_svg._script()
    assert "<" not in script and "&" not in script  # the same text for XML and for HTML


def test_equal_graphs_give_equal_text():
    assert plots.draw(random_graph(30, 5, 2)).svg == plots.draw(random_graph(30, 5, 2)).svg


# --------------------------------------------------------------------------------------------------------- the layout


def overlaps(a, b, space=0.0):
    across = a.x < b.x + b.width + space - 0.01 and b.x < a.x + a.width + space - 0.01
    return across and a.y < b.y + b.height - 0.01 and b.y < a.y + a.height - 0.01


def points(line):
    """Points along a line: its straight parts, and the cubic curves between them as the path has them."""
    numbers = re.findall(r"([MVC])([^MVC]+)", diagram_svg.path(line))
    x = y = 0.0
    for command, rest in numbers:
        values = [float(v) for v in rest.split()]
        if command == "M":
            x, y = values
        elif command == "V":
            yield from ((x, y + (values[0] - y) * t / 20) for t in range(21))
            y = values[0]
        else:
            (x1, y1, x2, y2, x3, y3) = values
            for t in (i / 20 for i in range(21)):
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield a * x + b * x1 + c * x2 + d * x3, a * y + b * y1 + c * y2 + d * y3
            x, y = x3, y3


def check(boxes):
    """Nothing overlaps, everything lies in its frame, and no line runs over a box that it does not join."""
    for frame in frames(frame_of(boxes)):
        for i, item in enumerate(frame.items):
            assert item.x >= -0.01 and item.x + item.width <= frame.width + 0.01
            assert item.y >= -0.01 and item.y + item.height <= frame.height + 0.01
            assert not any(overlaps(item, other, 20) for other in frame.items[i + 1 :])
        assert len(frame.lines) == len(frame.scope.edges)
        for line in frame.lines:
            ends = {line.tail, line.head}
            for x, y in points(line):
                assert -8 <= x <= frame.width + 8
                for i, item in enumerate(frame.items):
                    inside = item.x + 1 < x < item.x + item.width - 1 and item.y + 1 < y < item.y + item.height - 1
                    assert not inside, f"{line.source} runs over {item.end} (ends {ends})" if i not in ends else "ends"


@every_graph
def test_nothing_overlaps(boxes):
    check(boxes)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10**6), st.integers(0, 3))
def test_nothing_overlaps_in_random_graphs(n, seed, scopes):
    check(random_graph(n, seed, scopes))


def test_a_value_stands_above_what_uses_it():
    frame = frame_of(random_graph(40, 3, 0))
    for line in frame.lines:
        assert frame.items[line.tail].y + frame.items[line.tail].height < frame.items[line.head].y
        x, _, y, _ = line.stations[-1]
        head = frame.items[line.head]
        assert (x, y) == pytest.approx((head.x + head.width / 2, head.y))


def test_rows_are_the_longest_paths():
    #     0 -> 1 -> 2 -> 3, 0 -> 3, 4 -> 3: what is used late stands low
    links = [Link(0, 1), Link(1, 2), Link(2, 3), Link(0, 3), Link(4, 3)]
    arrangement = arrange([10.0] * 5, links, [], [])
    assert arrangement.row[:5] == [0, 1, 2, 3, 2]
    assert len(links[3].lanes) == 2 and [arrangement.row[v] for v in links[3].lanes] == [1, 2]


def test_rows_of_a_circle_begin_where_it_is_entered():
    #     4 -> 2 -> 0 -> 1 -> 2, 1 -> 3
    links = [Link(4, 2), Link(2, 0), Link(0, 1), Link(1, 2), Link(1, 3)]
    assert arrange([10.0] * 5, links, [], []).row[:5] == [2, 3, 1, 4, 0]


def test_a_chain_is_straight_and_its_skip_runs_beside_it():
    boxes = chain(6)
    boxes.append(Box("add", "operation", "add", ("dense_5", "dense_0"), (None, 6)))
    frame = frame_of(boxes)
    middles = {round(item.x + item.width / 2, 1) for item in frame.items}
    assert len(middles) == 1
    skip = next(line for line in frame.lines if line.source == "dense_0" and line.head == len(boxes) - 1)
    assert len({round(x, 1) for x, *_ in skip.stations[1:-1]}) == 1 and len(skip.stations) == 7


def test_crossings_that_can_be_avoided_are():
    links = [Link(0, 7), Link(1, 6), Link(2, 5), Link(3, 4), Link(4, 8), Link(5, 9), Link(6, 10), Link(7, 11)]
    x = arrange([30.0] * 12, links, [], []).x
    for a in links:
        for b in links:
            assert (x[a.tail] - x[b.tail]) * (x[a.head] - x[b.head]) >= 0 or (a.tail < 4) != (b.tail < 4)


def test_edges_enter_scopes_through_ports():
    tree = diagram_scopes.scope_tree(nested())
    encoder = tree.items["scope", "encoder"]
    assert list(encoder.edges) == [
        (("in", "image"), ("scope", "encoder/conv"), "image"),
        (("scope", "encoder/conv"), ("box", "encoder/mean"), "encoder/conv/b"),
        (("scope", "encoder/conv"), ("box", "encoder/spread"), "encoder/conv/b"),
        (("box", "encoder/mean"), ("out", "encoder/mean"), "encoder/mean"),
        (("box", "encoder/spread"), ("out", "encoder/spread"), "encoder/spread"),
    ]
    assert encoder.boxes == 4 and tree.boxes == 8
    outside = frame_of(nested())
    for line in outside.lines:  # a line outside goes on where the port is
        for number, kind, (x, *_) in ((line.tail, "out", line.stations[0]), (line.head, "in", line.stations[-1])):
            item = outside.items[number]
            if item.frame:
                assert item.x + item.frame.ports[kind, line.source] == pytest.approx(x)


def test_a_circle_goes_back_beside_the_boxes():
    frame = frame_of([op("a", "c"), op("b", "a"), op("c", "b")])
    back = next(line for line in frame.lines if line.source == "c")
    assert [bottom < top for _, top, bottom, _ in back.stations] == [False, True, True, True, False]


def test_two_thousand_boxes_take_less_than_five_seconds():
    for scopes in (0, 2):
        random, boxes = Random(4), [op("x")]
        for i in range(1999):
            scope = f"s{i // 200}/t{i // 25}/" if scopes else ""
            near = boxes[max(0, len(boxes) - 1 - int(random.expovariate(1 / 6)))].name
            boxes.append(op(f"{scope}n{i}", boxes[-1].name, near))
        start = time.process_time()
        plots.draw(boxes)
        assert time.process_time() - start < 5


def test_large_drawings_begin_with_inner_scopes_collapsed():
    def first(boxes):
        every = frames(frame_of(boxes))
        return {f.scope.path for f in diagram_svg.closed_at_first(every)}

    inner = [op("s0/t0/n0")] + [
        op(f"s{i // 40}/t{i // 10}/n{i}", f"s{(i - 1) // 40}/t{(i - 1) // 10}/n{i - 1}") for i in range(1, 120)
    ]
    assert first(inner) == {f"s{i // 4}/t{i}" for i in range(12)}
    assert first(inner[:60]) == set()
    assert "s0" in first([op("s0/a"), *[op(f"b{i}") for i in range(70)]])


# ------------------------------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    "boxes, error, text",
    [
        ([], DataError, "at least one box"),
        ([op("a"), op("a")], ConfigurationError, "'a' more than once"),
        ([op("alpha"), op("b", "alhpa")], ConfigurationError, "Did you mean 'alpha'"),
        ([Box("a", "layr", "Dense")], ConfigurationError, "Did you mean 'layer'"),
    ],
)
def test_wrong_boxes(boxes, error, text):
    with pytest.raises(error, match=re.escape(text)):
        plots.draw(boxes)


def test_files(tmp_path):
    drawing = plots.draw(chain(2), "a <title>")
    drawing.save(tmp_path / "new" / "d.svg")
    drawing.save(tmp_path / "d.html")
    assert ET.parse(tmp_path / "new" / "d.svg").getroot().tag == f"{SVG}svg"
    page = (tmp_path / "d.html").read_text("utf-8")
    assert drawing.svg in page and "<title>a &lt;title&gt;</title>" in page
    assert drawing._repr_svg_() == drawing.svg and drawing.svg in drawing._repr_html_()
    with pytest.raises(ConfigurationError, match=r"\.svg or \.html, received 'd\.png'"):
        drawing.save(tmp_path / "d.png")


# ------------------------------------------------------------------------------------------------------------ models


def test_boxes_of_a_functional_model():
    a, b = nl.Input((4,), name="left"), nl.Input((6,))
    shared = layers.Dense(3, activation="relu")
    h = layers.Concatenate()([shared(a), layers.Dense(3)(b)])
    y = ops.add(h, 1.5)
    model = nl.Model([a, b], [layers.Dense(2, name="out")(y), shared(layers.Dense(4)(y))])
    boxes = {box.name: box for box in boxes_of(model.network)}
    assert {name: box.inputs for name, box in boxes.items()} == {
        "left": (), "input": (), "dense": ("left",), "dense_1": ("input",), "concatenate": ("dense", "dense_1"),
        "add": ("concatenate",), "out": ("add",), "dense_2": ("add",), "dense (2)": ("dense_2",),
    }  # fmt: skip
    assert [boxes[n].kind for n in ("left", "dense", "add")] == ["input", "layer", "operation"]
    assert boxes["dense"].details == {
        "units": "3", "activation": "relu", "weight kernel": "(4, 3)", "weight bias": "(3,)", "parameters": "15",
    }  # fmt: skip
    assert boxes["dense (2)"].details["parameters"] == "those of the first call"
    assert boxes["add"].details == {"with": "1.5"} and boxes["add"].shape == (None, 6)


def test_nested_models_become_scopes():
    x = nl.Input((5,))
    hidden = layers.Dense(4)(x)
    inner = nl.Model(x, [hidden, layers.Dense(2)(hidden)], name="encoder")
    z = nl.Input((5,))
    a, b = inner(z)
    c, _ = inner(ops.multiply(z, 2.0))
    boxes = {box.name: box.inputs for box in boxes_of(nl.Model(z, [ops.add(a, c), layers.Dense(1)(b)]).network)}
    assert boxes == {
        "input": (), "encoder/dense": ("input",), "encoder/dense_1": ("encoder/dense",), "multiply": ("input",),
        "encoder (2)/dense": ("multiply",), "encoder (2)/dense_1": ("encoder (2)/dense",),
        "add": ("encoder/dense", "encoder (2)/dense"), "dense": ("encoder/dense_1",),
    }  # fmt: skip


def test_plot_model(tmp_path):
    model = nl.Sequential([layers.Dense(7, input_shape=(5,)), layers.Dense(3)], name="small")
    drawing = plot_model(model, tmp_path / "m.svg")
    assert (tmp_path / "m.svg").read_text("utf-8").count(">? × 7</text>") == 1 and drawing.title == "small"
    assert "? × 7" not in plot_model(model, show_shapes=False).svg
    with pytest.raises(ConfigurationError, match="expected a Model, received 3"):
        plot_model(3)
    with pytest.raises(nl.errors.ShapeError, match="does not know its input shape"):
        plot_model(nl.Sequential([layers.Dense(7)]))


# ------------------------------------------------------------------------------------------------ what a click does

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

WATCH = """
function all(at, what) { return Array.from(at.querySelectorAll(what)); }
function name(item) {
  return item.querySelector(":scope > title,:scope > .nld-head > title").textContent.split("\\n")[0];
}
function place(item) {
  var r = item.getBoundingClientRect();
  return [name(item), r.x, r.y, r.width, r.height];
}
function state() {
  return all(document, ".nld-diagram").map(function (svg) {
    var items = all(svg, ".nld-item");
    return {
      size: [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))],
      seen: items.filter(function (g) { return g.getClientRects().length; }).map(place),
      drawn: all(svg, "path.nld-line,path.nld-arrow").map(function (p) { return p.getAttribute("d"); }),
      moved: items.map(function (g) { return g.getAttribute("transform"); }),
      told: all(svg, ".nld-shape").filter(function (t) { return t.getClientRects().length; })
        .map(function (t) { return t.textContent; }),
      shapes: all(svg, ".nld-shape").map(function (t) {
        return [t.textContent, t.getAttribute("x"), t.getAttribute("y")];
      })
    };
  });
}
function click(n, path) {
  all(document.querySelectorAll(".nld-diagram")[n], ".nld-head").forEach(function (head) {
    if (name(head.parentNode) === path) { head.dispatchEvent(new MouseEvent("click", {bubbles: true})); }
  });
}
"""


@pytest.fixture
def browse(tmp_path):
    """What a page with these drawings looks like after each of some clicks."""
    if BROWSER is None:
        pytest.skip("no Chromium is installed; the script of drawings runs in browsers")

    def run(drawings, clicks):
        steps = "".join(f"click({n},{json.dumps(path)});log.push(state());" for n, path in clicks)
        script = (
            f"{WATCH}var log=[state()];{steps}var p=document.createElement('pre');p.textContent=JSON.stringify(log);"
        )
        body = "".join(drawing.svg for drawing in drawings)
        page = tmp_path / "page.html"
        page.write_text(
            f'<!DOCTYPE html><meta charset="utf-8"><body>{body}<script>{script}document.body.append(p)</script>',
            "utf-8",
        )
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
        out = subprocess.run(
            [*command, "--virtual-time-budget=2000", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(tmp_path)},
        ).stdout  # fmt: skip
        return json.loads(ET.fromstring(re.search(r"<pre>.*?</pre>", out, re.DOTALL).group()).text)

    return run


def apart(seen):
    """Whether visible items overlap only where one holds the other."""
    for i, (_, x, y, w, h) in enumerate(seen):
        for _, u, v, s, t in seen[i + 1 :]:
            across = x < u + s - 1 and u < x + w - 1 and y < v + t - 1 and v < y + h - 1
            holds = x - 1 <= u and y - 1 <= v and u + s <= x + w + 1 and v + t <= y + h + 1
            if across and not holds:
                return False
    return True


def numbers(value):
    return [float(number) for number in re.findall(r"-?[\d.]+", json.dumps(value))]


def test_a_click_collapses_and_expands(browse):
    drawings = [plots.draw(nested()), plots.draw(nested())]
    clicks = [(0, "encoder"), (0, "decoder"), (0, "encoder"), (0, "encoder/conv"), (0, "encoder/conv"), (0, "decoder")]
    log = browse(drawings, clicks)
    assert log[0][0] == {**log[0][1], "seen": log[0][0]["seen"]}
    names = [[name for name, *_ in step[0]["seen"]] for step in log]
    assert len(names[0]) == 11 and "encoder" in names[1] and "encoder/mean" not in names[1] and len(names[1]) == 6
    assert names[2] == ["image", "encoder", "sample", "decoder", "loss"]
    assert "encoder/conv" in names[4] and "encoder/conv/a" not in names[4] and "encoder/mean" in names[4]
    for before, after in itertools.pairwise(log):
        assert apart(after[0]["seen"])
        assert {k: v for k, v in after[1].items() if k != "seen"} == {k: v for k, v in before[1].items() if k != "seen"}
    assert log[2][0]["size"][1] < log[1][0]["size"][1] < log[0][0]["size"][1]
    for key in ("size", "drawn", "moved", "shapes"):  # all expanded again: as it was
        assert numbers(log[-1][0][key]) == pytest.approx(numbers(log[0][0][key]), abs=0.25), key


def test_collapsed_scopes_move_together_and_tell_their_shapes_once(browse):
    boxes = [op("x")]
    for scope in ("left", "right"):
        boxes += [Box(f"{scope}/{i}", "operation", "split", ("x",), (i,)) for i in range(5)]
        boxes += [op(f"sum of {scope}", *(f"{scope}/{i}" for i in range(5)))]
    before, _, after = browse([plots.draw(boxes)], [(0, "left"), (0, "right")])
    assert 2 * after[0]["size"][0] < before[0]["size"][0]
    assert before[0]["told"].count("several shapes") == 0 and len(before[0]["told"]) == 11
    assert sorted(after[0]["told"]) == ["? × 4", "several shapes", "several shapes"]


def test_ways_beside_a_collapsed_scope_come_nearer(browse):
    boxes = [op("x"), *(op(f"wide/{i}", "x") for i in range(7))]
    boxes.append(op("end", "x", *(box.name for box in boxes[1:])))
    before, after = browse([plots.draw(boxes)], [(0, "wide")])
    assert before[0]["size"][0] > 600 and after[0]["size"][0] < 250


def test_a_chain_of_collapsed_scopes_is_straight(browse):
    boxes = [op("x")]
    for i in range(4):
        boxes += [op(f"s{i}/in", boxes[-1].name), op(f"s{i}/a"), op(f"s{i}/b"), op(f"s{i}/out", f"s{i}/b")]
    log = browse([plots.draw(boxes)], [(0, f"s{i}") for i in range(4)])
    middles = [x + w / 2 for name, x, _, w, _ in log[-1][0]["seen"]]
    assert max(middles) - min(middles) < 1


def test_large_drawings_are_small_at_first(browse):
    boxes = [op("x")]
    for i in range(90):
        boxes.append(op(f"s{i // 30}/t{i // 10}/n{i}", boxes[-1].name, boxes[max(0, len(boxes) - 4)].name))
    (first,), (then,) = browse([plots.draw(boxes)], [(0, "s1/t4")])
    assert len(first["seen"]) == 1 + 3 + 9 and len(then["seen"]) == 1 + 3 + 9 + 10
    assert apart(first["seen"]) and apart(then["seen"])
    assert first["size"][1] < then["size"][1] < frame_of(boxes).height / 2


# ----------------------------------------------------------------------------------------------------- the document


def test_the_document_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).resolve().parents[1] / "docs" / "visual.md").read_text("utf-8")
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
        exec(compile(block, "visual.md", "exec"), {})
    assert {path.name for path in tmp_path.iterdir()} == {"model.svg", "product.html", "logs"}
    assert len(list(tmp_path.glob("logs/*/*tfevents*"))) == 2
