"""Random small graphs over all rows that run, with the arrays to feed them.

Each row brings samples of inputs where it is defined and, where it has a gradient, smooth. A graph is grown from these: a floating
input of a new node is a weight that holds the sample, moved a little (at most 0.01 a place) by values that the graph has already; so
every value stays where its row is defined, and gradients run through the whole graph. Between the nodes stand things that the
passes take away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dslc.ir.graph import Graph
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.support import attr_shape
from dslc.ops.table import Case, Mismatch, Op, rows
from dslc.ops.value import Builder, F, Val

SYMBOLS = {2: "n", 5: "k"}  # sizes that become symbolic
EVERYWHERE = ("elementwise", "reduce", "movement")  # kinds that take symbolic sizes on every axis; others take a symbolic batch


@dataclass(frozen=True)
class Subject:
    """A graph and the arrays of its inputs. Outputs: `loss` (a float64 scalar), and the values of all rows (`value3`)."""

    graph: Graph
    arrays: dict[str, np.ndarray]
    weights: tuple[str, ...]
    dims: dict[str, int]


@dataclass
class Growth:
    draw: st.DrawFn
    builder: Builder = field(default_factory=lambda: Builder("random"))
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    weights: list[str] = field(default_factory=list)
    pool: list[Val] = field(default_factory=list)
    dims: dict[str, int] = field(default_factory=dict)

    def input(self, kind: Any, array: np.ndarray, symbolic: int) -> Val:
        """A new input of the graph; the first `symbolic` axes have symbolic sizes."""
        shape = [Dim.of(SYMBOLS[n] if axis < symbolic and n in SYMBOLS else n) for axis, n in enumerate(array.shape)]
        self.dims |= {SYMBOLS[n]: n for n in array.shape[:symbolic] if n in SYMBOLS}
        name = f"{kind}{len(self.arrays)}"
        dtype = next(d for d in DType if d.numpy == str(array.dtype))
        self.arrays[name] = array
        if kind == "weight":
            self.weights.append(name)
        return self.builder.input(kind, name, TensorType(dtype=dtype, shape=tuple(shape)))

    def pick(self) -> Val:
        """One of the latest values: graphs grow deep."""
        return self.pool[-1 - min(self.draw(st.integers(0, 5)), len(self.pool) - 1)]

    def argument(self, array: Any, symbolic: int) -> Val:
        """An input of a new node that has the sample's shape and nearly its values."""
        array = np.asarray(array)
        if array.dtype.kind != "f":
            return self.input("data", array, symbolic)
        weight = self.input("weight", array.astype(np.float64), symbolic)
        return weight + self.small(weight.type) if self.pool else weight

    def small(self, type: TensorType) -> Val:
        """A value of this type between -0.01 and 0.01, made of one of the pool."""
        value = self.pick()
        if value.type.shape != type.shape:
            if value.type.elements == type.elements:
                value = F.reshape(value, shape=attr_shape(type.shape))
            else:
                value = F.broadcast(F.reshape(F.mean(value), shape=(1,) * type.rank), shape=attr_shape(type.shape))
        return F.tanh(self.detour(value)) * 0.01

    def detour(self, value: Val) -> Val:
        """The same value by a way that the passes shorten."""
        return DETOURS[self.draw(st.integers(0, len(DETOURS) - 1))](value)

    def grow(self, row: Op, case: Case) -> None:
        """One more node of this row."""
        axes = 8 if row.kind in EVERYWHERE else 1
        symbolic = axes if self.draw(st.booleans()) else 0
        try:
            results = self.apply(row, case, symbolic)
        except Mismatch:
            if not symbolic:
                raise
            results = self.apply(row, case, 0)  # the row or its attributes need fixed sizes
        self.pool += [value for value in results if value.type.dtype is DType.f64]
        for value in results:
            self.builder.output(f"value{value.id}", value)

    def apply(self, row: Op, case: Case, symbolic: int) -> tuple[Val, ...]:
        arrays = case.inputs[: len(case.inputs) - row.random]
        if not any(row.grad.values()):
            arrays = tuple(off_jumps(np.asarray(array)) for array in arrays)
        required = len(arrays) - len(case.attrs.get("optional") or ())
        inputs = [self.argument(array, symbolic if at == 0 or symbolic > 1 else 0) for at, array in enumerate(arrays[:required])]
        # Masks and weights of losses are constants to differentiation.
        inputs += [self.input("data", np.asarray(array), symbolic if symbolic > 1 else 0) for array in arrays[required:]]
        attrs = dict(case.attrs)
        if row.random:
            inputs.append(self.builder.key())
            self.arrays["key"] = np.array([3, 1, 0], np.int64)
            attrs["stream"] = self.draw(st.integers(0, 2))
        results = self.builder.many(row.name, inputs, **attrs)
        if self.draw(st.integers(0, 3)) == 0:  # once more, for `share`
            again = self.builder.many(row.name, inputs, **attrs)
            self.pool += [value for value in again if value.type.dtype is DType.f64]
        return results

    def subject(self) -> Subject:
        """The loss: the sum of the means of squares of all that was grown."""
        total = self.builder.constant(0, DType.f64)
        for value in self.pool:
            total = total + F.mean(value * value)
        self.builder.output("loss", total)
        return Subject(self.builder.build(), self.arrays, tuple(self.weights), self.dims)


