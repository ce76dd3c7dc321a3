"""The data file of a random spec: arrays, drawn as the spec asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from dslc.ir.types import Dim
from tests.soundness.body import BATCH, Value

SAMPLES = 7
SYMBOLS = {"time": 3, "high": 5, "wide": 4}  # sizes that networks leave open, and what the data has
Arrays = dict[str, np.ndarray]


def drawn(numbers: np.random.Generator, dtype: str, shape: Sequence[int]) -> np.ndarray:
    if dtype == "f":
        return numbers.uniform(-2, 2, shape).astype(np.float32)
    if dtype == "bool":
        return numbers.integers(0, 2, shape).astype(bool)
    high, kind = {"u8": (256, np.uint8), "i64": (9, np.int64), "i32": (9, np.int32)}[dtype]
    return numbers.integers(0, high, shape).astype(kind)


def actual(shape: Sequence[Dim]) -> tuple[Dim, ...]:
    return tuple(dim.substitute(dict(SYMBOLS)) for dim in shape)


def possible(shape: Sequence[Dim]) -> bool:
    """Whether a data field may have this shape."""
    return bool(shape) and shape[0] == BATCH and all(dim.is_constant and dim.constant > 0 for dim in shape[1:])


@dataclass
class Fields:
    """arrays: by name; whole: names of those that are no list of samples."""

    rng: Random
    arrays: Arrays = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)

    def field(self, dtype: str, shape: Sequence[Dim]) -> Value:
        """A data field of this type, a new one or one that is there; its value is `data.NAME`."""
        shape = actual(shape)
        sizes = tuple(dim.evaluate({"batch": SAMPLES}) for dim in shape)
        batched = bool(shape) and shape[0] == BATCH
        new = drawn(np.random.default_rng(self.rng.randrange(2**32)), dtype, sizes)
        for name, old in self.arrays.items():
            if old.shape == new.shape and old.dtype == new.dtype and (name in self.whole) != batched and self.rng.random() < 0.3:
                return Value(f"data.{name}", dtype, shape)
        name = f"d{len(self.arrays)}"
        self.arrays[name] = new
        if not batched:
            self.whole.append(name)
        return Value(f"data.{name}", dtype, shape)

    def fed(self, parameter: Value) -> str:
        """The argument for an input of a network."""
        rng, shape = self.rng, parameter.shape
        if parameter.dtype == "f" and rng.random() < 0.3:
            dtype = rng.choice(("u8", "bool", "i64"))
            return f"{self.field(dtype, shape).name}{rng.choice((' / 255', ' * 0.5', ' / 4 - 1')) if dtype != 'i64' else ' / 9'}"
        if parameter.dtype == "i64" and rng.random() < 0.4:
            return self.field("u8", shape).name
        if parameter.dtype == "bool" and rng.random() < 0.4:
            return f"{self.field('f', shape).name} > 0"
        return self.field(parameter.dtype, shape).name

    def source(self) -> str:
        """The value of `data`."""
        quoted = ", ".join(f'"{name}"' for name in self.whole)
        return f'npz("data.npz", split=[0.6, 0.4, 0]{f", whole=[{quoted}]" if self.whole else ""})'
