"""Bounds of sizes in which multiples of a quotient stand: what is cut off a size to make it a multiple is never negative."""

from __future__ import annotations

from itertools import product

from dslc.ir.types import Dim

H, W = Dim.of("h"), Dim.of("w")


def test_what_a_multiple_leaves_over() -> None:
    for k in (2, 3, 7):
        assert (H - H // k * k).lower() == 0
        assert (H // k * k - H).sign() is None
        assert (H // k * k - H - 1).sign() == -1
        assert (H - H // k * k - k).sign() == -1
        assert ((H + 5) - (H + 5) // k * k + 1).sign() == 1


def test_the_bounds_hold() -> None:
    dims = [a * H + b * ((H + c) // k) * k + d * W for a, b, c, d, k in product((-1, 0, 1, 2), (-2, -1, 1), (0, 3), (-1, 0, 1), (2, 3))]
    for dim in dims:
        low, high = dim._bounds()
        values = [dim.evaluate({"h": h, "w": w}) for h in range(1, 9) for w in (1, 2, 9)]
        assert low is None or min(values) >= low, dim
        assert high is None or max(values) <= high, dim
