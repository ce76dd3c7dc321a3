"""What the gradients over windows share: cuts, pads, taps, and their adjoint, the sum of overlapping windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from dslc.ir.graph import Node
from dslc.ir.types import Dim, TensorType, tensor
from exporters.onnx.lowerings.window import fixed_pads, refused, rounds_up
from exporters.onnx.model import Writer


@dataclass(frozen=True)
class Window:
    """The windows over the spatial axes of an input: its sizes, the number of windows, and their geometry, an entry for each axis.

    pads: None for `same` with a stride over open sizes: how `totals` are divided is computed when the model runs.
    """

    sizes: tuple[Dim, ...]
    count: tuple[Dim, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...] | None
    ceil: bool

    @property
    def rank(self) -> int:
        return len(self.kernel)

    @property
    def extents(self) -> list[int]:
        return [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]

    @property
    def reach(self) -> list[Dim]:
        """How far the last window goes in the padded input."""
        return [(n - 1) * s + e for n, s, e in zip(self.count, self.stride, self.extents, strict=True)]

    @property
    def befores(self) -> list[int]:
        """Pads before the input; without `pads` it is padded before its windows are counted."""
        return [0] * self.rank if self.pads is None else [before for before, _ in self.pads]

    @property
    def totals(self) -> list[Dim]:
        """Both pads of each axis together, for `same`."""
        rows = zip(self.sizes, self.reach, self.extents, strict=True)
        return [Dim.of(0) if extent == 1 or (reach - size).sign() == -1 else reach - size for size, reach, extent in rows]

    @property
    def behind(self) -> list[Dim]:
        """Pads behind the input, with which every window is inside: those of the node, and what `ceil` adds."""
        found: list[Dim] = []
        for size, (before, after), reach, step in zip(self.sizes, self.pads or (), self.reach, self.stride, strict=True):
            more = reach - size - before
            known = max(after, more.constant) if more.is_constant else after + (step - 1 if self.ceil else 0)
            found.append(Dim.of(known))
        return found


def window_of(node: Node, x: TensorType, y: TensorType, kernel: Sequence[int]) -> Window:
    """The geometry of a node between an input like x and a result like y."""
    a: dict[str, Any] = dict(node.attrs)
    dilation = tuple(a.get("dilation", (1,) * len(kernel)))
    pads = fixed_pads(x, kernel, a["stride"], dilation, a["pad"])
    fixed = None if pads is None else tuple(map(tuple, pads))
    window = Window(x.shape[2:], y.shape[2:], tuple(kernel), tuple(a["stride"]), dilation, fixed, rounds_up(node))
    rows = zip(window.sizes, window.extents, window.stride, strict=True)
    if pads is None and any(not size.is_constant and 1 < extent < step for size, extent, step in rows):
        raise refused(node, 'with pad="same" and a stride above its kernel its input needs fixed sizes')  # some pads would be negative
    return window


def halves(w: Writer, window: Window) -> tuple[str, str]:
    """All pads of each axis, and those before the input, computed from the sizes: `same` puts the odd one behind."""
    total = w.shape(window.totals)
    return total, w.emit("Div", [total, w.ints([2])], tensor("i64", window.rank))


def shaped(type: TensorType, *shape: int | Dim) -> TensorType:
    return TensorType(dtype=type.dtype, shape=tuple(Dim.of(size) for size in shape))


def reshaped(w: Writer, x: str, shape: Sequence[int | Dim], output: str | None = None) -> str:
    """Reshape; one size that is open is what is left."""
    type = shaped(w.type(x), *shape)
    open_axes = [i for i, size in enumerate(type.shape) if not size.is_constant]
    if len(open_axes) == 1:
        wanted = w.ints([-1 if i in open_axes else size.constant for i, size in enumerate(type.shape)])
    else:
        wanted = w.shape(type.shape)
    return w.emit("Reshape", [x, wanted], type, output)


def transposed(w: Writer, x: str, order: Sequence[int], output: str | None = None) -> str:
    """Transpose; itself where every axis stays (a scalar has none, and ONNX no permutation of none)."""
    type = w.type(x)
    if list(order) == list(range(type.rank)):
        return x if output is None else w.emit("Identity", [x], type, output)
    return w.emit("Transpose", [x], shaped(type, *(type.shape[axis] for axis in order)), output, perm=list(order))


def cut(w: Writer, x: str, starts: Sequence[int], sizes: Sequence[Dim], steps: Sequence[int], output: str | None = None) -> str:
    """Of the spatial axes `sizes` places from `starts`, every `steps`-th."""
    type = w.type(x)
    ends = [start + (size - 1) * step + 1 for start, size, step in zip(starts, sizes, steps, strict=True)]
    axes = list(range(2, type.rank))
    wanted = shaped(type, *type.shape[:2], *sizes)
    return w.emit("Slice", [x, w.ints(starts), w.shape(ends), w.ints(axes), w.ints(steps)], wanted, output)


def padded(w: Writer, x: str, window: Window, value: float) -> str:
    """x with a border of `value` in which every window ends."""
    type = w.type(x)
    if window.pads is None:
        total, before = halves(w, window)
        after = w.emit("Sub", [total, before], tensor("i64", window.rank))
        amounts = w.emit("Concat", [w.ints([0, 0]), before, w.ints([0, 0]), after], tensor("i64", 2 * type.rank), axis=0)
        wanted = shaped(type, *type.shape[:2], *(size + both for size, both in zip(window.sizes, window.totals, strict=True)))
        return w.emit("Pad", [x, amounts, w.constant(value, type.dtype)], wanted)
    befores, behind = window.befores, window.behind
    if not any(befores) and all(after == Dim.of(0) for after in behind):
        return x
    grown = [size + before + after for size, before, after in zip(window.sizes, befores, behind, strict=True)]
    pads = w.shape([0, 0, *befores, 0, 0, *behind])
    return w.emit("Pad", [x, pads, w.constant(value, type.dtype)], shaped(type, *type.shape[:2], *grown))


def taps(w: Writer, x: str, window: Window, value: float) -> str:
    """[n, c, places of the kernel, *windows]: what x, padded with `value`, holds at each place."""
    full, found = padded(w, x, window, value), []
    type = w.type(x)
    for place in product(*(range(k) for k in window.kernel)):
        starts = [p * d for p, d in zip(place, window.dilation, strict=True)]
        tap = cut(w, full, starts, window.count, window.stride)
        found.append(w.emit("Unsqueeze", [tap, w.ints([2])], shaped(type, *type.shape[:2], 1, *window.count)))
    return w.emit("Concat", found, shaped(type, *type.shape[:2], len(found), *window.count), axis=2)


def spread(w: Writer, g: str, weight: str, window: Window, channels: Dim | int, groups: int, output: str | None = None) -> str:
    """The adjoint of a convolution: ConvTranspose, of which the places of the input are kept.

    Fixed sizes are pads and output padding of the operator, which begins at the padding before; open ones are cut out of all that it makes.
    """
    type, befores = w.type(g), window.befores
    settings: dict[str, Any] = {"strides": list(window.stride), "dilations": list(window.dilation), "group": groups}
    settings["kernel_shape"] = list(window.kernel)
    missing = [before + size - reach for before, size, reach in zip(befores, window.sizes, window.reach, strict=True)]
    result = shaped(type, type.shape[0], channels, *window.sizes)
    if window.pads is not None and all(room.is_constant for room in missing):
        rooms = [room.constant for room in missing]
        settings |= {"pads": [*befores, *(max(-room, 0) for room in rooms)], "output_padding": [max(room, 0) for room in rooms]}
        return w.emit("ConvTranspose", [g, weight], result, output, **settings)
    extra = [step - 1 for step in window.stride]
    made = shaped(type, type.shape[0], channels, *(reach + more for reach, more in zip(window.reach, extra, strict=True)))
    full = w.emit("ConvTranspose", [g, weight], made, pads=[0, 0] * window.rank, output_padding=extra, **settings)
    if window.pads is not None:
        return cut(w, full, befores, window.sizes, [1] * window.rank, output)
    _, start = halves(w, window)
    stop = w.emit("Add", [start, w.shape(window.sizes)], tensor("i64", window.rank))
    return w.emit("Slice", [full, start, stop, w.ints(range(2, type.rank))], result, output)


def gathered(w: Writer, parts: str, window: Window, output: str | None = None) -> str:
    """The adjoint of `taps`: [n, c, places, *windows] to the sum of what each place of the input is given, [n, c, *sizes]."""
    type = w.type(parts)
    places, joined = prod(window.kernel), type.shape[0] * type.shape[1]
    unit = np.eye(places).reshape(places, 1, *window.kernel)
    return planes(w, reshaped(w, parts, [joined, places, *window.count]), unit, window, type, output)


def planes(w: Writer, x: str, kernel: np.ndarray, window: Window, type: TensorType, output: str | None) -> str:
    """`spread` of [n·c, places, *windows] by a constant kernel, and back to [n, c, *sizes]."""
    made = spread(w, x, w.constant(kernel, type.dtype), window, 1, 1)
    return reshaped(w, made, [*type.shape[:2], *window.sizes], output)
