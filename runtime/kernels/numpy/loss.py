"""Cross-entropy of class indices over the last axis, without temporaries of the size of the logits outside of scratch."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from runtime.kernels.registry import Call, Registry, Signature, Step

Array = Any


def plain(signature: Signature) -> bool:
    """Indices over the last axis; no mask, weight, smoothing or ignored class: the others run as `eval`."""
    attrs = signature.attrs
    last = attrs["axis"] in (-1, len(signature.inputs[0][0]) - 1)
    return last and not attrs.get("optional") and not attrs["smoothing"] and attrs["ignore"] is None


def cross_entropy(call: Call) -> list[Step]:
    """-log p[label] = log Σ exp(x - max) - (x[label] - max), its mean or each."""
    (x, label), (y,) = call.inputs, call.outputs
    classes = x.shape[-1]
    count = x.size // classes
    rows, labels = x.reshape(count, classes), label.reshape(count)
    shifted = call.scratch((count, classes), x.dtype.name)
    largest, total, picked = (call.scratch((count, 1), x.dtype.name) for _ in range(3))
    place = call.scratch((count,), "int64")
    first = np.arange(0, count * classes, classes)
    each = y.reshape(count, 1) if call.attrs["each"] else total
    steps: list[Step] = [
        partial(np.maximum.reduce, rows, 1, None, largest, True),
        partial(np.subtract, rows, largest, out=shifted),
        partial(check_labels, call, labels, classes),
        partial(np.copyto, place, labels),
        partial(np.add, place, first, out=place),
        partial(np.take, shifted.reshape(-1), place, 0, picked.reshape(-1), "clip"),
        partial(np.exp, shifted, out=shifted),
        partial(np.add.reduce, shifted, 1, None, total, True),
        partial(np.log, total, out=total),
        partial(np.subtract, total, picked, out=each),
    ]
    if not call.attrs["each"]:
        steps += [partial(np.add.reduce, total, None, None, y), partial(np.divide, y, y.dtype.type(count), out=y)]
    return steps


def check_labels(call: Call, labels: Array, classes: int) -> None:
    """Every label is a class: a wrong one would read another row."""
    low, high = labels.min(), labels.max()
    if low < 0 or high >= classes:
        raise call.fault(f"a label is {low if low < 0 else high}, and there are {classes} classes from 0 on")


def register(registry: Registry) -> None:
    registry.tune("cross_entropy", fits=plain)(cross_entropy)
