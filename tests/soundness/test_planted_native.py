"""The campaign `native` can fail: faults are planted in the generator of machine code, and it reports each of them within a few cases.

What writes beside arrays is planted in `tests/loops/test_red_zones.py`, where it stays within the arena.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from runtime.kernels.native import memory, sums
from runtime.kernels.native.choose import Chosen
from runtime.kernels.native.coefficients import COEFFICIENTS
from runtime.kernels.native.program import Writing
from runtime.kernels.native.schedule import Band
from runtime.loops.nest import Array, Nest
from tests.reliability.campaigns.native import CAMPAIGNS
from tests.soundness.planted import must_report

Patch = pytest.MonkeyPatch
MOST = 20  # cases
REPORTS = ("Differs:", "AssertionError:")  # by results; by marks, or because they hang on what was in memory


def forgotten_thread(patch: Patch) -> None:
    """The sum of what all threads have without that of the last."""
    total = sums.total

    def fewer(name: str, mine: str, array: Array, threads: int) -> Nest:
        return total(name, mine, array, max(1, threads - 1))

    patch.setattr(sums, "total", fewer)


def reused_too_early(patch: Patch) -> None:
    """Memory is given away one band before the last that reads it."""
    lives = memory.lives

    def shorter(bands: Sequence[Band], chosen: Chosen) -> tuple[dict[str, int], Mapping[str, int]]:
        first, last = lives(bands, chosen)
        return first, {name: max(first[name], number - 1) for name, number in last.items()}

    patch.setattr(memory, "lives", shorter)


def coefficient(patch: Patch) -> None:
    """The first of exp in double precision is off by a millionth of a millionth."""
    key = ("exp", "float64")
    known: Any = COEFFICIENTS
    patch.setitem(known, key, (known[key][0] * (1 + 1e-12), *known[key][1:]))


PLANTED: dict[str, Callable[[Patch], None]] = {
    "the sum of one thread is forgotten": forgotten_thread,
    "memory that is used again too early": reused_too_early,
    "a coefficient that is off": coefficient,
    "sums that do not begin with zero": lambda patch: patch.setattr(Writing, "zero", lambda *_: None),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_reported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[name](monkeypatch)
    must_report(CAMPAIGNS[0], MOST, REPORTS)
