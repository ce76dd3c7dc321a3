"""What is written while a nest becomes code: where the code stands, and the function that comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dslc.ir.types import Dim


@dataclass(frozen=True)
class Kernel:
    """One function: `void name(ptr array, …, i64 low, i64 high, i64 size, …)`.

    text: the function and what it calls, a part of a module. low, high: the part of the axis `band` that is computed.
    """

    name: str
    text: str
    declared: Mapping[str, str]
    arrays: tuple[str, ...]
    sizes: tuple[Dim, ...]
    band: str | None


@dataclass
class Scope:
    """Where code stands: places: the bound axes; known: the values at hand, with their lanes; mask: the lanes in use (None: all).

    strip: the part of the axis in strips that is passed through here.
    """

    places: dict[str, str] = field(default_factory=dict)
    known: dict[int, tuple[str, int]] = field(default_factory=dict)
    mask: str | None = None
    strip: tuple[str, str] | None = None

    def inner(self, axis: str, place: str, mask: str | None = None) -> Scope:
        return Scope({**self.places, axis: place}, dict(self.known), mask or self.mask, self.strip)
