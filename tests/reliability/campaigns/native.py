"""Random networks as machine code: what the plain interpreter computes, forward and gradient, whatever the number of threads."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.reliability.campaign import Campaign, Goal, Tally
from tests.reliability.campaigns.graphs import MOST_ELEMENTS, largest

if TYPE_CHECKING:
    from tests.soundness.specs import Spec

FIRST_SEED = 3_000_000


@cache
def folder(name: str) -> TemporaryDirectory[str]:
    """Where the data file of the present case stands, and the machine code of all cases of a process."""
    return TemporaryDirectory(prefix=name)


@contextmanager
def own_cache() -> Iterator[None]:
    """Machine code is kept in a folder that goes with the process."""
    before = os.environ.get("DSLC_CACHE")
    os.environ["DSLC_CACHE"] = folder("cache").name
    try:
        yield
    finally:
        if before is None:
            del os.environ["DSLC_CACHE"]
        else:
            os.environ["DSLC_CACHE"] = before


def run(case: int, tally: Tally) -> None:
    from tests.soundness.specs import make_spec

    with own_cache():
        tally.count(look(make_spec(FIRST_SEED + case), Path(folder("data").name), case, tally))


def look(spec: Spec, place: Path, case: int, tally: Tally) -> str:
    """What came out of a spec; every other case is in single precision."""
    from dslc.ir.types import DType
    from tests.soundness.examine import accepted
    from tests.soundness.native import OnMachine
    from tests.soundness.runs import UnfitData

    program = accepted(spec, place, DType.f32 if case % 2 else DType.f64)
    if program is None or not program.trainings:
        return "refused"
    if largest(program) > MOST_ELEMENTS:
        return "too large to compare"
    tally.count("accepted")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nobody who trains may be told of NumPy's
        try:
            return "passed" if OnMachine(program, spec, tally, case).run() else "mistrusted"
        except UnfitData:
            return "data refused"


CAMPAIGNS = (
    Campaign(
        "native",
        "As machine code a random network computes what the interpreter says, forward and gradient, and touches no memory but its arrays.",
        run,
        full=2_000,
        sample=6,
        goals=(
            Goal("specs that are accepted", "accepted", "cases", least=0.4),
            Goal("accepted specs whose results say too little", "mistrusted", "accepted", most=0.25),
        ),
    ),
)
