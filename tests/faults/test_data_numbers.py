"""Numbers come through unchanged, or an error names the place: wide ones, swapped bytes, tensors of other libraries."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import neuroloom as nl
from neuroloom import engines, layers
from neuroloom.data import class_weight_vector, to_categorical
from neuroloom.data.frames import as_table
from neuroloom.errors import DataError

ENGINES = ["jax", "torch", "numpy"]
each_engine = pytest.mark.parametrize("engine", ENGINES)


def summing(inputs=2):
    """A network that gives the sum of its inputs."""
    model = nl.Sequential([layers.Dense(1, use_bias=False, kernel_initializer="ones", input_shape=(inputs,))])
    model.compile(nl.optimizers.SGD(1e-38), "mae")
    return model


def passing():
    """A network of whole numbers that gives its inputs."""
    x = nl.Input((2,), "int32")
    return nl.Model(x, layers.Flatten()(x))


def swapped(path, x, dtype=None):
    """A memory map of an array."""
    x = np.asarray(x) if dtype is None else np.asarray(x, dtype)
    x.tofile(path)
    return np.memmap(path, x.dtype, "r", shape=x.shape)


CONTAINERS = {
    "array": lambda x, path: x,
    "list": lambda x, path: x.tolist(),
    "map": lambda x, path: swapped(path, x),
    "pandas": lambda x, path: pd.DataFrame(x),
    "polars": lambda x, path: pl.DataFrame(x, schema=["a", "b"]),
}


def uses(model, x, y, engine, entry):
    """The mean absolute error against y, by an entry point."""
    if entry == "predict":
        return np.abs(model.predict(x, engine=engine)[:, 0] - np.asarray(y, float)).mean()
    if entry == "evaluate":
        return model.evaluate(x, y, verbose=0, engine=engine)
    if entry == "fit":
        return model.fit(x, y, batch_size=1, verbose=0, engine=engine).history["loss"][0]
    if entry == "fit_many":
        return nl.fit_many([model], x, y, batch_size=1, verbose=0, engine=engine)[0].history.history["loss"][0]
    batches = ((x[i : i + 1], y[i : i + 1]) for i in range(len(y)))
    if entry == "evaluate stream":
        return model.evaluate(batches, verbose=0, engine=engine)
    return model.fit(batches, verbose=0, engine=engine).history["loss"][0]


ENTRIES = ("predict", "evaluate", "evaluate stream", "fit", "fit_many", "fit stream")
POINTS = [(entry, engine) for entry in ENTRIES for engine in ENGINES]
each_point = pytest.mark.parametrize("entry, engine", POINTS)

# ------------------------------------------------------------------------------------------- wide whole numbers

WIDE = {
    "2**31": np.array([[2**31, 0], [0, 1]]),
    "2**40": np.array([[2**40, 0], [-(2**40), 8]]),
    "unsigned": np.array([[2**63, 0], [0, 2**64 - 2**40]], "uint64"),
    "unsigned, 32 bits": np.array([[2**32 - 2**10, 0], [0, 1]], "uint32"),
}


@each_point
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", WIDE)
def test_wide_whole_numbers_are_not_wrapped(tmp_path, entry, engine, container, name):
    """Fault 5, inputs: against 0 the error is the mean size of the sums, as NumPy has it in float64."""
    if "stream" in entry and container in ("pandas", "polars"):
        x = WIDE[name]
    else:
        x = CONTAINERS[container](WIDE[name], tmp_path / "x")
    expected = np.abs(WIDE[name].astype(float).sum(axis=1)).mean()
    assert uses(summing(), x, np.zeros(2), engine, entry) == pytest.approx(expected, rel=1e-6)


@each_point
@pytest.mark.parametrize("name", WIDE)
def test_wide_targets_are_not_wrapped(entry, engine, name):
    """Fault 5, targets of a loss."""
    y = WIDE[name][:, 0]
    found = uses(summing(), np.zeros((2, 2)), y, engine, entry)
    assert found == pytest.approx(np.abs(y.astype(float)).mean(), rel=1e-6)


@each_engine
def test_wide_targets_of_metrics_alone_are_not_wrapped(engine):
    """Fault 5, targets of an output without loss; those that are no numbers are refused as for a loss."""
    x = nl.Input((2,))
    model = nl.Model(x, [layers.Dense(1, kernel_initializer="zeros")(x), layers.Flatten(name="second")(x)])
    model.compile("sgd", ["mse", None], metrics=[None, ["mae"]])
    ones, y = np.ones((2, 2)), np.array([[2**40, 2**40], [2**40, 2**40]])
    found = model.evaluate(ones, [np.zeros(2), y], verbose=0, return_dict=True, engine=engine)
    assert found["second_mae"] == pytest.approx(2**40, rel=1e-6)
    for bad in (y + np.nan, y * 1e200):
        with pytest.raises(DataError, match=r"y\[1\] expected .*numbers.*row 0"):
            model.evaluate(ones, [np.zeros(2), bad], verbose=0, engine=engine)


@each_engine
@pytest.mark.parametrize(
    "x, received",
    [
        (np.array([[1, 2**40]]), "1099511627776"),
        (np.array([[1, 2**31]], "uint32"), "2147483648"),
        (np.array([[1, 2.0**31]], "float32"), "2147483648"),
        (np.array([[1, -1e10]]), "-10000000000"),
    ],
)
@pytest.mark.parametrize("container", ["array", "map", "pandas"])
def test_inputs_of_whole_numbers_refuse_those_without_room(tmp_path, engine, x, received, container):
    """Fault 5: there is no other number that would be right; a frame's column is named."""
    given = CONTAINERS[container](x, tmp_path / "x")
    with pytest.raises(DataError, match=rf"from -2147483648 to 2147483647.*received {received}.*row 0") as error:
        passing().predict(given, engine=engine)
    assert ("column '1'" in str(error.value)) == (container == "pandas")


