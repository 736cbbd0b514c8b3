"""What old programs write, and sessions refused."""

import numpy as np
import pytest

import neuroloom as nl
import neuroloom.session as nls
from neuroloom.errors import GraphError, ModelFileError


@pytest.fixture(autouse=True)
def graph():
    """A graph of its own."""
    with nls.Graph().as_default() as found:
        yield found


@pytest.fixture
def sess(engine, graph):
    """A session of that graph."""
    with nls.Session() as found:
        yield found


def test_a_graph_with_an_initializer_is_drawn_and_written(graph, tmp_path):
    """Fault 22: the constants that variables start from are not drawn, but the initializer pointed to them."""
    nls.Variable([1.0, 2.0], name="v")
    nls.global_variables_initializer()
    boxes = graph.boxes()
    names = {box.name for box in boxes}
    assert names == {"v", "init"}
    assert all(set(box.inputs) <= names for box in boxes)
    graph.plot(tmp_path / "graph.svg")
    nls.summary.FileWriter(tmp_path, graph).close()
    assert [p.name for p in tmp_path.glob("events*")]


def test_lists_stand_beside_tensors(sess):
    """Fault 22: Tensor * [1., 3.] failed."""
    x = nls.placeholder("float32", [2])
    made = [
        x * [1.0, 3.0],
        [1.0, 3.0] * x,
        [1, 3] - x,
        x / (2, 4),
        nls.add(x, [1, 1]),
        nls.maximum([3, 3], x),
        x ** [1, 2],
    ]
    made += [nls.where([True, False], x, [7, 8]), nls.nn.bias_add(x, [1, 1]), nls.add_n([x, [1, 2], [3, 4]])]
    found = sess.run(made, {x: [2, 4]})
    wanted = [[2, 12], [2, 12], [-1, -1], [1, 1], [3, 5], [3, 4], [2, 16], [2, 8], [3, 5], [6, 10]]
    assert [f.tolist() for f in found] == wanted
    assert {f.dtype.name for f in found} == {"float32"}
    assert sess.run([x < [3, 3], nls.equal([2, 3], x)], {x: [2, 4]})[0].tolist() == [True, False]
    whole = nls.placeholder("int16", [2])
    assert sess.run(whole * [1, 3], {whole: [2, 4]}).dtype == "int16"


def test_lists_stand_beside_inputs_of_models(engine):
    """Fault 22: the same in functional models."""
    x = nl.Input((2,))
    assert nl.Model(x, [1.0, 3.0] * x - [1, 1]).predict(np.array([[2.0, 4.0]])).tolist() == [[1, 11]]


@pytest.mark.parametrize("draw", [nls.random_normal, nls.truncated_normal])
def test_random_numbers_with_tensors_for_their_moments(draw, sess):
    """Fault 22: random_normal(stddev=Tensor) gave an engine's error."""
    deviation = nls.placeholder("float32", [])
    x = draw([2000], mean=[5.0], stddev=deviation, seed=1, name="x")
    assert x.name == "x"
    assert x.shape == (2000,)
    assert sess.run(x, {deviation: 0.0}).tolist() == [5.0] * 2000
    spread = np.std(sess.run(x, {deviation: 2.0})) / 2
    assert 0.8 < spread < 1.1  # 1, and 0.88 for normal numbers within two deviations
    low = nls.placeholder("float32", [])
    assert set(sess.run(nls.random_uniform([100], low, low + 3, "int32", seed=2), {low: 4.0})) == {4, 5, 6}


def test_saver_takes_names_and_restores_a_part(sess, tmp_path):
    """Fault 22: Saver({"a": v}) failed, and so did restoring some of a file's variables."""
    v, w = nls.Variable([1.0, 2.0], name="v"), nls.Variable(3.0, name="w")
    sess.run(nls.global_variables_initializer())
    everything = nls.train.Saver().save(sess, tmp_path / "all")
    named = nls.train.Saver({"a": v})
    one = named.save(sess, tmp_path / "one")
    changed = [v.assign([9.0, 9.0]), w.assign(9.0)]
    for saver, path in ((named, one), (nls.train.Saver([v]), everything), (nls.train.Saver({"v": v}), everything)):
        sess.run(changed)
        saver.restore(sess, path)
        assert [sess.run(v).tolist(), sess.run(w)] == [[1, 2], 9]
    with pytest.raises(ModelFileError, match="'a' is missing"):
        named.restore(sess, everything)
    with pytest.raises(GraphError, match="variables by name, received 'v'"):
        nls.train.Saver(["v"])


def test_shapes_are_lists_on_demand():
    """Fault 22: .get_shape().as_list() was missing."""
    x = nls.placeholder("float32", [None, 3])
    assert x.get_shape().as_list() == x.shape.as_list() == [None, 3]
    assert (nls.matmul(x, nls.ones([3, 4])).get_shape().as_list(), x.shape.ndims) == ([None, 4], 2)
