"""Three faults in one spec: which are reported, and which errors come from none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from dslc.diagnostics import Diagnostic, Sink
from dslc.loading import check_source, specs_folder
from dslc.source import Source
from dslc.syntax.parse import parse
from tests.reliability.faults.plant import KINDS, OF_VALUES, Change, Place, places

SPECS = (
    "autoencoder", "charlm", "deepmnist", "dilated", "gan", "gates", "gradient_penalty", "lenet", "maml", "mlp", "multitask", "regression",
    "siamese", "softmax", "vae", "vgg8", "wide_deep", "xor",
)  # fmt: skip
TRIES = 400
MANY = 3


@dataclass(frozen=True)
class Fault:
    """A change in one statement (of this number)."""

    kind: str
    at: int
    change: Change


@dataclass(frozen=True)
class Planted:
    """A fault in the changed text: where its statement stands now."""

    kind: str
    start: int
    end: int

    def explains(self, error: Diagnostic) -> bool:
        """Whether an error points at the statement (or at what touches it)."""
        span = error.span
        return span is not None and span.start <= self.end and self.start <= span.end


@cache
def spec(name: str) -> tuple[str, tuple[Place, ...]]:
    text = (specs_folder() / f"{name}.nn").read_text(encoding="utf-8")
    return text, tuple(places(parse(Source(f"{name}.nn", text), Sink())))


@cache
def known() -> tuple[str, ...]:
    return tuple(name for name in SPECS if (specs_folder() / f"{name}.nn").exists())


def errors_of(name: str, text: str) -> list[Diagnostic]:
    _, found = check_source(Source(f"{name}.nn", text), folder=Path(specs_folder()))
    return [item for item in found if item.severity == "error"]


@cache
def alone(name: str, fault: Fault) -> bool:
    """Whether a fault is reported at its statement without any other. (`width = 0` may be wrong only where `width` is used.)"""
    text, all_places = spec(name)
    changed, found = planted(text, all_places, [fault])
    return any(found[0].explains(error) for error in errors_of(name, changed))


def draw(rng: Random) -> tuple[str, str, list[Planted]] | None:
    """A spec, its text with three faults in three statements, and where they are. None where no three were found."""
    name = rng.choice(known())
    text, all_places = spec(name)
    faults: list[Fault] = []
    for _ in range(TRIES):
        at, kind = rng.randrange(len(all_places)), rng.choice(sorted(KINDS))
        change = KINDS[kind](rng, all_places[at]) if all(fault.at != at for fault in faults) else None
        if change is not None and alone(name, fault := Fault(kind, at, change)):
            faults.append(fault)
        faults.sort(key=lambda fault: fault.change.start)
        if any(fault.kind in OF_VALUES for fault in faults[1:]):
            faults.pop()  # the value that it would be seen from may have failed before
        if len(faults) == MANY:
            return name, *planted(text, all_places, faults)
    return None


def planted(text: str, all_places: Sequence[Place], faults: Sequence[Fault]) -> tuple[str, list[Planted]]:
    """The changed text, and the extents of the changed statements in it."""
    shift = 0
    found = []
    for fault in faults:
        change, span = fault.change, all_places[fault.at].span
        longer = len(change.text) - (change.end - change.start)
        found.append(Planted(fault.kind, span.start + shift, max(span.end, change.end) + shift + longer))
        text = text[: change.start + shift] + change.text + text[change.end + shift :]
        shift += longer
    return text, found
