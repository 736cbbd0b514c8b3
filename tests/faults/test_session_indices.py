"""Indices that are out of range, in sessions."""

import numpy as np
import pytest

import neuroloom as nl
import neuroloom.session as nls
from neuroloom import ops
from neuroloom.errors import GraphError, ShapeError

ROWS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)
LOGITS = np.log(np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]], np.float32))


def sparse(x, at):
    return nls.nn.sparse_softmax_cross_entropy_with_logits(labels=at, logits=x)


def in_cond(x, at):
    return nls.cond(nls.reduce_sum(x) > 0, lambda: nls.gather(x, at), lambda: nls.gather(x, at * 0))


def in_loop(most):
    def made(x, at):
        body = lambda i, total: (i + 1, total + nls.gather(x, at))  # noqa: E731
        return nls.while_loop(lambda i, total: i < 2, body, [0, nls.gather(x, at * 0)], maximum_iterations=most)[1]

    return made


READS = {
    "gather": nls.gather,
    "embedding_lookup": nls.nn.embedding_lookup,
    "ops.gather": ops.gather,
    "ops.gather by name": lambda x, at: ops.gather(x, index=at),
    "x[at]": lambda x, at: x[at],
    "x[0, at]": lambda x, at: x[:, 0][at],
    "cond": in_cond,
    "while_loop": in_loop(None),
    "bounded while_loop": in_loop(3),
    "sparse cross-entropy": sparse,
}


@pytest.fixture
def run():
    """Runs a function of x and indices in a new session."""

    def run(read, x, at):
        with nls.Graph().as_default(), nls.Session() as sess:
            values, index = nls.placeholder("float32", [None, *x.shape[1:]]), nls.placeholder("int32", [None])
            return sess.run(read(values, index), {values: x, index: at})

    return run


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("wrong", [3, 2**31 - 1, -4])
def test_an_index_out_of_range_is_an_error(name, wrong, engine, run):
    """Fault 11: on JAX the index was moved into the range, and there was an answer."""
    x = LOGITS if name == "sparse cross-entropy" else ROWS
    with pytest.raises(GraphError, match=f"expected indices from 0 to 2, received {wrong}"):
        run(READS[name], x, [1, wrong])


def test_indices_in_range_give_the_rows(engine, run):
    """Fault 11: what is checked is right still."""
    assert run(nls.gather, ROWS, [2, 0, 2]).tolist() == ROWS[[2, 0, 2]].tolist()
    assert run(lambda x, at: x[at], ROWS, [-1, 0]).tolist() == ROWS[[-1, 0]].tolist()
    assert run(lambda x, at: x[at[0]], ROWS, [-1]).tolist() == [5, 6]
    assert run(lambda x, at: x[:, at[0]], ROWS, [1]).tolist() == [2, 4, 6]
    assert run(nls.gather, ROWS, np.zeros(0, np.int32)).shape == (0, 2)
    assert run(in_cond, ROWS, [1]).tolist() == [[3, 4]]
    assert run(in_loop(None), ROWS, [1]).tolist() == run(in_loop(3), ROWS, [1]).tolist() == [[7, 10]]
    np.testing.assert_allclose(run(sparse, LOGITS, [0, 2]), -np.log([0.5, 0.75]), rtol=1e-6)


def test_a_number_out_of_range_is_an_error(engine):
    """Fault 11: x[5] of two rows was the last one on JAX."""
    with nls.Graph().as_default(), nls.Session() as sess:
        known, free = nls.placeholder("float32", [2, 3]), nls.placeholder("float32", [None])
        for index in (2, -3, (0, 3), (..., -4)):
            with pytest.raises(ShapeError, match="expected an index from"):
                known[index]
        assert sess.run(free[5], {free: np.arange(6)}) == 5  # a free axis may be long enough
        with pytest.raises(ShapeError, match="expected an index from -2 to 1, received 5"):
            sess.run(free[5], {free: [1, 2]})
    with pytest.raises(ShapeError, match="expected an index from -2 to 1, received 5"):
        ops.getitem(engine.asarray(np.zeros(2, np.float32)), 5)


def test_a_run_that_fails_changes_no_variable(training_engine):
    """Fault 11: a step on a label out of range trained towards another class."""
    with nls.Graph().as_default(), nls.Session() as sess:
        at, table = nls.placeholder("int32", [None]), nls.Variable(ROWS)
        step = nls.train.GradientDescentOptimizer(0.5).minimize(nls.reduce_sum(nls.gather(table, at)))
        sess.run(nls.global_variables_initializer())
        with pytest.raises(GraphError, match="received 3"):
            sess.run(step, {at: [0, 3]})
        assert sess.run(table).tolist() == ROWS.tolist()
        sess.run(step, {at: [0, 0, 2]})
        assert sess.run(table).tolist() == [[0, 1], [3, 4], [4.5, 5.5]]


def test_functional_models_take_numbers_on_free_axes_too(training_engine):
    """Fault 11: x[5] of a free batch could not be built on PyTorch."""
    x = nl.Input((None, 2))
    y = nl.Model(x, x[:, 60])
    assert y.predict(np.arange(244, dtype=np.float32).reshape(2, 61, 2)).tolist() == [[120, 121], [242, 243]]
