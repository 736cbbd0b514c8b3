"""Numbers on their way into a session's graph."""

import numpy as np
import pytest

import neuroloom as nl
import neuroloom.session as nls
from neuroloom.errors import GraphError

WAYS = {
    "constant": lambda value, dtype: nls.constant(value, dtype),
    "constant of a list": lambda value, dtype: nls.constant([value], dtype)[0],
    "Variable": lambda value, dtype: nls.Variable(value, dtype=dtype),
    "get_variable": lambda value, dtype: nls.get_variable("w", initializer=value, dtype=dtype),
    "convert_to_tensor": lambda value, dtype: nls.convert_to_tensor(value, dtype),
    "assign": lambda value, dtype: nls.Variable(0, dtype=dtype).assign(value),
    "cast": lambda value, dtype: nls.cast(value, dtype),
}


@pytest.fixture
def graph():
    """A graph of its own."""
    with nls.Graph().as_default() as found:
        yield found


def value_of(tensor, feeds=None):
    with nls.Session() as sess:
        sess.run(nls.global_variables_initializer())
        return sess.run(tensor, feeds)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("value", "dtype"),
    [(3_000_000_000, "int64"), (2**40, "int64"), (-(2**40), "int64"), (0.1, "float64"), (1e300, "float64")],
)
def test_a_wanted_dtype_gets_all_digits_of_python_numbers(way, value, dtype, engine, graph):
    """Fault 7: numbers were narrowed to 32 bits before the dtype was looked at."""
    found = value_of(WAYS[way](value, dtype))
    assert found.dtype == dtype
    assert found == value


def test_whole_numbers_without_a_dtype_get_the_width_that_they_need(engine, graph):
    """Fault 7: 3,000,000,000 became -1,294,967,296."""
    made = {
        "constant": nls.constant(3_000_000_000),
        "fill": nls.fill([2], 3_000_000_000),
        "range": nls.range(2**40, 2**40 + 2),
        "Variable": nls.Variable([2**40, 1]),
        "small": nls.constant(7),
    }
    found = value_of(made)
    assert found["constant"] == 3_000_000_000
    assert found["fill"].tolist() == [3_000_000_000] * 2
    assert found["range"].tolist() == [2**40, 2**40 + 1]
    assert found["Variable"].tolist() == [2**40, 1]
    assert found["small"].dtype == "int32"


def test_a_tensor_is_cast_to_64_bits(engine, graph):
    """Fault 7: on JAX a cast to 64 bits was one to 32."""
    x = nls.placeholder("int32", [])
    found = value_of(nls.cast(x, "float64") / 3.0, {x: 1})
    assert (found.dtype, found) == ("float64", 1 / 3)


def test_an_array_beside_a_float64_tensor_keeps_its_digits(engine, graph):
    """Fault 7: arrays in operations became float32."""
    x = nls.placeholder("float64", [1])
    assert value_of([x * np.array([0.1]), x * [0.1], nls.multiply([0.1], x)], {x: [1.0]}) == [0.1, 0.1, 0.1]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(1e300, None), (1e300, "float32"), (2**40, "int32"), (300, "uint8"), (-1, "uint8"), (2.5, "int32"), (2, "bool")],
)
def test_what_a_dtype_cannot_hold_is_refused(value, dtype, graph):
    """Fault 7: it became infinite, wrapped, or lost its fraction."""
    with pytest.raises(GraphError, match=r"expected .*received"):
        nls.constant(value, dtype)
    with pytest.raises(GraphError, match=r"expected .*received"):
        nls.Variable([value], dtype=dtype)


def test_an_operand_that_does_not_fit_is_refused(engine, graph):
    """Fault 7: on PyTorch x + 3,000,000,000 wrapped."""
    x = nls.placeholder("int32", [2])
    with pytest.raises(GraphError, match="expected int32, received 3000000000"):
        x + 3_000_000_000


