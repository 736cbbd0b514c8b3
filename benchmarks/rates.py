"""What this machine reaches: matrix products and copies of given sizes, by the fastest of the libraries at hand.

    python -m benchmarks.rates '{"products": [[128, 784, 512]], "bytes": [1000000], "threads": 2}'
    {"products": [...], "bytes": [...]}

A product is repeated inside one compiled JAX loop, and by PyTorch into one array; the faster counts. The loop changes
one number of an operand each time, so that the product cannot be moved out of it. Copies likewise, counted as bytes
read and bytes written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.work import Work
from benchmarks.worker import CPU, ROOT

SQUARE = (2048, 2048, 2048)
LARGE = 256_000_000
LEAST = 0.02
"""Seconds that a measurement takes at least; the fastest of three counts."""


def rates(works: dict[str, Work], threads: int, gpu: bool = False) -> dict[str, dict[str, Any]]:
    """For each row's work: GFLOP/s of its products and of a large square one; GB/s of copying its bytes, and many."""
    shapes = sorted({p[:3] for work in works.values() for p in work.products} | {SQUARE})
    sizes = sorted({int(work.bytes) for work in works.values()} | {LARGE})
    found = in_a_process({"products": shapes, "bytes": sizes, "threads": threads}, gpu)
    product, copy = (dict(zip(of, found[key], strict=True)) for of, key in ((shapes, "products"), (sizes, "bytes")))
    return {
        name: {
            "products": [[*shape, product[shape]] for shape in sorted({p[:3] for p in work.products})],
            "square": product[SQUARE],
            "copy": copy[int(work.bytes)],
            "large_copy": copy[LARGE],
        }
        for name, work in works.items()
    }


def in_a_process(asked: dict[str, Any], gpu: bool) -> dict[str, list[float]]:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path} | ({} if gpu else CPU)
    command = [sys.executable, "-m", "benchmarks.rates", json.dumps(asked)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def best(loop: Callable[[int], Any]) -> float:
    """Seconds of one repetition of a loop of so many."""
    times = 1
    while (spent := timed(loop, times)) < LEAST:
        times = max(2 * times, int(times * LEAST / max(spent, 1e-6)))
    return min(spent, timed(loop, times), timed(loop, times)) / times


def timed(loop: Callable[[int], Any], times: int) -> float:
    started = time.perf_counter()
    loop(times)
    return time.perf_counter() - started


def with_jax() -> tuple[Callable[..., float], Callable[..., float]]:
    """Seconds of a product, seconds of a copy."""
    import jax
    import jax.numpy as jnp

    @jax.jit
    def products(a: Any, b: Any, times: int) -> Any:
        def body(_: int, carry: Any) -> Any:
            a, c = carry
            return a.at[0, 0].set(c[0, 0]), a @ b

        return jax.lax.fori_loop(0, times, body, (a, jnp.zeros((a.shape[0], b.shape[1]))))[1]

    @jax.jit
    def copies(a: Any, times: int) -> Any:
        return jax.lax.fori_loop(0, times, lambda _, a: a + 1, a)

    def product(m: int, k: int, n: int) -> float:
        a, b = jnp.ones((m, k)), jnp.ones((k, n))
        products(a, b, 1).block_until_ready()
        return best(lambda times: products(a, b, times).block_until_ready())

    def copy(size: int) -> float:
        a = jnp.ones(size // 8)
        copies(a, 1).block_until_ready()
        return best(lambda times: copies(a, times).block_until_ready())

    return product, copy


def with_torch(threads: int) -> tuple[Callable[..., float], Callable[..., float]]:
    """Seconds of a product, seconds of a copy."""
    import torch

    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def repeat(act: Callable[..., Any], *arrays: Any) -> Callable[[int], None]:
        def loop(times: int) -> None:
            for _ in range(times):
                act(*arrays)
            if device == "cuda":
                torch.cuda.synchronize()

        return loop

    def product(m: int, k: int, n: int) -> float:
        a, b, c = (torch.ones(shape, device=device) for shape in ((m, k), (k, n), (m, n)))
        return best(repeat(lambda a, b, c: torch.mm(a, b, out=c), a, b, c))

    def copy(size: int) -> float:
        a, b = (torch.ones(size // 8, device=device) for _ in range(2))
        return best(repeat(lambda a, b: b.copy_(a), a, b))

    return product, copy


def main() -> None:
    asked = json.loads(sys.argv[1])
    tools = []
    for make in (with_jax, lambda: with_torch(asked["threads"])):
        try:
            tools.append(make())
        except ImportError:
            continue
    products = [2e-9 * m * k * n / min(tool[0](m, k, n) for tool in tools) for m, k, n in asked["products"]]
    copies = [1e-9 * size / min(tool[1](size) for tool in tools) for size in asked["bytes"]]
    print(json.dumps({"products": products, "bytes": copies}))


if __name__ == "__main__":
    main()
