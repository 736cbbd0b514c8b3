"""Operations: each one's values against NumPy and SciPy, computed and recorded; gradients."""

import numpy as np
import pytest
import scipy.special

import neuroloom as nl
from gradients import check_gradients, value_and_gradients
from neuroloom import engines, ops, tree
from neuroloom.errors import EngineError
from neuroloom.layers import Context, Input, Network, Weights
from neuroloom.ops.graph import Node
from tolerances import assert_close

RNG = np.random.default_rng(8)
X = RNG.normal(size=(2, 3, 4)).astype("float32")  # (batch, 3, 4), of both signs
Y = RNG.normal(size=(2, 3, 4)).astype("float32")
ROW = RNG.normal(size=(2, 1, 4)).astype("float32")
M = RNG.normal(size=(2, 4, 5)).astype("float32")
POSITIVE = np.abs(X) + 0.3
FLAGS = X > 0
ONE = X[:, :1]  # (2, 1, 4)
INDEX = np.array([[2, 0, 1], [1, 1, 3]], "int32")
TIED = np.round(X)
LSTM = [RNG.normal(size=s).astype("float32") for s in ((2, 5, 3), (2, 4), (2, 4), (3, 16), (4, 16), (16,))]


def lstm_by_hand(x, h, c, kernel, recurrent, bias):
    outputs = []
    for t in range(x.shape[1]):
        i, f, z, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = scipy.special.expit(f) * c + scipy.special.expit(i) * np.tanh(z)
        h = scipy.special.expit(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1), h, c


HIDDEN = RNG.normal(size=(2, 4)).astype("float32")
COUNTS = np.array([[1, 0, 1], [0, 1, 1]], "int32")  # which of X's steps count
SQUARE, SHIFT = RNG.normal(size=(4, 4)).astype("float32"), RNG.normal(size=4).astype("float32")


def running(x):
    state, outputs = x[0], []
    for row in x:
        state, output = 0.5 * state + row, state * row
        outputs.append(output)
    return np.stack(outputs)


def cell(h, z):
    h = ops.tanh(z + 0.5 * h)
    return h, h * h


def recurrence_by_hand(x, h, mask=None):
    outputs = []
    for t in range(x.shape[1]):
        new = np.tanh(x[:, t] @ SQUARE + SHIFT + 0.5 * h)
        h = new if mask is None else np.where(mask[:, t, None] != 0, new, h)
        outputs.append(h * h if mask is None else h)
    return h, np.stack(outputs, axis=1)


def top_k_by_sorting(x, k):
    index = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, index, -1), index.astype("int32")


def conv_by_hand(x, kernel):
    """One batch axis, one spatial axis, stride 2."""
    rows = [np.einsum("bkc,kcf->bf", x[:, i : i + kernel.shape[0]], kernel) for i in range(0, x.shape[1] - 1, 2)]
    return np.stack(rows, axis=1)


KERNEL = RNG.normal(size=(2, 4, 3)).astype("float32")

