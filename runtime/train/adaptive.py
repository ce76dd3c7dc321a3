"""Optimizers that divide by the size of past gradients: AdaGrad, RMSProp, AdaDelta.

`update(w, g, slots, rate, t, **args) -> (new w, new slots)`; g already holds the L1 and L2 terms.
"""

from __future__ import annotations

from dslc.ops.value import F, Val
from runtime.train.momentum import Result, Slots


def adagrad(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, initial: float, eps: float) -> Result:
    """s ← s + g²;  w ← w - rate·g / (√s + ε);  s starts at `initial`

    Duchi et al. 2011, diagonal form, with ε as in PyTorch.
    """
    s = slots["square"] + g * g
    return w - rate * (g / (F.sqrt(s) + eps)), {"square": s}


def rmsprop(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, decay: float, momentum: float, eps: float, centered: bool) -> Result:
    """s ← decay·s + (1 - decay)·g²;  v ← momentum·v + g / (√s + ε);  w ← w - rate·v;  centered: √(s - a²) for √s,
    a ← decay·a + (1 - decay)·g

    Hinton 2012, lecture 6e; centered: Graves 2013; ε outside of the root, as in PyTorch.
    """
    s = slots["square"] * decay + g * g * (1 - decay)
    after = {"square": s}
    if centered:
        after["mean"] = slots["mean"] * decay + g * (1 - decay)
        variance = s - after["mean"] * after["mean"]
        s = F.relu(variance)  # rounding may bring it below 0
    v = g / (F.sqrt(s) + eps)
    if momentum:
        v = after["velocity"] = slots["velocity"] * momentum + v
    return w - rate * v, after


def adadelta(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, decay: float, eps: float) -> Result:
    """s ← decay·s + (1 - decay)·g²;  d = g·√(u + ε) / √(s + ε);  u ← decay·u + (1 - decay)·d²;  w ← w - rate·d

    Zeiler 2012; the method has no rate of its own: 1.
    """
    s = slots["square"] * decay + g * g * (1 - decay)
    d = g * (F.sqrt(slots["change"] + eps) / F.sqrt(s + eps))
    return w - rate * d, {"square": s, "change": slots["change"] * decay + d * d * (1 - decay)}