def around_transpose(x: Val) -> Val:
    axes = tuple(reversed(range(x.type.rank)))
    return F.transpose(F.transpose(x, axes=axes), axes=axes) if axes else x


def around_reshape(x: Val) -> Val:
    flat = F.reshape(x, shape=attr_shape((x.type.elements,)))
    return F.reshape(F.reshape(flat, shape=(1, *attr_shape(flat.type.shape))), shape=attr_shape(x.type.shape))


DETOURS = (
    lambda x: x,
    lambda x: x * 1,
    lambda x: 0 + x,
    lambda x: x - 0,
    lambda x: x / 1,
    lambda x: x / 4,
    lambda x: F.negative(-x),
    lambda x: x - (-x),
    lambda x: (-x) + x * 3,
    lambda x: -1 * x,
    lambda x: (x * x + 1) ** 0.5,
    lambda x: x**2,
    lambda x: (x * x + 1) ** -1,
    lambda x: x * (x.builder.constant(0.5, DType.f64) + x.builder.constant(0.25, DType.f64)),
    lambda x: F.cast(x, dtype=DType.f64),
    lambda x: F.broadcast(x, shape=attr_shape(x.type.shape)),
    lambda x: x + F.broadcast(F.mean(x, axis=None, keep=True), shape=attr_shape(x.type.shape)),
    lambda x: F.where(F.greater(x, x.builder.constant(0, DType.f64)), x, x),
    around_transpose,
    around_reshape,
)


def usable() -> list[Op]:
    """Rows that run and say where. Internal ones come in as gradients; by themselves their inputs would contradict each other."""
    return [row for row in sorted(rows(), key=lambda row: row.name) if row.eval is not None and row.sample is not None and not row.internal]


def off_jumps(array: Any) -> Any:
    """Whole numbers and halves moved aside: there `floor`, `round` and their like jump, and differences say nothing."""
    return np.where(array * 2 == np.rint(array * 2), array + 0.137, array) if array.dtype.kind == "f" else array


@st.composite
def subjects(draw: st.DrawFn, largest: int = 6) -> Subject:
    growth = Growth(draw)
    table = usable()
    for _ in range(draw(st.integers(1, largest))):
        row = table[draw(st.integers(0, len(table) - 1))]
        assert row.sample is not None
        cases = row.sample(np.random.default_rng(draw(st.integers(0, 3))))
        growth.grow(row, cases[draw(st.integers(0, len(cases) - 1))])
    return growth.subject()
