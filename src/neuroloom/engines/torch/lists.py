"""The updates of many weights at once: one call into PyTorch for a list of tensors, in place."""

from __future__ import annotations

from typing import Any

import torch

from neuroloom.engines.base import Engine

Tensors = list[torch.Tensor]

LATE = 1e30
"""A step at which Adam's corrections of its running means have become 1: β to this power is 0."""


class Lists:
    """See `Engine` for the equations; here each array is a list of them, the first list is overwritten."""

    def lerp(self, start: Tensors, end: Tensors, weight: Any, donate: bool = True) -> Tensors:
        torch._foreach_lerp_(start, end, weight)
        return start

    def axpy(self, x: Tensors, y: Tensors, scale: Any, keep: Any = 1.0, donate: bool = True) -> Tensors:
        torch._foreach_add_(self._keep(x, keep), y, alpha=scale)
        return x

    def addcmul(self, x: Tensors, a: Tensors, b: Tensors, scale: Any, keep: Any = 1.0, donate: bool = False) -> Tensors:
        x = self._keep(x if donate else [t.clone() for t in x], keep)
        torch._foreach_addcmul_(x, a, b, scale)
        return x

    def addcdiv(self, x: Tensors, a: Tensors, b: Tensors, scale: Any, keep: Any = 1.0, donate: bool = True) -> Tensors:
        torch._foreach_addcdiv_(self._keep(x, keep), a, b, scale)
        return x

    def root(self, x: Tensors, inside: float = 0.0, outside: float = 0.0) -> Tensors:
        root = list(torch._foreach_add(x, inside)) if inside else list(torch._foreach_sqrt(x))
        if inside:
            torch._foreach_sqrt_(root)
        if outside:
            torch._foreach_add_(root, outside)
        return root

    def adam(
        self, p: Tensors, g: Tensors, m: Tensors, v: Tensors, rate: float, keep: float, betas: Any, epsilon: float,
        donate: bool = True,
    ) -> tuple[Tensors, Tensors, Tensors]:  # fmt: skip
        """PyTorch's fused kernel, one pass over memory, without its own corrections: they are in `rate`."""
        if not _plain(p, m, v) or rate == 0:
            return Engine.adam(self, p, g, m, v, rate, keep, betas, epsilon, donate)  # type: ignore[arg-type]
        g = [t if t.is_contiguous() else t.contiguous() for t in g]
        late = [_late(p[0].device)] * len(p)
        torch._fused_adamw_(
            p, g, m, v, [], late, lr=rate, beta1=betas[0], beta2=betas[1], weight_decay=(1 - keep) / rate,
            eps=epsilon, amsgrad=False, maximize=False,
        )  # fmt: skip
        return p, m, v

    def _keep(self, x: Tensors, keep: Any) -> Tensors:
        if keep != 1.0:
            torch._foreach_mul_(x, keep)
        return x


def _plain(*lists: Tensors) -> bool:
    """Whether the kernel can take all tensors: it walks through memory and knows no strides."""
    dtype = lists[0][0].dtype
    return all(t.dtype is dtype and t.is_contiguous() for tensors in lists for t in tensors)


_steps: dict[torch.device, torch.Tensor] = {}


def _late(device: torch.device) -> torch.Tensor:
    if device not in _steps:
        _steps[device] = torch.tensor(LATE, device=device)
    return _steps[device]
