"""PyTorch by hand: a permutation per epoch, slices of it as batches, sums kept in tensors until its end.

Compiled, `torch.compile` takes the network with its loss; the optimizer is compiled, too, as its documentation shows.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.networks import LSTM, Conv, Dense, Embedding, Flatten, Layer, MaxPool, Shape, Weights, shapes
from benchmarks.peers import Run
from benchmarks.rows import BINARY, Row

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CHUNK = 4096
"""Samples in a call of predict."""
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
OPTIMIZERS = {
    "Adam": lambda params, rate: torch.optim.Adam(params, rate, eps=1e-7),
    "RMSprop": lambda params, rate: torch.optim.RMSprop(params, rate, alpha=0.9, eps=1e-7),
}


class LastOutput(nn.LSTM):
    """An LSTM layer that gives its last output only."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0][:, -1]


def module_of(layer: Layer, x: Shape, arrays: list[np.ndarray]) -> nn.Module:
    """The layer with these weights; x is the shape of what it is given, channels last."""
    w = [torch.from_numpy(a.copy()) for a in arrays]
    match layer:
        case Dense(units):
            return _set(nn.Linear(x[-1], units), weight=w[0].T, bias=w[1])
        case Conv(filters, size):
            return _set(nn.Conv2d(x[-1], filters, size), weight=w[0].permute(3, 2, 0, 1), bias=w[1])
        case LSTM(units):
            lstm = LastOutput(x[-1], units, batch_first=True)
            lstm.bias_hh_l0.requires_grad_(False)  # trained, PyTorch's second bias would double the first one's steps
            return _set(lstm, weight_ih_l0=w[0].T, weight_hh_l0=w[1].T, bias_ih_l0=w[2], bias_hh_l0=0 * w[2])
        case Embedding(words, units):
            return _set(nn.Embedding(words, units), weight=w[0])
        case MaxPool(size):
            return nn.MaxPool2d(size)
        case Flatten():
            return nn.Flatten()


def _set(module: nn.Module, **weights: Tensor) -> nn.Module:
    module.load_state_dict(weights)
    return module


def flattened_by_channel(row: Row, given: list[Shape], weights: Weights) -> Weights:
    """The weights, with the rows of a kernel behind a Flatten in PyTorch's order: channels, height, width."""
    found = list(weights)
    for i, (layer, shape) in enumerate(zip(row.network, given[:-1], strict=True)):
        if isinstance(layer, Flatten) and len(shape) == 3:
            kernel, bias = weights[i + 1]
            by_place = kernel.reshape(*shape, -1)  # (height, width, channels, units)
            found[i + 1] = [by_place.transpose(2, 0, 1, 3).reshape(kernel.shape), bias]
    return found


def network(row: Row, x: Shape, weights: Weights) -> nn.Sequential:
    """The row's network without its last activation: PyTorch's losses take logits."""
    given = shapes(row.network, x)
    weights = flattened_by_channel(row, given, weights)
    modules: list[nn.Module] = []
    for layer, shape, arrays in zip(row.network, given[:-1], weights, strict=True):
        modules.append(module_of(layer, shape, arrays))
        if layer is not row.network[-1] and isinstance(layer, Dense | Conv):
            modules.append(ACTIVATIONS[layer.activation]())
    return nn.Sequential(*modules)


def binary(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The mean loss, and how many are right."""
    return F.binary_cross_entropy_with_logits(logits, y), ((logits > 0) == (y > 0.5)).sum()


def categorical(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The mean loss, and how many are right."""
    return F.cross_entropy(logits, y), (logits.argmax(1) == y).sum()


def unscored(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The mean loss, and 0."""
    return F.binary_cross_entropy_with_logits(logits, y), torch.zeros((), dtype=torch.int64, device=DEVICE)


SCORES = {(BINARY, True): binary, (BINARY, False): unscored}


class Learner:
    """A network with its optimizer; `compiled` as a user of torch.compile has it."""

    def __init__(self, row: Row, x: np.ndarray, weights: Weights, compiled: bool) -> None:
        self.row, self.score = row, SCORES.get((row.loss, bool(row.metric)), categorical)
        self.model = network(row, x.shape[1:], weights).to(DEVICE)
        self.optimizer = OPTIMIZERS[row.optimizer.name](self.model.parameters(), row.optimizer.learning_rate)
        self.ask, self.forward, self.update = self.model, self._scored, self.optimizer.step
        if compiled:
            torch._dynamo.reset()
            self.ask, self.forward = torch.compile(self.model), torch.compile(self._scored)
            self.update = torch.compile(self.optimizer.step)

    def _scored(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self.row.dtype == "bfloat16"):
            return self.score(self.model(x), y)

    def epoch(self, x: Tensor, y: Tensor, shuffle: bool) -> tuple[float, float]:
        n = len(x)
        order = torch.randperm(n, device=DEVICE) if shuffle else torch.arange(n, device=DEVICE)
        total, right = torch.zeros((), device=DEVICE), torch.zeros((), dtype=torch.int64, device=DEVICE)
        self.model.train()
        for start in range(0, n, self.row.batch_size):
            index = order[start : start + self.row.batch_size]
            self.optimizer.zero_grad(set_to_none=True)
            loss, hits = self.forward(x[index], y[index])
            loss.backward()
            self.update()
            total += loss.detach() * len(index)
            right += hits
        return total.item() / n, right.item() / n

    @torch.inference_mode()
    def predict(self, x: Tensor) -> np.ndarray:
        self.model.eval()
        last = torch.sigmoid if self.row.loss == BINARY else nn.Softmax(1)
        return np.concatenate([last(self.ask(part.to(DEVICE))).cpu().numpy() for part in x.split(CHUNK)])


def channels_first(x: np.ndarray) -> Tensor:
    """The inputs as PyTorch takes them."""
    inputs = torch.from_numpy(x)
    return inputs.permute(0, 3, 1, 2).contiguous() if x.ndim == 4 else inputs


def build(row: Row, x: np.ndarray, y: np.ndarray, weights: Weights, threads: int, compiled: bool = False) -> Run:
    torch.set_num_threads(threads)
    learner = Learner(row, x, weights, compiled)
    inputs = channels_first(x).to(DEVICE)
    targets = torch.from_numpy(y if row.loss == BINARY else y.astype(np.int64)).to(DEVICE)

    def train(epochs: int, shuffle: bool = True) -> list[tuple[float, float]]:
        return [learner.epoch(inputs, targets, shuffle) for _ in range(epochs)]

    return Run(train, lambda x: learner.predict(channels_first(x)))
