"""Scalar functions as machine code: NumPy's results on special values, and errors within the bounds of `docs/native-functions.md`."""

from __future__ import annotations

import platform
from itertools import product
from typing import Any

import numpy as np
import pytest

from bench.coefficients import FITS, PAIRS, pair, remez, written
from runtime.kernels.native.coefficients import COEFFICIENTS
from runtime.kernels.native.coefficients import PAIRS as WRITTEN_PAIRS
from runtime.kernels.native.machine import Target
from runtime.kernels.native.scalars import EMITTERS
from runtime.loops.scalars import FUNCTIONS
from tests.loops.native import Native, constant_of
from tests.loops.ulp import BOUNDS, DOUBLE_BOUNDS, arguments_of, errors, exactly

FLOATS = ("float32", "float64")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
DTYPES = (*FLOATS, *INTEGERS, "bool")
EXACT = [name for name in FUNCTIONS if name not in BOUNDS and name != "where"]


def special(dtype: str) -> np.ndarray:
    """Values at which a function may be wrong."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.array([False, True])
    if kind in "iu":
        info = np.iinfo(dtype)
        near = [0, 1, 2, 3, 7, 31, 32, 63, 64, 100, info.max, info.max - 1, info.min, info.min + 1]
        return np.array(near + ([-1, -2, -7] if kind == "i" else []), dtype)
    info = np.finfo(dtype)
    sizes = [
        0,
        0.1,
        0.5,
        1,
        1.5,
        2,
        2.5,
        3,
        7,
        1e9,
        2.0**31,
        2.0**52 + 1,
        info.max,
        info.tiny,
        info.smallest_subnormal,
        3 * info.smallest_subnormal,
        np.inf,
    ]
    return np.array([*sizes, *(-np.array(sizes)), np.nan], dtype)


def pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    values = special(dtype)
    grid = np.array(list(product(values, values)), dtype)
    return np.ascontiguousarray(grid[:, 0]), np.ascontiguousarray(grid[:, 1])


def loops_of(name: str) -> list[tuple[tuple[str, ...], str]]:
    """The dtypes for which NumPy has a loop of one dtype of arguments: (dtypes of arguments, dtype of the result)."""
    found = []
    for dtype in DTYPES:
        ufunc: Any = FUNCTIONS[name].numpy
        try:
            loop = ufunc.resolve_dtypes((*[np.dtype(dtype)] * ufunc.nin, None))
        except TypeError:
            continue
        if all(item == np.dtype(dtype) for item in loop[:-1]):
            found.append(((dtype,) * ufunc.nin, loop[-1].name))
    return found


CASES = [(name, dtypes, result) for name in EXACT for dtypes, result in loops_of(name)]


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    """Equal bits, but any NaN for NaN."""
    np.testing.assert_array_equal(found, wanted)
    if found.dtype.kind == "f":
        number = ~np.isnan(wanted)
        np.testing.assert_array_equal(np.signbit(found[number]), np.signbit(wanted[number]))


def test_every_function_has_code() -> None:
    assert set(FUNCTIONS) <= set(EMITTERS)


@pytest.mark.parametrize(("name", "dtypes", "result"), CASES, ids=lambda item: item[0] if isinstance(item, tuple) else item)
def test_exact_functions(name: str, dtypes: tuple[str, ...], result: str) -> None:
    """Bit by bit NumPy's, all pairs of special values, whatever divides by 0 or overflows."""
    args = pairs(dtypes[0]) if len(dtypes) == 2 else (special(dtypes[0]),)
    with np.errstate(all="ignore"):
        wanted = FUNCTIONS[name].numpy(*args)
    found = Native(name, dtypes, result)(*args)
    if name in ("maximum", "minimum", "fmax", "fmin"):  # of 0 and -0 either is right
        found, wanted = found + 0, wanted + 0
    same(found, wanted)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "uint64"])
def test_powers_of_whole_numbers(dtype: str) -> None:
    """Modulo the numbers that there are, as NumPy's."""
    base, exponent = pairs(dtype)
    base, exponent = base[exponent >= 0], exponent[exponent >= 0]
    with np.errstate(all="ignore"):
        same(Native("power", (dtype, dtype), dtype)(base, exponent), np.power(base, exponent))


@pytest.mark.parametrize(("source", "goal"), [pair for pair in product(DTYPES, DTYPES) if pair[0] != pair[1]])
def test_casts(source: str, goal: str) -> None:
    """As `astype`; what it leaves open, floats that an integer cannot hold, becomes the smallest int32 or int64."""
    values = special(source)
    if np.dtype(source).kind == "f" and np.dtype(goal).kind in "iu":
        whole = np.trunc(values.astype(np.float64))
        inside = (whole >= float(np.iinfo(goal).min)) & (whole < 2.0 ** (8 * np.dtype(goal).itemsize - (np.dtype(goal).kind == "i")))
        if goal in ("int32", "int64"):
            assert (Native("cast", (source,), goal)(values[~inside]) == np.iinfo(goal).min).all()
        values = values[inside]
    with np.errstate(all="ignore"):
        same(Native("cast", (source,), goal)(values), values.astype(goal))


