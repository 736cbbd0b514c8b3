"""Explicit graphs and sessions: the old programs, and what is promised about values, state and errors."""

import re
import threading

import numpy as np
import pytest

import neuroloom as nl
import neuroloom.session as nls
from neuroloom.errors import GraphError, ModelFileError, ShapeError
from neuroloom.learning import loop


@pytest.fixture(autouse=True)
def graph():
    with nls.Graph().as_default() as graph:
        yield graph


@pytest.fixture(params=["jax", "torch"])
def engine(request):
    return request.param


def value(tensor, feed=None, engine="jax"):
    with nls.Session(engine=engine) as sess:
        if nls.global_variables():
            sess.run(nls.global_variables_initializer())
        return sess.run(tensor, feed)


# -------------------------------------------------------------------------------------------- values and functions


def test_a_string_comes_back_as_bytes():
    assert value(nls.constant("Grüße")) == "Grüße".encode()


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "float32", "bool"])
def test_dtypes_keep_their_width(dtype, engine):
    x = nls.placeholder(dtype, [2])
    found = value(nls.identity(x), {x: [1, 0]}, engine)
    assert found.dtype == dtype
    assert found.tolist() == [1, 0]


def test_whole_numbers_overflow_as_their_width_says(engine):
    x = nls.placeholder("int16")
    assert value(x * x, {x: 300}, engine) == np.int16(300 * 300 - 65536)


X = np.array([[0.5, -2.0, 3.0], [1.5, 0.25, -1.0]], np.float32)

