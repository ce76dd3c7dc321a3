"""Division, remainders, shifts, powers and conversions of numbers in lanes, with NumPy's results where a processor's would be others.

Whole numbers: divided by 0 they give 0, shifts by more than their bits leave nothing but the sign, overflow wraps around.
"""

from __future__ import annotations

from math import inf

from runtime.kernels.native.lanes import Lanes, either, where


def bits_of(dtype: str) -> int:
    return 1 if dtype == "bool" else int(dtype.lstrip("floatuin"))


def signed(x: Lanes) -> bool:
    return x.dtype.startswith("int")


# ---- division of whole numbers ------------------------------------------------------------------------------------------------------


def safe_divisor(b: Lanes) -> Lanes:
    """1 instead of 0, and instead of -1, by which the smallest number cannot be divided."""
    unsafe = b.equals(0) | b.equals(-1) if signed(b) else b.equals(0)
    return where(unsafe, b.number(1), b)


def whole_fmod(a: Lanes, b: Lanes) -> Lanes:
    """The remainder with the sign of a."""
    found = a.operation("srem" if signed(a) else "urem", safe_divisor(b))
    return where(b.equals(0), a.number(0), found)


def whole_remainder(a: Lanes, b: Lanes) -> Lanes:
    """The remainder with the sign of b."""
    rest = whole_fmod(a, b)
    if not signed(a):
        return rest
    return where(rest.differs(0) & (rest < 0).differs(b < 0), rest + b, rest)


def whole_floor_divide(a: Lanes, b: Lanes) -> Lanes:
    divisor = safe_divisor(b)
    if not signed(a):
        return where(b.equals(0), a.number(0), a.operation("udiv", divisor))
    quotient, rest = a.operation("sdiv", divisor), a.operation("srem", divisor)
    quotient = where(rest.differs(0) & (rest < 0).differs(b < 0), quotient - 1, quotient)
    quotient = where(b.equals(-1), a.number(0) - a, quotient)
    return where(b.equals(0), a.number(0), quotient)


def whole_reciprocal(x: Lanes) -> Lanes:
    """1 and -1 stay, others become 0; that of a signed 0 of 32 or 64 bits is the smallest number."""
    ones = x.equals(1) | x.equals(-1) if signed(x) else x.equals(1)
    found = where(ones, x, 0)
    if signed(x) and bits_of(x.dtype) >= 32:
        found = where(x.equals(0), x.number(-(1 << bits_of(x.dtype) - 1)), found)
    return found


def whole_power(x: Lanes, y: Lanes) -> Lanes:
    """By squares, one for each bit of the exponent, which is not negative."""
    result = x.number(1)
    for bit in range(bits_of(x.dtype) - int(signed(x))):
        result = where((y & (1 << bit)).differs(0), result * x, result)
        x = x * x
    return result


# ---- division of floats -------------------------------------------------------------------------------------------------------------


def fmod(a: Lanes, b: Lanes) -> Lanes:
    """Exact. float32: in float64 where the quotient is below 2^52."""
    if a.dtype != "float32":
        return a.operation("frem", b)
    up, down = (abs(item).converted("fpext", "float64") for item in (a, b))
    quotient = (up / down).call("trunc")
    rest = (-quotient).fma(down, up)
    rest = where(rest < 0.0, rest + down, rest)
    usual = rest.converted("fptrunc", "float32").with_sign(a)
    (found,) = either((up < down * 2.0**52) & (down < inf), (usual,), lambda: (a.operation("frem", b),))
    return found


def remainder(a: Lanes, b: Lanes) -> Lanes:
    """The remainder with the sign of b; a remainder of 0 has it too."""
    rest = fmod(a, b)
    crossed = where((rest < 0.0).differs(b < 0.0), rest + b, rest)
    return where(rest.differs(0.0), crossed, where(b.equals(0.0), rest, b.number(0.0).with_sign(b)))


def floor_divide(a: Lanes, b: Lanes) -> Lanes:
    rest = fmod(a, b)
    quotient = (a - rest) / b
    crossed = rest.differs(0.0) & (rest < 0.0).differs(b < 0.0)
    quotient = where(crossed, quotient - 1.0, quotient)
    whole = quotient.floor()
    whole = where(quotient - whole > 0.5, whole + 1.0, whole)
    exact = a / b
    found = where(quotient.differs(0.0), whole, b.number(0.0).with_sign(exact))
    return where(b.equals(0.0), exact, found)


# ---- shifts -------------------------------------------------------------------------------------------------------------------------


def left_shift(x: Lanes, count: Lanes) -> Lanes:
    fits = count.compare("ult", bits_of(x.dtype))
    return where(fits, x.operation("shl", where(fits, count, 0)), 0)


def right_shift(x: Lanes, count: Lanes) -> Lanes:
    most = bits_of(x.dtype) - 1
    fits = count.compare("ule", most)
    if signed(x):
        return x.operation("ashr", where(fits, count, most))
    return where(fits, x.operation("lshr", where(fits, count, 0)), 0)


# ---- floats as whole numbers --------------------------------------------------------------------------------------------------------


def whole(x: Lanes, dtype: str) -> Lanes:
    """Towards 0. What int32 or int64 cannot hold becomes the smallest number; shorter dtypes are cut from int32, uint32 from int64."""
    if dtype == "uint64":
        far = x >= 2.0**63
        low = whole(where(far, x - 2.0**63, x), "int64")
        return where(far, low.operation("xor", -(2**63)), low).converted("bitcast", "uint64")
    if dtype not in ("int32", "int64"):
        wide = whole(x, "int64" if dtype == "uint32" else "int32")
        return wide.converted("trunc", dtype)
    limit = 2.0 ** (bits_of(dtype) - 1)
    found = x.converted("fptosi", dtype)
    return where((x >= -limit) & (x < limit), found, -int(limit))
