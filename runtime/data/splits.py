"""Train, validation and test: as the set has them, or dealt out by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from runtime.data.errors import BadSplit, fail
from runtime.data.order import choose

NAMES = ("train", "validation", "test")
DEFAULT = (0.8, 0.1, 0.1)
VALIDATION_PART = 10  # one in ten of train, where a set has no validation split

Arrays = dict[str, np.ndarray]


def sizes(count: int, parts: Sequence[float], file: str) -> tuple[int, int, int]:
    """How many of `count` samples each split gets: the edges `count · (sum of parts)` are rounded half up.

    >>> sizes(1797, (0.8, 0.1, 0.1), "digits")
    (1438, 179, 180)
    """
    if len(parts) != 3 or any(not 0 <= part <= 1 for part in parts):
        raise fail(BadSplit(file=file, problem=f"a split has three parts between 0 and 1, not {list(parts)}"))
    exact = [Fraction(repr(float(part))) for part in parts]
    if abs(sum(exact) - 1) > Fraction(1, 10**6):
        raise fail(BadSplit(file=file, problem=f"the parts of the split {list(parts)} add up to {float(sum(exact)):g}, not to 1"))
    first = int(count * exact[0] + Fraction(1, 2))
    second = count if exact[2] == 0 else int(count * (exact[0] + exact[1]) + Fraction(1, 2))
    counts = (first, second - first, count - second)
    for name, part, size in zip(NAMES, exact, counts, strict=True):
        if (part and not size) or (name == "train" and not size):
            raise fail(BadSplit(file=file, problem=f"{count} samples are too few: the {name} split would be empty"))
    return counts


def by_fractions(arrays: Arrays, whole: Sequence[str], parts: Sequence[float], seed: int, file: str) -> dict[str, Arrays]:
    """The three splits of one table, by seed; with `[1, 0, 0]` there is only `train`, in the order of the file."""
    count = len(next(array for name, array in arrays.items() if name not in whole))
    counts = sizes(count, parts, file)
    return {name: take(arrays, whole, chosen) for name, chosen in zip(NAMES, choose(count, counts, seed), strict=True) if len(chosen)}


def with_validation(splits: Mapping[str, Arrays], whole: Sequence[str], seed: int) -> dict[str, Arrays]:
    """The splits with a tenth of `train`, chosen by seed, as `validation`; as they are if that is there."""
    if "validation" in splits:
        return dict(splits)
    train = splits["train"]
    count = len(next(array for name, array in train.items() if name not in whole))
    held = count // VALIDATION_PART
    if not held:
        return dict(splits)
    rest, chosen = choose(count, (count - held, held), seed)
    return {"train": take(train, whole, rest), "validation": take(train, whole, chosen), "test": splits["test"]}


def take(arrays: Arrays, whole: Sequence[str], rows: np.ndarray) -> Arrays:
    """The given rows of every field; fields named in `whole` stay as they are."""
    return {name: array if name in whole else np.ascontiguousarray(array[rows]) for name, array in arrays.items()}
