"""XLA's options for the CPU, chosen by what a program computes. All of them give the same numbers, up to rounding.

XLA has two libraries for matrix products there and hands most of them to the newer one, YNN, with what follows them.
Products alone are the better choice: the prediction of one sample by 20 layers of 64 takes 0.18 ms so and 0.62 else;
only that of 100,000 by 784-512-10 takes a twentieth longer so. Measured on 2 cores:

* convolutions: inside a loop YNN's are half as fast as those of the older library, Eigen, so YNN gets products only;
* recurrences, in which a state meets the same matrix again and again: a step's product, (128, 128) by (128, 512), takes
  154 µs with YNN and 109 with Eigen, which is not so where training changes the matrix in each step.

What a loop carries is copied in each step where XLA is not sure that the old value is read no more. Looking closer
(region analysis) spares most of these copies: a step of 64 networks 2-8-1 at once takes 26 µs instead of 32, of 20
layers of 64 340 instead of 388; compiling takes no longer (150 layers: 3.2 s, 3.5 without).

A loop whose step is small costs mostly the way from one kernel to the next, 50 to 100 ns each. XLA can compile such a
loop as a single kernel, and does so where a step touches less than 1024 bytes; `raise_loop_limit` lets it do so up to
32 kB, where a step of a network of some dozen neurons takes 0.4 to 0.8 of the time, with recurrent layers 0.4. Above
that, products inside the one kernel are slower than the libraries' (2.5 times at 64 kB).

Without its threads (xla_cpu_multi_thread_eigen) XLA 0.10 writes out some small products, (20, 15) by (15, 12) among
them, so that compiling them takes minutes and gigabytes: that option stays alone.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Any

import jax

from neuroloom.typing import Function

Options = dict[str, Any]

EVERY = {"xla_cpu_copy_insertion_use_region_analysis": True}
PRODUCTS = EVERY | {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
RECURRENT = EVERY | {"xla_cpu_experimental_ynn_fusion_type": ""}

PROGRAM_BYTES, EQUATION_BYTES = 1_500_000, 10_000
"""About what a compiled program holds: a part of its own, and one for each equation of its jaxpr. XLA does not say it.
Measured on the CPU, MB a program (and the estimate): predicting by 1 and 12 dense layers 1.5 and 2.7 (1.6 and 2.2),
training 1, 4 and 12 dense layers 4.7, 9.0 and 19.4 (6.5, 10 and 14), a convolutional network 6.5 (4.7), an LSTM 7.2
(6.4)."""

LOOP_LIMIT = "xla_cpu_small_while_loop_byte_threshold"
LOOP_BYTES = 1 << 15


def raise_loop_limit() -> None:
    """Set the limit below which a loop becomes one kernel; unless the user's XLA_FLAGS set options of its kind.

    XLA takes it from XLA_FLAGS only, which it reads once: when the process makes its first JAX array or asks for JAX's
    devices. Importing JAX before this is no harm.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_extra_options" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_extra_options={LOOP_LIMIT}={LOOP_BYTES}".lstrip()


class Compiled:
    """`jax.jit(fn)` with the options that suit what the first call turns out to compute; it is traced once only.

    Args:
        on_cpu: whether the options, which are XLA's for the CPU, are chosen at all.
    """

    def __init__(self, fn: Function, on_cpu: bool = True) -> None:
        self._fn, self._on_cpu = fn, on_cpu
        self._run: Any = None
        self._length = 0

    def __call__(self, *args: Any) -> Any:
        run = self._run
        if run is None:
            found = list(equations(jax.jit(self._fn).trace(*args).jaxpr.jaxpr))
            options = options_for(found) if self._on_cpu else {}
            run = jax.jit(self._fn, compiler_options=options if options and known(tuple(options.items())) else None)
            self._run, self._length = run, len(found)
        return run(*args)

    def held_bytes(self) -> int:
        """About how much memory a compilation holds."""
        return PROGRAM_BYTES + EQUATION_BYTES * self._length

    def release(self) -> None:
        """Let JAX forget all compilations, whoever still holds this object."""
        run, self._run = self._run, None
        if run is not None:
            run.clear_cache()


def options_for(found: list[Any]) -> Options:
    """The options for a program, given as all equations of its jaxpr."""
    if any(e.primitive.name == "conv_general_dilated" for e in found):
        return PRODUCTS
    return RECURRENT if any(recurs(e) for e in found if e.primitive.name == "scan") else PRODUCTS


def equations(program: Any) -> Iterator[Any]:
    """All equations of a jaxpr, those inside others too."""
    for equation in program.eqns:
        yield equation
        for part in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "jaxpr")):
            inner = getattr(part, "jaxpr", part)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def recurs(scan: Any) -> bool:
    """Whether a product in the body of a scan takes a matrix that stays the same in all its steps."""
    body = scan.params["jaxpr"].jaxpr
    fixed = body.invars[: scan.params["num_consts"]]
    products = (e for e in body.eqns if e.primitive.name == "dot_general")
    return any(operand is one for e in products for operand in e.invars for one in fixed)


@functools.cache
def known(options: tuple[tuple[str, Any], ...]) -> bool:
    """Whether this version of XLA has these options."""
    try:
        jax.jit(lambda x: x, compiler_options=dict(options)).lower(0.0).compile()
    except Exception:  # which exception says so differs between versions
        return False
    return True