@each_engine
def test_inputs_of_whole_numbers_keep_all_of_32_bits(tmp_path, engine):
    """Fault 5: float32 has no 2**31 - 1, and none of these comes out rounded."""
    x = np.array([[2**31 - 1, 16_777_217], [-(2**31), 5]])
    forms = [x, x.astype(float), x.astype(">i4"), swapped(tmp_path / "a", x), swapped(tmp_path / "b", x, ">f8")]
    for form in (*forms, swapped(tmp_path / "c", x, ">i4"), pd.DataFrame(x), x.tolist()):
        assert passing().predict(form, engine=engine).tolist() == x.tolist()


ROOMLESS = {
    "model": lambda: summing()([[2**40, 1]]),
    "layer": lambda: layers.Dense(1)([[2**40, 1]]),
    "asarray": lambda: engines.load("jax").asarray(np.array([2**40])),
    "unsigned": lambda: engines.load("jax").asarray(np.array([2**32], "uint64")),
}


@pytest.mark.parametrize("call", ROOMLESS)
def test_jax_says_that_it_has_no_room(call):
    """Fault 5, where an array goes to the engine directly."""
    with nl.engine("jax"), pytest.raises(DataError, match=r"whole numbers in 32 bits .* received (1099511|4294967)"):
        ROOMLESS[call]()


def test_labels_beyond_all_classes_are_named_as_they_are():
    """Fault 5, class numbers: neither wrapped nor the smallest whole number."""
    for y in (np.array([0, 2**64 - 1], "uint64"), np.array([0, 1e300])):
        with pytest.raises(DataError, match=r"received (18446744073709551615|1e\+300), which looks like an identifier"):
            to_categorical(y)


# ------------------------------------------------------------------------------------------- byte order

ORDERS = ["f2", "f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8"]


