"""Optimizers: functions over values that write a small graph on a vector of weights, or on one weight.

The same graph runs on every device; on the NumPy device it becomes prebound ufuncs that update the weights where they lie
(`runtime/update.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dslc.ir.graph import Graph
from dslc.ir.types import DType, TensorType, tensor
from dslc.ops.value import Builder, F, Val
from dslc.program import Call
from runtime.train import adam, adaptive, momentum
from runtime.train.limits import CLIPS, CONSTRAINTS

Slots = Mapping[str, Val]
Update = Callable[..., tuple[Val, dict[str, Val]]]
"""`update(w, g, slots, rate, t, **args) -> (new w, new slots)`; t counts steps from 1 (f64)."""
NO_SETTING = ("rate", "weight_decay", "l1", "decoupled")


@dataclass(frozen=True)
class Optimizer:
    """name; slots(args): the vectors that it keeps beside the weights, with their first value; update: one step.

    decay: how `weight_decay` acts: "l2" is added to the gradient, "decoupled" shrinks the weights, "own" is an argument of `update`.
    per_weight: `update` needs norms, so it runs on one weight at a time.
    """

    name: str
    slots: Callable[[Mapping[str, Any]], Mapping[str, float]]
    update: Update
    decay: Literal["l2", "decoupled", "own"] = "l2"
    per_weight: bool = False


def zeros(*names: str) -> Callable[[Mapping[str, Any]], Mapping[str, float]]:
    return lambda args: dict.fromkeys(names, 0.0)


def rmsprop_slots(args: Mapping[str, Any]) -> Mapping[str, float]:
    return {"square": 0.0} | ({"mean": 0.0} if args["centered"] else {}) | ({"velocity": 0.0} if args["momentum"] else {})


OPTIMIZERS = {
    row.name: row
    for row in (
        Optimizer("sgd", lambda args: {"velocity": 0.0} if args["momentum"] else {}, momentum.sgd),
        Optimizer("caffe_sgd", zeros("velocity"), momentum.caffe_sgd),
        Optimizer("adagrad", lambda args: {"square": args["initial"]}, adaptive.adagrad),
        Optimizer("rmsprop", rmsprop_slots, adaptive.rmsprop),
        Optimizer("adadelta", zeros("square", "change"), adaptive.adadelta),
        Optimizer("adam", zeros("mean", "square"), adam.adam),
        Optimizer("adamw", zeros("mean", "square"), adam.adam, decay="decoupled"),
        Optimizer("amsgrad", zeros("mean", "square", "largest"), adam.amsgrad),
        Optimizer("nadam", zeros("mean", "square"), adam.nadam),
        Optimizer("radam", zeros("mean", "square"), adam.radam),
        Optimizer("adamax", zeros("mean", "largest"), adam.adamax),
        Optimizer("lion", zeros("mean"), momentum.lion, decay="decoupled"),
        Optimizer("lamb", zeros("mean", "square"), adam.lamb, decay="own", per_weight=True),
    )
}


def update_graph(
    name: str,
    args: Mapping[str, Any],
    shape: int | Sequence[int | str],
    dtype: DType,
    *,
    clip: Call | None = None,
    constraint: Call | None = None,
    averaged: bool = False,
) -> Graph:
    """The graph of one step on a vector of that length, or on one weight of that shape.

    Inputs: w, g and the slots (with `averaged` also `average` and the scalar `share`); the scalars rate and t (f64).
    Outputs: w and the slots anew, and g where `clip` (value, each) changes it.
    Order: clip, L1 and L2 terms, the optimizer, the constraint, the average.
    """
    row = OPTIMIZERS[name]
    tensor_type = tensor(dtype, *((shape,) if isinstance(shape, int) else shape))
    b = Builder(name)
    w, g = b.input("weight", "w", tensor_type), b.input("input", "g", tensor_type)
    slots = {slot: b.input("state", slot, tensor_type) for slot in row.slots(args)}
    rate, t = b.input("input", "rate", TensorType(dtype=dtype, shape=())), b.input("input", "t", tensor("f64"))
    if clip is not None and clip.name in CLIPS:
        g = CLIPS[clip.name](g, **clip.args)
        b.output("g", g)
    w, g, settings = regularised(row, args, w, g, rate)
    result, after = row.update(w, g, slots, rate, t, **settings)
    if constraint is not None:
        result = CONSTRAINTS[constraint.name](result, **constraint.args)
    b.output("w", result)
    for slot, value in after.items():
        b.output(slot, value)
    if averaged:
        average, share = b.input("state", "average", tensor_type), b.input("input", "share", TensorType(dtype=dtype, shape=()))
        b.output("average", average + share * (result - average))
    return b.build()


def regularised(row: Optimizer, args: Mapping[str, Any], w: Val, g: Val, rate: Val) -> tuple[Val, Val, dict[str, Any]]:
    """w and g after `l1` and `weight_decay`, and the arguments that are left for the optimizer.

    g + l1·sign(w);  L2: g + weight_decay·w;  decoupled: w·(1 - rate·weight_decay) (Loshchilov & Hutter 2019).
    """
    settings = {key: value for key, value in args.items() if key not in NO_SETTING}
    decay, l1 = args.get("weight_decay") or 0.0, args.get("l1") or 0.0
    if l1:
        g = g + F.sign(w) * l1
    if row.decay == "own":
        return w, g, settings | {"weight_decay": decay}
    if decay and (row.decay == "decoupled" or args.get("decoupled")):
        w = w * (1.0 - rate * decay)
    elif decay:
        g = g + w * decay
    return w, g, settings