# ---- functions with rounding --------------------------------------------------------------------------------------------------------


def arguments(name: str, dtype: str, count: int) -> tuple[np.ndarray, ...]:
    """Random bits, and random numbers of ordinary size."""
    rng = np.random.default_rng(7)
    bits = f"uint{8 * np.dtype(dtype).itemsize}"
    many = arguments_of(name)
    wild = [rng.integers(0, np.iinfo(bits).max, count, bits, endpoint=True).view(dtype) for _ in range(many)]
    tame = [(rng.choice([-1, 1], count) * np.exp(rng.uniform(-12, 5, count))).astype(dtype) for _ in range(many)]
    return tuple(np.concatenate(sides) for sides in zip(wild, tame, strict=True))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BOUNDS)
def test_special_values(name: str, dtype: str) -> None:
    """Infinity, NaN and zeros with their signs, as NumPy has them; other results within the bound."""
    many = arguments_of(name)
    args = pairs(dtype) if many == 2 else (special(dtype),)
    found = Native(name, (dtype,) * many, dtype)(*args)
    with np.errstate(all="ignore"):
        wanted = FUNCTIONS[name].numpy(*args)
    for ends in (np.isnan, np.isposinf, np.isneginf, lambda x: x == 0):
        np.testing.assert_array_equal(ends(found), ends(wanted), err_msg=str(args))
    np.testing.assert_array_equal(np.signbit(found)[wanted == 0], np.signbit(wanted)[wanted == 0])


POINTS = (
    ("exp", 0.0, 1.0), ("exp2", 5.0, 32.0), ("exp2", -149.0, 2.0**-149), ("expm1", 0.0, 0.0), ("log", 1.0, 0.0), ("log2", 1024.0, 10.0),
    ("log2", 2.0**-149, -149.0), ("log10", 1000.0, 3.0), ("log1p", 0.0, 0.0), ("tanh", 20.0, 1.0), ("cosh", 0.0, 1.0), ("cos", 0.0, 1.0),
    ("arccos", 1.0, 0.0), ("arccosh", 1.0, 0.0),
)  # fmt: skip


@pytest.mark.parametrize(("name", "x", "y"), POINTS)
def test_points_that_are_exact(name: str, x: float, y: float) -> None:
    assert Native(name, ("float32",), "float32")(np.array([x], np.float32))[0] == np.float32(y)


@pytest.mark.parametrize("name", BOUNDS)
def test_errors_of_single_precision(name: str) -> None:
    """Random arguments and those beside the worst one that was found."""
    bound, *worst = BOUNDS[name]
    args = arguments(name, "float32", 40_000)
    if worst:
        near = np.array(worst, np.float32).view(np.int32)[:, None] + np.arange(-200, 200, dtype=np.int32)
        args = tuple(np.concatenate([arg, side.view(np.float32)]) for arg, side in zip(args, near, strict=True))
    found = errors(Native(name, ("float32",) * len(args), "float32")(*args), exactly(name, args))
    assert found.max() <= bound, [arg[found.argmax()] for arg in args]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="no float type with more digits than float64")
@pytest.mark.parametrize("name", DOUBLE_BOUNDS)
def test_errors_of_double_precision(name: str) -> None:
    args = arguments(name, "float64", 20_000)
    found = errors(Native(name, ("float64",) * len(args), "float64")(*args), exactly(name, args))
    assert found.max() <= DOUBLE_BOUNDS[name], [arg[found.argmax()] for arg in args]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BOUNDS)
def test_lanes_have_no_say(name: str, dtype: str) -> None:
    """One lane, four lanes and sixteen, and a constant that LLVM computes: the same bits."""
    args = tuple(arg[:: max(1, len(arg) // 300)] for arg in arguments(name, dtype, 300))
    dtypes = (dtype,) * len(args)
    wide, narrow, single = (Native(name, dtypes, dtype, **how)(*args) for how in ({}, {"width": 16}, {"stride": 2}))
    same(narrow, wide)
    same(single, wide)
    tame = tuple(arg[-1] for arg in args)
    same(constant_of(name, tame), wide[-1:])


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="the plainest processor of another family")
@pytest.mark.parametrize("name", BOUNDS)
def test_processors_have_no_say(name: str) -> None:
    """The first x86-64, which has neither long vectors nor fused products and sums: the same bits."""
    args = tuple(arg[::40] for arg in arguments(name, "float32", 4000))
    dtypes = ("float32",) * len(args)
    plain = Native(name, dtypes, "float32", goal=Target("x86-64", "", 16, 16))
    same(plain(*args), Native(name, dtypes, "float32")(*args))


# ---- coefficients -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, fit in FITS.items() if "float32" in fit.degrees])
def test_coefficients_are_the_fit(name: str) -> None:
    fit = FITS[name]
    coefficients, _ = remez(fit, fit.degrees["float32"])
    assert tuple(map(float, written(coefficients, "float32"))) == COEFFICIENTS[name, "float32"]


def test_pairs_are_the_numbers() -> None:
    assert {key: str(value) for key, value in WRITTEN_PAIRS.items()} == {key: pair(PAIRS[key[0]], key[1]) for key in WRITTEN_PAIRS}
