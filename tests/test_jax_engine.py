"""What the JAX engine does for speed on the CPU: XLA's options, and gradients that are written out."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

import neuroloom as nl
from neuroloom.engines.jax import options
from neuroloom.engines.jax import products as jax_products
from neuroloom.engines.protocol import Windows

# ------------------------------------------------------------------------------------------------ XLA's options


def chosen(fn, *shapes):
    program = jax.make_jaxpr(fn)(*(np.ones(s, np.float32) for s in shapes))
    return options.options_for(list(options.equations(program.jaxpr)))


def test_options_follow_what_a_program_computes():
    engine = nl.engines.load("jax")

    def over_time(h, w):
        return engine.scan(lambda h, _: (h @ w, None), h, np.ones(3))[0]

    def learning(w, batches):
        return engine.scan(lambda w, x: (w - x @ w, None), w, batches)[0]

    def steps(h, w):
        return engine.loop(0, 3, lambda i, h: (h @ w, True), h)

    windows = Windows((1, 1), ((0, 0), (0, 0)), (1, 1))
    assert chosen(lambda a, b: a @ b, (32, 33), (33, 32)) == options.PRODUCTS
    assert chosen(lambda a: a + 1, (4, 4)) == options.PRODUCTS
    assert chosen(over_time, (33, 33), (33, 33)) == options.RECURRENT
    assert chosen(learning, (33, 33), (3, 33, 33)) == options.PRODUCTS  # it is the state that is multiplied
    assert chosen(steps, (33, 33), (33, 33)) == options.PRODUCTS
    assert chosen(jax.grad(lambda h, w: over_time(h, w).sum()), (33, 33), (33, 33)) == options.RECURRENT
    assert chosen(lambda x, k: engine.conv(x, k, windows), (2, 8, 8, 9), (3, 3, 9, 2)) == options.PRODUCTS
    both = lambda x, k, a: engine.conv(x, k, windows).sum() + over_time(a, a)  # noqa: E731
    assert chosen(both, (2, 8, 8, 9), (3, 3, 9, 2), (4, 4)) == options.PRODUCTS


def test_no_product_is_written_out_in_full():
    """Eigen without threads: compiling this product took minutes and gigabytes."""
    assert not any("multi_thread" in name for name in options.PRODUCTS | options.RECURRENT)
    engine = nl.engines.load("jax")
    found = engine.compile(lambda h, w: engine.scan(lambda h, _: (h @ w @ w.T, None), h, np.ones(3))[0])
    assert found(np.ones((20, 15), np.float32), np.ones((15, 12), np.float32)).shape == (20, 15)


SMALL_LOOPS = """
import os
import jax
import jax.numpy as jnp
from neuroloom.engines.jax import ENGINE

def compiled(n):
    def run(x):
        return ENGINE.loop(0, 9, lambda i, c: (jnp.tanh(c * x) + jnp.cumsum(c), True), x)
    return jax.jit(run).lower(jnp.ones(n)).compile().as_text()