@each_point
@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("mapped", [False, True])
def test_swapped_bytes(tmp_path, entry, engine, kind, mapped):
    """Fault 6: x, y of both byte orders, in memory and in a memory map; what came before does not matter."""
    x, y = np.array([[3, 4], [500, 6]]), np.array([1, 2])
    for order in "<>":
        given = (swapped(tmp_path / f"x{order}", x, order + kind), swapped(tmp_path / f"y{order}", y, order + kind))
        given = given if mapped else tuple(map(np.array, given))
        assert uses(summing(), *given, engine, entry) == pytest.approx((6 + 504) / 2, rel=1e-6)


@each_engine
def test_swapped_bytes_of_weights_classes_and_tables(engine):
    """Fault 6, elsewhere: sample weights, class numbers, an output of metrics, columns of a table."""
    model = summing()
    weight = np.array([1, 3], ">f4")
    x, y = np.ones((2, 2), ">f4"), np.array([0, 4], ">i8")
    assert model.evaluate(x, y, sample_weight=weight, verbose=0, engine=engine) == pytest.approx((2 + 3 * 2) / 2)
    assert to_categorical(np.array([1, 0], ">i4")).tolist() == [[0, 1], [1, 0]]
    assert class_weight_vector(np.array([1, 0], ">i2"), {1: 5.0}).tolist() == [5, 1]
    assert as_table({"a": np.array([1, 2], ">i4")}).column("a").dtype.isnative


