"""Relations of arithmetic over drawn sizes (relations 7, 8, 10 and 11). Integers make every sum exact, so that equal means equal.

The numbers are at most 3, the kernels at most 2 · 5 · 3^3 terms: every sum stays far below 2^24, where float32 counts by ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from dslc.ir.types import DType
from dslc.passes.differentiate import differentiate
from exporters.onnx.fold_batch_norm import fold_batch_norm
from tests.relations.loops import conv as loop_conv
from tests.relations.numeric import equal, identical, values
from tests.relations.pairs import Arrays, graph_of, integers, results, same_results, slope_lines


@dataclass(frozen=True)
class Shape:
    """A convolution: n samples, c channels in, o out, sizes, kernel and settings along each axis."""

    n: int
    c: int
    o: int
    sizes: list[int]
    kernel: list[int]
    stride: list[int]
    pad: list[list[int]]
    dilation: list[int]
    groups: int = 1

    @property
    def places(self) -> list[int]:
        reach = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        return [(n + sum(p) - r) // s + 1 for n, p, r, s in zip(self.sizes, self.pad, reach, self.stride, strict=True)]

    @property
    def settings(self) -> str:
        return f"stride={self.stride}, pad={self.pad}, dilation={self.dilation}, groups={self.groups}"

    def arrays(self, rng: Random) -> Arrays:
        return {
            "x": integers(rng, (self.n, self.c, *self.sizes)),
            "k": integers(rng, (self.o, self.c // self.groups, *self.kernel)),
            "g": integers(rng, (self.n, self.o, *self.places)),
        }


def drawn(rng: Random, *, point: bool = False, plain: bool = False, groups: int = 1) -> Shape:
    """point: the kernel is 1 along each axis; plain: no dilation. The pads leave room for the kernel."""
    axes = rng.randint(1, 3)
    kernel = [1 if point else rng.randint(1, 3) for _ in range(axes)]
    dilation = [1 if plain or point else rng.randint(1, 3) for _ in range(axes)]
    pad = [[0, 0] if point else [rng.randint(0, 2), rng.randint(0, 2)] for _ in range(axes)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    sizes = [max(1, r - sum(p)) + rng.randint(0, 3) for r, p in zip(reach, pad, strict=True)]
    stride = [1 if point else rng.randint(1, 3) for _ in range(axes)]
    return Shape(rng.randint(1, 3), groups * rng.randint(1, 2), groups * rng.randint(1, 3), sizes, kernel, stride, pad, dilation, groups)


def convolutions(rng: Random) -> None:
    """One of the ways to write a convolution by something else."""
    rng.choice((pointwise, grouped, dilated, strided, transposed, looped, pooled))(rng)


def compared(shape: Shape, lines: list[str], rng: Random) -> None:
    """`a` and `b` are the same, and so are their gradients to the input and the kernel."""
    arrays = shape.arrays(rng)
    graph = graph_of([*lines, *slope_lines("ab")], {name: array.shape for name, array in arrays.items()})
    same_results(graph, "ab", arrays, ("x", "k"))


def pointwise(rng: Random) -> None:
    """A kernel of size 1 is a product of matrices, place by place."""
    s = drawn(rng, point=True)
    rows, places = int(np.prod(s.sizes)), ", ".join(map(str, s.sizes))
    compared(s, [
        "a = op.conv(x, k)",
        f"flat = transpose(reshape(x, [{s.n}, {s.c}, {rows}])) @ transpose(reshape(k, [{s.o}, {s.c}]))",
        f"b = reshape(transpose(flat), [{s.n}, {s.o}, {places}])",
    ], rng)  # fmt: skip


def grouped(rng: Random) -> None:
    """Groups are convolutions side by side."""
    s = drawn(rng, groups=rng.randint(2, 3))
    one = f"stride={s.stride}, pad={s.pad}, dilation={s.dilation}"
    cuts = [f"op.conv(x[:, {part(s.c, s.groups, at)}], k[{part(s.o, s.groups, at)}], {one})" for at in range(s.groups)]
    compared(s, [f"a = op.conv(x, k, {s.settings})", f"b = concat({', '.join(cuts)}, axis=1)"], rng)


def part(count: int, parts: int, at: int) -> str:
    return f"{count // parts * at}:{count // parts * (at + 1)}"


def dilated(rng: Random) -> None:
    """A dilated kernel is one with zeros between its numbers."""
    s = drawn(rng)
    lines, shape = ["k0 = k"], [s.o, s.c, *s.kernel]
    for axis, dilation in enumerate(s.dilation, 2):
        stuffed = shape[:axis] + [shape[axis] * dilation] + shape[axis + 1 :]
        shape = shape[:axis] + [(shape[axis] - 1) * dilation + 1] + shape[axis + 1 :]
        copies = ", ".join([f"k{axis - 2}", *[f"0 * k{axis - 2}"] * (dilation - 1)])
        lines.append(f"k{axis - 1} = reshape(stack({copies}, axis={axis + 1}), {stuffed})[{':, ' * axis}0:{shape[axis]}]")
    dense = f"stride={s.stride}, pad={s.pad}"
    compared(s, [f"a = op.conv(x, k, {s.settings})", *lines, f"b = op.conv(x, k{len(s.sizes)}, {dense})"], rng)


def strided(rng: Random) -> None:
    """A stride takes some of the places of the convolution without one."""
    s = drawn(rng)
    lines = [f"b0 = op.conv(x, k, pad={s.pad}, dilation={s.dilation})"]
    for axis, (stride, count) in enumerate(zip(s.stride, s.places, strict=True)):
        lines.append(f"b{axis + 1} = b{axis}[{':, ' * (axis + 2)}{[stride * place for place in range(count)]}]")
    compared(s, [f"a = op.conv(x, k, {s.settings})", *lines, f"b = b{len(s.sizes)} + 0"], rng)


def transposed(rng: Random) -> None:
    """The transposed convolution is the adjoint: ⟨conv(x, k), g⟩ = ⟨x, conv_transpose(g, k)⟩."""
    s = drawn(rng, groups=rng.randint(1, 2))
    rest = zip(s.sizes, s.pad, s.kernel, s.dilation, s.stride, strict=True)
    extra = [(n + sum(p) - d * (k - 1) - 1) % st for n, p, k, d, st in rest]
    arrays = s.arrays(rng)
    lines = [
        f"a = sum(op.conv(x, k, {s.settings}) * g)",
        f"b = sum(x * op.conv_transpose(g, k, {s.settings}, output_pad={extra}))",
        "output a, b",
        "output slope_a = a * 1",
        "output slope_b = b * 1",
    ]
    graph = graph_of(lines, {name: array.shape for name, array in arrays.items()})
    same_results(graph, "ab", arrays, ("x", "k", "g"))


def looped(rng: Random) -> None:
    """The convolution is what four loops say."""
    s = drawn(rng, groups=rng.randint(1, 3))
    arrays = s.arrays(rng)
    graph = graph_of([f"output a = op.conv(x, k, {s.settings})"], {name: arrays[name].shape for name in "xk"})
    wanted, _ = loop_conv(arrays["x"], arrays["k"], s.stride, s.pad, s.dilation, s.groups)
    for found in results(graph, {name: arrays[name] for name in "xk"}).values():
        equal(found, {"a": wanted})


def pooled(rng: Random) -> None:
    """A mean over windows of 1, 2 or 4 places is a convolution of each channel with kernels of equal numbers."""
    axes = rng.randint(1, 2)
    kernel, stride = [rng.choice((1, 2, 4)) for _ in range(axes)], [rng.randint(1, 3) for _ in range(axes)]
    sizes = [k + rng.randint(0, 4) for k in kernel]
    c, count = rng.randint(1, 3), int(np.prod(kernel))
    places = [(n - k) // st + 1 for n, k, st in zip(sizes, kernel, stride, strict=True)]
    arrays = {"x": integers(rng, (2, c, *sizes)), "k": np.full((c, 1, *kernel), 1 / count, np.float32), "g": integers(rng, (2, c, *places))}
    lines = [f"a = op.avg_pool(x, kernel={kernel}, stride={stride})", f"b = op.conv(x, k, stride={stride}, groups={c})", *slope_lines("ab")]
    graph = graph_of(lines, {name: array.shape for name, array in arrays.items()})
    same_results(graph, "ab", arrays, ("x",))


# ---- channels -------------------------------------------------------------------------------------------------------------------------


def channels_permuted(rng: Random) -> None:
    """Channels between two convolutions in another order, with the weights around them, give the same result and the same gradients."""
    n, c, middle, o, size = rng.randint(1, 2), rng.randint(1, 3), rng.randint(2, 6), rng.randint(1, 3), rng.randint(4, 6)
    arrays = {
        "x": integers(rng, (n, c, size, size)), "first": integers(rng, (middle, c, 3, 3), 1), "scale": integers(rng, (middle,), 2),
        "shift": integers(rng, (middle,)), "second": integers(rng, (o, middle, 2, 2), 1),
    }  # fmt: skip
    pool = rng.choice(("op.max_pool(y, kernel=2, stride=1)", "op.avg_pool(y, kernel=2, stride=2)", "y"))
    lines = [
        "y = relu(op.channel_affine(op.conv(x, first, pad=1), scale, shift))",
        f"output z = op.conv({pool}, second)",
        "output y2 = sum(z * z)",
    ]
    graph = graph_of(lines, {name: array.shape for name, array in arrays.items()})
    order = rng.sample(range(middle), middle)
    back = [order.index(at) for at in range(middle)]
    turned = {name: permuted(name, array, order) for name, array in arrays.items()}
    whole = differentiate(graph, "y2", tuple(arrays))
    wanted = values(whole, arrays)
    for found in results(whole, turned).values():
        equal({name: permuted(name.removeprefix("grad:"), value, back) for name, value in found.items()}, wanted)


def permuted(name: str, array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """A weight around the middle channels with these in another order; other arrays as they are."""
    axis = {"first": 0, "scale": 0, "shift": 0, "second": 1}.get(name)
    return array if axis is None else np.take(array, order, axis)


# ---- shifts and scales ----------------------------------------------------------------------------------------------------------------


def softmax_shifted(rng: Random) -> None:
    """A number added to all scores of a sample changes no bit where the sums are exact: softmax, its logarithm, losses and gradients.

    `logsumexp` moves by just that number; there its last two sums round, each by half an ulp at most.
    """
    rank, classes = rng.randint(1, 2), rng.randint(2, 9)
    shape = [rng.randint(1, 4) for _ in range(rank)]
    numbers = np.random.default_rng(rng.randrange(2**32))
    x = (numbers.integers(-32, 33, (*shape, classes)) / 8).astype(np.float32)
    move = numbers.integers(-40, 41, (*shape, 1)).astype(np.float32)
    label = numbers.integers(0, classes, shape)
    heads = {"x": x.shape}
    lines = [
        f"input label: i64{shape}", "output p = softmax(x)", "output l = log_softmax(x)", "output loss = cross_entropy(x, label)",
        "output total = logsumexp(x, axis=-1)",
    ]  # fmt: skip
    graph = differentiate(graph_of(lines, heads), "loss", ("x",))
    plain, moved = [results(graph, {"x": array, "label": label}) for array in (x, x + move)]
    for way, wanted in plain.items():
        found, total = dict(moved[way]), wanted.pop("total")
        shifted = found.pop("total")
        identical(found, wanted)
        bound = np.finfo(np.float32).eps * (np.abs(total) + np.abs(shifted) + np.abs(move[..., 0]))
        assert (np.abs(shifted - (total.astype(np.float64) + move[..., 0])) <= bound).all(), f"{shifted} instead of {total + move[..., 0]}"


def batch_norm_folded(rng: Random) -> None:
    """A normalisation in evaluation is a scaled kernel and another bias, within (K + 8) roundings of the sum of sizes of its K terms."""
    s = drawn(rng)
    numbers = np.random.default_rng(rng.randrange(2**32))
    call = f"conv({s.o}, kernel={s.kernel}, stride={s.stride}, pad={s.pad}, dilation={s.dilation})"
    graph = graph_of([f"output y = x -> {call} -> batch_norm"], {"x": (s.n, s.c, *s.sizes)}, DType.f64)
    arrays = {item.name: numbers.uniform(-1, 1, graph.types[item.id].sizes({})) for item in graph.inputs}
    arrays["Pair.batch_norm0.var"] = numbers.uniform(0.1, 2, s.o)
    parameters = {name: array for name, array in arrays.items() if name != "x"}
    folded = fold_batch_norm(graph, parameters)
    assert folded.done and not folded.left, f"not folded: {folded.left}"
    wanted = values(graph, arrays)["y"]
    terms = (s.c * int(np.prod(s.kernel)) + 8) * np.finfo(np.float64).eps * sizes_of_terms(s, arrays)
    for found in results(folded.graph, folded.parameters | {"x": arrays["x"]}).values():
        assert (np.abs(found["y"] - wanted) <= terms).all(), f"off by {np.abs(found['y'] - wanted).max():.3g}, bound {terms.min():.3g}"


def sizes_of_terms(s: Shape, arrays: Arrays) -> np.ndarray:
    """Σ|x||k|·|γ|/d + (|b| + |mean|)·|γ|/d + |β| for each result."""
    kernel, b = np.abs(arrays["Pair.conv0.w"]), np.abs(arrays["Pair.conv0.b"])
    mean, beta = np.abs(arrays["Pair.batch_norm0.mean"]), np.abs(arrays["Pair.batch_norm0.beta"])
    scale = np.abs(arrays["Pair.batch_norm0.gamma"]) / np.sqrt(arrays["Pair.batch_norm0.var"] + 1e-5)
    y, _ = loop_conv(np.abs(arrays["x"]), kernel, s.stride, s.pad, s.dilation, s.groups)
    unit = (-1, *[1] * len(s.sizes))
    return np.asarray(y * scale.reshape(unit) + ((b + mean) * scale + beta).reshape(unit))
