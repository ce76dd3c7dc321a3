"""Comparing results with a reference: equal bits where nothing can round, else within what rounding does; and whether that says anything.

A result that agrees but says nothing (not finite, mostly zeros, one number repeated, or so sensitive to rounding that a wrong value would
agree as well) is mistrusted: it never makes a case pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.reliability.campaign import Tally
from tests.soundness.rounding import UNIT, Reference, distance

SPREADS = 8  # a difference may be so many times the spread
FEW, MANY = 2, 40  # runs that measure the spread: at first, and before a difference counts as one
LOOSEST = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-2}  # bounds above this share of the largest element say nothing
ZEROS = 0.75  # more zeros than this share say nothing


class Differs(AssertionError):
    """A result is not what the reference says."""


def compare(what: str, reference: Reference, found: Mapping[str, Any], tally: Tally) -> set[str]:
    """Compare results by name with those of the reference; the names of those that are trusted. Raises Differs."""
    trusted = set()
    for name, value in found.items():
        verdict = judged(what, reference, name, value, tally)
        tally.note("results compared", verdict)
        if verdict in ("equal, nothing rounds", "equal", "within the bound"):
            trusted.add(name)
    return trusted


def judged(what: str, reference: Reference, name: str, found: Any, tally: Tally) -> str:
    """What is known of one result."""
    found, wanted = np.asarray(found), np.asarray(reference.wanted[name])
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        raise Differs(f"{what}: {name} is {found.dtype}{found.shape} instead of {wanted.dtype}{wanted.shape}")
    difference = distance(found, wanted)
    bound = SPREADS * reference.spread(FEW)[name] if difference else 0.0
    if difference > bound:
        bound = SPREADS * reference.spread(MANY)[name]
    if difference > bound:
        how = "where nothing rounds" if reference.is_exact(name) else f"a difference of {difference:.3g}; rounding gives {bound:.3g}"
        raise Differs(f"{what}: {name} is\n{found}\ninstead of\n{wanted}\n({how})")
    if (reason := says_nothing(wanted)) is not None:
        return reason
    if not difference:
        return "equal, nothing rounds" if reference.is_exact(name) else "equal"
    largest = float(np.abs(wanted).max())
    if bound > LOOSEST.get(wanted.dtype, 0.0) * largest:
        return "mistrusted: rounding moves it far"
    tally.measure("difference of results, in bounds", difference / bound)
    tally.measure(f"bound of a {wanted.dtype} result, in roundings of its largest element", bound / largest / UNIT[wanted.dtype])
    return "within the bound"


def says_nothing(wanted: Any) -> str | None:
    """Why a result is not trusted whatever was found, or None."""
    if not np.isfinite(wanted).all():
        return "mistrusted: not finite"
    if wanted.size - np.count_nonzero(wanted) > ZEROS * wanted.size:
        return "mistrusted: zeros"
    if wanted.size > 1 and (wanted == wanted.flat[0]).all():
        return "mistrusted: one number repeated"
    return None
