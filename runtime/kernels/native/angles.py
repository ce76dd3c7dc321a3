"""Trigonometric functions and their inverses in lanes; float32 is computed in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import inf, nan

from runtime.kernels.native.coefficients import PAIRS
from runtime.kernels.native.lanes import Lanes, either, entry, polynomial, where

HALF_PI, HALF_PI_REST = PAIRS["half_pi", "float64"], PAIRS["half_pi_rest", "float64"]
SILVER = 0.41421356237309503  # tan(π/8)


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


@lru_cache(maxsize=2)
def windows(dtype: str) -> tuple[tuple[int, ...], ...]:
    """For every exponent of a float the bits of 2/π that its mantissa needs, in words of 64: the first has weights 2 … 2^-62."""
    words, exponents, lowest = {"float32": (2, 256, 150), "float64": (3, 2048, 1075)}[dtype]
    turns, bits = whole_turns(1280), 64 * words
    found = [(turns << exponent) >> (1280 + lowest - (bits - 2)) for exponent in range(exponents)]
    return tuple(tuple(item >> (bits - 64 * (word + 1)) & 2**64 - 1 for item in found) for word in range(words))


def words_of_turns(x: Lanes, place: Lanes) -> list[Lanes]:
    return [entry(f"two_over_pi.{x.dtype}.{i}", "int64", table, place) for i, table in enumerate(windows(x.dtype))]


def upper_half(a: Lanes, b: Lanes) -> Lanes:
    """The upper 64 bits of a product of 128."""
    wide = [item.made(f"zext {item.type} {item.name} to {wide_type(item)}") for item in (a, b)]
    product = a.code.value(f"mul {wide_type(a)} {wide[0].name}, {wide[1].name}")
    shifted = a.code.value(f"lshr {wide_type(a)} {product}, {'64' if a.lanes == 1 else 'splat (i128 64)'}")
    return a.made(f"trunc {wide_type(a)} {shifted} to {a.type}")


def wide_type(x: Lanes) -> str:
    return "i128" if x.lanes == 1 else f"<{x.lanes} x i128>"


def quarter_of(part: Lanes) -> tuple[Lanes, Lanes]:
    """The nearest whole number of quarter turns, and what is left, in units of 2^-62."""
    k = (part + (1 << 61)) >> 62
    return k, part - (k << 62)


# Each of the following gives (k, r) or (k, r, low): x = k · π/2 + r + low with |r| ≤ π/4. Only the lowest two bits of k count.


def near_single(x: Lanes) -> tuple[Lanes, ...]:
    """|x| < 2^30."""
    x = x.converted("fpext", "float64")
    start = 1.5 * 2.0**52
    moved = x.fma(1 / HALF_PI[0], start)
    n = moved - start
    return moved.bits(), n.fma(-HALF_PI[1], n.fma(-HALF_PI[0], x))


def far_single(x: Lanes) -> tuple[Lanes, ...]:
    """Any float32: its mantissa times the bits of 2/π that do not make whole turns."""
    bits = x.bits()
    mantissa = ((bits & 0x7FFFFF) | 0x800000).converted("zext", "int64")
    high, low = words_of_turns(x, (bits >> 23) & 255)
    part = mantissa * high + upper_half(mantissa, low)
    k, rest = quarter_of(where(x < 0.0, -part, part))
    return k, rest.converted("sitofp", "float64") * (HALF_PI[0] * 2.0**-62)


def near_double(x: Lanes) -> tuple[Lanes, ...]:
    """|x| < 2^20; the first difference is exact."""
    start = 1.5 * 2.0**52
    moved = x.fma(1 / HALF_PI[0], start)
    n = moved - start
    first, product = n.fma(-HALF_PI[0], x), n * HALF_PI[1]
    r = first - product
    low = ((first - r) - product) - n.fma(HALF_PI[1], -product) - n * HALF_PI_REST[1]
    return moved.bits(), r, low


def far_double(x: Lanes) -> tuple[Lanes, ...]:
    bits = x.bits()
    mantissa = (bits & (1 << 52) - 1) | (1 << 52)
    high, middle, low = words_of_turns(x, (bits >> 52) & 2047)
    lower = upper_half(mantissa, low) + mantissa * middle
    carry = lower.compare("ult", mantissa * middle).converted("zext", "int64")
    k, rest = quarter_of(mantissa * high + upper_half(mantissa, middle) + carry)
    whole = rest.converted("sitofp", "float64")
    left = (rest - whole.converted("fptosi", "int64")).converted("sitofp", "float64")
    left = lower.converted("uitofp", "float64").fma(2.0**-64, left)
    product = whole * HALF_PI[0]
    low = left.fma(HALF_PI[0], whole.fma(HALF_PI[1], whole.fma(HALF_PI[0], -product)))
    r = product + low
    parts = r * 2.0**-62, (low - (r - product)) * 2.0**-62
    return where(x < 0.0, -k, k), *(where(x < 0.0, -part, part) for part in parts)


def quarters(x: Lanes) -> tuple[Lanes, ...]:
    if x.dtype == "float32":
        return either(abs(x) < 2.0**30, near_single(x), lambda: far_single(x))
    return either(abs(x) < 2.0**20, near_double(x), lambda: far_double(x))


def sine(r: Lanes, low: Lanes | None = None) -> Lanes:
    z = r * r
    if low is None:
        return (r * z).fma(polynomial("sin", z), r)
    return (r * z).fma(polynomial("sin", z), low * z.fma(-0.5, 1.0)) + r


def cosine(r: Lanes, low: Lanes | None = None) -> Lanes:
    z = r * r
    if low is None:
        return (z * z).fma(polynomial("cos", z), z.fma(-0.5, 1.0))
    half = z * 0.5
    first = 1.0 - half
    return (z * z).fma(polynomial("cos", z), ((1.0 - first) - half) - r * low) + first


def turned(k: Lanes, *rest: Lanes) -> Lanes:
    """sin(k · π/2 + r)."""
    found = where((k & 1).equals(0), sine(*rest), cosine(*rest))
    return where((k & 2).equals(0), found, -found)


def angle_ends(x: Lanes, found: Lanes) -> Lanes:
    if x.dtype == "float32":
        found = found.converted("fptrunc", "float32")
    return where(abs(x) < inf, found, nan)


def sin(x: Lanes) -> Lanes:
    return where(x.equals(0.0), x, angle_ends(x, turned(*quarters(x))))


def cos(x: Lanes) -> Lanes:
    k, *rest = quarters(x)
    return angle_ends(x, turned(k + 1, *rest))


def tan(x: Lanes) -> Lanes:
    k, *rest = quarters(x)
    s, c, even = sine(*rest), cosine(*rest), (k & 1).equals(0)
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
