"""Optimizers that keep at most one vector: gradient descent, its two forms of momentum, Lion.

`update(w, g, slots, rate, t, **args) -> (new w, new slots)`; g already holds the L1 and L2 terms.
"""

from __future__ import annotations

from collections.abc import Mapping

from dslc.ops.value import F, Val

Slots = Mapping[str, Val]
Result = tuple[Val, dict[str, Val]]


def sgd(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, momentum: float, nesterov: bool = False) -> Result:
    """v ← momentum·v + g;  w ← w - rate·v;  nesterov: w ← w - rate·(g + momentum·v)

    Sutskever et al. 2013, in PyTorch's form: the rate is not part of v, so a change of the rate acts at once.
    """
    if not momentum:
        return w - rate * g, {}
    v = slots["velocity"] * momentum + g
    return w - rate * (g + v * momentum if nesterov else v), {"velocity": v}


def caffe_sgd(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, momentum: float, nesterov: bool) -> Result:
    """v' ← momentum·v + rate·g;  w ← w - v';  nesterov: w ← w - (1 + momentum)·v' + momentum·v

    Polyak 1964, as Caffe computes it (Jia et al. 2014): the rate is part of v. The same as `sgd` while the rate stays; after it falls, the
    steps of the old rate die out over 1 / (1 - momentum) steps.
    """
    before = slots["velocity"]
    v = before * momentum + rate * g
    return w - (v * (1 + momentum) - before * momentum if nesterov else v), {"velocity": v}


def lion(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, beta1: float, beta2: float) -> Result:
    """w ← w - rate·sign(β₁·m + (1 - β₁)·g);  m ← β₂·m + (1 - β₂)·g

    Chen et al. 2023, algorithm 2: every component moves by the rate, so the rate is about a tenth of Adam's.
    """
    m = slots["mean"]
    return w - rate * F.sign(m * beta1 + g * (1 - beta1)), {"mean": m * beta2 + g * (1 - beta2)}
