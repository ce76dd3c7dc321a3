"""The shipped specs and the targets as material of campaigns, with how often each is taken: small ones more often, for they are quick."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dslc.loading import specs_folder

TESTS = Path(__file__).parents[1]
SMALL = frozenset(["autoencoder", "gates", "mlp", "softmax", "vae", "vgg8", "xor", "charlm", "finetune", "lenet5_table", "lenet"])
LARGE = frozenset(
    ["densenet121", "googlenet", "inception3", "lenet5", "mobilenet1", "mobilenet2", "resnet152", "resnet18", "resnet50", "squeezenet"]
)
OFTEN, SOMETIMES, RARELY, BLOCK = 20, 5, 1, 3


@dataclass(frozen=True)
class Spec:
    """A text that is valid. `folder`: where its data files and imports stand; `weight`: how often it is taken."""

    name: str
    text: str
    folder: Path
    weight: int


@cache
def specs() -> tuple[Spec, ...]:
    """The specs, the blocks of the standard library and the targets."""
    shipped = [*specs_folder().glob("*.nn"), *(TESTS / "targets").glob("*.nn")]
    return (*read(shipped, weight), *read(specs_folder().glob("std/*.nn"), lambda _: BLOCK))


@cache
def rules() -> tuple[Spec, ...]:
    """The valid programs of the language's rules."""
    return tuple(read((TESTS / "elaborate" / "rules").glob("R*_ok*.nn"), lambda _: BLOCK))


def read(paths: Iterable[Path], weigh: Callable[[str], int]) -> list[Spec]:
    return [Spec(path.name, path.read_text(encoding="utf-8"), path.parent, weigh(path.stem)) for path in sorted(paths)]


def weight(name: str) -> int:
    return OFTEN if name in SMALL else RARELY if name in LARGE else SOMETIMES


def draw(chance: random.Random, every: tuple[Spec, ...]) -> Spec:
    """One of these specs by its weight."""
    return chance.choices(every, [spec.weight for spec in every])[0]