# name -> (operation on the arrays, its arguments, reference). Arguments are recorded as symbolic inputs.
CASES = {
    "abs": (ops.abs, [X], np.abs),
    "exp": (ops.exp, [X], np.exp),
    "expm1": (ops.expm1, [X], np.expm1),
    "log": (ops.log, [POSITIVE], np.log),
    "log1p": (ops.log1p, [POSITIVE], np.log1p),
    "sqrt": (ops.sqrt, [POSITIVE], np.sqrt),
    "square": (ops.square, [X], np.square),
    "sin": (ops.sin, [X], np.sin),
    "cos": (ops.cos, [X], np.cos),
    "tanh": (ops.tanh, [X], np.tanh),
    "sign": (ops.sign, [X], np.sign),
    "floor": (ops.floor, [3 * X], np.floor),
    "round": (ops.round, [3 * X], np.round),
    "round, halves": (ops.round, [np.array([[0.5, 1.5, -0.5, 2.5]], "float32")], np.round),
    "isfinite": (ops.isfinite, [np.array([[1, np.inf, np.nan]], "float32")], np.isfinite),
    "logical_not": (ops.logical_not, [FLAGS], np.logical_not),
    "maximum": (ops.maximum, [X, Y], np.maximum),
    "maximum of a number": (lambda x: ops.maximum(x, 0.25), [X], lambda x: np.maximum(x, np.float32(0.25))),
    "minimum": (ops.minimum, [X, ROW], np.minimum),
    "minimum of a number": (lambda x: ops.minimum(0.25, x), [X], lambda x: np.minimum(x, np.float32(0.25))),
    "floor_divide": (ops.floor_divide, [3 * X, ROW], np.floor_divide),
    "floor_divide of a number": (lambda x: ops.floor_divide(5, x), [POSITIVE], lambda x: np.float32(5) // x),
    "floor_divide of whole numbers": (lambda x: x // -2, [INDEX], lambda x: x // -2),
    "remainder": (ops.remainder, [INDEX - 2, np.full_like(INDEX, 3)], np.remainder),
    "remainder by a number": (lambda x: x % -2, [INDEX], lambda x: x % -2),
    "remainder of a number": (lambda x: 7 % x, [INDEX + 1], lambda x: 7 % x),
    "logical_and": (lambda x, y: ops.logical_and(x, y > 0), [FLAGS, Y], lambda x, y: x & (y > 0)),
    "logical_or": (lambda x, y: ops.logical_or(x, y > 0), [FLAGS, Y], lambda x, y: x | (y > 0)),
    "sum": (lambda x: ops.sum(x, axis=1), [X], lambda x: x.sum(1)),
    "sum, axes kept": (lambda x: ops.sum(x, axis=(1, 2), keepdims=True), [X], lambda x: x.sum((1, 2), keepdims=True)),
    "mean": (lambda x: ops.mean(x, axis=-1), [X], lambda x: x.mean(-1)),
    "var": (lambda x: ops.var(x, axis=1), [X], lambda x: x.var(1)),
    "var, corrected": (lambda x: ops.var(x, axis=(1, 2), correction=1), [X], lambda x: x.var((1, 2), ddof=1)),
    "prod": (lambda x: ops.prod(x, axis=1), [X], lambda x: x.prod(1)),
    "max": (lambda x: ops.max(x, axis=2), [X], lambda x: x.max(2)),
    "min": (lambda x: ops.min(x, axis=(1, 2)), [X], lambda x: x.min((1, 2))),
    "any": (lambda x: ops.any(x, axis=1), [FLAGS], lambda x: x.any(1)),
    "all": (lambda x: ops.all(x, axis=1), [FLAGS], lambda x: x.all(1)),
    "argmax": (lambda x: ops.argmax(x, axis=1), [TIED], lambda x: x.argmax(1)),
    "argmin": (lambda x: ops.argmin(x, axis=-1), [TIED], lambda x: x.argmin(-1)),
    "argsort": (lambda x: ops.argsort(x, axis=1), [X], lambda x: x.argsort(1)),
    "sort": (lambda x: ops.sort(x, axis=1), [X], lambda x: np.sort(x, 1)),
    "cumulative_sum": (lambda x: ops.cumulative_sum(x, axis=1), [X], lambda x: x.cumsum(1)),
    "reshape": (lambda x: ops.reshape(x, (-1, 6)), [X[:, :, :2]], lambda x: x.reshape(-1, 6)),
    "permute_dims": (lambda x: ops.permute_dims(x, (0, 2, 1)), [X], lambda x: x.transpose(0, 2, 1)),
    "moveaxis": (lambda x: ops.moveaxis(x, 1, -1), [X], lambda x: np.moveaxis(x, 1, -1)),
    "expand_dims": (lambda x: ops.expand_dims(x, axis=2), [X], lambda x: x[:, :, None]),
    "squeeze": (lambda x: ops.squeeze(x, axis=1), [ONE], lambda x: x[:, 0]),
    "flip": (lambda x: ops.flip(x, axis=1), [X], lambda x: x[:, ::-1]),
    "roll": (lambda x: ops.roll(x, 2, axis=1), [X], lambda x: np.roll(x, 2, 1)),
    "broadcast_to": (lambda x: ops.broadcast_to(x, (x.shape[0], 3, 4)), [ONE], lambda x: np.broadcast_to(x, (2, 3, 4))),
    "zeros_like": (ops.zeros_like, [X], np.zeros_like),
    "ones_like": (ops.ones_like, [INDEX], np.ones_like),
    "add": (ops.add, [X, ROW], np.add),
    "subtract": (ops.subtract, [X, Y], np.subtract),
    "multiply": (ops.multiply, [X, Y], np.multiply),
    "divide": (ops.divide, [X, POSITIVE], np.divide),
    "pow": (lambda x: ops.pow(x, 3), [X], lambda x: x**3),
    "pow of arrays": (ops.pow, [POSITIVE, X], np.power),
    "negative": (ops.negative, [X], np.negative),
    "matmul": (ops.matmul, [X, M], np.matmul),
    "equal": (ops.equal, [TIED, np.round(Y)], np.equal),
    "not_equal": (ops.not_equal, [TIED, np.round(Y)], np.not_equal),
    "less": (ops.less, [X, Y], np.less),
    "less_equal": (ops.less_equal, [TIED, np.round(Y)], np.less_equal),
    "greater": (ops.greater, [X, Y], np.greater),
    "greater_equal": (ops.greater_equal, [TIED, np.round(Y)], np.greater_equal),
    "getitem": (lambda x: ops.getitem(x, (slice(None), slice(0, 3, 2), 1)), [X], lambda x: x[:, 0:3:2, 1]),
    "getitem, backwards": (
        lambda x: ops.getitem(x, (..., slice(None, None, -1), slice(2, 0, -1))),
        [X],
        lambda x: x[:, ::-1, 2:0:-1],
    ),
    "where": (ops.where, [FLAGS, X, Y], np.where),
    "where, numbers": (lambda c, x: ops.where(c, x, -2.0), [FLAGS, X], lambda c, x: np.where(c, x, np.float32(-2))),
    "clip": (lambda x: ops.clip(x, -0.5, 0.25), [X], lambda x: np.clip(x, -0.5, 0.25)),
    "clip, below": (lambda x: ops.clip(x, low=-0.5), [X], lambda x: np.clip(x, -0.5, None)),
    "concat": (lambda x, y: ops.concat([x, y], axis=1), [X, ROW], lambda x, y: np.concatenate([x, y], 1)),
    "stack": (lambda x, y: ops.stack([x, y], axis=2), [X, Y], lambda x, y: np.stack([x, y], 2)),
    "cast": (lambda x: ops.cast(x, "int32"), [3 * X], lambda x: x.astype("int32")),
    "cast flags": (lambda x: ops.cast(x, "float32"), [FLAGS], lambda x: x.astype("float32")),
    "affine": (lambda x: ops.affine(x, M[0], M[1, 0]), [X], lambda x: x @ M[0] + M[1, 0]),
    "relu": (ops.relu, [X], lambda x: np.maximum(x, 0)),
    "sigmoid": (ops.sigmoid, [X], scipy.special.expit),
    "softplus": (ops.softplus, [X], lambda x: np.logaddexp(0, x).astype("float32")),
    "binary_crossentropy": (
        ops.binary_crossentropy,
        [scipy.special.expit(Y), X],
        lambda y, z: -y * np.log(scipy.special.expit(z)) - (1 - y) * np.log(scipy.special.expit(-z)),
    ),
    "softmax": (ops.softmax, [X], lambda x: scipy.special.softmax(x, axis=-1)),
    "softmax, axis 1": (lambda x: ops.softmax(x, axis=1), [X], lambda x: scipy.special.softmax(x, axis=1)),
    "log_softmax": (ops.log_softmax, [X], lambda x: scipy.special.log_softmax(x, axis=-1)),
    "log_softmax, axis 1": (lambda x: ops.log_softmax(x, axis=1), [X], lambda x: scipy.special.log_softmax(x, axis=1)),
    "erf": (ops.erf, [X], scipy.special.erf),
    "leaky_relu": (lambda x: ops.leaky_relu(x, 0.3), [X], lambda x: np.where(x > 0, x, np.float32(0.3) * x)),
    "elu": (lambda x: ops.elu(x, 0.7), [X], lambda x: np.where(x > 0, x, np.float32(0.7) * np.expm1(x))),
    "selu": (
        ops.selu,
        [X],
        lambda x: np.float32(1.05070099) * np.where(x > 0, x, np.float32(1.67326324) * np.expm1(x)),
    ),
    "gelu": (ops.gelu, [X], lambda x: (x * scipy.special.ndtr(x)).astype("float32")),
    "gelu by tanh": (
        lambda x: ops.gelu(x, approximate=True),
        [X],
        lambda x: (0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))).astype("float32"),
    ),
    "silu": (ops.silu, [X], lambda x: x * scipy.special.expit(x)),
    "softsign": (ops.softsign, [X], lambda x: x / (1 + np.abs(x))),
    "hard_sigmoid": (ops.hard_sigmoid, [4 * X], lambda x: np.clip((x + 3) / 6, 0, 1)),
    "stop_gradient": (ops.stop_gradient, [X], lambda x: x),
    "gather": (lambda i: ops.gather(X[0], i), [INDEX % 3], lambda i: X[0][i]),
    "pick": (ops.pick, [X, INDEX], lambda x, i: np.take_along_axis(x, i[..., None], -1)[..., 0]),
    "one_hot": (lambda i: ops.one_hot(i, 5), [INDEX], lambda i: np.eye(5, dtype="float32")[i]),
    "top_k": (lambda x: ops.top_k(x, 2), [X], lambda x: top_k_by_sorting(x, 2)),
    "pad": (
        lambda x: ops.pad(x, ((0, 0), (1, 0), (2, 3)), 1.5),
        [X],
        lambda x: np.pad(x, ((0, 0), (1, 0), (2, 3)), constant_values=1.5),
    ),
    "conv": (lambda x: ops.conv(x, KERNEL, (2,)), [X], lambda x: conv_by_hand(x, KERNEL)),
    "conv with bias": (
        lambda x: ops.conv(x, KERNEL, (2,), bias=KERNEL[0, 0]),
        [X],
        lambda x: conv_by_hand(x, KERNEL) + KERNEL[0, 0],
    ),
    "max_pool": (lambda x: ops.max_pool(x, (2,), (1,)), [X], lambda x: np.maximum(x[:, :-1], x[:, 1:])),
    "average_pool": (lambda x: ops.average_pool(x, (2,), (1,)), [X], lambda x: (x[:, :-1] + x[:, 1:]) / 2),
    "lstm": (lambda x, h, c: ops.lstm(x, h, c, *LSTM[3:]), LSTM[:3], lambda x, h, c: lstm_by_hand(x, h, c, *LSTM[3:])),
    "scan": (lambda x: ops.scan(lambda s, row: (0.5 * s + row, s * row), x[0], x)[1], [X], running),
    "recurrence": (lambda x, h: ops.recurrence(cell, x, SQUARE, SHIFT, h), [X, HIDDEN], recurrence_by_hand),
    "recurrence, masked": (
        lambda x, h, mask: ops.recurrence(cell, x, SQUARE, SHIFT, h, mask),
        [X, HIDDEN, COUNTS],
        recurrence_by_hand,
    ),
    # operators of symbolic values
    "x + 1": (lambda x: x + 1, [X], lambda x: x + 1),
    "2 - x": (lambda x: 2 - x, [X], lambda x: 2 - x),
    "x - y": (lambda x, y: x - y, [X, ROW], lambda x, y: x - y),
    "3 * x": (lambda x: 3 * x, [X], lambda x: 3 * x),
    "1 / x": (lambda x: 1 / x, [POSITIVE], lambda x: 1 / x),
    "x ** 2": (lambda x: x**2, [X], lambda x: x**2),
    "2 ** x": (lambda x: 2.0**x, [X], lambda x: np.float32(2) ** x),
    "x @ y": (lambda x, y: x @ y, [X, M], lambda x, y: x @ y),
    "-x": (lambda x: -x, [X], lambda x: -x),
    "x < y": (lambda x, y: x < y, [X, Y], lambda x, y: x < y),
    "x >= 0": (lambda x: x >= 0, [TIED], lambda x: x >= 0),
    "x[:, 1]": (lambda x: x[:, 1], [X], lambda x: x[:, 1]),
    "x[..., 1:]": (lambda x: x[..., 1:], [X], lambda x: x[..., 1:]),
    "x[:, None]": (lambda x: x[:, None], [X], lambda x: x[:, None]),
    "x[:, [2, 0]]": (lambda x: x[:, np.array([2, 0])], [X], lambda x: x[:, [2, 0]]),
}

