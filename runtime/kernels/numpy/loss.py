"""Losses and accuracy of class indices over any axis, without temporaries outside of scratch.

One thread, f32, beside `eval`: cross-entropy of [64, 1000] logits 0.07 ms instead of 0.11, with smoothing 0.08 instead of 0.13; of
[8, 21, 64, 64] along axis 1 with an ignored label 0.73 ms instead of 1.05; accuracy of [64, 1000] 0.09 ms instead of 0.12.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import numpy as np

from runtime.kernels.registry import Call, Registry, Signature, Step

Array = Any


class Labelled:
    """What the kernels of this family share. x: scores; kept: x's shape with one place along the axis of the classes.

    place: the flat index into x of each label; hit: which labels are not ignored, or None; count: how much each prediction counts, or None
    where all count 1. `steps` fill them.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self.x, self.label = call.inputs[:2]
        self.axis = call.attrs["axis"] % self.x.ndim
        self.classes = self.x.shape[self.axis]
        self.kept = tuple(1 if at == self.axis else size for at, size in enumerate(self.x.shape))
        self.steps: list[Step] = []
        self.mask, self.weight = (self.factor(name) for name in ("mask", "weight"))
        self.hit = self.counting_labels()
        self.index = self.indices()
        self.place = self.places()
        self.count = self.counts()

    def scratch(self, dtype: str = "") -> Array:
        """One value for each prediction."""
        return self.call.scratch(self.kept, dtype or self.x.dtype.name)

    def factor(self, name: str) -> Array | None:
        """The mask or weight, as it meets the predictions."""
        given = dict(zip(self.call.attrs.get("optional") or (), self.call.inputs[2:], strict=True)).get(name)
        return given if given is None or not given.ndim else given.reshape(self.kept)

    def counting_labels(self) -> Array | None:
        ignore = self.call.attrs["ignore"]
        if ignore is None:
            return None
        hit = self.scratch("bool")
        self.steps.append(partial(np.not_equal, self.label.reshape(self.kept), ignore, out=hit))
        return hit

    def indices(self) -> Array:
        """The labels as i64, those that do not count as 0."""
        index = self.scratch("int64")
        self.steps.append(partial(np.copyto, index, self.label.reshape(self.kept), casting="unsafe"))
        if self.hit is not None:
            self.steps.append(partial(np.multiply, index, self.hit, out=index))
        if self.mask is not None:
            counts = self.scratch("bool")
            self.steps += [partial(np.not_equal, self.mask, 0, out=counts), partial(np.multiply, index, counts, out=index)]
        self.steps.append(partial(check_labels, self.call, index, self.classes))
        return index

    def places(self) -> Array:
        inner = prod(self.x.shape[self.axis + 1 :])
        outer = np.arange(0, self.x.size, self.classes * inner)
        first = (outer[:, None] + np.arange(inner)).reshape(self.kept)
        place = self.scratch("int64")
        self.steps += [partial(np.multiply, self.index, inner, out=place), partial(np.add, place, first, out=place)]
        return place

    def counts(self) -> Array | None:
        factors = [factor for factor in (self.mask, self.weight) if factor is not None]
        factors += [self.hit] if self.hit is not None else []
        if not factors:
            return None
        count = self.scratch()
        self.steps.append(partial(count.fill, 1))
        self.steps += [partial(np.multiply, count, factor, out=count, casting="unsafe") for factor in factors]
        return count

    def picked(self) -> Array:
        """The score of each label."""
        found = self.scratch()
        self.steps.append(partial(np.take, self.x.reshape(-1), self.place, 0, found, "clip"))
        return found

    def finish(self, loss: Array) -> list[Step]:
        """`loss` of each prediction as it counts into the result, or its mean over what counts."""
        (y,) = self.call.outputs
        if self.count is not None:
            nothing = self.scratch("bool")
            self.steps += [
                partial(np.multiply, loss, self.count, out=loss),
                partial(np.equal, self.count, 0, out=nothing),
                partial(np.copyto, loss, 0, where=nothing),  # also where it is nan
            ]
        if self.call.attrs["each"]:
            return [*self.steps, partial(np.copyto, y.reshape(self.kept), loss)]
        if self.count is None:
            return [*self.steps, partial(np.add.reduce, loss, None, None, y), partial(np.divide, y, y.dtype.type(loss.size), out=y)]
        total = self.call.scratch((), y.dtype.name)
        return [
            *self.steps,
            partial(np.add.reduce, loss, None, None, y),
            partial(np.add.reduce, self.count, None, None, total),
            partial(at_least_something, total),
            partial(np.divide, y, total, out=y),
        ]


