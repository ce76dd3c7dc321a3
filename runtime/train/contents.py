"""What a checkpoint says besides its tensors, and that it holds the tensors of its training: checked before any of it is used.

The hashes of a checkpoint say that it is what somebody wrote, not that `dslc train` did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dslc.diagnostics import DataError
from dslc.program import State, Training, Weight
from runtime.train.errors import CheckpointBroken

Count = Annotated[int, Field(ge=0, le=2**53)]
Text = Annotated[str, Field(max_length=4096)]
LISTED = 8  # names in a message


class Plateau(BaseModel):
    model_config = ConfigDict(strict=True)

    factor: float
    best: float | None
    waited: Count


class Meta(BaseModel):
    """The metadata of a run's checkpoint; docs/training.md says what each means."""

    model_config = ConfigDict(strict=True)

    step: Count
    turn: Count
    losses: dict[str, float]
    samples: dict[str, Annotated[int, Field(ge=1, le=2**53)]]
    metrics: dict[str, float | list[Any]]
    best: float | None
    best_step: Count
    plateaus: dict[str, Plateau]
    spec: Text
    training: Text
    precision: Literal["f32", "f64"]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    spec_hash: Text
    data_hash: Text
    environment: dict[str, Any]
    settings: dict[str, Any]
    params: dict[str, Any]


def check_meta(meta: Mapping[str, Any], file: str) -> None:
    """Raises DataError (checkpoint-broken) for metadata that no training writes."""
    try:
        found = Meta.model_validate(dict(meta))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part)[:80] for part in first["loc"])
        problem = first["msg"][:1].lower() + first["msg"][1:]
    else:
        if found.losses.keys() == found.samples.keys():
            return
        place, problem = "samples", "it counts for other losses than there are"
    raise DataError(CheckpointBroken(file=file, problem=f"its metadata is malformed: `{place}`: {problem}"))


def check_tensors(training: Training, parameters: Mapping[str, np.ndarray], file: str) -> None:
    """Every weight and state of the training, and nothing else, in its type and shape. Raises DataError (checkpoint-broken), which lists
    all that is wrong."""
    items: dict[str, Weight | State] = {item.address: item for item in (*training.weights, *training.states)}
    faults = [listed("it lacks", [name for name in items if name not in parameters])]
    faults += [listed("the spec has no", [name for name in sorted(parameters) if name not in items])]
    for name, item in items.items():
        array, wanted = parameters.get(name), (np.dtype(item.type.dtype.numpy), item.type.sizes({}))
        if array is not None and (array.dtype, array.shape) != wanted:
            faults.append(f"`{name}` is {array.dtype}{list(array.shape)}, {wanted[0]}{list(wanted[1])} is needed")
    if problem := "; ".join(filter(None, faults)):
        raise DataError(CheckpointBroken(file=file, problem=problem))


def listed(words: str, names: Sequence[str]) -> str:
    """`it lacks `a`, `b` and 3 others`; "" for no names."""
    rest = f" and {len(names) - LISTED} others" if len(names) > LISTED else ""
    return f"{words} {', '.join(f'`{name[:80]}`' for name in names[:LISTED])}{rest}" if names else ""