def test_feeds_that_do_not_fit_are_refused_and_infinity_is_not(engine, graph):
    """Fault 7: 1e300 was infinite in float32, with a warning."""
    x = nls.placeholder("float32", [1], name="x")
    for value in ([1e300], np.array([1e300])):
        with pytest.raises(GraphError, match="expected float32 for 'x', received 1e\\+300"):
            value_of(x * 1, {x: value})
    assert value_of(x * 1, {x: [np.inf]}) == np.inf
    assert value_of(x * 1, {x: np.array([1.5], ">f4")}) == 1.5


@pytest.mark.parametrize("make", [nls.constant, nls.Variable, lambda a: nls.get_variable("w", initializer=a)])
def test_an_array_counts_as_it_was_when_it_was_given(make, engine, graph):
    """Fault 39: the array was read at the first run."""
    for dtype in ("float32", "float64", "int32"):
        with nls.Graph().as_default():
            array = np.arange(3).astype(dtype)
            tensor = make(array)
            array[:] = 7
            assert value_of(tensor).tolist() == [0, 1, 2]


def test_memory_of_feeds_and_results_is_the_users(engine, graph):
    """Fault 39: a variable must not share memory with what was fed, loaded or fetched."""
    x, v = nls.placeholder("float32", [4]), nls.Variable(np.zeros(4, np.float32))
    assign = v.assign(x)
    with nls.Session() as sess:
        array = np.ones(4, np.float32)
        sess.run(assign, {x: array})
        array[:] = 7
        assert sess.run(v).tolist() == [1] * 4
        sess.run(v)[:] = 8
        assert sess.run(v).tolist() == [1] * 4
        sess.load({v: array})
        array[:] = 9
        assert sess.run(v).tolist() == [7] * 4


def test_division_follows_the_old_rules(engine, graph):
    """Fault 11: div(7, 2) was 3.5; whole numbers are divided as Python 2 and TensorFlow 1 do."""
    seven, x = nls.constant(7), nls.placeholder("int32", [2])
    cases = {
        3: nls.div(7, 2), -4: nls.div(-7, 2), 3.5: nls.div(7.0, 2), 1: nls.mod(-7, 2), -1: nls.floormod(7, -2),
        -3.5: nls.truediv(-7, 2), 1.75: nls.divide(7, 4), 0.7: seven / 10, -2: nls.floordiv(-3, 2),
        10 / 7: 10 / seven, 4: seven // nls.constant(2) + 1,
    }  # fmt: skip
    for expected, found in zip(cases, value_of(list(cases.values())), strict=True):
        assert found == expected
    quotient = value_of(nls.div(x, [2, -2]), {x: [-7, 7]})
    assert (quotient.tolist(), quotient.dtype) == ([-4, -4], "int32")
    assert value_of(nls.truediv(seven, 2)).dtype == "float64"
    assert value_of(nls.constant(7, "int16") / nls.constant(2, "int16")).dtype == "float32"


@pytest.mark.parametrize("here", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("there", ["numpy", "jax", "torch"])
def test_a_session_of_another_engine_than_the_one_in_use_keeps_all_digits(here, there):
    """What is wide is asked of the session's engine: constants, variables, feeds and results."""
    with nl.engine(here), nls.Graph().as_default():
        x = nls.placeholder("float64", [2])
        v = nls.Variable(np.array([0.1, 1e300]), dtype="float64")
        whole = nls.constant(2**40, dtype="int64")
        with nls.Session(engine=there) as sess:
            sess.run(nls.global_variables_initializer())
            total, kept, product = sess.run([x + v, v, whole * 3], {x: np.array([0.2, 1e300])})
            sess.load({v: np.array([0.7, -1e300])})
            loaded = sess.run(v)
    np.testing.assert_array_equal(total, np.array([0.1, 1e300]) + np.array([0.2, 1e300]))
    np.testing.assert_array_equal(kept, [0.1, 1e300])
    np.testing.assert_array_equal(loaded, [0.7, -1e300])
    assert product == 3 * 2**40