@pytest.mark.parametrize("engine", ENGINES)
def test_a_memory_map_of_doubles_is_read_where_its_rows_are_needed(tmp_path, engine, monkeypatch):
    """Fault 6: it is converted piece by piece, streamed and split for validation like one of float32."""
    monkeypatch.setattr("neuroloom.learning.feed.RESIDENT_SHARE", 0.0)
    monkeypatch.setattr("neuroloom.learning.feed.SEGMENT_BYTES", 64)
    x = np.random.default_rng(0).normal(size=(30, 2))
    found = []
    for given in (x.astype("float32"), swapped(tmp_path / "x", x), swapped(tmp_path / "s", x, ">f8")):
        nl.utils.set_random_seed(2)
        model = nl.Sequential([layers.Dense(3, activation="tanh", input_shape=(2,)), layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        model.fit(given, x.sum(axis=1), batch_size=4, epochs=2, validation_split=0.3, verbose=0, engine=engine)
        found.append([*model.get_weights(), model.predict(given, batch_size=7, engine=engine)])
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


# ------------------------------------------------------------------------------------------- large numbers


@pytest.mark.parametrize("entry, engine", [point for point in POINTS if "stream" not in point[0]])
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_number_beyond_float32_is_shown_as_it_is(tmp_path, entry, engine, container):
    """Fault 26: 1e300 is not infinity."""
    x = CONTAINERS[container](np.array([[1.0, 2.0], [3.0, 1e300]]), tmp_path / "x")
    with pytest.raises(DataError, match=r"up to 3\.4e\+38, received 1e\+300 at x\[1, 1\] \(row 1") as error:
        uses(summing(), x, np.zeros(2), engine, entry)
    assert ("column" in str(error.value)) == (container in ("pandas", "polars"))


def test_large_weights_are_shown_as_they_are():
    """Fault 26, weights of samples and of classes."""
    with pytest.raises(DataError, match=r"sample_weight expected .* received 1e\+300"):
        summing().evaluate(np.ones((1, 2)), np.ones(1), sample_weight=[1e300], verbose=0)
    with pytest.raises(DataError, match=r"class_weight\[0\] expected .* received 1e\+300"):
        class_weight_vector([0, 1], {0: 1e300})


def test_the_largest_number_of_float32_is_taken():
    """Fault 26: the bound itself is no error."""
    largest = float(np.finfo(np.float32).max)
    assert summing().predict(np.array([[largest, 0.0]])).tolist() == [[largest]]


# ------------------------------------------------------------------------------------------- other libraries' arrays


@each_point
@pytest.mark.parametrize("kind", ["gradient", "bfloat16", "jax bfloat16", "numpy bfloat16"])
def test_tensors_with_gradients_and_of_bfloat16(entry, engine, kind):
    """Fault 26: their numbers count, on every engine."""
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    x = {
        "gradient": lambda: torch.tensor([[1.5, 2.0], [3.0, 4.0]], requires_grad=True),
        "bfloat16": lambda: torch.tensor([[1.5, 2.0], [3.0, 4.0]], dtype=torch.bfloat16),
        "jax bfloat16": lambda: jax.numpy.array([[1.5, 2.0], [3.0, 4.0]], "bfloat16"),
        "numpy bfloat16": lambda: np.array([[1.5, 2.0], [3.0, 4.0]], jax.numpy.bfloat16),
    }[kind]()
    assert uses(summing(), x, np.zeros(2), engine, entry) == pytest.approx((3.5 + 7) / 2, rel=1e-6)


def test_tensors_elsewhere():
    """Fault 26: as targets, weights, labels, columns of a table, and in the model called directly."""
    torch = pytest.importorskip("torch")
    model, ones = summing(), torch.ones(2, requires_grad=True)
    assert model.evaluate(np.ones((2, 2)), ones, sample_weight=ones, verbose=0) == 1
    assert to_categorical(torch.tensor([1.0, 0.0], requires_grad=True)).tolist() == [[0, 1], [1, 0]]
    assert as_table({"a": ones}).column("a").tolist() == [1, 1]
    for dtype in (torch.bfloat16, torch.float64, torch.int64, torch.uint8):
        found = model(torch.ones(2, 2, dtype=dtype))
        assert found.dtype == torch.float32 and found.tolist() == [[2], [2]]


# ------------------------------------------------------------------------------------------- what is no array


@each_engine
@pytest.mark.parametrize("entry", ["predict", "evaluate"])
def test_sparse_matrices_are_told_what_to_do(entry, engine):
    """Fault 26: nothing about lists."""
    sparse = pytest.importorskip("scipy.sparse")
    for x in (sparse.csr_matrix(np.ones((2, 2))), sparse.coo_array(np.ones((2, 2)))):
        with pytest.raises(DataError, match=r"dense array, received the sparse .*\. Give x\.toarray\(\)") as error:
            uses(summing(), x, np.zeros(2), engine, entry)
        assert "list" not in str(error.value)


def test_a_generator_is_told_where_it_may_go():
    """Fault 26: predict takes no generators."""
    with pytest.raises(DataError, match=r"received a generator\. Only fit and evaluate take batches"):
        summing().predict(np.ones((1, 2)) for _ in range(3))
    with pytest.raises(DataError, match=r"y expected .* received a map\."):
        summing().evaluate(np.ones((1, 2)), map(float, [1]), verbose=0)


@pytest.mark.parametrize("labels", [[0, None, 1], np.array([0, None, 1]), pd.Series([0, None, 1], dtype=object)])
def test_none_among_labels_is_named(labels):
    """Fault 26: with its place, for targets, labels and weights."""
    with pytest.raises(DataError, match=r"received None at .*\[1\].* Fill it in"):
        summing().evaluate(np.ones((3, 2)), labels, verbose=0)
    with pytest.raises(DataError, match=r"class numbers, received None at y\[1\]"):
        to_categorical(labels)
    with pytest.raises(DataError, match=r"class numbers, received None at y\[1\]"):
        class_weight_vector(labels, {0: 1.0})


def test_python_numbers_of_more_than_64_bits_are_named():
    """Fault 26: nothing about lists; plain numbers among objects are numbers."""
    with pytest.raises(DataError, match=r"64 bits, received 1180591620717411303424 at x\[0, 1\]"):
        summing().predict([[1, 2**70]])
    assert summing().predict(np.array([[1, 2.5]], object)).tolist() == [[3.5]]
