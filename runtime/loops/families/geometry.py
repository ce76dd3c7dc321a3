"""Where windows lie: the places that a window looks at, and the windows that look at a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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

    sizes: tuple[Size, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pairs

    @staticmethod
    def of(sizes: Sequence[Size], kernel: Sequence[Size], stride: Sequence[int], pad: Any, dilation: Sequence[int] = ()) -> Geometry:
        taps = fixed(kernel)
        steps = tuple(dilation) or (1,) * len(taps)
        if pad == "same" and any(step != 1 for step in stride):
            fixed(sizes)
        known = [size if isinstance(size, int) else 1 for size in sizes]  # with a stride of 1 the pads of `same` are those of any size
        return Geometry(tuple(sizes), taps, tuple(stride), steps, pads_of(pad, known, taps, stride, steps))

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
        if not all(isinstance(size, int) for size in (*counts, *self.sizes)):
            return False
        rows = zip(fixed(counts), fixed(self.sizes), self.kernel, self.stride, self.dilation, self.pads, strict=True)
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

    def phases(self) -> Iterator[tuple[Phase, ...]]:
        """The places in parts whose windows follow one rule; along each axis the places of a few residues by the stride."""
        rows = zip(fixed(self.sizes), self.kernel, self.stride, self.dilation, self.pads, strict=True)
        yield from product(*(merged([Phase.of(r, n, k, s, d, b) for r in range(min(s, n))]) for n, k, s, d, (b, _) in rows))

    def seen(self, tracer: Tracer, phases: Sequence[Phase]) -> Seen:
        """The places q·stride + residue, and what sees them."""
        found = Seen([], [], [], [], never=any(phase.taps == 0 for phase in phases))
        for phase, s, d in zip(phases, self.stride, self.dilation, strict=True):
            every = s // gcd(s, d)
            q, j = tracer.writer.axis(phase.places, "p"), tracer.writer.axis(max(phase.taps, 1), "r")
            near = {tracer.writer.axis(phase.width, "u"): 1} if phase.width > 1 else {}
            found.into.append(Affine.of({q: s} | near, phase.residue))
            found.taps.append(Affine.of({j: every} | near, phase.first))
            found.windows.append(Affine.of({q: 1, j: -every * d // s}, phase.shift))
            found.axes.append(j)
        return found


@dataclass(frozen=True)
class Phase:
    """Along one axis the places q·stride + residue + p with q below `places` and p below `width`.

    They are seen by the taps first + p + j·every of the windows q + shift - j·every·dilation / stride, with j below `taps`.
    """

    residue: int
    places: int
    first: int
    taps: int
    shift: int
    width: int = 1

    @staticmethod
    def of(residue: int, size: int, kernel: int, stride: int, dilation: int, before: int) -> Phase:
        """place = q·stride + residue is what tap r of window t sees where t·stride = q·stride + residue + before - r·dilation."""
        every = stride // gcd(stride, dilation)
        places = -(-(size - residue) // stride)
        first = next((r for r in range(min(every, kernel)) if (residue + before - r * dilation) % stride == 0), None)
        if first is None:
            return Phase(residue, places, 0, 0, 0)
        return Phase(residue, places, first, -(-(kernel - first) // every), (residue + before - first * dilation) // stride)


def merged(phases: Sequence[Phase]) -> list[Phase]:
    """Neighbours that differ in their place and first tap alone, as one."""
    found: list[Phase] = []
    for phase in phases:
        last = found[-1] if found else phase
        following = last.first + last.width if last.taps else 0
        if found and replace(last, residue=phase.residue, first=following, width=1) == phase:
            found[-1] = replace(last, width=last.width + 1)
        else:
            found.append(phase)
    return found


@dataclass
class Seen:
    """Places, and the taps and windows that see them, along `axes`; `never`: no tap does."""

    into: list[Affine]
    taps: list[Affine]
    windows: list[Affine]
    axes: list[str]
    never: bool = False
