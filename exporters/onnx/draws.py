"""Random draws of a training step as integer operators: Philox-4x32-10, bit by bit that of `dslc/ops/philox.py`.

The seed is fixed when the model is written, so the key of each stream is a constant; the number of the step is computed from the model's
input `t`. Words of 32 bits are kept in int64: a product is made of halves of 16 bits, which stay below 2⁶³. Opset 18 brought exclusive or
of integers; below it draws are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType, tensor
from dslc.ops.philox import LOW, MULTIPLIERS, ROUNDS, WEYL, mixed
from dslc.ops.support import product
from exporters.onnx.lowerings.base import Lowering, counted, result
from exporters.onnx.lowerings.sheet import Sheet
from exporters.onnx.lowerings.spatial import reshaped, shaped
from exporters.onnx.lowerings.window import refused
from exporters.onnx.model import ELEMENT, Writer

OLDEST = 18  # the first opset with BitwiseXor
HALF = 2**16
DRAWN = ("bernoulli", "uniform", "normal", "random_flip")


class Draws:
    """Lowerings of the draws of one step.

    seed: of the randomness; turns: how many steps make a round, of which this one has `times` from number `first` on (R19).
    """

    def __init__(self, seed: int, turns: int, first: int, times: int) -> None:
        self.seed, self.turns, self.first, self.times = seed, turns, first, times
        self.step = ""

    def number(self, t: int) -> int:
        """The number of the step that randomness is keyed by, for the t-th update of this step, t from 1."""
        rounds, again = divmod(t - 1, self.times)
        return rounds * self.turns + self.first + again

    def lowerings(self) -> dict[str, Lowering]:
        return {"bernoulli": self.bernoulli, "uniform": self.uniform, "normal": self.normal, "random_flip": self.flip}

    # ---- the operators ------------------------------------------------------------------------------------------------------------

    def bernoulli(self, w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        type = result(w, node)
        p: Any = node.attrs["p"]
        u = self.numbers(w, node, type)
        w.emit("Cast", [Sheet(w, type).test("Less", u, p)], type, outputs[0], to=ELEMENT[type.dtype])

    def uniform(self, w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        s = Sheet(w, result(w, node))
        low: Any = node.attrs["low"]
        high: Any = node.attrs["high"]
        s("Add", s("Mul", self.numbers(w, node, s.type), high - low), low, out=outputs[0])

    def normal(self, w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """√(-2 log u)·cos 2πv with u = 1 - the first, v the second of two uniform numbers (Box and Muller 1958), in double precision."""
        from math import pi

        type = result(w, node)
        samples, each = rows_of(type)
        pairs = reshaped(w, self.numbers(w, node, shaped(tensor("f64"), samples, each * 2)), [samples, each, 2])
        column = Sheet(w, TensorType(dtype=DType.f64, shape=(samples, each)))
        u, v = (w.emit("Gather", [pairs, w.constant(at, DType.i64)], column.type, axis=2) for at in (0, 1))
        radius = column("Sqrt", column("Mul", column("Log", column("Sub", 1.0, u)), -2.0))
        z = column("Mul", radius, column("Cos", column("Mul", v, 2 * pi)))
        s = Sheet(w, type)
        whole = s.cast(reshaped(w, z, type.shape), type.dtype) if type.dtype is not DType.f64 else reshaped(w, z, type.shape)
        mean: Any = node.attrs["mean"]
        std: Any = node.attrs["std"]
        s("Add", s("Mul", whole, std), mean, out=outputs[0])

    def flip(self, w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        type = result(w, node)
        few = TensorType(dtype=DType.f64, shape=(type.shape[0], *(Dim.of(1) for _ in type.shape[1:])))
        which = Sheet(w, few).test("Less", self.numbers(w, node, few), 0.5)
        bounds = [w.ints([-1]), w.ints([-(2**63)]), w.ints([type.rank - 1]), w.ints([-1])]
        mirrored = w.emit("Slice", [inputs[0], *bounds], type)
        w.emit("Where", [which, mirrored, inputs[0]], type, outputs[0])

    # ---- numbers ------------------------------------------------------------------------------------------------------------------

    def numbers(self, w: Writer, node: Node, type: TensorType) -> str:
        """Uniform numbers in [0, 1): float32 of 24 random bits, float64 of 53."""
        if w.opset < OLDEST:
            raise refused(node, f"random draws in a training step need opset {OLDEST} or later")
        samples, each = rows_of(type)
        single = type.dtype is DType.f32
        words = self.words(w, node, samples, each if single else each * 2)
        if single:
            bits, scale = ints(w, "Div", [words, 256], samples, each), 2.0**-24
        else:
            pairs = reshaped(w, words, [samples, each, 2])
            high, low = (w.emit("Gather", [pairs, w.constant(at, DType.i64)], words_type(samples, each), axis=2) for at in (0, 1))
            upper = ints(w, "Mul", [ints(w, "Div", [high, 32], samples, each), 2**26], samples, each)
            bits, scale = ints(w, "Add", [upper, ints(w, "Div", [low, 64], samples, each)], samples, each), 2.0**-53
        s = Sheet(w, type)
        return s("Mul", s.cast(reshaped(w, bits, type.shape), type.dtype), scale)

    def words(self, w: Writer, node: Node, samples: Dim, count: Dim) -> str:
        """[samples, count] random words: the counter is (block, sample, step, 0), the key (seed, stream)."""
        blocks = (count + 3) // 4
        stream: Any = node.attrs["stream"]
        both = mixed(mixed(self.seed & (2**64 - 1)) ^ stream)
        shape = w.shape([samples, blocks])
        wide = words_type(samples, blocks)
        columns = [counted(w, blocks, DType.i64), counted(w, samples, DType.i64, 1), self.numbered(w), w.constant(0, DType.i64)]
        counter = [w.emit("Expand", [part, shape], wide) for part in columns]
        mixed_words = philox(Sheet(w, wide), counter, (both & LOW, both >> 32))
        stacked = [w.emit("Unsqueeze", [part, w.ints([2])], shaped(wide, samples, blocks, 1)) for part in mixed_words]
        joined = reshaped(w, w.emit("Concat", stacked, shaped(wide, samples, blocks, 4), axis=2), [samples, blocks * 4])
        if blocks * 4 == count:
            return joined
        return w.emit("Slice", [joined, w.ints([0]), w.size(count), w.ints([1])], words_type(samples, count))

    def numbered(self, w: Writer) -> str:
        """The number of the step that draws are keyed by, a scalar computed from `t` once."""
        if not self.step:
            s = Sheet(w, tensor("i64"))
            before = s("Sub", "t", 1)
            rounds = s("Div", before, self.times)
            again = s("Sub", before, s("Mul", rounds, self.times))
            self.step = s("Add", s("Add", s("Mul", rounds, self.turns), self.first), again)
        return self.step


def rows_of(type: TensorType) -> tuple[Dim, Dim]:
    """The number of samples (axis 0), and of elements in each."""
    return (type.shape[0] if type.rank else Dim.of(1)), product(type.shape[1:])


def words_type(*shape: Dim) -> TensorType:
    return TensorType(dtype=DType.i64, shape=shape)


def ints(w: Writer, op: str, inputs: Sequence[str | int], *shape: Dim) -> str:
    return Sheet(w, words_type(*shape))(op, *inputs)


def philox(s: Sheet, counter: Sequence[str], key: tuple[int, int]) -> tuple[str, ...]:
    """Ten rounds over four tensors of 32-bit words (Salmon et al. 2011)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        high0, low0 = product_words(s, c0, MULTIPLIERS[0])
        high1, low1 = product_words(s, c2, MULTIPLIERS[1])
        c0, c2 = s("BitwiseXor", s("BitwiseXor", high1, c1), k0), s("BitwiseXor", s("BitwiseXor", high0, c3), k1)
        c1, c3 = low1, low0
        k0, k1 = (k0 + WEYL[0]) & LOW, (k1 + WEYL[1]) & LOW
    return c0, c1, c2, c3


def product_words(s: Sheet, x: str, factor: int) -> tuple[str, str]:
    """The upper and the lower 32 bits of x · factor, both below 2³²: with factor = a·2¹⁶ + b, x·a and x·b are below 2⁴⁸."""
    a, b = divmod(factor, HALF)
    lower = s("Mul", x, b)
    middle = s("Add", s("Mul", x, a), s("Div", lower, HALF))
    low = s("Add", s("Mul", s("Mod", middle, HALF), HALF), s("Mod", lower, HALF))
    return s("Div", middle, HALF), low