print([word.split("=", 1)[1] for word in os.environ["XLA_FLAGS"].split()])
print(["small_call" in compiled(n) for n in (8, 400, 100_000)])
"""


@pytest.mark.parametrize(
    ("flags", "kept", "one_kernel"),
    [
        ("", [f"{options.LOOP_LIMIT}={options.LOOP_BYTES}"], [True, True, False]),
        (
            "--xla_cpu_enable_fast_math=false",
            ["false", f"{options.LOOP_LIMIT}={options.LOOP_BYTES}"],
            [True, True, False],
        ),
        (f"--xla_backend_extra_options={options.LOOP_LIMIT}=1", [f"{options.LOOP_LIMIT}=1"], [False, False, False]),
    ],
)
def test_a_loop_with_small_steps_is_one_kernel(flags, kept, one_kernel):
    """Unless the user has set options of this kind: those are left alone."""
    env = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | ({"XLA_FLAGS": flags} if flags else {})
    done = subprocess.run([sys.executable, "-c", SMALL_LOOPS], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.splitlines() == [str(kept), str(one_kernel)]


def test_what_a_loop_carries_is_updated_in_place():
    """Without the option XLA copies it in each step: an Adam step reads what it replaces more than once."""
    engine, adam = nl.engines.load("jax"), nl.optimizers.Adam()

    def run(params, slots):
        def body(i, carry):
            params, slots = carry
            return adam.update(params, {"w": params["w"] * 3}, slots, 0.1, i), True

        return engine.loop(0, 9, body, (params, slots))

    params = {"w": np.ones((100, 100), np.float32)}
    lowered = jax.jit(run).lower(params, adam.init(params))
    copies = [lowered.compile(compiler_options=chosen).as_text().count(" copy(") for chosen in ({}, options.EVERY)]
    assert copies[1] < copies[0]


def test_options_that_xla_does_not_have_are_left_out(monkeypatch):
    assert options.known(tuple(options.PRODUCTS.items())) and options.known(tuple(options.RECURRENT.items()))
    unknown = {"xla_cpu_option_of_another_version": "1"}
    assert not options.known(tuple(unknown.items()))
    monkeypatch.setattr(options, "options_for", lambda program: unknown)
    assert options.Compiled(lambda a: a + 1)(np.float32(1)) == 2


# ------------------------------------------------------------------------------------------------ written-out gradients


def lstm_by_hand(x, kernel, recurrent, bias, h, c):
    """All outputs and the last states, step by step in float64."""
    outputs, sigmoid = [], lambda z: 1 / (1 + np.exp(-z))
    for t in range(x.shape[1]):
        i, f, z, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(z)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1), h, c


def numbers(*shapes):
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape) for shape in shapes]


def central(value, arrays, i, step=1e-6):
    """∂ value / ∂ arrays[i] by central differences."""
    result = np.zeros_like(arrays[i])
    for place in np.ndindex(result.shape):
        ends = []
        for sign in (1, -1):
            moved = [a.copy() for a in arrays]
            moved[i][place] += sign * step
            ends.append(value(*moved))
        result[place] = (ends[0] - ends[1]) / (2 * step)
    return result


def test_the_lstms_gradient_is_that_of_central_differences():
    """Of every argument and through every result: outputs, last h, last c; also from first states that are not zero."""
    engine = nl.engines.load("jax")
    arrays = numbers((3, 4, 2), (2, 20), (5, 20), (20,), (3, 5), (3, 5))
    weights = numbers((3, 4, 5), (3, 5), (3, 5))

    def by_hand(*arrays):
        return sum((w * r).sum() for w, r in zip(weights, lstm_by_hand(*arrays), strict=True))

    def here(x, kernel, recurrent, bias, h, c):
        return sum((w * r).sum() for w, r in zip(weights, engine.lstm(x, h, c, kernel, recurrent, bias), strict=True))

    with engine.double():
        assert float(here(*arrays)) == pytest.approx(by_hand(*arrays), rel=1e-10)
        value, gradients = jax.value_and_grad(here, tuple(range(6)))(*arrays)
        assert float(value) == pytest.approx(by_hand(*arrays), rel=1e-10)
        for i, gradient in enumerate(gradients):
            assert np.allclose(gradient, central(by_hand, arrays, i), rtol=1e-6, atol=1e-8), i


def test_the_lstms_gradient_for_many_networks_at_once():
    engine = nl.engines.load("jax")
    x, kernel, recurrent, bias, zeros = numbers((2, 3, 4, 2), (2, 2, 12), (2, 3, 12), (2, 12), (2, 3, 3))
    one = jax.grad(lambda k, x, r, b, z: engine.lstm(x, z, z, k, r, b)[1].sum())
    with engine.double():
        together = jax.vmap(one)(kernel, x, recurrent, bias, 0 * zeros)
        for i in range(2):
            assert np.allclose(together[i], one(kernel[i], x[i], recurrent[i], bias[i], 0 * zeros[i]), rtol=1e-12)


@pytest.mark.parametrize("tiny", [0, 1 << 20])
@pytest.mark.parametrize("features", [7, 64, 65])
@pytest.mark.parametrize("units", [1, 32, 33])
@pytest.mark.parametrize("rows", [(), (5,), (2, 3), (16,), (3, 16)])
def test_tiny_narrow_and_wide_layers_compute_the_same(units, features, rows, tiny, monkeypatch):
    """y = x W + b and its gradients, on both sides of each size where the product is written otherwise."""
    monkeypatch.setattr(jax_products, "TINY", tiny)
    engine = nl.engines.load("jax")
    x, w, b, g = numbers((*rows, features), (features, units), (units,), (*rows, units))
    flat = x.reshape(-1, features), g.reshape(-1, units)
    with engine.double():
        assert np.allclose(engine.affine(x, w, b), x @ w + b, rtol=1e-12)
        found = jax.grad(lambda *a: (g * engine.affine(*a)).sum(), (0, 1, 2))(x, w, b)
    for got, want in zip(found, (g @ w.T, flat[0].T @ flat[1], flat[1].sum(0)), strict=True):
        assert np.allclose(got, want, rtol=1e-10)


def test_tiny_layers_take_whole_numbers_and_a_bias_of_one_number():
    engine = nl.engines.load("jax")
    w, g = numbers((3, 2), (4, 2))
    x = np.arange(12, dtype=np.int32).reshape(4, 3)
    with engine.double():
        found = jax.grad(lambda w, b: (g * engine.affine(engine.asarray(x), w, b)).sum(), (0, 1))(w, np.zeros(1))
    assert np.allclose(found[0], x.T @ g, rtol=1e-12)
    assert np.allclose(found[1], [g.sum()], rtol=1e-12)


@pytest.mark.parametrize("tiny", [0, 1 << 20])
@pytest.mark.parametrize("shape", [(40, 3), (3, 40), (40, 40), (65, 40)])
@pytest.mark.parametrize("rows", [5, 16])
def test_gradients_of_a_layers_gradient(rows, shape, tiny, monkeypatch):
    """The Hessian of ½ |x W|² by W is xᵀ x in each column; that by x and W also has their product's own part."""
    monkeypatch.setattr(jax_products, "TINY", tiny)
    engine = nl.engines.load("jax")
    x, w, b, v = numbers((rows, shape[0]), shape, (shape[1],), shape)
    with engine.double():
        gradient = jax.grad(lambda w, x: (engine.affine(x, w, 0 * b) ** 2).sum() / 2)
        by_w, by_x = jax.grad(lambda w, x: (gradient(w, x) * v).sum(), (0, 1))(w, x)
        together = jax.vmap(gradient, (0, None))(np.stack([w, 2 * w]), x)
    assert np.allclose(by_w, x.T @ x @ v, rtol=1e-10)
    assert np.allclose(by_x, x @ w @ v.T + x @ v @ w.T, rtol=1e-10)
    assert np.allclose(together, np.stack([x.T @ x @ w, 2 * x.T @ x @ w]), rtol=1e-10)