def at_least_something(total: Array) -> None:
    """1 where nothing counts: the mean is 0."""
    if total == 0:
        total.fill(1)


def check_labels(call: Call, labels: Array, classes: int) -> None:
    """Every label is a class: a wrong one would read another row."""
    low, high = labels.min(), labels.max()
    if low < 0 or high >= classes:
        raise call.fault(f"a label is {low if low < 0 else high}, and there are {classes} classes from 0 on")


def cross_entropy(call: Call) -> list[Step]:
    """-log p[label] = log Σ exp(x - max) - (x[label] - max), and of the smoothed part log Σ exp(x - max) - mean(x - max)."""
    at = Labelled(call)
    x, axis, smoothing = at.x, at.axis, call.attrs["smoothing"]
    picked, largest, total = at.picked(), at.scratch(), at.scratch()
    shifted = call.scratch(x.shape, x.dtype.name)
    at.steps += [
        partial(np.maximum.reduce, x, axis, None, largest, True),
        partial(np.subtract, x, largest, out=shifted),
        partial(np.subtract, picked, largest, out=picked),
    ]
    if smoothing:
        at.steps += [  # (1 - ε)·x[label] + ε·mean(x), of the shifted x
            partial(np.add.reduce, shifted, axis, None, total, True),
            partial(np.multiply, total, x.dtype.type(smoothing / at.classes), out=total),
            partial(np.multiply, picked, x.dtype.type(1 - smoothing), out=picked),
            partial(np.add, picked, total, out=picked),
        ]
    at.steps += [
        partial(np.exp, shifted, out=shifted),
        partial(np.add.reduce, shifted, axis, None, total, True),
        partial(np.log, total, out=total),
        partial(np.subtract, total, picked, out=total),
    ]
    return at.finish(total)


def nll(call: Call) -> list[Step]:
    """-x[label]"""
    at = Labelled(call)
    picked = at.picked()
    at.steps.append(partial(np.negative, picked, out=picked))
    return at.finish(picked)


def accuracy(call: Call) -> list[Step]:
    """Fewer than k classes come before the label: those with a higher score, or with an equal one and a lower index."""
    at = Labelled(call)
    x, axis = at.x, at.axis
    picked, before = at.picked(), at.scratch("int64")
    higher, equal, lower = (call.scratch(x.shape, "bool") for _ in range(3))
    right, numbers = at.scratch("bool"), at.scratch("bool")
    order = np.arange(at.classes).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    at.steps += [
        partial(np.greater, x, picked, out=higher),
        partial(np.equal, x, picked, out=equal),
        partial(np.less, order, at.index, out=lower),
        partial(np.logical_and, equal, lower, out=equal),
        partial(np.logical_or, higher, equal, out=higher),
        partial(np.add.reduce, higher, axis, "int64", before, True),
        partial(np.less, before, call.attrs["k"], out=right),
        partial(np.equal, x, x, out=equal),  # no score is nan
        partial(np.logical_and.reduce, equal, axis, None, numbers, True),
        partial(np.logical_and, right, numbers, out=right),
        partial(np.copyto, picked, right),
    ]
    return at.finish(picked)


def packed(signature: Signature) -> bool:
    return all(signature.packed)


def register(registry: Registry) -> None:
    for name, bind in {"cross_entropy": cross_entropy, "nll": nll, "accuracy": accuracy}.items():
        registry.tune(name, fits=packed)(bind)
