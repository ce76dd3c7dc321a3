"""Exponential functions, logarithms and hyperbolic functions in lanes, of float32 and float64.

The largest errors stand in `docs/native-functions.md`. Results for infinity, NaN, -0, numbers below the normal ones and arguments out of
range are those of NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

from runtime.kernels.native.lanes import Lanes, at_least, at_most, pair, polynomial, where

LOG2_E = 1.4426950408889634074
SQRT_HALF = 0.70710678118654752440


@dataclass(frozen=True)
class Format:
    """mantissa: bits behind the point; bias: of the exponent.

    Below and above the two numbers of a function its result no longer changes: exp, exp2, expm1.
    """

    mantissa: int
    bias: int
    exp: tuple[float, float]
    exp2: tuple[float, float]
    expm1: tuple[float, float]

    @property
    def round(self) -> float:
        """Added to a number below 2^(mantissa - 2), it leaves the nearest whole number in the lowest bits."""
        return 1.5 * 2.0**self.mantissa


FORMATS = {
    "float32": Format(
        mantissa=23,
        bias=127,
        exp=(-104.0, 89.0),
        exp2=(-152.0, 129.0),
        expm1=(-20.0, 89.0),
    ),
    "float64": Format(
        mantissa=52,
        bias=1023,
        exp=(-746.0, 710.0),
        exp2=(-1076.0, 1025.0),
        expm1=(-40.0, 710.5),
    ),
}


def format_of(x: Lanes) -> Format:
    return FORMATS[x.dtype]


# ---- exponential functions ----------------------------------------------------------------------------------------------------------


def nearest(x: Lanes, factor: float, offset: int) -> tuple[Lanes, Lanes]:
    """n, the whole number nearest to factor · x, and bits whose lowest hold n + offset."""
    start = format_of(x).round + offset
    moved = x.fma(factor, start)
    return moved - start, moved.bits()


def power_of_two(exponent: Lanes) -> Lanes:
    """2^k from bits whose lowest hold k + bias."""
    return (exponent << FORMATS[exponent.dtype.replace("int", "float")].mantissa).float_of_bits()


def scaled(x: Lanes, exponent: Lanes) -> Lanes:
    """x · 2^n in two steps, so that the result may be below the normal numbers; the lowest bits of `exponent` hold n + 2 · bias."""
    return x * power_of_two(exponent >> 1) * power_of_two((exponent + 1) >> 1)


def remainder(x: Lanes, n: Lanes) -> Lanes:
    """x - n · ln(2)."""
    high, low = pair("ln2", x)
    return n.fma(-low, n.fma(-high, x))


def exp_near(r: Lanes) -> Lanes:
    """exp(r) for |r| ≤ ln(2)/2."""
    return r.fma(r.fma(polynomial("exp", r), 1.0), 1.0)


def exp_rest(r: Lanes) -> Lanes:
    """exp(r) - 1 for |r| ≤ ln(2)/2."""
    return (r * r).fma(polynomial("exp", r), r)


def exp(x: Lanes) -> Lanes:
    form = format_of(x)
    x = at_most(at_least(x, form.exp[0]), form.exp[1])
    n, bits = nearest(x, LOG2_E, 2 * form.bias)
    return scaled(exp_near(remainder(x, n)), bits)


def exp2(x: Lanes) -> Lanes:
    form = format_of(x)
    x = at_most(at_least(x, form.exp2[0]), form.exp2[1])
    n, bits = nearest(x, 1.0, 2 * form.bias)
    r = x - n
    return scaled(r.fma(polynomial("exp2", r), 1.0), bits)


def quarter_expm1(x: Lanes) -> Lanes:
    """(exp(x) - 1) / 4 for x between the limits of expm1."""
    n, bits = nearest(x, LOG2_E, format_of(x).bias - 2)
    scale = power_of_two(bits)
    return scale.fma(exp_rest(remainder(x, n)), scale - 0.25)


def expm1(x: Lanes) -> Lanes:
    form = format_of(x)
    found = quarter_expm1(at_most(at_least(x, form.expm1[0]), form.expm1[1])) * 4.0
    return where(abs(x) < 2.0 ** (-form.mantissa - 2), x, found)


# ---- logarithms ---------------------------------------------------------------------------------------------------------------------


def small_integer(n: Lanes) -> Lanes:
    """A whole number of few bits as a float."""
    form = FORMATS[n.dtype.replace("int", "float")]
    start = 1.5 * 2.0**form.mantissa
    first = n.number(1 << (form.mantissa - 1) | (form.bias + form.mantissa) << form.mantissa)
    return (n + first).float_of_bits() - start


def exponent(x: Lanes) -> Lanes:
    """e with √½ ≤ x / 2^e < √2 for positive normal x."""
    form = format_of(x)
    return (x.bits() - x.number(SQRT_HALF).bits()) >> form.mantissa


def split(x: Lanes) -> tuple[Lanes, Lanes]:
    """(e, f) with x = 2^e · (1 + f) and √½ ≤ 1 + f < √2, for positive finite x."""
    form = format_of(x)
    tiny = x < 2.0 ** (1 - form.bias)
    x = where(tiny, x * 2.0**form.mantissa, x)
    e = exponent(x)
    m = (x.bits() - (e << form.mantissa)).float_of_bits()
    return small_integer(where(tiny, e - form.mantissa, e)), m - 1.0


def log_rest(f: Lanes) -> Lanes:
    """log(1 + f) - f."""
    if f.dtype == "float32":
        return f * f * f.fma(polynomial("log", f), -0.5)
    s = f / (f + 2.0)
    z = s * s
    return -(s * (-z).fma(polynomial("log_quotient", z), f))


def log_ends(x: Lanes, zero: float, found: Lanes) -> Lanes:
    """-infinity at `zero`, NaN below, infinity and NaN as they are."""
    found = where(x < inf, found, x)
    return where(x <= zero, where(x < zero, x.number(nan), -inf), found)


def log(x: Lanes) -> Lanes:
    high, low = pair("ln2", x)
    e, f = split(x)
    return log_ends(x, 0.0, e.fma(high, f + e.fma(low, log_rest(f))))


def log1p(x: Lanes) -> Lanes:
    """1 + f is found without rounding 1 + x: f = x / 2^e + (1 / 2^e - 1)."""
    form = format_of(x)
    high, low = pair("ln2", x)
    k = exponent(x + 1.0)
    part = power_of_two(k.number(form.bias + 2) - k) * 0.25
    f = part.fma(x, part - 1.0)
    e = small_integer(k)
    return log_ends(x, -1.0, e.fma(high, f + e.fma(low, log_rest(f)))).with_sign(x)


def log_of_base(x: Lanes, two: tuple[float, float], unit: tuple[float, float]) -> Lanes:
    """log(x) · unit; two: log(2) · unit."""
    e, f = split(x)
    product = f * unit[0]
    rest = log_rest(f).fma(unit[0], f.fma(unit[1], f.fma(unit[0], -product)))
    return log_ends(x, 0.0, e.fma(two[0], product + e.fma(two[1], rest)))


def log2(x: Lanes) -> Lanes:
    return log_of_base(x, (1.0, 0.0), pair("log2_e", x))


def log10(x: Lanes) -> Lanes:
    return log_of_base(x, pair("log10_2", x), pair("log10_e", x))


def logaddexp(a: Lanes, b: Lanes) -> Lanes:
    """Equal infinities give themselves."""
    larger = where(a > b, a, b)
    apart = where(a.equals(b), a.number(0.0), a - b)
    return larger + log1p(exp(-abs(apart)))


# ---- hyperbolic functions -----------------------------------------------------------------------------------------------------------


def sinh(x: Lanes) -> Lanes:
    q = quarter_expm1(at_most(abs(x), format_of(x).expm1[1]))
    found = ((q + q / q.fma(4.0, 1.0)) * 2.0).with_sign(x)
    return where(abs(x) < 2.0 ** (-format_of(x).mantissa // 2 - 1), x, found)


def cosh(x: Lanes) -> Lanes:
    q = quarter_expm1(at_most(abs(x), format_of(x).expm1[1]))
    return (q + 0.25 + 0.25 / q.fma(4.0, 1.0)) * 2.0


def tanh(x: Lanes) -> Lanes:
    return (tanh_single if x.dtype == "float32" else tanh_double)(x)


def tanh_single(x: Lanes) -> Lanes:
    """A polynomial up to 5/8, above 1 - 2 / (exp(2|x|) + 1), for which one number is enough of ln(2)."""
    size = abs(x)
    z = size * size
    near = (size * z).fma(polynomial("tanh", z), size)
    double = at_most(size, 10.0) * 2.0
    n, bits = nearest(double, LOG2_E, FORMATS["float32"].bias)
    rest = n.fma(-pair("ln2", x)[0], double)
    far = 1.0 - 2.0 / power_of_two(bits).fma(exp_near(rest), 1.0)
    return where(size < 0.625, near, far).with_sign(x)


def tanh_double(x: Lanes) -> Lanes:
    """e / (e + 2) with e = exp(2|x|) - 1."""
    size = abs(x)
    q = quarter_expm1(at_most(size + size, 44.0))
    return where(size < 2.0**-27, x, (q / (q + 0.5)).with_sign(x))


HUGE = 2.0**60


def arcsinh(x: Lanes) -> Lanes:
    size = abs(x)
    square = size * size
    inner = where(size > HUGE, size, size + square / ((square + 1.0).sqrt() + 1.0))
    return (log1p(inner) + where(size > HUGE, x.number(pair("ln2", x)[0]), 0.0)).with_sign(x)


def arccosh(x: Lanes) -> Lanes:
    above = x - 1.0
    inner = where(x > HUGE, x, above + (above * (x + 1.0)).sqrt())
    found = log1p(inner) + where(x > HUGE, x.number(pair("ln2", x)[0]), 0.0)
    return where(x < 1.0, x.number(nan), found)


def arctanh(x: Lanes) -> Lanes:
    size = abs(x)
    return (log1p((size + size) / (1.0 - size)) * 0.5).with_sign(x)