FUNCTIONS = {
    "add": (lambda x: nls.add(x, 1.5), lambda x: x + 1.5),
    "subtract": (lambda x: nls.subtract(2.0, x), lambda x: 2 - x),
    "multiply": (lambda x: nls.multiply(x, x), lambda x: x * x),
    "divide": (lambda x: nls.divide(x, 4.0), lambda x: x / 4),
    "pow": (lambda x: nls.pow(x, 3), lambda x: x**3),
    "operators": (lambda x: -(x * 2 + 1) / 3 - x, lambda x: -(x * 2 + 1) / 3 - x),
    "matmul": (lambda x: nls.matmul(x, x, transpose_b=True), lambda x: x @ x.T),
    "matmul a": (lambda x: nls.matmul(x, x, transpose_a=True), lambda x: x.T @ x),
    "reduce_sum": (lambda x: nls.reduce_sum(x, 1), lambda x: x.sum(1)),
    "reduce_mean": (lambda x: nls.reduce_mean(x, axis=0, keepdims=True), lambda x: x.mean(0, keepdims=True)),
    "reduce_max": (lambda x: nls.reduce_max(x, reduction_indices=[1]), lambda x: x.max(1)),
    "argmax": (lambda x: nls.argmax(x, 1), lambda x: x.argmax(1)),
    "equal": (lambda x: nls.equal(x, 3.0), lambda x: x == 3),
    "cast": (lambda x: nls.cast(x, "int32"), lambda x: x.astype(int)),
    "reshape": (lambda x: nls.reshape(x, [3, -1]), lambda x: x.reshape(3, 2)),
    "transpose": (nls.transpose, lambda x: x.T),
    "concat": (lambda x: nls.concat([x, x + 1], 1), lambda x: np.concatenate([x, x + 1], 1)),
    "stack": (lambda x: nls.stack([x, x + 1], 1), lambda x: np.stack([x, x + 1], 1)),
    "tile": (lambda x: nls.tile(x, [2, 3]), lambda x: np.tile(x, [2, 3])),
    "exp": (nls.exp, np.exp),
    "log": (lambda x: nls.log(nls.abs(x)), lambda x: np.log(abs(x))),
    "sqrt": (lambda x: nls.sqrt(nls.square(x)), abs),
    "tanh": (nls.tanh, np.tanh),
    "sigmoid": (nls.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "where": (lambda x: nls.where(x > 0, x, -1.0), lambda x: np.where(x > 0, x, -1)),
    "clip": (lambda x: nls.clip_by_value(x, -1.0, 1.0), lambda x: np.clip(x, -1, 1)),
    "gather": (lambda x: nls.gather(x, [1, 0, 1]), lambda x: x[[1, 0, 1]]),
    "one_hot": (lambda x: nls.one_hot(nls.argmax(x, 1), 3), lambda x: np.eye(3)[x.argmax(1)]),
    "unstack": (lambda x: nls.unstack(x, axis=1)[2], lambda x: x[:, 2]),
    "split": (lambda x: nls.split(x, 3, axis=1)[1], lambda x: x[:, 1:2]),
    "split by lengths": (lambda x: nls.split(x, [1, 2], axis=-1)[1], lambda x: x[:, 1:]),
    "squeeze": (lambda x: nls.squeeze(nls.expand_dims(x, 1)), lambda x: x),
    "softmax": (nls.nn.softmax, lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    "relu": (nls.nn.relu, lambda x: np.maximum(x, 0)),
    "bias_add": (lambda x: nls.nn.bias_add(x, nls.constant([1.0, 2.0, 3.0])), lambda x: x + [1, 2, 3]),
    "clip_by_norm": (lambda x: nls.clip_by_norm(x, 1.0), lambda x: x / np.linalg.norm(x)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, engine):
    build, expected = FUNCTIONS[name]
    x = nls.placeholder("float32", X.shape)
    found = value(build(x), {x: X}, engine)
    np.testing.assert_allclose(found, expected(X), rtol=1e-5, atol=1e-6)


def test_split_refuses_what_does_not_fit():
    x = nls.placeholder("float32", [None, 3], name="x")
    with pytest.raises(GraphError, match=r"2 equal parts, .*'x'"):
        nls.split(x, 2, axis=1)
    with pytest.raises(GraphError, match=r"sum 3, received \[1, 1\] for .*'x'"):
        nls.split(x, [1, 1], axis=1)
    with pytest.raises(GraphError, match="2 equal parts"):
        nls.split(x, 2)


def test_a_learning_rate_decays_with_the_steps(engine):
    """w falls by the rate at each step: 1, then 1 - 0.5, then - 0.25; with staircase of two steps twice 0.5."""
    for staircase, rates in ((False, [0.5, 0.25, 0.125]), (True, [0.5, 0.5, 0.125])):
        with nls.Graph().as_default():
            w, step = nls.Variable(1.0), nls.Variable(0, trainable=False)
            decay = 1 / 4 if staircase else 1 / 2
            rate = nls.train.exponential_decay(0.5, step, 2 if staircase else 1, decay, staircase)
            train = nls.train.GradientDescentOptimizer(rate).minimize(w, global_step=step)
            with nls.Session(engine=engine) as sess:
                sess.run(nls.global_variables_initializer())
                for i in range(3):
                    sess.run(train)
                    assert float(sess.run(w)) == pytest.approx(1 - sum(rates[: i + 1]))
                assert int(sess.run(step)) == 3


@pytest.mark.parametrize("name", FUNCTIONS)
def test_shapes_are_known_before_the_run(name):
    build, expected = FUNCTIONS[name]
    free = nls.placeholder("float32", X.shape)
    assert tuple(build(free).shape) == expected(X).shape


def test_losses_of_logits_are_exact_where_probabilities_round(engine):
    z = nls.constant([[200.0, 0.0], [0.0, 1.0]])
    soft = nls.nn.softmax_cross_entropy_with_logits_v2(labels=nls.constant([[0.0, 1.0], [1.0, 0.0]]), logits=z)
    sparse = nls.nn.sparse_softmax_cross_entropy_with_logits(labels=nls.constant([1, 0]), logits=z)
    binary = nls.nn.sigmoid_cross_entropy_with_logits(labels=nls.ones([2, 2]), logits=-z)
    np.testing.assert_allclose(value(soft, engine=engine), [200, np.log1p(np.e)], rtol=1e-6)
    np.testing.assert_allclose(value(sparse, engine=engine), [200, np.log1p(np.e)], rtol=1e-6)
    ln2 = np.log(2)
    np.testing.assert_allclose(value(binary, engine=engine), [[200, ln2], [ln2, np.log1p(np.e)]], rtol=1e-6)
    with pytest.raises(GraphError, match=r"expected labels=\.\.\. and logits=\.\.\. by name"):
        nls.nn.softmax_cross_entropy_with_logits(z, z)


def test_convolution_and_pooling_in_images(engine):
    image = np.arange(2 * 6 * 5 * 1, dtype=np.float32).reshape(2, 6, 5, 1)
    kernel = np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)
    x = nls.placeholder("float32", [None, 6, 5, 1])
    y = nls.nn.conv2d(x, nls.constant(kernel), strides=[1, 1, 1, 1], padding="VALID")
    by_hand = (image[0, 1:4, 2:5, 0] * kernel[:, :, 0, 0]).sum()
    assert value(y, {x: image}, engine)[0, 1, 2, 0] == pytest.approx(by_hand)
    pooled = value(nls.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"), {x: image}, engine)
    assert pooled.shape == (2, 3, 3, 1)
    assert pooled[1, 0, 2, 0] == image[1, :2, 4, 0].max()


# ------------------------------------------------------------------------------------------------------ variables


def test_sessions_do_not_share_values():
    v = nls.Variable(1.0)
    more = v.assign_add(1.0)
    init = nls.global_variables_initializer()
    one, other = nls.Session(), nls.Session(engine="torch")
    one.run(init)
    other.run(init)
    one.run(more)
    one.run(more)
    assert (one.run(v), other.run(v)) == (3, 1)


def test_a_run_means_what_the_lines_say(engine):
    v = nls.Variable(1.0)
    before = v * 10
    up = v.assign(5.0)
    after = v * 10
    twice = nls.assign_sub(v, nls.constant(1.0))
    init = nls.global_variables_initializer()
    with nls.Session(engine=engine) as sess:
        sess.run(init)
        assert sess.run([after, twice, before, up, v]) == [50, 4, 10, 5, 4]
        assert sess.run([before, after]) == [40, 40]  # nothing was assigned in this run


def test_control_dependencies_make_others_run():
    v = nls.Variable(0)
    count = nls.assign_add(v, 1)
    with nls.control_dependencies([count]):
        y = nls.identity(v)
    both = nls.group(count, nls.assign_add(v, 10))
    with nls.Session() as sess:
        sess.run(nls.global_variables_initializer())
        assert [sess.run(y), sess.run(y)] == [1, 2]
        assert sess.run(both) is None
        assert sess.run(v) == 13


def test_get_variable_shares_by_name():
    with nls.variable_scope("a"):
        w = nls.get_variable("w", [2, 3])
        with pytest.raises(GraphError, match=r"variable 'a/w' exists\. Use variable_scope\(\.\.\., reuse=True\)"):
            nls.get_variable("w", [2, 3])
    with nls.variable_scope("a", reuse=True) as scope:
        assert nls.get_variable("w") is w
        with pytest.raises(GraphError, match=r"There is no variable 'a/v' to reuse"):
            nls.get_variable("v")
        with pytest.raises(GraphError, match=r"has shape \(2, 3\); get_variable asked for \(3, 3\)"):
            nls.get_variable("w", [3, 3])
    with nls.variable_scope(scope, reuse=nls.AUTO_REUSE):
        assert nls.get_variable("w") is w
    assert [v.name for v in nls.trainable_variables()] == ["a/w"]
    nls.Variable(0, trainable=False, name="step")
    assert len(nls.trainable_variables()) == 1
    assert len(nls.global_variables()) == 2


def test_names_and_scopes(graph):
    a = nls.constant(1.0, name="a")
    with nls.name_scope("layer"):
        b = nls.add(a, 1, name="a")
        c = nls.add(a, 1, name="a")
    with nls.name_scope("layer"):
        d = nls.Variable(1.0, name="w")
    assert [t.name for t in (a, b, c, d)] == ["a", "layer/a", "layer/a_1", "layer_1/w"]
    assert graph.get_tensor_by_name("layer/a_1:0") is c
    with nls.Session() as sess:
        assert sess.run("layer/a:0") == 2
    with pytest.raises(GraphError, match=r"no tensor 'layer/b'\. Did you mean"):
        graph.get_tensor_by_name("layer/b")


def test_random_values_are_new_at_each_run_and_equal_on_engines_and_by_seed(graph):
    graph.seed = 4
    x = nls.random_normal([2000], 1.0, 2.0)
    t = nls.truncated_normal([2000])
    u = nls.random_uniform([2000], 3, 7)
    k = nls.random_uniform([500], 0, 5, dtype="int32")
    found = {}
    for engine in ("jax", "torch"):
        with nls.Session(engine=engine) as sess:
            found[engine] = [sess.run([x, t, u, k]), sess.run([x, t, u, k])]
    for a, b in zip(*found["jax"], strict=True):
        assert not np.array_equal(a, b)
    for one, other in zip(*found.values(), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    a, b, c, d = found["jax"][0]
    assert abs(a.mean() - 1) < 0.15
    assert abs(a.std() - 2) < 0.1
    assert 1.9 < abs(b).max() <= 2
    assert 0.85 < b.std() < 0.91  # 0.8796 in the limit
    assert 3 <= c.min() < 3.1 < 6.9 < c.max() < 7
    assert sorted(set(d.tolist())) == [0, 1, 2, 3, 4]
    assert not np.array_equal(a, x.graph.tensors and value(nls.random_normal([2000], 1.0, 2.0)))


def test_dropout_keeps_the_share_and_the_mean(engine):
    x = nls.placeholder("float32", [None])
    keep = nls.placeholder("float32", [])
    y = nls.nn.dropout(x, keep_prob=keep)
    with nls.Session(engine=engine) as sess:
        found = sess.run(y, {x: np.ones(10_000), keep: 0.8})
        assert sorted(set(found.round(4).tolist())) == [0, 1.25]
        assert abs(found.mean() - 1) < 0.02
        np.testing.assert_array_equal(sess.run(y, {x: np.ones(50), keep: 1.0}), np.ones(50))


# ------------------------------------------------------------------------------------------------------ gradients


def test_gradients_by_hand_and_of_gradients(engine):
    x = nls.placeholder("float32", [None])
    y = x**3 * 2
    (first,) = nls.gradients(y, x)
    (second,) = nls.gradients(first, x)
    (third,) = nls.gradients(second, [x])
    found = value([first, second, third], {x: [1.0, -2.0]}, engine)
    np.testing.assert_allclose(found, [[6, 24], [12, -24], [12, 12]], rtol=1e-5)


def test_gradients_through_variables_between_values_and_weights_of_ys(engine):
    w = nls.Variable([2.0, 3.0])
    middle = w * w
    y, z = nls.reduce_sum(middle), middle * 10
    found = nls.gradients([y, z], [w, middle], grad_ys=[nls.constant(1.0), nls.constant([1.0, 0.0])])
    a, b = value(found, engine=engine)
    np.testing.assert_allclose(b, [11, 1])
    np.testing.assert_allclose(a, [44, 6])
    assert nls.gradients(y, nls.Variable(1.0)) == [None]
    with pytest.raises(GraphError, match="expected tensors of floats"):
        nls.gradients(y, nls.constant(1))


# ------------------------------------------------------------------------------------------------------------ flow


def test_cond_computes_one_branch(engine):
    x = nls.placeholder("float32", [])
    y = nls.cond(x > 0, lambda: nls.sqrt(x) + 1, lambda: x * 0)
    (g,) = nls.gradients(y, x)
    with nls.Session(engine=engine) as sess:
        assert sess.run(y, {x: 9.0}) == 4
        assert sess.run([y, g], {x: -9.0}) == [0, 0]  # the root of -9 would have made it NaN
    v = nls.Variable(0.0)
    with pytest.raises(GraphError, match=r"branches that change no variable, received one for 'Variable'"):
        nls.cond(x > 0, lambda: v.assign(1.0), lambda: v.assign(2.0))


def test_while_loops(engine):
    n = nls.placeholder("int32", [])
    w = nls.Variable(2.0)
    i, power = nls.while_loop(lambda i, p: i < n, lambda i, p: (i + 1, p * w), [nls.constant(0), nls.constant(1.0)])
    assert value([i, power], {n: 5}, engine) == [5, 32]
    bounded = nls.while_loop(
        lambda i, p: i < n, lambda i, p: (i + 1, p * w), [nls.constant(0), nls.constant(1.0)], maximum_iterations=8
    )[1]
    (g,) = nls.gradients(bounded, w)
    assert value([bounded, g], {n: 5}, engine) == [32, 5 * 16]


# ------------------------------------------------------------------------------------------------------- recurrent


@pytest.mark.parametrize("cell", ["BasicRNNCell", "BasicLSTMCell", "GRUCell"])
def test_dynamic_rnn_is_the_cell_step_by_step(cell, engine):
    x = nls.placeholder("float32", [3, 5, 2])
    made = getattr(nls.nn, cell)(4)
    outputs, last = nls.nn.dynamic_rnn(made, x, sequence_length=nls.constant([5, 3, 0]))
    state = made.zero_state(x[:, 0])
    steps = []
    for t in range(5):
        out, state = made(x[:, t], state)
        steps.append(out)
    data = np.random.default_rng(0).normal(size=(3, 5, 2))
    found, by_hand, end = value([outputs, nls.stack(steps, 1), last], {x: data}, engine)
    np.testing.assert_allclose(found[0], by_hand[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1, :3], by_hand[1, :3], rtol=1e-5, atol=1e-6)
    assert not found[1, 3:].any()
    assert not found[2].any()
    h = end[1] if isinstance(end, tuple) else end
    np.testing.assert_allclose(h[1], by_hand[1, 2], rtol=1e-5, atol=1e-6)


# ----------------------------------------------------------------------------------------------------- optimizers

RULES = {
    "GradientDescentOptimizer": ({"learning_rate": 0.1}, "SGD", {"learning_rate": 0.1}),
    "MomentumOptimizer": (
        {"learning_rate": 0.1, "momentum": 0.9},
        "SGD",
        {"learning_rate": 0.1, "momentum": 0.9},
    ),
    "AdamOptimizer": ({"learning_rate": 0.1}, "Adam", {"learning_rate": 0.1, "epsilon": 1e-8}),
    "RMSPropOptimizer": ({"learning_rate": 0.1}, "RMSprop", {"learning_rate": 0.1, "epsilon": 1e-10}),
    "AdagradOptimizer": ({"learning_rate": 0.1}, "Adagrad", {"learning_rate": 0.1}),
}


@pytest.mark.parametrize("name", RULES)
def test_optimizers_follow_those_of_the_library(name, engine):
    keras = pytest.importorskip("keras")
    how, other, others_how = RULES[name]
    w = nls.Variable([1.0, -2.0])
    step = nls.Variable(0, trainable=False)
    train = getattr(nls.train, name)(**how).minimize(nls.reduce_sum(w**4), global_step=step)
    init = nls.global_variables_initializer()
    with nls.Session(engine=engine) as sess:
        sess.run(init)
        for _ in range(4):
            sess.run(train)
        found = sess.run([w, step])
    k = keras.Variable(np.array([1.0, -2.0], np.float32))
    rule = getattr(keras.optimizers, other)(**others_how)
    for _ in range(4):
        rule.apply([4 * keras.ops.power(k, 3)], [k])
    np.testing.assert_allclose(found[0], np.asarray(k.value), rtol=1e-5)
    assert found[1] == 4


def test_a_fed_learning_rate_and_gradients_that_are_changed_on_the_way(engine):
    rate = nls.placeholder("float32", [])
    w = nls.Variable(5.0)
    optimizer = nls.train.GradientDescentOptimizer(rate)
    pairs = optimizer.compute_gradients(w * w)
    train = optimizer.apply_gradients([(nls.clip_by_value(g, -1.0, 1.0), v) for g, v in pairs])
    with nls.Session(engine=engine) as sess:
        sess.run(nls.global_variables_initializer())
        sess.run(train, {rate: 0.5})
        sess.run(train, {rate: 0.25})
        assert sess.run(w) == 4.25


# ----------------------------------------------------------------------------------------------- saving, summaries


def test_saver(tmp_path):
    w = nls.Variable([1.0, 2.0], name="w")
    n = nls.Variable(7, name="n")
    saver = nls.train.Saver(max_to_keep=2)
    init = nls.global_variables_initializer()
    with nls.Session() as sess:
        sess.run(init)
        for step in range(3):
            path = saver.save(sess, tmp_path / "model", global_step=step)
            sess.run(w.assign_add([1.0, 1.0]))
        assert sorted(p.name for p in tmp_path.iterdir()) == ["model-1.safetensors", "model-2.safetensors"]
    assert nls.train.latest_checkpoint(tmp_path) == path
    with nls.Session(engine="torch") as sess:
        saver.restore(sess, path)
        assert sess.run(w).tolist() == [3, 4]
        assert sess.run(n) == 7
    nls.Variable(0.0, name="new")
    with nls.Session() as sess, pytest.raises(ModelFileError, match="new"):
        saver.restore(sess, path)


def test_summaries_are_written(tmp_path):
    pytest.importorskip("tensorboardX")
    x = nls.placeholder("float32", [None, 4, 4, 1])
    with nls.name_scope("measures"):
        nls.summary.scalar("mean", nls.reduce_mean(x))
    nls.summary.histogram("values", x)
    nls.summary.image("images", x)
    merged = nls.summary.merge_all()
    with nls.Session() as sess, nls.summary.FileWriter(tmp_path, sess.graph) as writer:
        found = sess.run(merged, {x: np.ones((5, 4, 4, 1))})
        assert [(s.tag, s.kind) for s in found] == [("mean", "scalar"), ("values", "histogram"), ("images", "image")]
        assert found[0].value == 1
        assert found[2].value.shape == (3, 4, 4, 1)
        writer.add_summary(found, 3)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    assert all(text in content for text in (b"mean", b"values", b"images", b"Placeholder"))


def test_the_graph_is_drawn(graph, tmp_path):
    x = nls.placeholder("float32", [None, 3], name="x")
    with nls.name_scope("dense"):
        w = nls.Variable(nls.ones([3, 2]), name="w")
        nls.matmul(x, w, name="product")
    boxes = {box.name: box for box in graph.boxes()}
    assert boxes["dense/product"].inputs == ("x", "dense/w")
    assert {boxes[n].kind for n in ("x", "dense/w", "dense/product")} == {"input", "variable", "operation"}
    graph.plot(tmp_path / "graph.svg")
    assert "product" in (tmp_path / "graph.svg").read_text()


# ------------------------------------------------------------------------------------------------- two worlds mix


def test_layers_on_placeholders_train_in_a_session(engine):
    x = nls.placeholder("float32", [None, 2])
    y = nls.placeholder("float32", [None, 1])
    hidden = nl.layers.Dense(8, activation="tanh")(x)
    out = nl.layers.Dense(1)(hidden)
    loss = nls.reduce_mean(nls.square(out - y))
    train = nls.train.AdamOptimizer(0.05).minimize(loss)
    assert [v.name for v in nls.trainable_variables()] == [
        "dense/kernel",
        "dense/bias",
        "dense_1/kernel",
        "dense_1/bias",
    ]
    data = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0], [1], [1], [0]])
    with nls.Session(engine=engine) as sess:
        sess.run(nls.global_variables_initializer())
        for _ in range(300):
            sess.run(train, {x: data[0], y: data[1]})
        assert sess.run(loss, {x: data[0], y: data[1]}) < 0.01


def test_a_model_of_placeholders():
    x = nls.placeholder("float32", [None, 3], name="x")
    model = nl.Model(x, nl.layers.Dense(2)(x * 2))
    data = np.ones((4, 3), np.float32)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(model.predict(data), 2 * data @ kernel + bias, rtol=1e-5)
    model.compile("sgd", "mse")
    assert model.fit(data, np.ones((4, 2)), epochs=5, verbose=0).history["loss"][-1] < 1e9


def test_layers_know_training_from_the_learning_phase(training_engine):
    x = nls.placeholder("float32", [None, 50])
    y = nl.layers.Dropout(0.5)(x)
    z = nl.layers.BatchNormalization()(x)
    moving = next(v for v in nls.global_variables() if "moving_mean" in v.name)
    phase = nls.learning_phase()
    data = np.full((4, 50), 3.0)
    with nls.Session() as sess:
        sess.run(nls.global_variables_initializer())
        assert sess.run(y, {x: data}).tolist() == data.tolist()
        assert (sess.run(y, {x: data, phase: True}) == 0).any()
        sess.run(z, {x: data})
        assert not sess.run(moving).any()
        sess.run(z, {x: data, phase: True})
        assert sess.run(moving).all()


# --------------------------------------------------------------------------------------------- sessions and errors


def test_fetches_keep_their_form():
    a, b = nls.constant(1), nls.constant(2)
    op = nls.no_op()
    with nls.Session() as sess:
        assert sess.run({"x": a, "y": [b, (a, op)]}) == {"x": 1, "y": [2, (1, None)]}
        assert a.eval() == 1
        assert (a + b).eval(session=sess) == 3


def test_interactive_session():
    sess = nls.InteractiveSession()
    v = nls.Variable(2.0)
    v.initializer.run()
    assert (v * 3).eval() == 6
    sess.close()
    with pytest.raises(GraphError, match="There is no session"):
        v.eval()


def test_any_tensor_can_be_fed():
    x = nls.placeholder("float32", [])
    y = x + 1
    assert value(y * 2, {y: 10.0}) == 20


def test_each_set_of_fetches_and_feed_shapes_compiles_once():
    x = nls.placeholder("float32", [None])
    y, z = x * 2, x * 3
    with nls.Session() as sess:
        sess.run(y, {x: [1.0]})
        before = loop.compilations()
        for _ in range(3):
            sess.run(y, {x: [2.0]})
        assert loop.compilations() == before
        sess.run(y, {x: [1.0, 2.0]})
        sess.run([y, z], {x: [1.0]})
        assert loop.compilations() == before + 2


def test_threads_take_turns():
    v = nls.Variable(0)
    more = v.assign_add(1)
    with nls.Session() as sess:
        sess.run(nls.global_variables_initializer())
        threads = [threading.Thread(target=lambda: [sess.run(more) for _ in range(100)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sess.run(v) == 400


def expect(message, action, error=GraphError):
    with pytest.raises(error, match=re.escape(message)):
        action()


def test_wrong_feeds_name_the_tensor():
    x = nls.placeholder("float32", [None, 3], name="x")
    n = nls.placeholder("int16", [], name="n")
    y = x * 2
    sess = nls.Session()
    expect("'x' expected shape (?, 3), received (3,)", lambda: sess.run(y, {x: [1.0, 2, 3]}), ShapeError)
    expect("feed_dict expected int16 for 'n', received float64", lambda: sess.run(n, {n: 1.5}))
    expect("feed_dict expected int16 for 'n', received 70000, which does not fit", lambda: sess.run(n, {n: 70_000}))
    expect("The placeholder 'x' (float32, shape (?, 3)) has no value. Give it one", lambda: sess.run(y))
    expect("The graph has no tensor 'z'", lambda: sess.run(y, {"z": 1}))
    expect("feed_dict expected numbers for 'x', received <Tensor", lambda: sess.run(y, {x: y}))
    expect("feed_dict expected an array for 'x'", lambda: sess.run(y, {x: [[1, 2], [3]]}), ShapeError)
    expect("run expected Tensors, operations or their names, received 3", lambda: sess.run(3))


def test_wrong_sessions_and_graphs_say_what_to_do():
    v = nls.Variable(1.0, name="v")
    other = nls.Graph()
    with other.as_default():
        z = nls.constant(1.0)
    sess = nls.Session()
    expect("The variable 'v' has no value in this session. First run global_variables_init", lambda: sess.run(v))
    expect("belongs to another graph than this session", lambda: sess.run(z))
    expect("belongs to another graph", lambda: v + z)
    expect("is an Input of a functional model", lambda: v + nl.Input((2,)))
    expect("has no numeric value", lambda: v + nls.constant("text"))
    expect("Assign expected a value of shape (2,) for", lambda: nls.assign(nls.Variable([1.0, 2.0]), [1.0, 2.0, 3.0]))
    expect("Did you mean 'float32'", lambda: nls.placeholder("float3"), Exception)
    expect("No variable has a gradient", lambda: nls.train.AdamOptimizer().minimize(nls.constant(1.0)))
    sess.close()
    expect("The session is closed", lambda: sess.run(v))


# ------------------------------------------------------------------------------------------- what went wrong once


def test_gradients_are_of_the_values_that_were_computed(engine):
    v = nls.Variable(2.0)
    w = nls.Variable(3.0)
    y = v * v * w
    changed = [v.assign(10.0), w.assign(7.0)]
    found = nls.gradients(y, [v, w])
    assert value([y, found, changed], engine=engine) == [12, [12, 4], [10, 7]]


def test_64_bits_are_kept(engine):
    n = nls.placeholder("int64", [])
    x = nls.placeholder("float64", [])
    total = n + 1, x / 3
    assert [t.dtype for t in total] == ["int64", "float64"]
    found = value(total, {n: 2**40, x: 1.0}, engine)
    assert found[0] == 2**40 + 1
    assert abs(found[1] - 1 / 3) < 1e-16
    assert nls.placeholder("float").dtype == "float32"


def test_fed_arrays_remain_the_callers(engine):
    v = nls.Variable([0.0, 0.0])
    x = nls.placeholder("float32", [2])
    put = v.assign(x)
    mine = np.ones(2, np.float32)
    with nls.Session(engine=engine) as sess:
        sess.run(put, {x: mine})
        mine[:] = 5
        assert sess.run(v).tolist() == [1, 1]


def test_a_bounded_loop_has_finite_gradients_although_its_body_is_undefined_behind_the_end(engine):
    x = nls.placeholder("float32", [])
    y = nls.while_loop(lambda a: a > 1.0, lambda a: nls.sqrt(a - 1.0), [x], maximum_iterations=6)
    (g,) = nls.gradients(y, x)
    found = value([y, g], {x: 2.25}, engine)
    assert found[0] == pytest.approx(np.sqrt(np.sqrt(1.25) - 1))
    assert found[1] == pytest.approx(0.25 / np.sqrt(1.25) / np.sqrt(np.sqrt(1.25) - 1), rel=1e-4)


def test_cells_above_each_other(engine):
    x = nls.placeholder("float32", [2, 3, 4])
    cells = [nls.nn.rnn_cell.BasicLSTMCell(5), nls.nn.rnn_cell.GRUCell(6)]
    outputs, state = nls.nn.dynamic_rnn(nls.nn.rnn_cell.MultiRNNCell(cells), x)
    out, last = value([outputs, state], {x: np.ones((2, 3, 4))}, engine)
    assert (out.shape, last[0][1].shape, last[1].shape) == ((2, 3, 6), (2, 5), (2, 6))
    np.testing.assert_array_equal(out[:, -1], last[1])


def test_whole_numbers_are_reduced_in_their_width_and_not_trained(engine):
    n = nls.placeholder("int16", [3])
    found = value([nls.reduce_sum(n), nls.reduce_mean(n)], {n: [1, 2, 6]}, engine)
    assert [(f.dtype, int(f)) for f in found] == [("int16", 9), ("int16", 3)]
    nls.Variable(3, name="count")
    w = nls.Variable(2.0)
    assert [v for _, v in nls.train.AdamOptimizer().compute_gradients(w * w)] == [w]


def test_what_the_engine_refuses_is_an_error_of_the_library():
    x = nls.placeholder("float32")
    y = nls.matmul(x, x)
    sess = nls.Session()
    expect("'matmul' cannot be computed", lambda: sess.run(y, {x: [[1.0, 2.0, 3.0]]}))
    expect("feed_dict expected a dict", lambda: sess.run(y, [1]))
    expect(
        "Adam expected a learning rate as a number or a Tensor, received 'fast'",
        lambda: nls.train.AdamOptimizer("fast"),
    )
    expect("whose number of axes is known", lambda: nl.layers.Dense(3)(x), ShapeError)
