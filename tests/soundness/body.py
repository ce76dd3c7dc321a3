"""A body of a spec under construction: its lines, and the tensors that stand in it with the types they should have."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from dslc.ir.types import Dim

Shape = tuple[Dim, ...]
BATCH = Dim.of("batch")
MOST_ELEMENTS = 600  # of one sample, so that a run stays short
MOST_RANK = 5
SIZES = (1, 1, 2, 3, 4, 5, 7)


@dataclass(frozen=True)
class Value:
    """A tensor: its name, dtype ("f" is the model's float) and shape."""

    name: str
    dtype: str
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    def fixed(self, axis: int) -> int | None:
        """The size of an axis, if it is a number."""
        return self.shape[axis].constant if self.shape[axis].is_constant else None


def elements(shape: Sequence[Dim]) -> int:
    """How many elements one sample has; symbolic sizes count as 4."""
    total = 1
    for dim in shape:
        total *= dim.evaluate(dict.fromkeys(dim.names - {"batch"}, 4) | {"batch": 1})
    return total


def list_text(items: Sequence[object]) -> str:
    return f"[{', '.join(map(str, items))}]"


def type_text(dtype: str, shape: Sequence[Dim]) -> str:
    return f"{'' if dtype == 'f' else dtype}{list_text(shape)}"


@dataclass
class Names:
    """Fresh names of a whole spec."""

    counts: dict[str, int] = field(default_factory=dict)

    def fresh(self, stem: str) -> str:
        number = self.counts[stem] = self.counts.get(stem, -1) + 1
        return f"{stem}{number}"


@dataclass
class Body:
    """The body of a block, network or train.

    wild: how often a choice is made without regard to types. dims: names of sizes that may be written. kind: "block", "network", "train".
    """

    rng: Random
    names: Names
    kind: str
    wild: float = 0.0
    indent: int = 1
    lines: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    dims: frozenset[str] = frozenset()
    mixes: bool = False  # values may combine several samples, which a loss over a whole split often cannot
    fixed: bool = False  # no new weights: the body of a loop that shares them, or a train

    # ---- writing

    def line(self, text: str) -> None:
        self.lines.append("  " * self.indent + text)

    def bind(self, text: str, dtype: str, shape: Sequence[Dim], stem: str = "v") -> Value:
        """`NAME = text`."""
        value = Value(self.names.fresh(stem), dtype, tuple(shape))
        self.line(f"{value.name} = {text}")
        return self.add(value)

    def add(self, value: Value) -> Value:
        self.values.append(value)
        return value

    def unread(self, value: Value) -> bool:
        """Whether no line reads the value after the last one that binds its name."""
        name = value.name.partition(".")[0]
        mentions = re.compile(rf"\b{name}\b")
        binds = re.compile(rf"\s*(\w+ )?([\w, ]+, )?{name}(, [\w, ]+)?(:.*)? =|\s*input {name}:")
        for line in reversed(self.lines):
            if binds.match(line):
                return True
            if mentions.search(line):
                return False
        return True

    # ---- choosing

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def wildly(self) -> bool:
        return self.chance(self.wild)

    def pick(self, fits: Callable[[Value], bool]) -> Value | None:
        """One of the values that fit, the latest ones and those that nobody has read more often."""
        wide = [value for value in self.values if value.rank >= 2]
        if self.wildly() and wide:
            return self.rng.choice(wide)
        found = [value for value in self.values if fits(value)]
        if not found:
            return None
        weights = [1 + at + 6 * self.unread(value) for at, value in enumerate(found)]
        return self.rng.choices(found, weights)[0]

    def size(self) -> int:
        return self.rng.choice(SIZES) if not self.wildly() else self.rng.choice((-1, 0, 1, 2, 6, 11, 100))

    def axis(self, value: Value) -> int | None:
        """An axis, often counted from the end; that of the batch only where samples may be mixed. None where there is none."""
        rank = value.rank
        if self.wildly():
            return self.rng.randint(-rank - 1, rank)
        found = [axis for axis in range(rank) if self.mixes or "batch" not in value.shape[axis].names]
        if not found:
            return None
        return self.rng.choice(found) - (rank if self.chance(0.5) else 0)

    def known(self, dim: Dim) -> bool:
        """Whether a size is a number when the spec is checked: sizes that a block takes usually are."""
        return dim.is_constant or (self.kind == "block" and dim.names <= self.dims - {"batch"})

    def writable(self, shape: Sequence[Dim]) -> bool:
        """Whether every size can be written here."""
        return all(dim.names <= self.dims for dim in shape)

    def weighable(self, shape: Sequence[Dim]) -> bool:
        """Whether a weight may have this shape."""
        return self.wildly() or (self.writable(shape) and all(map(self.known, shape)))
