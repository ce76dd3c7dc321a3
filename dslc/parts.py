"""Which network or training is meant: the one that is named, or the only one (R21)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, overload

from dslc import usage
from dslc.diagnostics import DataError, SpecError
from dslc.program import Network, Program, Training

NONE = {"network": "a file with a `network` is needed", "train": "the spec says how to train in a `train { … }`"}


@overload
def choose(program: Program, kind: Literal["network"], name: str | None) -> Network: ...
@overload
def choose(program: Program, kind: Literal["train"], name: str | None) -> Training: ...
def choose(program: Program, kind: Literal["network", "train"], name: str | None) -> Network | Training:
    """The part called `name`; without a name the only one.

    Raises SpecError, which lists them; DataError for a training that could not be made as a file is not there.
    """
    if kind == "train":
        read(program, name)
    parts: Mapping[str, Network] | Mapping[str, Training] = program.networks if kind == "network" else program.trainings
    names = ", ".join(f"`{known}`" if known else "(the unnamed one)" for known in parts)
    if name is not None and name not in parts:
        advice = usage.advice(name, parts, f"it has {names}" if parts else NONE[kind])
        raise SpecError(usage.NoSuchPart(path=program.path, kind=kind, found=name, advice=advice))
    if not parts:
        raise SpecError(usage.NothingOfKind(path=program.path, kind=kind, advice=NONE[kind]))
    if name is None and len(parts) > 1:
        raise SpecError(usage.ChooseOne(path=program.path, kind=kind, names=names, flag=f"--{kind} NAME"))
    found = name if name is not None else next(iter(parts))
    return program.networks[found] if kind == "network" else program.trainings[found]


def read(program: Program, name: str | None) -> None:
    """Whether the data of the training that is meant could be looked at. Raises DataError."""
    found = name if name is not None or program.trainings else next(iter(program.unread), None)
    if found is not None and found in program.unread:
        raise DataError(usage.UnreadData(path=program.path, training=found, data=program.unread[found]))
