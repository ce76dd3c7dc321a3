"""Partial results of batches, joined to the results of a whole split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.interpret import interpret, quiet
from dslc.ops.covariance import join_moments
from dslc.passes.accumulate import Accumulation
from runtime.errors import BadField

MOST_VALUES = 2**25  # that are gathered for one metric
JOINS: dict[str, Callable[[Any, Any], Any]] = {
    "sum": np.add,
    "prod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "all": np.logical_and,
    "any": np.logical_or,
    "logsumexp": np.logaddexp,
    "moments": partial(join_moments, np),
}


def join(parts: Accumulation, results: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The outputs of `parts.final` over all batches: numbers, and arrays where they have axes. Raises DataError without a batch."""
    final = interpret(parts.final, np, totals(parts, results))
    return {name: float(value) if np.ndim(value) == 0 else np.asarray(value) for name, value in final.items()}


def totals(parts: Accumulation, results: Iterable[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """What `parts.final` takes."""
    joined: dict[str, Any] = {}
    gathered: dict[str, list[np.ndarray]] = {name: [] for name, how in parts.combine.items() if how == "concat"}
    places = {item.name: item.place or item.name for item in parts.final.inputs}
    empty = True
    for results_of_batch in results:
        empty = False
        for name, how in parts.combine.items():
            value = np.asarray(results_of_batch[name])
            if how == "concat":
                gather(gathered[name], value, places[name])
            else:
                joined[name] = joined_with(joined[name], value, how) if name in joined else value
    if empty:
        raise DataError(BadField(field="the split", reason="it has no samples"))
    return {name: np.asarray(value) for name, value in joined.items()} | {name: np.concatenate(found) for name, found in gathered.items()}


def joined_with(known: Any, value: Any, how: str) -> Any:
    """Values that are not finite are joined silently, as the interpreter computes with them."""
    with quiet(np):
        return JOINS[how](known, value)


def gather(found: list[np.ndarray], value: np.ndarray, place: str) -> None:
    """Keep the values of one more batch. Raises DataError where they become too many, or batches differ in another axis than the first."""
    if found and value.shape[1:] != found[0].shape[1:]:
        raise DataError(
            BadField(
                field=place, reason=f"a metric needs all values at once, and batches have shapes {found[0].shape[1:]} and {value.shape[1:]}"
            )
        )
    if sum(array.size for array in found) + value.size > MOST_VALUES:
        reason = f"a metric needs all values of the split at once, and there are more than {MOST_VALUES:,}: evaluate a part of them"
        raise DataError(BadField(field=place, reason=reason))
    found.append(value)
