"""Adam and its relatives: AMSGrad, NAdam, RAdam, Adamax, LAMB (AdamW is `adam` with decoupled decay).

`update(w, g, slots, rate, t, **args) -> (new w, new slots)`; g already holds the L1 and L2 terms. t counts steps from 1, in float64.
With m and v without bias correction, m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ).
"""

from __future__ import annotations

from dslc.ir.types import DType
from dslc.ops.value import F, Val
from runtime.train.limits import norm, scaled
from runtime.train.momentum import Result, Slots


def adam(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, beta1: float, beta2: float, eps: float) -> Result:
    """m ← β₁·m + (1 - β₁)·g;  v ← β₂·v + (1 - β₂)·g²;  w ← w - rate·m̂ / (√v̂ + ε)

    Kingma & Ba 2015, algorithm 1; ε stands outside of the root.
    """
    m, v = moments(g, slots, beta1, beta2)
    return w - corrected(rate, t, beta1) * (m / (root(v, t, beta2) + eps)), {"mean": m, "square": v}


def amsgrad(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, beta1: float, beta2: float, eps: float) -> Result:
    """as `adam` with the largest v so far: u ← max(u, v);  w ← w - rate·m̂ / (√(u / (1 - β₂ᵗ)) + ε)

    Reddi et al. 2018, with Adam's bias correction as in PyTorch.
    """
    m, v = moments(g, slots, beta1, beta2)
    u = F.maximum(slots["largest"], v)
    return w - corrected(rate, t, beta1) * (m / (root(u, t, beta2) + eps)), {"mean": m, "square": v, "largest": u}


def nadam(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, beta1: float, beta2: float, eps: float) -> Result:
    """as `adam` with Nesterov's look ahead: w ← w - rate·(β₁·m / (1 - β₁ᵗ⁺¹) + (1 - β₁)·g / (1 - β₁ᵗ)) / (√v̂ + ε)

    Dozat 2016, with a constant β₁ (no momentum schedule).
    """
    m, v = moments(g, slots, beta1, beta2)
    ahead = m * of_type(w, beta1 / correction(t + 1.0, beta1)) + g * of_type(w, (1 - beta1) / correction(t, beta1))
    return w - rate * (ahead / (root(v, t, beta2) + eps)), {"mean": m, "square": v}


def radam(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, beta1: float, beta2: float, eps: float) -> Result:
    """ρ∞ = 2 / (1 - β₂) - 1;  ρ = ρ∞ - 2·t·β₂ᵗ / (1 - β₂ᵗ);  w ← w - rate·r·m̂·√(1 - β₂ᵗ) / (√v + ε) with
    r = √((ρ - 4)·(ρ - 2)·ρ∞ / ((ρ∞ - 4)·(ρ∞ - 2)·ρ)) where ρ > 5, else w ← w - rate·m̂

    Liu et al. 2020, with ε as in PyTorch.
    """
    m, v = moments(g, slots, beta1, beta2)
    step, after = corrected(rate, t, beta1), {"mean": m, "square": v}
    last = 2 / (1 - beta2) - 1  # ρ∞
    if last <= 5:  # then ρ never is above 5
        return w - step * m, after
    power = F.pow(t.builder.constant(beta2, DType.f64), t)
    rho = last - 2.0 * t * power / (1.0 - power)
    known = F.greater(rho, t.builder.constant(5.0, DType.f64))
    safe = F.maximum(rho, t.builder.constant(5.0, DType.f64))
    r = F.sqrt((1.0 - power) * (safe - 4.0) * (safe - 2.0) * last / ((last - 4) * (last - 2) * safe))
    one, zero = t.builder.constant(1.0, DType.f64), t.builder.constant(0.0, DType.f64)
    adaptive, plain = of_type(w, F.where(known, r, zero)), of_type(w, F.where(known, zero, one))
    return w - step * m * (adaptive / (F.sqrt(v) + eps) + plain), after


def adamax(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, beta1: float, beta2: float, eps: float) -> Result:
    """m ← β₁·m + (1 - β₁)·g;  u ← max(β₂·u, |g| + ε);  w ← w - rate·m̂ / u

    Kingma & Ba 2015, algorithm 2, with ε as in PyTorch.
    """
    m = slots["mean"] * beta1 + g * (1 - beta1)
    u = F.maximum(slots["largest"] * beta2, F.abs(g) + eps)
    return w - corrected(rate, t, beta1) * (m / u), {"mean": m, "largest": u}


def lamb(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, beta1: float, beta2: float, eps: float, weight_decay: float) -> Result:
    """u = m̂ / (√v̂ + ε) + weight_decay·w;  w ← w - rate·‖w‖ / ‖u‖·u, of each weight; the ratio is 1 where a norm is 0

    You et al. 2020, algorithm 2, with φ the identity.
    """
    m, v = moments(g, slots, beta1, beta2)
    u = m * of_type(w, 1.0 / correction(t, beta1)) / (root(v, t, beta2) + eps)
    if weight_decay:
        u = u + w * weight_decay
    size, length = norm(w), norm(u)
    zero, one = t.builder.constant(0.0, DType.f64), t.builder.constant(1.0, DType.f64)
    both = F.greater(F.minimum(size, length), zero)
    ratio = F.where(both, size / F.where(both, length, one), one)
    return w - rate * scaled(u, ratio), {"mean": m, "square": v}


def moments(g: Val, slots: Slots, beta1: float, beta2: float) -> tuple[Val, Val]:
    """m and v."""
    return slots["mean"] * beta1 + g * (1 - beta1), slots["square"] * beta2 + g * g * (1 - beta2)


def corrected(rate: Val, t: Val, beta: float) -> Val:
    """rate / (1 - βᵗ)."""
    return rate / of_type(rate, correction(t, beta))


def root(v: Val, t: Val, beta: float) -> Val:
    """√v / √(1 - βᵗ)."""
    return F.sqrt(v) / F.sqrt(of_type(v, correction(t, beta)))


def correction(t: Val, beta: float) -> Val:
    """1 - βᵗ, in float64: near 1 float32 would lose most of it."""
    return 1.0 - F.pow(t.builder.constant(beta, DType.f64), t)


def of_type(like: Val, exact: Val) -> Val:
    """A float64 scalar in the type of `like`."""
    return exact if like.type.dtype is DType.f64 else F.cast(exact, dtype=like.type.dtype)
