"""Where windows lie: the places that a window looks at, and the windows that look at a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd
from typing import Any

from dslc.ops.window import Pairs, pads_of
from runtime.loops.nest import Affine, Index, Size, Taken
from runtime.loops.tensor import Tensor
from runtime.loops.tracer import Tracer
from runtime.loops.trim import NoNest


def fixed(sizes: Sequence[Size]) -> tuple[int, ...]:
    if not all(isinstance(size, int) for size in sizes):
        raise NoNest("windows over open axes")
    return tuple(int(size) for size in sizes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Geometry:
    """Windows over spatial axes of these sizes: tap r of window t lies at t·stride + r·dilation - before."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pairs

    @staticmethod
    def of(sizes: Sequence[Size], kernel: Sequence[Size], stride: Sequence[int], pad: Any, dilation: Sequence[int] = ()) -> Geometry:
        spatial, taps = fixed(sizes), fixed(kernel)
        steps = tuple(dilation) or (1,) * len(taps)
        return Geometry(spatial, taps, tuple(stride), steps, pads_of(pad, spatial, taps, stride, steps))

    @property
    def rank(self) -> int:
        return len(self.sizes)

    def places(self, windows: Index, taps: Index) -> Index:
        if any(isinstance(item, Taken) for item in (*windows, *taps)):
            raise NoNest("windows at places that are taken from an array")
        rows = zip(windows, taps, self.stride, self.dilation, self.pads, strict=True)
        return tuple(t * s + r * d + Affine(-before) for t, r, s, d, (before, _) in rows)  # type: ignore[operator]

    def inside(self, counts: Sequence[Size]) -> bool:
        """Whether no window reaches outside."""
        rows = zip(fixed(counts), self.sizes, self.kernel, self.stride, self.dilation, self.pads, strict=True)
        return all(before == 0 and (n - 1) * s + (k - 1) * d < size for n, size, k, s, d, (before, _) in rows)

    @property
    def apart(self) -> bool:
        """Whether no place is seen by two windows."""
        return all(s > (k - 1) * d for s, k, d in zip(self.stride, self.kernel, self.dilation, strict=True))

    def windows(self, x: Tensor, counts: Sequence[Size], fill: float) -> Tensor:
        """[n, c, *counts, *kernel]: what each tap of each window sees; `fill` outside."""
        inside, rank = self.inside(counts), self.rank

        def read(index: Index) -> int:
            where = (*index[:2], *self.places(index[2 : 2 + rank], index[2 + rank :]))
            return x.read(where) if inside else x.fenced(where, fill)

        return Tensor(x.tracer, (*x.shape[:2], *counts, *self.kernel), x.dtype, read)

    # ---- backwards --------------------------------------------------------------------------------------------------------------

    def phases(self) -> Iterator[tuple[int, ...]]:
        """The residues of the places by the strides; those of one residue are seen by the same taps."""
        yield from product(*(range(min(step, size)) for step, size in zip(self.stride, self.sizes, strict=True)))

    def seen(self, tracer: Tracer, phase: Sequence[int]) -> Seen:
        """place = q·stride + phase is what tap r of window t sees where t·stride = q·stride + phase + before - r·dilation."""
        writer, found = tracer.writer, Seen([], [], [], [])
        rows = zip(self.sizes, self.kernel, self.stride, self.dilation, self.pads, phase, strict=True)
        for size, k, s, d, (before, _), residue in rows:
            every = s // gcd(s, d)
            first = next((r for r in range(min(every, k)) if (residue + before - r * d) % s == 0), None)
            q = writer.axis(-(-(size - residue) // s), "p")
            found.into.append(Affine.of({q: s}, residue))
            if first is None:
                found.never = True
                continue
            j = writer.axis(-(-(k - first) // every), "r")
            found.axes.append(j)
            found.taps.append(Affine.of({j: every}, first))
            found.windows.append(Affine.of({q: 1, j: -every * d // s}, (residue + before - first * d) // s))
        return found


@dataclass
class Seen:
    """Places, and the taps and windows that see them, along `axes`; `never`: no tap does."""

    into: list[Affine]
    taps: list[Affine]
    windows: list[Affine]
    axes: list[str]
    never: bool = False