MANY_TERMS = {
    "lstm": 60,
    "recurrence": 20,
    "recurrence, masked": 20,
    "matmul": 4,
    "x @ y": 4,
    "conv": 8,
    "conv with bias": 8,
    "var": 3,
    "affine": 4,
}
INDEXES = {"argmax", "argmin", "argsort", "top_k"}  # whose integers have the engine's own width

sweep = pytest.mark.parametrize("name", CASES)


def test_the_table_has_every_operation():
    covered = {name.partition(",")[0].partition(" ")[0] for name in CASES}
    others = {"Node", "op", "resolve_windows", "dropout"}  # tested below, and in test_layers
    assert set(ops.__all__) - covered - others == set()


def on(engine, arrays):
    return [engine.asarray(a) for a in arrays]


def check(values, expected, name):
    for value, wanted in zip(tree.leaves(values), tree.leaves(expected), strict=True):
        wanted = np.asarray(wanted)
        value = engines.of(value).to_numpy(value)
        if name not in INDEXES:
            assert value.dtype == wanted.dtype
        assert_close(value, wanted, terms=MANY_TERMS.get(name, 1))


@pytest.mark.parametrize("name", [name for name in CASES if name != "broadcast_to"])  # its shape has no free batch
def test_values_recorded_and_compiled(name, engine):
    """Recorded on symbolic inputs, inferred shapes, one compiled program: the values of the reference."""
    fn, arrays, reference = CASES[name]
    nodes = [Input(a.shape[1:], str(a.dtype)) for a in arrays]
    recorded = fn(*nodes)
    expected = reference(*arrays)
    shapes = [(None, *np.shape(v)[1:]) for v in tree.leaves(expected)]
    assert [node.shape for node in tree.leaves(recorded)] == shapes
    network = Network(inputs=nodes, outputs=recorded)
    values = engine.compile(lambda *xs: network.apply(Weights(), list(xs), ctx=Context()))(*on(engine, arrays))
    assert [node.dtype for node in tree.leaves(recorded)] == [engine.dtype_name(v) for v in tree.leaves(values)]
    check(values, expected, name)


