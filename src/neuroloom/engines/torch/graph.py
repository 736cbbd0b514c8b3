"""A recorded function as a CUDA graph: all its kernels, launched by one call.

Written, not measured: it has not run on a GPU yet. What decides about capturing is here and has tests with a graph
that only pretends; what captures is `CudaGraph`.

A graph reads and writes fixed memory. So arguments are copied into tensors of its own before each replay, and results
out of them afterwards; nothing that belongs to a model is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch

from neuroloom import tree
from neuroloom.engines.torch.tape import Tape
from neuroloom.typing import Function, Tree


class Graph(Protocol):
    """What `Captured` needs: `capture` runs a function once and keeps its results' places; `replay` fills them anew."""

    def capture(self, fn: Callable[[], Any]) -> Any: ...

    def replay(self) -> None: ...


class CudaGraph:
    """PyTorch's CUDA graph, warmed up on a stream of its own as its manual asks for."""

    def __init__(self) -> None:
        self.graph = torch.cuda.CUDAGraph()

    def capture(self, fn: Callable[[], Any]) -> Any:
        current, aside = torch.cuda.current_stream(), torch.cuda.Stream()
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            fn()
        current.wait_stream(aside)
        with torch.cuda.graph(self.graph):
            return fn()

    def replay(self) -> None:
        self.graph.replay()


def why_not(tape: Tape) -> str:
    """Why a recorded function cannot be captured; empty if it can. Its shapes are those of its arguments."""
    if tape.reason:
        return tape.reason
    if any(op.draws for op in tape.ops):
        return "it draws random numbers, whose seeds are known to the host only"
    return ""


class Captured:
    """`fn(*args)` by a graph, for arguments of one layout.

    Args:
        fn: a function without `why_not`.
        graph: captures at the first call.
    """

    def __init__(self, fn: Function, graph: Graph) -> None:
        self.fn, self.graph = fn, graph
        self.inputs: list[torch.Tensor] | None = None
        self.outputs: Tree = None

    def __call__(self, *args: Any) -> Any:
        given = _tensors(args)
        if self.inputs is None:
            own = tree.map(_copy, args)
            self.inputs, self.outputs = _tensors(own), self.graph.capture(lambda: self.fn(*own))
        torch._foreach_copy_(self.inputs, given)
        self.graph.replay()
        return tree.map(_copy, self.outputs)


def _copy(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, torch.Tensor) else leaf


def _tensors(args: Tree) -> list[torch.Tensor]:
    return [leaf for leaf in tree.leaves(args) if isinstance(leaf, torch.Tensor)]
