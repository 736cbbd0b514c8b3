"""Steps on the rows of a table that were looked up."""

import numpy as np
import pytest

import neuroloom.session as nls
from neuroloom.session.evaluate import needed

TABLE = np.arange(10, dtype=np.float32).reshape(5, 2)
IDS = np.array([[3, 1], [3, 3]])
COUNTS = np.array([0, 1, 0, 3, 0], np.float32)[:, None]  # of each row in IDS
TWICE = COUNTS > 0
OPTIMIZERS = {
    "descent": (lambda: nls.train.GradientDescentOptimizer(0.5), TABLE - 2 * 0.5 * COUNTS),
    # the sum of g and of 1.5 g, where there is a gradient
    "momentum": (lambda: nls.train.MomentumOptimizer(0.5, 0.5), TABLE - 0.5 * COUNTS * 2.5),
    # η g / (√(a + g²) + ε), then η g / (√(a + 2 g²) + ε), a = 0.1
    "Adagrad": (
        lambda: nls.train.AdagradOptimizer(0.5),
        TABLE - 0.5 * COUNTS * (1 / np.sqrt(0.1 + COUNTS**2) + 1 / np.sqrt(0.1 + 2 * COUNTS**2)),
    ),
    # v = 0.1 g² and 0.19 g²
    "RMSProp": (lambda: nls.train.RMSPropOptimizer(0.5), TABLE - 0.5 * TWICE * (1 / np.sqrt(0.1) + 1 / np.sqrt(0.19))),
    # each of Adam's first steps for an even gradient is η sign(g)
    "Adam": (lambda: nls.train.AdamOptimizer(0.5), TABLE - 2 * 0.5 * TWICE),
}


def two_steps(optimizer, loss_of):
    with nls.Graph().as_default(), nls.Session() as sess:
        table, ids = nls.Variable(TABLE), nls.placeholder("int32", [None, 2])
        loss = loss_of(table, ids)
        pairs = optimizer().compute_gradients(loss)
        step = optimizer().apply_gradients(pairs)
        sess.run(nls.global_variables_initializer())
        for _ in range(2):
            sess.run(step, {ids: IDS})
        return sess.run(table), pairs[0][0] in needed([step]), sess.run(pairs[0][0], {ids: IDS})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rows_change_by_the_sum_of_their_gradients(name, training_engine):
    """Fault 37: the gradient of a lookup was an array as large as the table."""
    optimizer, expected = OPTIMIZERS[name]
    found, whole, gradient = two_steps(
        optimizer, lambda table, ids: nls.reduce_sum(nls.nn.embedding_lookup(table, ids))
    )
    np.testing.assert_allclose(found, expected + 0 * TABLE, rtol=1e-4, atol=1e-5)
    assert whole == (name == "Adam")  # of the others the step does not even compute it
    assert gradient.tolist() == (COUNTS + 0 * TABLE).tolist()  # who asks for it gets the whole


def test_several_lookups_of_one_table_add_up(training_engine):
    """Fault 37: all lookups of a table count, with weights of their own."""

    def loss_of(table, ids):
        return nls.reduce_sum(nls.gather(table, ids)) + 2 * nls.reduce_sum(nls.gather(table, ids[0]))

    found, whole, _ = two_steps(OPTIMIZERS["descent"][0], loss_of)
    assert not whole
    assert found.tolist() == (TABLE - (COUNTS + np.array([0, 2, 0, 2, 0])[:, None])).tolist()


def test_a_table_that_is_used_as_a_whole_too_gets_the_whole_gradient(training_engine):
    """Fault 37: a penalty on the table reaches all of its rows."""
    found, whole, _ = two_steps(
        OPTIMIZERS["descent"][0],
        lambda table, ids: nls.reduce_sum(nls.gather(table, ids)) + nls.reduce_sum(table),
    )
    assert whole
    assert found.tolist() == (TABLE - COUNTS - 1).tolist()