@pytest.mark.parametrize("depth", [1, 3, 700])
def test_picking_and_its_gradient_are_those_of_gathering(depth):
    """An index beyond the ends takes the nearest entry, as `gather` does; what is not picked may be NaN or infinite."""
    engine, rng = nl.engines.load("jax"), np.random.default_rng(depth)
    x = rng.normal(size=(4, 5, depth)).astype(np.float32)
    index = rng.integers(-2, depth + 2, (4, 5)).astype(np.int32)
    near = np.clip(index, 0, depth - 1)[..., None]
    np.testing.assert_array_equal(engine.pick(x, index), np.take_along_axis(x, near, -1)[..., 0])
    expected = np.zeros_like(x)
    np.put_along_axis(expected, near, 2.0, -1)
    np.testing.assert_array_equal(jax.grad(lambda x: 2 * engine.pick(x, index).sum())(x), expected)
    holes = np.where(expected == 0, np.array([np.nan, np.inf], np.float32)[rng.integers(0, 2, x.shape)], x)
    np.testing.assert_array_equal(engine.pick(holes, index), np.take_along_axis(x, near, -1)[..., 0])


def test_binary_crossentropys_derivatives_hold_everywhere():
    """σ(z) - y and σ(z) (1 - σ(z)), also where z is 0, and to the last digit where float32 rounds σ(z) to 1."""
    engine = nl.engines.load("jax")
    loss = lambda z, y: engine.binary_crossentropy(y, z)  # noqa: E731
    first, second, by_y = jax.grad(loss), jax.grad(jax.grad(loss)), jax.grad(loss, 1)
    for z in (-40.0, -1.5, 0.0, 1.5, 40.0):
        sigma, other = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
        for y in (0.0, 0.3, 1.0):
            want = (1 - y) * sigma - y * other  # is σ - y, without cancellation
            assert float(first(z, y)) == pytest.approx(want, rel=1e-5)
            assert float(second(z, y)) == pytest.approx(sigma * other, rel=1e-5)
            assert float(by_y(z, y)) == -z
    assert float(loss(2.0, np.int32(1))) == pytest.approx(np.log1p(np.exp(-2.0)), rel=1e-6)
