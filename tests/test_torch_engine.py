"""The PyTorch engine's own ways to be fast: plans of recorded functions, lists of weights, its LSTM, CUDA graphs."""

import os
import platform
import re
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import engines, tree

torch = pytest.importorskip("torch")

from neuroloom.engines import Engine  # noqa: E402
from neuroloom.engines.torch import graph as torch_graph  # noqa: E402
from neuroloom.engines.torch import lstm as torch_lstm  # noqa: E402
from neuroloom.engines.torch import memory as torch_memory  # noqa: E402
from neuroloom.engines.torch import plan as torch_plan  # noqa: E402
from neuroloom.engines.torch import record as torch_record  # noqa: E402
from neuroloom.engines.torch import rules as torch_rules  # noqa: E402
from neuroloom.engines.torch.tape import Tape  # noqa: E402

L = nl.layers
ENGINE = engines.load("torch")
RNG = np.random.default_rng(3)


def recorded(fn):
    """`fn` as the engine records it, called without gradients."""
    function = ENGINE.recorded(fn)
    return function, torch.no_grad()(function)


def entry_of(function):
    (entry,) = function.plans.values()
    return entry


def numbers(*shape):
    return torch.from_numpy(RNG.normal(size=shape).astype(np.float32))


# --------------------------------------------------------------------------------------------------- same training

IMAGES = RNG.normal(size=(22, 9, 8, 2)).astype("float32")
WORDS = RNG.integers(0, 11, (22, 7)).astype("int32")
POINTS = RNG.normal(size=(22, 5)).astype("float32")
LABELS = RNG.integers(0, 3, 22).astype("int32")
END = L.Dense(3, activation="softmax")

NETWORKS = {
    "dense": (POINTS, lambda: [L.Dense(6, activation="tanh"), L.Dense(3, activation="softmax")]),
    "relu and penalty": (POINTS, lambda: [L.Dense(6, "relu", kernel_regularizer="l2"), L.Dense(3, "softmax")]),
    "dropout": (POINTS, lambda: [L.Dense(8, "relu"), L.Dropout(0.5), L.Dense(3, "softmax")]),
    "pooled": (
        IMAGES,
        lambda: [L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(2), L.Flatten(), L.Dense(3, "softmax")],
    ),
    "normalised": (
        IMAGES,
        lambda: [
            L.Conv2D(4, 3, padding="same", strides=2),
            L.BatchNormalization(),
            L.Activation("relu"),
            L.AveragePooling2D(2),
            L.GlobalAveragePooling2D(),
            L.Dense(3, "softmax"),
        ],
    ),
    "words": (WORDS, lambda: [L.Embedding(11, 5), L.LSTM(6, dropout=0.3), L.Dense(3, "softmax")]),
    "all outputs": (WORDS, lambda: [L.Embedding(11, 5), L.LSTM(6, return_sequences=True), L.SimpleRNN(4), END.clone()]),
}


def trained(x, layers, plans, monkeypatch, **compiled):
    """Weights and history after three epochs of whole batches and one smaller one; with or without plans."""
    made = []
    with monkeypatch.context() as patch:
        if not plans:
            patch.setattr(type(ENGINE), "recorded", lambda self, fn: fn)
        patch.setattr("neuroloom.learning.loop._programs", OrderedDict())
        patch.setattr(torch_lstm, "LARGE", 0)  # PyTorch's own LSTM, for small states, cannot be recorded
        record = torch_record._Entry._record
        patch.setattr(torch_record._Entry, "_record", lambda self, args: (made.append(self), record(self, args))[1])
        nl.utils.set_random_seed(5)
        model = nl.Sequential([nl.Input(x.shape[1:], dtype=str(x.dtype)), *layers()])
        arguments = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["acc"], **compiled}
        model.compile(**arguments)
        history = model.fit(x, LABELS, batch_size=8, epochs=3, verbose=0, engine="torch")
    return model.get_weights(), history.history, made


