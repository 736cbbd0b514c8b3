"""The arithmetic and the bytes of a step, counted from the network's description.

Arithmetic: the matrix products only, 2 m k n each. A dense layer of a batch of B has three: the output (B, in,
out), the kernel's gradient (in, B, out), and the input's gradient (B, out, in), which the first layer needs not. A
convolution is the product of its patches; an LSTM has the input's products over all moments at once, and for each
moment the recurrent one and its gradient; an embedding has none. Predicting has the first of each.

Bytes of training, 4 for each number: the batch is read and written (2 B |x|); each layer's output is written, read
backwards, its gradient written and read (4 B |y|; in an LSTM six vectors of a moment count as outputs); a weight is
read forwards and backwards, its gradient written and read, the weight and each of the optimizer's slots read and
written: 6 + 2 slots for each. Of predicting: input and weights read, outputs written and read. That is what moves
if nothing is kept in registers between operations. Operations between the products count no arithmetic.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from benchmarks.networks import LSTM, Conv, Dense, Layer, Shape, first_weights, shapes
from benchmarks.rows import Row
from benchmarks.tasks import Many, Predict, Train

SLOTS = {"Adam": 2, "RMSprop": 1}
CHUNK = 4096
"""Samples of a large prediction that are taken at once."""


class Product(NamedTuple):
    """A matrix product (m, k) by (k, n), so many times in a step."""

    m: int
    k: int
    n: int
    times: float = 1


class Work(NamedTuple):
    """What a step must do."""

    products: list[Product]
    bytes: float

    @property
    def flop(self) -> float:
        return sum(2.0 * p.m * p.k * p.n * p.times for p in self.products)


def work(row: Row, x: Shape) -> Work | None:
    """The work of what the row measures; None where a row is not about steps. `x` is the shape of one sample."""
    match row.task:
        case Train():
            return training(row, x)
        case Many(members):
            one = training(row, x)
            return Work([p._replace(times=members * p.times) for p in one.products], members * one.bytes)
        case Predict(samples):
            return predicting(row, x, samples)
        case _:
            return None


def training(row: Row, x: Shape) -> Work:
    batch, given = row.batch_size, shapes(row.network, x)
    products = [
        product
        for i, layer in enumerate(row.network)
        for product in (*forward(layer, given[i], batch), *backward(layer, given[i], batch, first=i == 0))
    ]
    outputs = sum(size(layer, shape) for layer, shape in zip(row.network, given[:-1], strict=True))
    numbers = batch * (2 * math.prod(x) + 4 * outputs) + weights(row, x) * (6 + 2 * SLOTS[row.optimizer.name])
    return Work(products, 4.0 * numbers)


def predicting(row: Row, x: Shape, samples: int) -> Work:
    batch, given = min(samples, CHUNK), shapes(row.network, x)
    calls = samples / batch
    products = [
        p._replace(times=calls * p.times)
        for i, layer in enumerate(row.network)
        for p in forward(layer, given[i], batch)
    ]
    outputs = sum(size(layer, shape) for layer, shape in zip(row.network, given[:-1], strict=True))
    return Work(products, 4.0 * calls * (batch * (math.prod(x) + 2 * outputs) + weights(row, x)))


def forward(layer: Layer, x: Shape, batch: int) -> list[Product]:
    match layer:
        case Dense(units):
            return [Product(batch * math.prod(x[:-1]), x[-1], units)]
        case Conv(filters, k):
            height, width, _ = layer.shape(x)
            return [Product(batch * height * width, k * k * x[2], filters)]
        case LSTM(units):
            return [Product(batch * x[0], x[1], 4 * units), Product(batch, units, 4 * units, x[0])]
        case _:
            return []


def backward(layer: Layer, x: Shape, batch: int, first: bool) -> list[Product]:
    found = []
    for product in forward(layer, x, batch):
        recurrent = product.times > 1
        rows = int(product.m * product.times)  # the recurrent kernel's gradient is one product over all moments
        found.append(Product(product.k, rows, product.n))
        if recurrent or not first:
            found.append(Product(product.m, product.n, product.k, product.times))
    return found


def size(layer: Layer, x: Shape) -> int:
    """Numbers that a layer puts out for a sample."""
    return 6 * layer.units * x[0] if isinstance(layer, LSTM) else math.prod(layer.shape(x))


def weights(row: Row, x: Shape) -> int:
    arrays: list[Any] = [w for layer in first_weights(row.network, x) for w in layer]
    return sum(np.size(w) for w in arrays)
