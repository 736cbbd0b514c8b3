"""An LSTM layer for PyTorch on the CPU, with its own gradient.

PyTorch's own takes longer for large states on two cores: it repacks both kernels in every call. Small states it is
faster with, since here each step is 16 operations. Here the products with the input
and the gradients of the kernels are one product for all steps, and what the backward pass needs of the gates'
derivatives is worked out for all steps at once:

    i, f, o = σ(z_i), σ(z_f), σ(z_o),   g = tanh(z_g),   c_t = f c_{t-1} + i g,   h_t = o tanh(c_t)

    dc += dh · o (1 - tanh²c)
    dz = (dc · g i (1-i),  dc · c_{t-1} f (1-f),  dc · i (1-g²),  dh · tanh(c) o (1-o)),   dc ← dc · f

Gates are kept in the order i, f, g, o, that of the kernels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuroloom.engines.torch.tape import opaque

LARGE = 1 << 13
"""Numbers in a state from which this LSTM is the faster one: at 4,096 (128 by 32) it takes 1.6 times as long as
PyTorch's, at 8,192 (128 by 64) 0.95 times."""

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


def lstm(x: Tensor, h: Tensor, c: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """All outputs (batch, time, units), and the last h and c; see `Engine.lstm`."""
    outputs, cells, *_ = _Lstm.apply(x, h, c, kernel, recurrent, bias)
    return outputs.transpose(0, 1), outputs[-1], cells[-1]


class _Lstm(torch.autograd.Function):
    """h and c of all steps, (time, batch, units), and what the gradient needs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, h: Tensor, c: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> Any:
        outputs, cells, gates, squashed, steps = opaque(forward, x, h, c, kernel, recurrent, bias)
        ctx.save_for_backward(h, c, kernel, recurrent, outputs, cells, gates, squashed, steps)
        return outputs, cells

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_cells: Tensor) -> Any:
        return opaque(backward, *ctx.saved_tensors, d_outputs, d_cells, ctx.needs_input_grad[0])


def forward(x: Tensor, h: Tensor, c: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """h and c of all steps, the gates (time, batch, 4 units), tanh c, and x in the order of time."""
    (batch, time, features), units = x.shape, h.shape[1]
    kernel, recurrent, bias = (_doubled(w, units) for w in (kernel, recurrent, bias))
    steps = x.transpose(0, 1).reshape(time * batch, features)
    gates = torch.addmm(bias, steps, kernel).view(time, batch, 4 * units)
    outputs, cells, squashed = (gates.new_empty((time, batch, units)) for _ in range(3))
    i, f, g, o = (part.unbind() for part in gates.split(units, dim=2))
    rows = zip(gates.unbind(), i, f, g, o, outputs.unbind(), cells.unbind(), squashed.unbind(), strict=True)
    minus_one = gates.new_tensor(-1.0)
    for z, i_t, f_t, g_t, o_t, h_t, c_t, s_t in rows:
        z.addmm_(h, recurrent).sigmoid_()
        torch.add(minus_one, g_t, alpha=2, out=g_t)
        c = torch.mul(f_t, c, out=c_t).addcmul_(i_t, g_t)
        torch.add(minus_one, torch.mul(c, 2.0, out=s_t).sigmoid_(), alpha=2, out=s_t)
        h = torch.mul(o_t, s_t, out=h_t)
    return outputs, cells, gates, squashed, steps


def _doubled(w: Tensor, units: int) -> Tensor:
    """Kernels or bias with the columns of g doubled: tanh(z) = 2 σ(2z) - 1, and σ is four times as fast."""
    w = w.clone()
    w[..., 2 * units : 3 * units] *= 2
    return w


def backward(
    h: Tensor, c: Tensor, kernel: Tensor, recurrent: Tensor, outputs: Tensor, cells: Tensor, gates: Tensor,
    squashed: Tensor, steps: Tensor, d_outputs: Tensor, d_cells: Tensor, wants_x: bool,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The gradients of x, h, c, kernel, recurrent and bias."""
    time, batch, units = outputs.shape
    slopes, through = _slopes(c, cells, gates, squashed)
    before = torch.cat([h[None], outputs[:-1]])
    dh, dc, back = torch.zeros_like(h), torch.zeros_like(c), recurrent.t()
    forget = gates[..., units : 2 * units].unbind()
    by_c, by_h = slopes[..., : 3 * units].view(time, batch, 3, units).unbind(), slopes[..., 3 * units :].unbind()
    given, given_c, dz = d_outputs.unbind(), d_cells.unbind(), slopes.unbind()
    for t in range(time - 1, -1, -1):
        dh += given[t]
        dc = dc.add_(given_c[t]).addcmul_(dh, through[t])
        by_c[t].mul_(dc[:, None])
        by_h[t].mul_(dh)
        dc *= forget[t]
        torch.mm(dz[t], back, out=dh)
    flat = slopes.view(time * batch, 4 * units)
    dx = (flat @ kernel.t()).view(time, batch, -1).transpose(0, 1) if wants_x else None
    return dx, dh, dc, steps.t() @ flat, before.view(time * batch, units).t() @ flat, flat.sum(0)


def _slopes(c: Tensor, cells: Tensor, gates: Tensor, squashed: Tensor) -> tuple[Tensor, Any]:
    """For all steps, by what dc (for i, f, g) or dh (for o) is multiplied in dz, and dh in dc."""
    units = cells.shape[2]
    i, f, g, o = gates.split(units, dim=2)
    slopes = torch.empty_like(gates)
    by_i, by_f, by_g, by_o = slopes.split(units, dim=2)
    sigmoid_backward(g, i, grad_input=by_i)
    sigmoid_backward(torch.cat([c[None], cells[:-1]]), f, grad_input=by_f)
    tanh_backward(i, g, grad_input=by_g)
    sigmoid_backward(squashed, o, grad_input=by_o)
    return slopes, torch.ops.aten.tanh_backward(o, squashed).unbind()