@pytest.mark.parametrize("name", NETWORKS)
def test_a_plan_changes_no_bit(name, monkeypatch):
    x, layers = NETWORKS[name]
    weights, history, made = trained(x, layers, True, monkeypatch)
    plain, plain_history, nothing = trained(x, layers, False, monkeypatch)
    assert [entry.reason for entry in made] == [""] * 2 and not nothing  # batches of 8, and of the 6 that remain
    assert all(entry.planned is not None and not entry.unchecked for entry in made)
    assert history == plain_history
    for a, b in zip(weights, plain, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad", "adamw", nl.optimizers.Adam(clipnorm=0.1)])
def test_every_optimizer_takes_a_plans_gradients(optimizer, monkeypatch):
    x, layers = NETWORKS["dense"]
    weights, history, _ = trained(x, layers, True, monkeypatch, optimizer=optimizer)
    plain, plain_history, _ = trained(x, layers, False, monkeypatch, optimizer=optimizer)
    assert history == plain_history
    for a, b in zip(weights, plain, strict=True):
        np.testing.assert_array_equal(a, b)


def test_evaluation_has_a_plan_too(monkeypatch):
    made = []
    record = torch_record._Entry._record
    monkeypatch.setattr(torch_record._Entry, "_record", lambda self, args: (made.append(self), record(self, args))[1])
    model = nl.Sequential([L.Dense(9, activation="softplus", input_shape=(5,)), L.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    y = POINTS[:, :1]
    loss, error = model.evaluate(POINTS, y, batch_size=4, verbose=0, engine="torch")
    assert made[0].unchecked == 0
    found = model.predict(POINTS, engine="torch")
    assert loss == pytest.approx(np.mean((found - y) ** 2), rel=1e-5)
    assert error == pytest.approx(np.mean(np.abs(found - y)), rel=1e-5)


def test_a_loss_that_is_not_finite_stops_a_plan(monkeypatch):
    model = nl.Sequential([L.Dense(4, activation="relu", input_shape=(5,)), L.Dense(1)])
    model.compile(nl.optimizers.SGD(1e30), "mse")
    with pytest.raises(nl.errors.NonFiniteError, match="step"):
        model.fit(POINTS, POINTS[:, :1], batch_size=2, epochs=3, verbose=0, engine="torch")


# ----------------------------------------------------------------------------------------------- what has no plan


@pytest.mark.parametrize(
    ("fn", "reason"),
    [
        (lambda x: x * float(x.sum()), "__float__|_local_scalar_dense"),
        (lambda x: x + 1 if x.sum() > 0 else x - 1, "__bool__|_local_scalar_dense"),
        (lambda x: x * torch.from_numpy(x.numpy().copy()), "numpy"),
        (lambda x: x[x > 0].sum(), "depends on values"),
        (lambda x: x + torch.rand(3), "random"),
        (lambda x: x.mul_(1.0), "changes its arguments"),
        (lambda x: x * RNG.normal(), "other numbers"),
    ],
)
def test_a_function_that_cannot_be_recorded_runs_itself(fn, reason):
    function, call = recorded(fn)
    for _ in range(4):
        x = numbers(3)
        with torch.no_grad():
            assert call(x).shape == fn(x.clone()).shape
    assert re.search(reason, entry_of(function).reason)


def test_decisions_by_value_stay_right():
    _, call = recorded(lambda x: x + 1 if x.sum() > 0 else x - 1)
    for value in (2.0, 2.0, 2.0, -2.0, 2.0):
        assert call(torch.tensor([value])).item() == value + (1 if value > 0 else -1)


def test_another_layout_has_another_plan():
    function, call = recorded(lambda t: t["a"].sum(0) * 2)
    for n in (3, 3, 3, 5, 5, 3):
        x = numbers(n, 4)
        np.testing.assert_array_equal(call({"a": x}), (x.sum(0) * 2))
        strided = x.t().contiguous().t()
        np.testing.assert_array_equal(call({"a": strided}), (strided.sum(0) * 2))
    assert len(function.plans) == 4


def test_a_stamped_tree_is_looked_at_once_per_stamp(monkeypatch):
    seen = []
    layout_of = torch_record.layout_of
    monkeypatch.setattr(torch_record, "layout_of", lambda arg: seen.append(arg) or layout_of(arg))
    function, call = recorded(lambda w, x: w["a"] @ x)
    one, other, x = torch.ones(2, 2), torch.ones(3, 2), torch.ones(2)
    for a, stamp, looks in (
        (one, 1, 1),
        (one, 1, 0),
        (one, 1, 0),
        (one, 1, 0),
        (other, 2, 1),
        (other, 2, 0),
        (one, 3, 1),
    ):
        seen.clear()
        assert call(tree.Stamped({"a": a}, stamp), x).tolist() == len(a) * [2.0]
        assert sum(arg is not x for arg in seen) == looks
    assert len(function.plans) == 2


def test_too_many_layouts_have_no_more_plans():
    function, call = recorded(lambda x: x * 3)
    for n in range(1, torch_record.PLANS + 9):
        assert call(torch.ones(n)).sum() == 3 * n
    assert len(function.plans) == torch_record.PLANS


def test_a_plan_holds_for_arguments_of_its_layout_only():
    """Trees seen before are not looked at again while a program runs; a new one is."""
    _, call = recorded(lambda x: x["a"] * x["a"].shape[0])  # the length stands in the plan

    def program():
        return [call({"a": torch.ones(n)})[0].item() for n in (2, 2, 2, 5, 5, 5, 2)]

    assert ENGINE.compile(program)() == [2, 2, 2, 5, 5, 5, 2]


def test_inside_vmap_the_function_runs_itself():
    function, call = recorded(lambda x: x * x.sum())
    x = numbers(4, 3)
    found = torch.func.vmap(call)(x)
    np.testing.assert_allclose(found, x * x.sum(1, keepdim=True), rtol=1e-6)
    assert not function.plans


def test_each_key_draws_its_own_numbers():
    function, call = recorded(lambda x, key: x * ENGINE.uniform(ENGINE.fold_in(key, 7), (3,)))
    one = torch.ones(3)
    for key in (1, 2, 3, 1):
        np.testing.assert_array_equal(call(one, key), ENGINE.uniform(ENGINE.fold_in(key, 7), (3,)))
    assert entry_of(function).reason == ""


# -------------------------------------------------------------------------------------------------- the rewritings


def plan_of(fn, *args):
    tape = Tape()
    for i, arg in enumerate(args):
        tape.source(arg, f"a{i}")
    with torch.no_grad():
        result = tape.record(fn, args)
        return torch_plan.Plan(tape, result), result


def names(plan):
    return [op.call.__name__ for op in plan.ops]


def test_neutral_repeated_constant_and_unused_operations_disappear():
    def fn(x):
        torch.exp(x)  # unused
        y = (x * 1.0 + 0).view(4, 3).detach()
        return torch.sin(y) + torch.sin(x) * torch.ones_like(x).sum()

    plan, _ = plan_of(fn, numbers(4, 3))
    assert names(plan) == ["sin.default", "mul.Tensor", "add.Tensor"]


def test_memory_that_is_written_to_keeps_its_operations():
    def fn(x):
        a = torch.sin(x)
        a.add_(1)
        return a * torch.sin(x)

    x = numbers(5)
    plan, result = plan_of(fn, x)
    assert names(plan).count("sin.default") == 2
    with torch.no_grad():
        np.testing.assert_array_equal(plan.function(1, result, None)(x), result)


def pooled(x, w, after):
    with torch.enable_grad():
        w = w.detach().requires_grad_()
        y = torch.relu(torch.nn.functional.conv2d(x, w))
        loss = after(torch.nn.functional.max_pool2d(y, 3, 2), y)
        (grad,) = torch.autograd.grad(loss, [w])
    return loss.detach(), grad


def test_relu_moves_behind_the_pool():
    """Windows that overlap, so that an element's gradient comes from several."""
    x, w = numbers(2, 3, 9, 11), numbers(4, 3, 2, 2)
    plan, result = plan_of(lambda x, w: pooled(x, w, lambda p, y: (p * p).sum()), x, w)
    order = names(plan)
    assert order.index("max_pool2d_with_indices.default") < order.index("relu.default")
    assert order.index("threshold_backward.default") < order.index("max_pool2d_with_indices_backward.default")
    for a, b in zip(plan.function(2, result, None)(x, w), result, strict=True):
        np.testing.assert_array_equal(a, b)


def test_relu_stays_where_others_need_it():
    x, w = numbers(2, 3, 9, 11), numbers(4, 3, 2, 2)
    plan, result = plan_of(lambda x, w: pooled(x, w, lambda p, y: (p * p).sum() + y.sum()), x, w)
    order = names(plan)
    assert order.index("relu.default") < order.index("max_pool2d_with_indices.default")
    for a, b in zip(plan.function(2, result, None)(x, w), result, strict=True):
        np.testing.assert_array_equal(a, b)


def test_large_intermediate_results_are_overwritten_small_and_needed_ones_not():
    def fn(x):
        a = torch.exp(x)
        b = torch.relu(a)
        return torch.tanh(b) + b

    large = numbers(torch_plan.LARGE)
    plan, result = plan_of(fn, large)
    assert names(plan) == ["exp.default", "relu_.default", "tanh.default", "add_.Tensor"]
    np.testing.assert_array_equal(plan.function(1, result, None)(large), result)
    assert names(plan_of(fn, numbers(8))[0]) == ["exp.default", "relu.default", "tanh.default", "add.Tensor"]


def test_arguments_are_never_overwritten():
    x = numbers(torch_plan.LARGE)
    plan, result = plan_of(lambda x: torch.relu(x), x)
    before = x.clone()
    plan.function(1, result, None)(x)
    np.testing.assert_array_equal(x, before)


def test_a_tiny_step_takes_few_calls(monkeypatch):
    """45 operations recorded when this was written; each costs about two microseconds."""
    found = []
    function = torch_plan.Plan.function
    monkeypatch.setattr(torch_plan.Plan, "function", lambda self, *args: (found.append(self), function(self, *args))[1])
    model = nl.Sequential([L.Dense(8, "tanh", input_shape=(2,)), L.Dense(1, "sigmoid", name="unlike_any_other")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(POINTS[:, :2], LABELS > 0, batch_size=11, epochs=1, verbose=0, engine="torch")
    assert len(found[0].ops) <= 26


# ------------------------------------------------------------------------------------------------ lists of weights


def adam_by_hand(p, g, m, v, rate, keep, betas, epsilon):
    """Kingma and Ba (2015), section 2, with the corrections in the rate, in float64."""
    m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
    return keep * p - rate * m / (np.sqrt(v) + epsilon), m, v


@pytest.mark.parametrize("keep", [1.0, 0.97])
@pytest.mark.parametrize("kind", ["plain", "strided", "mixed"])
def test_adam_of_lists(kind, keep):
    draws = [[np.abs(RNG.normal(size=s)) for s in ((3, 4), (5,))] for _ in range(4)]
    lists = [[torch.from_numpy(a.copy()) for a in one] for one in draws]
    if kind == "strided":  # as the gradient of a kernel that a convolution sees in another order
        lists = [[one[0].t().contiguous().t(), one[1]] for one in lists]
    if kind == "mixed":
        lists = [[one[0], one[1].float()] for one in lists]
    p, g, m, v = lists
    torch_rules.adam(nl.optimizers.Adam(beta_2=0.99, epsilon=1e-3), p, g, (m, v), (0.1, keep))
    for i in range(2):
        expected = adam_by_hand(*(one[i] for one in draws), 0.1, keep, (0.9, 0.99), 1e-3)
        for wanted, found in zip(expected, (lists[0][i], lists[2][i], lists[3][i]), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_gradients_in_another_order_of_memory():
    p, m, v = ([torch.zeros(3, 4)] for _ in range(3))
    g = [torch.arange(12.0).reshape(4, 3).t()]
    torch_rules.adam(nl.optimizers.Adam(beta_1=0.5, beta_2=0.5), p, g, (m, v), (0.1, 1.0))
    np.testing.assert_allclose(m[0], g[0] / 2)


def test_lists_are_not_used_inside_vmap():
    assert ENGINE.update_rule("adam") is torch_rules.adam
    seen = []
    torch.func.vmap(lambda x: (seen.append(ENGINE.update_rule("adam")), x)[1])(torch.ones(2))
    assert seen == [None]


# ------------------------------------------------------------------------------------------------------------ LSTM


def lstm_arguments(batch=3, time=5, features=4, units=2):
    shapes = [(batch, time, features), (batch, units), (batch, units)]
    shapes += [(features, 4 * units), (units, 4 * units), (4 * units,)]
    return [torch.from_numpy(RNG.normal(size=shape)).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("part", range(3), ids=["outputs", "h", "c"])
def test_lstm_has_the_values_and_gradients_of_its_definition(part):
    arguments = lstm_arguments()
    found, defined = torch_lstm.lstm(*arguments)[part], Engine.lstm(ENGINE, *arguments)[part]
    np.testing.assert_allclose(found.detach(), defined.detach(), rtol=1e-12)
    weight = torch.from_numpy(RNG.normal(size=found.shape))
    pairs = [torch.autograd.grad((out * weight).sum(), arguments) for out in (found, defined)]
    for a, b in zip(*pairs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("large", [0, 7, 1000], ids=["ours", "ours, from this size on", "PyTorch's"])
def test_either_lstm_gives_the_same(large, monkeypatch):
    monkeypatch.setattr(torch_lstm, "LARGE", large)
    used = []
    ours = torch_lstm.lstm
    monkeypatch.setattr(torch_lstm, "lstm", lambda *args: used.append(0) or ours(*args))
    arguments = [a.detach().float().requires_grad_() for a in lstm_arguments(batch=4)]  # a state of 8 numbers
    found, defined = ENGINE.lstm(*arguments), Engine.lstm(ENGINE, *arguments)
    assert bool(used) == (large <= 8)
    weights = [torch.randn(part.shape) for part in found]
    totals = [sum((w * part).sum() for w, part in zip(weights, parts, strict=True)) for parts in (found, defined)]
    for a, b in zip(*(torch.autograd.grad(total, arguments) for total in totals), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_lstm_agrees_with_pytorchs():
    x, h, c, kernel, recurrent, bias = lstm_arguments()
    other = torch.nn.LSTM(4, 2, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for name, value in {"weight_ih_l0": kernel.T, "weight_hh_l0": recurrent.T, "bias_ih_l0": bias}.items():
            getattr(other, name).copy_(value)
        other.bias_hh_l0.zero_()
        expected, (last_h, last_c) = other(x, (h[None], c[None]))
        found = torch_lstm.lstm(x, h, c, kernel, recurrent, bias)
    for a, b in zip(found, (expected, last_h[0], last_c[0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_lstm_gradients_by_central_differences():
    assert torch.autograd.gradcheck(lambda *a: torch_lstm.lstm(*a), lstm_arguments(2, 3, 2, 2))


# ----------------------------------------------------------------------------------------------------- CUDA graphs


class FakeGraph:
    """A graph in memory: replay runs the function again and puts its results where the first ones lie."""

    replays = 0

    def capture(self, fn):
        self.fn, self.places = fn, fn()
        return self.places

    def replay(self):
        self.replays += 1
        for place, value in zip(tree.leaves(self.places), tree.leaves(self.fn()), strict=True):
            if isinstance(place, torch.Tensor):
                place.copy_(value)


def test_a_captured_function_reads_its_arguments_anew_and_gives_its_own_results():
    graph = FakeGraph()
    call = torch_graph.Captured(lambda w, x: {"y": [w["k"] * x], "n": 2.0}, graph)
    kernels = {"k": numbers(3)}
    given = [numbers(3) for _ in range(3)]
    found = [call(kernels, x) for x in given]
    for x, result in zip(given, found, strict=True):  # no result lies where a later replay writes
        np.testing.assert_array_equal(result["y"][0], kernels["k"] * x)
        assert result["n"] == 2.0
    assert graph.replays == 3


def test_a_captured_function_keeps_and_changes_no_argument():
    call = torch_graph.Captured(lambda x: x * 2, FakeGraph())
    x = numbers(3)
    before = x.clone()
    call(x)
    call(numbers(3))
    np.testing.assert_array_equal(x, before)
    assert all(own.data_ptr() != x.data_ptr() for own in call.inputs)


def test_what_is_not_captured():
    def reason(fn):
        tape = Tape()
        with torch.no_grad():
            tape.record(fn, (numbers(3), torch_record.TracedKey(5, "a1")))
        return torch_graph.why_not(tape)

    assert reason(lambda x, key: x * 2) == ""
    assert "random" in reason(lambda x, key: x * ENGINE.uniform(key, (3,)))
    assert "__float__" in reason(lambda x, key: x * float(x[0])) or "values" in reason(lambda x, key: x * float(x[0]))


def test_recording_does_not_load_the_compiler_of_pytorch():
    """It would take a second of a process's first training or prediction."""
    code = """
import sys, numpy as np, neuroloom as nl
model = nl.Sequential([nl.Input((3,)), nl.layers.Dense(2)])
model.compile("adam", "mse")
for _ in range(4):
    model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0, engine="torch")
    model.predict(np.ones((1, 3)), engine="torch")
print("torch._dynamo" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


# ------------------------------------------------------------------------------------------------------- its memory

PAGES = """
import resource

import numpy as np

import neuroloom as nl
from neuroloom.engines.torch.memory import keep_freed_memory

layers = [nl.layers.Conv2D(n, 3, activation="relu") for n in (32, 64)]
model = nl.Sequential([nl.layers.Input((28, 28, 1)), *layers, nl.layers.Flatten(), nl.layers.Dense(10)])
model.compile("adam", "mse")
x, y = np.zeros((384, 28, 28, 1), "float32"), np.zeros((384, 10), "float32")
faults = []
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    model.fit(x, y, batch_size=128, verbose=0, engine="torch")
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(keep_freed_memory(), min(faults[1:]) // 3)  # the first needs its memory; another one now and then grows
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back and can be told not to")
@pytest.mark.parametrize("own", [{}, {"MALLOC_TRIM_THRESHOLD_": "131072"}], ids=["ours", "the user's own setting"])
def test_steps_get_the_memory_of_the_steps_before(own):
    clean = {name: value for name, value in os.environ.items() if name not in torch_memory.OWN}
    found = subprocess.run([sys.executable, "-c", PAGES], env=clean | own, capture_output=True, text=True, check=True)
    kept, pages_per_step = found.stdout.split()
    assert kept == str(not own)
    assert int(pages_per_step) < 200 if kept == "True" else int(pages_per_step) > 5000


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_step_on_a_gpu_is_captured(monkeypatch):
    x, layers = NETWORKS["dense"]
    weights, history, made = trained(x, layers, True, monkeypatch)
    plain, plain_history, _ = trained(x, layers, False, monkeypatch)
    assert [type(entry.planned) for entry in made] == [torch_graph.Captured] * 2
    for name, values in history.items():
        np.testing.assert_allclose(values, plain_history[name], rtol=1e-5)
    for a, b in zip(weights, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
