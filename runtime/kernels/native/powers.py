"""Powers in lanes: x^y = 2^(y · log2|x|).

The logarithm needs more digits than the result has: float32 is computed in float64, float64 in pairs of numbers.
"""

from __future__ import annotations

from math import inf, nan

from runtime.kernels.native.functions import FORMATS, exp2, log2, nearest, scaled, split
from runtime.kernels.native.lanes import Lanes, at_least, at_most, pair, polynomial, where

Pair = tuple[Lanes, Lanes]
"""A number as a sum of two floats; the second is below the last digit of the first."""

TWO_THIRDS = (2 / 3, 2**-54 / 1.5)


def power_ends(x: Lanes, y: Lanes, size: Lanes) -> Lanes:
    """From |x|^y: negative for negative x and odd y; NaN for negative x and a fraction; 1 for y = 0."""
    half = y * 0.5
    odd = y.floor().equals(y) & half.floor().differs(half)
    found = where(odd, size.with_sign(x), size)
    found = where((x < 0.0) & (x > -inf) & y.floor().differs(y), x.number(nan), found)
    return where(y.equals(0.0), x.number(1.0), found)


def power_single(x: Lanes, y: Lanes) -> Lanes:
    """Arguments of float32 as float64."""
    logarithm = log2(abs(x))
    return power_ends(x, y, exp2(where(logarithm.equals(0.0), x.number(0.0), y * logarithm)))


def power_double(x: Lanes, y: Lanes) -> Lanes:
    size = abs(x)
    high, low = log2_pair(size)
    high = where((size > 0.0) & (size < inf), high, where(size.equals(0.0), x.number(-inf), size))
    exponent = where(high.equals(0.0), x.number(0.0), y * high)
    rest = y.fma(low, y.fma(high, -exponent))
    rest = where((abs(exponent) < 2000.0) & high.differs(0.0), rest, 0.0)
    form = FORMATS["float64"]
    exponent = at_most(at_least(exponent, form.exp2[0]), form.exp2[1])
    n, bits = nearest(exponent, 1.0, 2 * form.bias)
    r = (exponent - n) + rest
    return power_ends(x, y, scaled(r.fma(polynomial("exp2", r), 1.0), bits))


# ---- pairs --------------------------------------------------------------------------------------------------------------------------


def total(a: Lanes, b: Lanes, low: Lanes) -> Pair:
    """a + b + low, for b that is not larger than a, or a = 0."""
    high = a + b
    return high, (a - high) + b + low


def product(a: Pair, b: Pair) -> Pair:
    high = a[0] * b[0]
    return high, a[0].fma(b[1], a[1].fma(b[0], a[0].fma(b[0], -high)))


def log2_pair(x: Lanes) -> Pair:
    """log2(x) of positive finite x: with s = f / (2 + f), log(1 + f) = 2s + s³ · (2/3 + s² · …)."""
    e, f = split(x)
    bottom = f + 2.0
    inverse = 1.0 / bottom
    first = f * inverse
    rest = (-first).fma(f - (bottom - 2.0), (-first).fma(bottom, f))
    s = first, rest * inverse
    square = product(s, s)
    tail = square[0] * polynomial("log_tail", square[0])
    thirds = total(x.number(TWO_THIRDS[0]), tail, x.number(TWO_THIRDS[1]))
    cube = product(s, product(square, thirds))
    logarithm = total(s[0] * 2.0, cube[0], s[1].fma(2.0, cube[1]))
    unit = pair("log2_e", x)
    scaled_high, scaled_low = product(logarithm, (x.number(unit[0]), x.number(unit[1])))
    return total(e, scaled_high, scaled_low)