@sweep
def test_values_on_arrays(name, engine):
    fn, arrays, reference = CASES[name]
    if engine.name == "jax":
        fn = engine.compile(fn)
    values = fn(*on(engine, arrays))
    assert all(engines.of(v) is engine for v in tree.leaves(values))
    check(values, reference(*arrays), name)


FLAT = {"sign", "floor", "round", "round, halves", "stop_gradient", "zeros_like", "one_hot", "cast"}


def differentiable(name):
    _, arrays, reference = CASES[name]
    kinds = {a.dtype.kind for a in [*arrays, *map(np.asarray, tree.leaves(reference(*arrays)))]}
    return kinds == {"f"} and name not in FLAT | {
        "top_k",
        "affine",
        "conv",
        "conv with bias",
        "lstm",
        "recurrence",
        "recurrence, masked",
    }  # those follow


@pytest.mark.parametrize("name", [name for name in CASES if differentiable(name)])
def test_gradients_are_central_differences(name, training_engine):
    fn, arrays, _ = CASES[name]
    check_gradients(fn, arrays, training_engine)


BY_WEIGHTS = {
    "affine": (ops.affine, [X, M[0], M[1, 0]]),
    "affine of rows": (ops.affine, [X[0], M[0], M[1, 0]]),
    "conv": (lambda x, kernel: ops.conv(x, kernel, (2,)), [X, KERNEL]),
    "conv with bias": (lambda x, kernel, b: ops.conv(x, kernel, (2,), bias=b), [X, KERNEL, KERNEL[0, 0]]),
    "lstm": (ops.lstm, LSTM),
    "recurrence": (lambda x, h, w, b: ops.recurrence(cell, x, w, b, h), [X, HIDDEN, SQUARE, SHIFT]),
    "recurrence, masked": (lambda x, h, w, b: ops.recurrence(cell, x, w, b, h, COUNTS), [X, HIDDEN, SQUARE, SHIFT]),
}


