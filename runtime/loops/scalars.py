"""The scalar functions of loop nests, by NumPy's names, and what reductions combine with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Function:
    """numpy: the definition, on NumPy scalars or arrays. truth: whether the result is a truth value."""

    numpy: Callable[..., Any]
    truth: bool = False


ARITHMETIC = (
    "add subtract multiply true_divide floor_divide remainder fmod power negative absolute sign maximum minimum fmax fmin sqrt square "
    "reciprocal exp expm1 exp2 log log1p log2 log10 sin cos tan arctan arctan2 sinh cosh tanh arcsin arccos arcsinh arccosh arctanh "
    "floor ceil trunc rint copysign bitwise_and bitwise_or bitwise_xor left_shift right_shift invert logaddexp"
)
TRUTH = "equal not_equal less less_equal greater greater_equal isnan isfinite isinf signbit logical_and logical_or logical_xor logical_not"

FUNCTIONS: dict[str, Function] = {
    **{name: Function(getattr(np, name)) for name in ARITHMETIC.split()},
    **{name: Function(getattr(np, name), truth=True) for name in TRUTH.split()},
    "where": Function(np.where),
}


@dataclass(frozen=True)
class Combine:
    """How a reduction combines. start: what it begins with, for a dtype."""

    numpy: Callable[[Any, Any], Any]
    start: Callable[[str], Any]


def lowest(dtype: str) -> Any:
    return -np.inf if np.dtype(dtype).kind == "f" else np.iinfo(dtype).min


def highest(dtype: str) -> Any:
    return np.inf if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max


COMBINES: dict[str, Combine] = {
    "sum": Combine(np.add, lambda dtype: 0),
    "product": Combine(np.multiply, lambda dtype: 1),
    "max": Combine(np.maximum, lowest),
    "min": Combine(np.minimum, highest),
    "all": Combine(np.logical_and, lambda dtype: True),
    "any": Combine(np.logical_or, lambda dtype: False),
}
