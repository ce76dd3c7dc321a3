"""The error function from arithmetic and `exp` alone, so that every array namespace and the tracer of the kernels can run it.

W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23 (1969): one quotient of polynomials
in x² for |x| ≤ 0.46875, and erfc(y) = exp(-y²)·R(y) above. Cody's second range ends at 4; up to 6, where erf is 1 in double precision, its
quotient is right to 8 digits and erfc is below 2e-8, so erf keeps an error below 3e-16.
In single precision one quotient x·P(x²)/Q(x²) serves all |x| ≤ 4; its coefficients are a least-squares fit to erf at 1,600 Chebyshev nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SMALL = 0.46875
SMALL_TOP = (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3)
SMALL_BOTTOM = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
LARGE_TOP = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
    8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
)  # fmt: skip
LARGE_BOTTOM = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3,
    4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
)  # fmt: skip


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Horner's rule, the highest power first."""
    total = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * x + coefficient
    return total


def erf(xp: Any, x: Any) -> Any:
    """2/√π · ∫₀ˣ exp(-t²) dt, in the dtype of x."""
    return erf_double(xp, x) if x.dtype.itemsize == 8 else erf_single(xp, x)


def erf_double(xp: Any, x: Any) -> Any:
    y = xp.minimum(xp.abs(x), 6.0)
    low = xp.minimum(y, SMALL)
    square = low * low
    inner = low * (polynomial(square, SMALL_TOP) / polynomial(square, SMALL_BOTTOM))
    outer = 1.0 - xp.exp(-y * y) * (polynomial(y, LARGE_TOP) / polynomial(y, LARGE_BOTTOM))
    return xp.copysign(xp.where(y <= SMALL, inner, outer), x)


SINGLE_LIMIT = 4.0
SINGLE_TOP = (1.911095630e-8, -1.942279826e-6, 1.472793898e-4, 3.990297864e-3, 5.152404125e-2, 2.071189728e-1, 1.128379094)
SINGLE_BOTTOM = (1.021044268e-3, 1.495752447e-2, 1.179681396e-1, 5.168856613e-1, 1.0)


def erf_single(xp: Any, x: Any) -> Any:
    y = xp.maximum(xp.minimum(x, SINGLE_LIMIT), -SINGLE_LIMIT)
    square = y * y
    found = y * (polynomial(square, SINGLE_TOP) / polynomial(square, SINGLE_BOTTOM))
    return xp.maximum(xp.minimum(found, 1.0), -1.0)
