"""The fused forms of the optimizers' rules: one call into PyTorch for the weights of a whole network, in place.

Each takes what `Optimizer.rule` takes, with a list of tensors in the place of each array, and overwrites the weights
and the slots. The plain rules are in `optimizers/`.
"""

from __future__ import annotations

from typing import Any

import torch

Tensors = list[torch.Tensor]
Slots = tuple[Tensors, ...]

LATE = 1e30
"""A step at which Adam's corrections of its running means have become 1: β to this power is 0."""


def sgd(rule: Any, p: Tensors, g: Tensors, slots: Slots, scalars: tuple[float, ...]) -> None:
    """θ ← θ - η g, with momentum."""
    (η,), μ = scalars, rule.momentum
    if not slots:
        torch._foreach_add_(p, g, alpha=-η)
        return
    v = _scaled(slots[0], μ)
    torch._foreach_add_(v, g, alpha=-η)
    torch._foreach_add_(p, v, alpha=μ if rule.nesterov else 1.0)
    if rule.nesterov:
        torch._foreach_add_(p, g, alpha=-η)


def adagrad(rule: Any, p: Tensors, g: Tensors, slots: Slots, scalars: tuple[float, ...]) -> None:
    """θ ← θ - η g / √(G + ε)."""
    (η,), (G,) = scalars, slots
    torch._foreach_addcmul_(G, g, g, 1.0)
    torch._foreach_addcdiv_(p, g, _root(G, rule.epsilon), -η)


def rmsprop(rule: Any, p: Tensors, g: Tensors, slots: Slots, scalars: tuple[float, ...]) -> None:
    """θ ← θ - η g / √(v - a² + ε), with momentum."""
    (η,), (v, *others), ρ = scalars, slots, rule.rho
    torch._foreach_addcmul_(_scaled(v, ρ), g, g, 1 - ρ)
    variance = v
    if rule.centered:
        a = others.pop(0)
        torch._foreach_lerp_(a, g, 1 - ρ)
        variance = list(torch._foreach_addcmul(v, a, a, -1.0))
    root = _root(variance, rule.epsilon)
    if not others:
        torch._foreach_addcdiv_(p, g, root, -η)
        return
    m = _scaled(others[0], rule.momentum)
    torch._foreach_addcdiv_(m, g, root, η)
    torch._foreach_sub_(p, m)


def adam(rule: Any, p: Tensors, g: Tensors, slots: Slots, scalars: tuple[float, ...]) -> None:
    """θ ← keep θ - α m / (√v + ε); by PyTorch's fused kernel, one pass over memory, where that can take it.

    The kernel's own corrections are left out: they are in α.
    """
    (α, keep), (m, v, *highest) = scalars, slots
    if highest or α == 0 or not _plain(p, m, v):
        _adam(rule, p, g, slots, scalars)
        return
    g = [t if t.is_contiguous() else t.contiguous() for t in g]
    late = [_late(p[0].device)] * len(p)
    torch._fused_adamw_(
        p, g, m, v, [], late, lr=α, beta1=rule.beta_1, beta2=rule.beta_2, weight_decay=(1 - keep) / α,
        eps=rule.epsilon, amsgrad=False, maximize=False,
    )  # fmt: skip


def _adam(rule: Any, p: Tensors, g: Tensors, slots: Slots, scalars: tuple[float, ...]) -> None:
    (α, keep), (m, v, *highest) = scalars, slots
    torch._foreach_lerp_(m, g, 1 - rule.beta_1)
    torch._foreach_addcmul_(_scaled(v, rule.beta_2), g, g, 1 - rule.beta_2)
    for largest in highest:
        torch._foreach_maximum_(largest, v)
        v = largest
    root = list(torch._foreach_sqrt(v))
    torch._foreach_add_(root, rule.epsilon)
    torch._foreach_addcdiv_(_scaled(p, keep), m, root, -α)


RULES = {"sgd": sgd, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam}


def _scaled(x: Tensors, factor: float) -> Tensors:
    if factor != 1.0:
        torch._foreach_mul_(x, factor)
    return x


def _root(x: Tensors, inside: float) -> Tensors:
    root = list(torch._foreach_add(x, inside))
    torch._foreach_sqrt_(root)
    return root


def _plain(*lists: Tensors) -> bool:
    """Whether the kernel can take all tensors: it walks through memory and knows no strides."""
    dtype = lists[0][0].dtype
    return all(t.dtype is dtype and t.is_contiguous() for tensors in lists for t in tensors)


_steps: dict[torch.device, torch.Tensor] = {}


def _late(device: torch.device) -> torch.Tensor:
    if device not in _steps:
        _steps[device] = torch.tensor(LATE, device=device)
    return _steps[device]