@pytest.mark.parametrize("name", BY_WEIGHTS)
def test_gradients_by_weights_are_central_differences(name, training_engine):
    check_gradients(*BY_WEIGHTS[name], training_engine)


def test_binary_crossentropy_holds_for_large_logits(engine):
    """-log σ(100) = e⁻¹⁰⁰, -log(1 - σ(100)) = 100 to the last digit; logits of 10⁴ do not overflow."""
    y, z = ([[1, 0, 1, 0, 0.5]], [[100, 100, -100, 1e4, 1e4]])
    values = ops.binary_crossentropy(*on(engine, [np.array(v, "float32") for v in (y, z)]))
    np.testing.assert_allclose(engine.to_numpy(values), [[0, 100, 100, 1e4, 5e3]], rtol=1e-6, atol=1e-40)


@pytest.mark.parametrize("name", sorted(FLAT & {"sign", "floor", "round", "stop_gradient", "zeros_like"}))
def test_gradients_of_steps_are_zero(name, training_engine):
    _, grads = value_and_gradients(training_engine, CASES[name][0], [X], np.ones_like(X))
    np.testing.assert_array_equal(grads[0], np.zeros_like(X))


def test_gradients_of_choices(training_engine):
    """gather adds up over repeated rows; pick, where and top_k pass gradients to what they chose."""
    index = np.array([2, 0, 2], "int32")
    check_gradients(lambda x: ops.gather(x, engines.of(x).asarray(index)), [X[0]], training_engine)
    check_gradients(lambda x: ops.gather(x, engines.of(x).asarray(index)), [M[0].T[:, :, None]], training_engine)
    check_gradients(lambda x: ops.pick(x, engines.of(x).asarray(INDEX)), [X], training_engine)
    check_gradients(lambda x, y: ops.where(x > 0, x * y, y), [X, Y], training_engine)
    check_gradients(lambda x: ops.top_k(x, 2)[0], [X], training_engine)


