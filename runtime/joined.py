"""Partial results of batches, joined to the results of a whole split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.interpret import interpret
from dslc.passes.accumulate import Accumulation
from runtime.errors import BadField

JOINS = {"sum": np.add, "max": np.maximum, "min": np.minimum, "all": np.logical_and}


def join(parts: Accumulation, results: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The outputs of `parts.final` over all batches. Raises DataError if there is no batch."""
    totals: dict[str, Any] = {}
    empty = True
    for partial in results:
        empty = False
        for name, how in parts.combine.items():
            totals[name] = JOINS[how](totals[name], partial[name]) if name in totals else np.asarray(partial[name])
    if empty:
        raise DataError(BadField(field="the split", reason="it has no samples"))
    final = interpret(parts.final, np, {name: np.asarray(value) for name, value in totals.items()})
    return {name: float(value) for name, value in final.items()}
