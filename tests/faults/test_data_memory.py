"""What a model gives is the caller's: no network hands back the memory that it was given."""

import numpy as np
import pytest

import neuroloom as nl
from neuroloom import layers


def reshaping():
    return nl.Sequential([layers.Flatten(input_shape=(2, 3))])


def passing():
    return nl.Sequential([layers.Activation("linear", input_shape=(2, 3))])


def dropping():
    return nl.Sequential([layers.Dropout(0.5, input_shape=(2, 3))])


def nested():
    return nl.Sequential([layers.Reshape((3, 2), input_shape=(2, 3)), reshaping_of((3, 2))])


def reshaping_of(shape):
    return nl.Sequential([layers.Flatten(input_shape=shape)])


def empty():
    x = nl.Input((2, 3))
    return nl.Model(x, x)


KINDS = [reshaping, passing, dropping, nested, empty]
X = np.arange(12, dtype=np.float32).reshape(2, 2, 3)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("call", ["model", "predict", "predict in pieces"])
@pytest.mark.parametrize("engine", ["jax", "torch", "numpy"])
def test_what_comes_out_is_the_callers(make, call, engine):
    """Fault 39: changing the answer leaves the question alone, and the other way round."""
    x, model = X.copy(), make()
    with nl.engine(engine):
        y = {
            "model": lambda: model(x),
            "predict": lambda: model.predict(x),
            "predict in pieces": lambda: model.predict(x, batch_size=1),
        }[call]()
    assert y.reshape(X.shape).tolist() == X.tolist()
    y += 1
    assert np.array_equal(x, X)
    x[:] = -1
    assert (y.reshape(X.shape) == X + 1).all()


@pytest.mark.parametrize("make", KINDS)
def test_tensors_that_come_out_are_the_callers_and_have_their_gradient(make):
    """Fault 39, PyTorch's own tensors: another piece of memory, and the derivative of a sum is 1 everywhere."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(X)
    y = make()(x)
    y += 1
    assert x.tolist() == X.tolist()
    asked = torch.tensor(X, requires_grad=True)
    make()(asked).sum().backward()
    assert (asked.grad == 1).all()
    found = torch.func.vmap(torch.func.grad(lambda one: make()(one[None]).sum()))(torch.tensor(X))
    assert (found == 1).all()


@pytest.mark.parametrize("form", ["list", "dict"])
@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_several_inputs_and_outputs(form, kind):
    """Fault 39: each output beside each input."""
    a, b = nl.Input((3,)), nl.Input((3,))
    ends = ([a, b], [b, layers.Flatten()(a)]) if form == "list" else ({"a": a, "b": b}, {"b": b, "a": a})
    make = (lambda x: x.copy()) if kind == "numpy" else pytest.importorskip("torch").tensor
    first, second = make(X[0]), make(X[1])
    found = nl.Model(*ends)([first, second] if form == "list" else {"a": first, "b": second})
    for y in found if form == "list" else found.values():
        y += 1
    assert first.tolist() == X[0].tolist() and second.tolist() == X[1].tolist()
