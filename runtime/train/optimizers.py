"""Optimizers: functions over values that write a small graph on one flat vector of all trained weights.

The same graph runs on every device; on the NumPy device it becomes prebound ufuncs that update the weights where they lie
(`runtime/update.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dslc.ir.graph import Graph
from dslc.ir.types import DType, TensorType, tensor
from dslc.ops.value import Builder, F, Val

Slots = Mapping[str, Val]
Update = Callable[..., tuple[Val, dict[str, Val]]]
"""`update(w, g, slots, rate, t, **args) -> (new w, new slots)`; t counts steps from 1 (f64)."""


@dataclass(frozen=True)
class Optimizer:
    """name; slots(args): names of the vectors that it keeps beside the weights, zeros at the start; update: one step."""

    name: str
    slots: Callable[[Mapping[str, Any]], tuple[str, ...]]
    update: Update


def sgd(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, momentum: float) -> tuple[Val, dict[str, Val]]:
    """v ← momentum·v + g;  w ← w - rate·v (Sutskever et al. 2013, in PyTorch's form: the rate is not part of v)."""
    if not momentum:
        return w - rate * g, {}
    v = slots["velocity"] * momentum + g
    return w - rate * v, {"velocity": v}


def adam(w: Val, g: Val, slots: Slots, rate: Val, t: Val, *, beta1: float, beta2: float, eps: float) -> tuple[Val, dict[str, Val]]:
    """Kingma & Ba 2015 with bias correction; ε stands outside of the root.

    m ← β₁·m + (1 - β₁)·g;  v ← β₂·v + (1 - β₂)·g²;  w ← w - rate / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε)
    """
    m = slots["mean"] * beta1 + g * (1 - beta1)
    v = slots["square"] * beta2 + g * g * (1 - beta2)
    step = rate / correction(t, beta1, w.type.dtype)
    scale = F.sqrt(correction(t, beta2, w.type.dtype))
    return w - step * (m / (F.sqrt(v) / scale + eps)), {"mean": m, "square": v}


def correction(t: Val, beta: float, dtype: DType) -> Val:
    """1 - βᵗ, computed in float64: near 1 float32 would lose most of it."""
    exact = 1.0 - F.pow(t.builder.constant(beta, DType.f64), t)
    return exact if dtype is DType.f64 else F.cast(exact, dtype=dtype)  # type: ignore[no-any-return]


def sgd_slots(args: Mapping[str, Any]) -> tuple[str, ...]:
    return ("velocity",) if args["momentum"] else ()


OPTIMIZERS = {
    row.name: row
    for row in (
        Optimizer("sgd", sgd_slots, sgd),
        Optimizer("adam", lambda args: ("mean", "square"), adam),
    )
}


def update_graph(name: str, args: Mapping[str, Any], length: int, dtype: DType) -> Graph:
    """The graph of one step on vectors of `length`.

    Inputs: w, g (already clipped) and the slots; the scalars rate and t (f64). Outputs: w and the slots anew.
    `weight_decay` (L2) is added to the gradient: g + weight_decay·w.
    """
    row = OPTIMIZERS[name]
    settings = {key: value for key, value in args.items() if key not in ("rate", "weight_decay")}
    vector, scalar = tensor(dtype, length), TensorType(dtype=dtype, shape=())
    b = Builder(name)
    w, g = b.input("weight", "w", vector), b.input("input", "g", vector)
    slots = {slot: b.input("state", slot, vector) for slot in row.slots(args)}
    rate, t = b.input("input", "rate", scalar), b.input("input", "t", tensor("f64"))
    if args.get("weight_decay"):
        g = g + w * args["weight_decay"]
    result, after = row.update(w, g, slots, rate, t, **settings)
    b.output("w", result)
    for slot, value in after.items():
        b.output(slot, value)
    return b.build()
