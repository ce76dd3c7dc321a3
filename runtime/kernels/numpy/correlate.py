"""Correlation over rows: the one routine behind convolution forward and both of its gradients.

    out[n, o, m, j] = Σ_{t, c, s} w[o, c, t, s] · x[n, c, m·step_h + off_h[t], j·step_w + off_w[s]]      (x is zero outside)

For a block of images the input is copied once for every column tap s into X[row, c, s, image, column]. The rows that one output row
reads then follow each other in memory, so that the operand of its product is a *view* [taps·c·s, images·columns], and one GEMM an output
row does the rest: kw copies instead of the kh·kw of im2col. `bench/convolution.py` compares it with im2col and with shifted GEMMs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from runtime.kernels.registry import Step

Array = Any
Scratch = Callable[[Sequence[int], str], Array]
BLOCK_BYTES = 2 << 20  # of the copied input: fits a second-level cache or nearly
NARROW = 16  # rows of a product below which all taps are put into one
BLOCK_COLUMNS = 256  # of one product, at least: shorter ones leave BLAS waiting


@dataclass(frozen=True)
class Axis:
    """One spatial axis: output position m reads input position m·step + offsets[t]; `count` outputs, `size` inputs."""

    step: int
    offsets: tuple[int, ...]
    count: int
    size: int

    @property
    def rolled(self) -> bool:
        """Whether the taps of an output are neighbours and outputs leave no gap between them: rows are copied once for all taps."""
        return len(self.offsets) >= self.step and all(b - a == 1 for a, b in pairwise(self.offsets))

    def window(self, step: int, offset: int, count: int) -> tuple[slice, slice]:
        """The outputs of one tap that read inside 0 … size-1, and what they read."""
        low = min(max(-(offset // step), 0), count)
        high = max(min((self.size - 1 - offset) // step + 1, count), low)
        start = low * step + offset
        return slice(low, high), slice(start, start + (high - low - 1) * step + 1, step) if high > low else slice(0, 0)


@dataclass(frozen=True)
class Filling:
    """How the rows of X come from x.

    height: their number; distance: between the rows of neighbouring outputs; pairs: (rows of X, rows of x); zeros: rows of X outside of x.
    """

    height: int
    distance: int
    pairs: tuple[tuple[slice, slice], ...]
    zeros: tuple[slice, ...]


def fill_rows(rows: Axis) -> Filling:
    """Neighbouring outputs share rows where the taps are neighbours; otherwise every output has its own."""
    taps = len(rows.offsets)
    if rows.rolled:
        height = (rows.count - 1) * rows.step + taps
        inside, read = rows.window(1, rows.offsets[0], height)
        return Filling(height, rows.step, ((inside, read),), (slice(0, inside.start), slice(inside.stop, height)))
    pairs, zeros = [], []
    for tap, offset in enumerate(rows.offsets):
        inside, read = rows.window(rows.step, offset, rows.count)
        low, high = inside.start * taps + tap, inside.stop * taps + tap
        pairs.append((slice(low, high, taps), read))
        zeros += [slice(tap, low, taps), slice(high, None, taps)]
    return Filling(rows.count * taps, taps, tuple(pairs), tuple(zeros))


def block_images(images: int, channels: int, rows: Axis, columns: Axis, itemsize: int) -> int:
    """How many images are taken at once."""
    one = fill_rows(rows).height * channels * len(columns.offsets) * columns.count * itemsize
    return max(1, min(images, max(BLOCK_BYTES // one, -(-BLOCK_COLUMNS // columns.count))))


def copy_rows(x: Array, target: Array, rows: Axis, columns: Axis) -> list[Step]:
    """Calls that fill target[row, c, s, image, column] from x[image, c, h, w], zeros where x has no such place."""
    filling = fill_rows(rows)
    steps: list[Step] = [partial(np.copyto, target[zeros], 0) for zeros in filling.zeros if target[zeros].size]
    for tap, offset in enumerate(columns.offsets):
        inside, read = columns.window(columns.step, offset, columns.count)
        for rest in (slice(0, inside.start), slice(inside.stop, columns.count)):
            if rest.stop > rest.start:
                steps.append(partial(np.copyto, target[:, :, tap, :, rest], 0))
        for filled, source in filling.pairs:
            part = x[:, :, source, read].transpose(2, 1, 0, 3)
            if part.size:
                steps.append(partial(np.copyto, target[filled, :, tap, :, inside], part))
    return steps


def row_operands(target: Array, rows: Axis) -> Array:
    """[output row, taps·c·s, images·columns]: for each output row the rows it reads, as a view."""
    filling = fill_rows(rows)
    _, channels, shifts, images, columns = target.shape
    stride = target.strides
    depth = len(rows.offsets) * channels * shifts
    return as_strided(target, (rows.count, depth, images * columns), (stride[0] * filling.distance, stride[2], stride[4]), writeable=False)


def correlate(x: Array, weights: Array, out: Array, rows: Axis, columns: Axis, scratch: Scratch) -> list[Step]:
    """Calls for the formula above. weights: [o, taps·c·s], filled by an earlier step; out: [n, o, rows, columns], any strides."""
    images, channels = x.shape[:2]
    block = block_images(images, channels, rows, columns, x.itemsize)
    shape = (fill_rows(rows).height, channels, len(columns.offsets), block, columns.count)
    copied = scratch(shape, x.dtype.name)
    made = scratch((rows.count, weights.shape[0], block, columns.count), x.dtype.name)
    steps: list[Step] = []
    for start in range(0, images, block):
        count = min(block, images - start)
        source, target = resized(copied, count, 3), resized(made, count, 2)
        steps += copy_rows(x[start : start + count], source, rows, columns)
        product = target.reshape(rows.count, weights.shape[0], count * columns.count)
        steps.append(partial(np.matmul, weights, row_operands(source, rows), product))
        steps.append(partial(np.copyto, out[start : start + count].transpose(2, 1, 0, 3), target))
    return steps


def resized(array: Array, count: int, axis: int) -> Array:
    """The same memory with `count` along `axis`, packed anew."""
    if array.shape[axis] == count:
        return array
    shape = (*array.shape[:axis], count, *array.shape[axis + 1 :])
    return array.reshape(-1)[: int(np.prod(shape, dtype=np.int64))].reshape(shape)


def spread(x: Array, weights: Array, out: Array, rows: Axis, columns: Axis, scratch: Scratch) -> list[Step]:
    """The same sum with the columns taken apart behind the product: out[m, j] = Σ_s Z[s, m, j + off_w[s]], for steps of one.

    weights: [s·o, taps·c]. Z[m, s, o, image, column] is computed for the rows and columns that x has, so nothing is multiplied with a zero:
    the better way where the result is much wider than x, as in the gradient of a large kernel without padding.
    """
    images, channels, height, width = x.shape
    shifts = len(columns.offsets)
    filters = weights.shape[0] // shifts
    one = rows.count * shifts * filters * width * x.itemsize
    block = max(1, min(images, max(BLOCK_BYTES // one, -(-BLOCK_COLUMNS // width))))
    copied = scratch((height, channels, block, width), x.dtype.name)
    made = scratch((rows.count, shifts, filters, block, width), x.dtype.name)
    steps: list[Step] = []
    for start in range(0, images, block):
        count = min(block, images - start)
        source, product = resized(copied, count, 2), resized(made, count, 3)
        steps.append(partial(np.copyto, source, x[start : start + count].transpose(2, 1, 0, 3)))
        flat = product.reshape(rows.count, shifts * filters, count * width)
        for places, first, used in row_ranges(rows, height):
            if not used:
                steps.append(partial(np.copyto, flat[places], 0))
                continue
            stride = source.strides
            low = places.start + rows.offsets[first]
            shape = (places.stop - places.start, used * channels, count * width)
            operand = as_strided(source[low:], shape, (stride[0], stride[1], stride[3]), writeable=False)
            steps.append(partial(np.matmul, weights[:, first * channels : (first + used) * channels], operand, flat[places]))
        target = out[start : start + count].transpose(2, 1, 0, 3)
        steps.append(partial(np.copyto, target, 0))
        for tap, offset in enumerate(columns.offsets):
            inside, read = columns.window(1, offset, columns.count)
            if inside.stop > inside.start:
                steps.append(partial(np.add, target[..., inside], product[:, tap, :, :, read], out=target[..., inside]))
    return steps


def row_ranges(rows: Axis, height: int) -> list[tuple[slice, int, int]]:
    """Neighbouring outputs that use the same taps: (outputs, first tap, number of taps inside x)."""
    found: list[tuple[slice, int, int]] = []
    for m in range(rows.count):
        inside = [tap for tap, offset in enumerate(rows.offsets) if 0 <= m + offset < height]
        first, used = (inside[0], len(inside)) if inside else (0, 0)
        if found and found[-1][1:] == (first, used):
            found[-1] = (slice(found[-1][0].start, m + 1), first, used)
        else:
            found.append((slice(m, m + 1), first, used))
    return found


def weight_gradient(x: Array, g: Array, out: Array, rows: Axis, columns: Axis, scratch: Scratch) -> list[Step]:
    """out[o, c, t, s] = Σ_{n, m, j} g[n, o, m, j] · x[n, c, m·step_h + off_h[t], j·step_w + off_w[s]]; out: [o, c, t, s], any strides.

    x is copied to X[c, s, row, image, column] and g to G[o, row, image, column]. The rows of one tap lie one after the other in X where
    rows step by one (else every tap gets its own copy), so (row, image, column) is one long contracted axis: a GEMM for each tap and block.
    X stands on the left: BLAS is then half as fast again as with G on the left.
    """
    images, channels = x.shape[:2]
    taps, shifts, filters = len(rows.offsets), len(columns.offsets), g.shape[1]
    shared = rows.rolled and rows.step == 1 and channels * shifts >= NARROW
    height = rows.count + taps - 1 if shared else rows.count
    copies = 1 if shared else taps
    axes = [rows] if shared else [Axis(rows.step, (offset,), rows.count, rows.size) for offset in rows.offsets]
    block = block_images(images, channels, rows, columns, x.itemsize)
    copied = scratch((copies, channels, shifts, height, block, columns.count), x.dtype.name)
    gathered = scratch((filters, rows.count, block, columns.count), x.dtype.name)
    total = scratch((taps, channels * shifts, filters), x.dtype.name)
    product = scratch((taps, channels * shifts, filters), x.dtype.name)
    steps: list[Step] = []
    for start in range(0, images, block):
        count = min(block, images - start)
        source, target = resized(copied, count, 4), resized(gathered, count, 2)
        for axis, copy in zip(axes, source, strict=True):
            steps += copy_rows(x[start : start + count], copy.transpose(2, 0, 1, 3, 4), axis, columns)
        steps.append(partial(np.copyto, target, g[start : start + count].transpose(1, 2, 0, 3)))
        into = product if start else total
        right = target.reshape(filters, -1).T
        if shared:
            steps += [partial(np.matmul, tap_operand(source[0], tap, rows.count), right, into[tap]) for tap in range(taps)]
        else:
            steps.append(partial(np.matmul, source.reshape(taps * channels * shifts, -1), right, into.reshape(-1, filters)))
        if start:
            steps.append(partial(np.add, total, product, total))
    return [*steps, partial(np.copyto, out.transpose(2, 1, 3, 0), total.reshape(taps, channels, shifts, filters))]


def tap_operand(source: Array, first: int, count: int) -> Array:
    """[c·s, row·image·column] of `count` rows from `first` on, as a view of X[c, s, row, image, column]."""
    channels, shifts, _, images, columns = source.shape
    depth = count * images * columns
    stride = source.strides
    return as_strided(source[:, :, first:], (channels * shifts, depth), (stride[1], stride[4]), writeable=False)
