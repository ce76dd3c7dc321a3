"""Which values a data field may hold, by what the graphs do with it: class labels, indices, targets of a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runtime.data.errors import LabelRange, fail


@dataclass(frozen=True)
class Bound:
    """`low <= value <= high`, or one of `also` (ignored labels), and none of `without`.

    allowed: what may stand, in words; action: what to do about others; user: the operator that takes the field, place: where it stands.
    """

    low: float
    high: float
    allowed: str
    action: str = ""
    user: str = ""
    place: str = ""
    also: tuple[int, ...] = ()
    without: tuple[int, ...] = ()

    def wrong(self, values: np.ndarray) -> np.ndarray:
        """Where a value may not stand."""
        bad = (values < self.low) | (values > self.high)
        for value in self.also:
            bad &= values != value
        for value in self.without:
            bad |= values == value
        return bad


Bounds = Mapping[str, Sequence[Bound]]


def of_classes(count: int, user: str = "", place: str = "", also: tuple[int, ...] = ()) -> Bound:
    """Class labels: 0 … count - 1."""
    action = "either the data has more classes than the network, or its labels do not start at 0"
    return Bound(0, count - 1, f"there are {count} classes: 0 to {count - 1}", action, user, place, also)


def check_bounds(name: str, array: np.ndarray, bounds: Sequence[Bound], file: str) -> None:
    """Raise DataError with the first value that a bound forbids."""
    values = array.reshape(-1).astype(np.uint8 if array.dtype == np.bool_ else array.dtype, copy=False)
    for bound in bounds:
        bad = bound.wrong(values)
        if bad.any():
            first = int(np.argmax(bad))
            row = first // max(1, values.size // len(array))
            used = f"`{bound.user}` at {bound.place} takes it: " if bound.place else ""
            raise fail(
                LabelRange(file=file, name=name, row=row, value=str(values[first]), allowed=bound.allowed, action=f"{used}{bound.action}")
            )