def test_relu_has_no_slope_at_zero(training_engine):
    x = np.array([-1.0, -0.0, 0.0, 1e-30, 2.0], np.float32)
    _, (dx,) = value_and_gradients(training_engine, ops.relu, [x], np.ones_like(x))
    assert dx.tolist() == [0, 0, 0, 1, 1]


def test_ties_of_maximum_share_the_gradient(training_engine):
    x = np.array([1.0, 2.0], np.float32)
    _, grads = value_and_gradients(training_engine, ops.maximum, [x, x.copy()], np.ones_like(x))
    assert [g.tolist() for g in grads] == [[0.5, 0.5], [0.5, 0.5]]


def test_arrays_of_two_engines_do_not_meet():
    pair = [engines.load(name).asarray(X) for name in ("jax", "torch")]
    with pytest.raises(EngineError, match=r"Arrays of two engines, jax and torch, met in one operation\. Convert"):
        ops.concat(pair, axis=1)


def test_numpy_joins_any_engine(training_engine):
    y = ops.multiply(X, training_engine.asarray(Y))
    assert engines.of(y) is training_engine
    assert_close(y, X * Y)


CONSTANT = np.array([0.5, -2.0, 3.0])  # 64 bits

CONSTANTS = {
    "x * array": (lambda x: x * CONSTANT, lambda x: x * CONSTANT),
    "array - x": (lambda x: CONSTANT - x, lambda x: CONSTANT - x),
    "x @ array": (lambda x: x @ CONSTANT[:, None], lambda x: x @ CONSTANT[:, None]),
    "maximum": (lambda x: ops.maximum(x, CONSTANT), lambda x: np.maximum(x, CONSTANT)),
    "where": (lambda x: ops.where(x > 0, x, CONSTANT), lambda x: np.where(x > 0, x, CONSTANT)),
    "x * np.float64": (lambda x: x * CONSTANT[0], lambda x: x * 0.5),
    "x[:, array]": (lambda x: x[:, np.array([2, 0])], lambda x: x[:, [2, 0]]),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_numpy_constants_in_a_graph_stay_float32(name, engine):
    fn, reference = CONSTANTS[name]
    x = Input((3,))
    node = fn(x)
    y = Network(inputs=x, outputs=node)(engine.asarray(X[0].T))
    assert node.dtype == engine.dtype_name(y) == "float32"
    assert_close(y, reference(X[0].T).astype("float32"), terms=3)


def test_operations_record_keyword_arguments():
    node = Input((3, 4))
    assert ops.where(condition=node > 0, x=node, y=0.0).shape == (None, 3, 4)
    assert isinstance(ops.sum(x=node, axis=1), Node)


def test_operators_of_symbolic_values(engine):
    x = Input((3,))
    made = [abs(x), -x, x % 2, 7 % x, x // 2, 7 // x, ~((x > 0) & (x < 2)) | (x > 3), np.float64(2) * x, np.ones(3) - x]
    row = np.array([[-3.0, 1.0, 5.0]], "float32")
    found = [engine.to_numpy(v) for v in Network(inputs=x, outputs=made)(row)]
    by_hand = "3 1 5, 3 -1 -5, 1 1 1, -2 0 2, -2 0 2, -3 7 1, 1 0 1, -6 2 10, 4 0 -4"
    np.testing.assert_array_equal([v[0] for v in found], np.genfromtxt(by_hand.split(",")))


def test_a_symbolic_value_explains_itself():
    node = Input((3,))
    for misuse, words in (
        (lambda: bool(node), "neither true nor false before it is computed. Use neuroloom.ops.where"),
        (lambda: list(node), "cannot be iterated over"),
        (lambda: np.sin(node), "Use the functions of neuroloom.ops instead of NumPy's"),
        (lambda: len(node), "has no length before it is computed"),
    ):
        with pytest.raises(TypeError, match=words):
            misuse()
    assert repr(node) == "<Node Input float32[?, 3]>"
    assert repr(node * 2) == "<Node multiply float32[?, 3]>"
    assert repr(nl.layers.Dense(4, name="head")(node)) == "<Node head float32[?, 4]>"
