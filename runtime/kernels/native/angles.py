"""Trigonometric functions and their inverses in lanes: float32 is computed in float64; the inverses also of float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import inf, nan

from runtime.kernels.native.coefficients import PAIRS
from runtime.kernels.native.lanes import Lanes, either, entry, polynomial, where

HALF_PI = PAIRS["half_pi", "float64"]
SILVER = 0.41421356237309503  # tan(π/8)
FAR = 2.0**30


# ---- sine, cosine, tangent ----------------------------------------------------------------------------------------------------------


def whole_turns(bits: int) -> int:
    """2/π · 2^bits, rounded down: π by Machin's formula, 16·arctan(1/5) - 4·arctan(1/239)."""
    spare = bits + 64

    def arctan_of_inverse(n: int) -> int:
        term, total, k = (1 << spare) // n, 0, 0
        while term:
            total += (-term if k % 2 else term) // (2 * k + 1)
            term //= n * n
            k += 1
        return total

    pi = 16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)
    return (1 << (bits + spare + 1)) // pi


@lru_cache(maxsize=1)
def windows() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """For every exponent of float32: the bits of 2/π that a mantissa needs, 64 with weights 2 … 2^-62, and the 32 behind them."""
    turns = whole_turns(320)
    found = [(turns << exponent) >> (320 + 150 - 94) for exponent in range(256)]
    return tuple(item >> 32 & 2**64 - 1 for item in found), tuple(item & 2**32 - 1 for item in found)


def near_quarters(x: Lanes) -> tuple[Lanes, Lanes]:
    """(k, r): x = k · π/2 + r with |r| ≤ π/4, for |x| < 2^30. Only the lowest two bits of k count."""
    start = 1.5 * 2.0**52
    moved = x.fma(1 / HALF_PI[0], start)
    n = moved - start
    return moved.bits(), n.fma(-HALF_PI[1], n.fma(-HALF_PI[0], x))


def far_quarters(x: Lanes) -> tuple[Lanes, Lanes]:
    """The same for any float32: its mantissa times the bits of 2/π that do not make whole turns, in units of 2^-62."""
    bits = x.bits()
    place = (bits >> 23) & 255
    mantissa = ((bits & 0x7FFFFF) | 0x800000).converted("zext", "int64")
    high, low = (entry(f"two_over_pi_{i}", "int64", table, place) for i, table in enumerate(windows()))
    part = mantissa * high + ((mantissa * low) >> 32)
    part = where(x < 0.0, part.number(0) - part, part)
    k = (part + (1 << 61)) >> 62
    return k, (part - (k << 62)).converted("sitofp", "float64") * (HALF_PI[0] * 2.0**-62)


def quarters(x: Lanes) -> tuple[Lanes, Lanes]:
    return either(abs(x) < FAR, near_quarters(x.converted("fpext", "float64")), lambda: far_quarters(x))


def sine(r: Lanes) -> Lanes:
    z = r * r
    return (r * z).fma(polynomial("sin", z), r)


def cosine(r: Lanes) -> Lanes:
    z = r * r
    return (z * z).fma(polynomial("cos", z), z.fma(-0.5, 1.0))


def turned(k: Lanes, r: Lanes) -> Lanes:
    """sin(k · π/2 + r)."""
    found = where((k & 1).equals(0), sine(r), cosine(r))
    return where((k & 2).equals(0), found, -found)


def angle_ends(x: Lanes, found: Lanes) -> Lanes:
    return where(abs(x) < inf, found.converted("fptrunc", "float32"), nan)


def sin(x: Lanes) -> Lanes:
    return where(x.equals(0.0), x, angle_ends(x, turned(*quarters(x))))


def cos(x: Lanes) -> Lanes:
    k, r = quarters(x)
    return angle_ends(x, turned(k + 1, r))


def tan(x: Lanes) -> Lanes:
    k, r = quarters(x)
    s, c, even = sine(r), cosine(r), (k & 1).equals(0)
    return where(x.equals(0.0), x, angle_ends(x, where(even, s, -c) / where(even, c, s)))


# ---- inverse functions --------------------------------------------------------------------------------------------------------------


def plus(x: Lanes, pair: tuple[float, float]) -> Lanes:
    return (x + pair[1]) + pair[0]


def angle(y: Lanes, x: Lanes) -> Lanes:
    """The angle of (x, y) for x, y ≥ 0 that are not both 0 or both infinite: 0 … π/2."""
    steep = y > x
    small, large = where(steep, x, y), where(steep, y, x)
    middle = small > large * SILVER
    t = where(middle, small - large, small) / where(middle, small + large, large)
    z = t * t
    found = (t * z).fma(polynomial("arctan", z), t)
    found = where(middle, plus(found, (HALF_PI[0] / 2, HALF_PI[1] / 2)), found)
    return where(steep, plus(-found, HALF_PI), found)


def arctan(x: Lanes) -> Lanes:
    return angle(abs(x), x.number(1.0)).with_sign(x)


def cathetus(x: Lanes) -> Lanes:
    """√(1 - x²)."""
    return ((1.0 - x) * (x + 1.0)).sqrt()


def arcsin(x: Lanes) -> Lanes:
    return where(abs(x) <= 1.0, angle(abs(x), cathetus(x)).with_sign(x), nan)


def mirrored(found: Lanes, x: Lanes) -> Lanes:
    """π - found where x is negative or -0."""
    return where(x.bits() < 0, plus(-found, (2 * HALF_PI[0], 2 * HALF_PI[1])), found)


def arccos(x: Lanes) -> Lanes:
    return where(abs(x) <= 1.0, mirrored(angle(cathetus(x), abs(x)), x), nan)


def arctan2(y: Lanes, x: Lanes) -> Lanes:
    """Both 0: as (0, 1); both infinite: as (1, 1); sizes whose sum would overflow are made smaller."""
    up, side = abs(y), abs(x)
    infinite = up.equals(inf) & side.equals(inf)
    up, side = (where(infinite, item.number(1.0), item) for item in (up, side))
    side = where((up + side).equals(0.0), side.number(1.0), side)
    factor = where((up > 2.0**1000) | (side > 2.0**1000), up.number(2.0**-60), 1.0)
    return mirrored(angle(up * factor, side * factor), x).with_sign(y)


def in_double(function: Callable[..., Lanes]) -> Callable[..., Lanes]:
    """A function of float64 for float32: its result rounded once."""

    def rounded(*args: Lanes) -> Lanes:
        return function(*(arg.converted("fpext", "float64") for arg in args)).converted("fptrunc", "float32")

    rounded.__name__ = function.__name__
    return rounded
