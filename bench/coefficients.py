"""The numbers of `runtime/kernels/native/coefficients.py`: minimax fits by Remez' exchange, in decimal arithmetic of 60 digits.

`python -m bench.coefficients` prints the module; redirect it into the file to write it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, getcontext

import numpy as np

DIGITS, GRID, ROUNDS = 60, 400, 12
Real = Callable[[Decimal], Decimal]
ONE, TWO = Decimal(1), Decimal(2)
getcontext().prec = DIGITS


def series(x: Decimal, term: Callable[[int], Decimal]) -> Decimal:
    """Σ term(k)·x^k, until a term no longer counts."""
    total, power = Decimal(0), ONE
    for k in range(1000):
        total += term(k) * power
        power *= x
        if abs(power) < Decimal(10) ** -DIGITS:
            break
    return total


def factorial(n: int) -> Decimal:
    return Decimal(1) if n < 2 else n * factorial(n - 1)


def alternating(k: int) -> int:
    return -1 if k % 2 else 1


def tanh_rest(z: Decimal) -> Decimal:
    """(tanh(h) - h) / h³ with h = √z."""
    h = z.sqrt()
    e = (2 * h).exp()
    return ((e - 1) / (e + 1) - h) / (h * z)


LN2 = TWO.ln()
SILVER = TWO.sqrt() - 1  # tan(π/8)
LOG_LOW, LOG_HIGH = TWO.sqrt() / 2 - 1, TWO.sqrt() - 1
QUARTER_PI = Decimal("0.7853981633974483096156608458198757210492923498437764552437361480769541")

PAIRS = {
    "ln2": LN2,
    "log2_e": 1 / LN2,
    "log10_2": TWO.log10(),
    "log10_e": ONE.exp().log10(),
    "half_pi": 2 * QUARTER_PI,
    "half_pi_rest": 2 * QUARTER_PI - Decimal(float(2 * QUARTER_PI)),
}


@dataclass(frozen=True)
class Fit:
    """A function on low … high, how much an error counts at a place, and the degree for each dtype."""

    meaning: str
    function: Real
    low: Decimal
    high: Decimal
    weight: Real
    degrees: dict[str, int]


FITS: dict[str, Fit] = {
    "exp": Fit(
        "(exp(r) - 1 - r) / r² for |r| ≤ ln(2)/2",
        lambda r: series(r, lambda k: 1 / factorial(k + 2)),
        -LN2 / 2,
        LN2 / 2,
        lambda r: abs(r),
        {"float32": 4, "float64": 10},
    ),
    "exp2": Fit(
        "(2^r - 1) / r for |r| ≤ 1/2",
        lambda r: LN2 * series(r * LN2, lambda k: 1 / factorial(k + 1)),
        -ONE / 2,
        ONE / 2,
        lambda r: abs(r),
        {"float32": 5, "float64": 11},
    ),
    "log": Fit(
        "(log(1 + f) - f + f²/2) / f³ for √½ ≤ 1 + f ≤ √2",
        lambda f: series(f, lambda k: Decimal(alternating(k)) / (k + 3)),
        LOG_LOW,
        LOG_HIGH,
        lambda f: f * f,
        {"float32": 7},
    ),
    "log_quotient": Fit(
        "(log((1 + s) / (1 - s)) - 2s) / s³ in z = s², for √½ ≤ (1 + s) / (1 - s) ≤ √2",
        lambda z: series(z, lambda k: TWO / (2 * k + 3)),
        Decimal(0),
        (SILVER / (SILVER + 2)) ** 2,
        lambda z: z,
        {"float64": 6},
    ),
    "log_tail": Fit(
        "the same without its first term 2/3, by z",
        lambda z: series(z, lambda k: TWO / (2 * k + 5)),
        Decimal(0),
        (SILVER / (SILVER + 2)) ** 2,
        lambda z: z * z,
        {"float64": 6},
    ),
    "tanh": Fit(
        "(tanh(h) - h) / h³ in z = h², for h ≤ 5/8",
        tanh_rest,
        Decimal("1e-12"),
        Decimal("0.390625"),
        lambda z: z,
        {"float32": 4},
    ),
    "arctan": Fit(
        "(arctan(t) - t) / t³ in z = t², for t ≤ tan(π/8)",
        lambda z: series(z, lambda k: -Decimal(alternating(k)) / (2 * k + 3)),
        Decimal(0),
        SILVER**2,
        lambda z: z,
        {"float64": 10},
    ),
    "sin": Fit(
        "(sin(r) - r) / r³ in z = r², for r ≤ π/4",
        lambda z: series(z, lambda k: -alternating(k) / factorial(2 * k + 3)),
        Decimal(0),
        QUARTER_PI**2,
        lambda z: z,
        {"float64": 5},
    ),
    "cos": Fit(
        "(cos(r) - 1 + r²/2) / r⁴ in z = r², for r ≤ π/4",
        lambda z: series(z, lambda k: alternating(k) / factorial(2 * k + 4)),
        Decimal(0),
        QUARTER_PI**2,
        lambda z: z * z,
        {"float64": 5},
    ),
}


def solve(matrix: list[list[Decimal]], right: list[Decimal]) -> list[Decimal]:
    """Gauss' elimination with the largest pivot."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    n = len(rows)
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in range(n):
            if k != i and rows[k][i]:
                factor = rows[k][i]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [row[n] for row in rows]


def horner(coefficients: Sequence[Decimal], x: Decimal) -> Decimal:
    total = Decimal(0)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def places(fit: Fit, count: int) -> list[Decimal]:
    """Chebyshev nodes, which are dense at the ends."""
    angles = [Decimal(repr(float(np.cos(np.pi * (k + 0.5) / count)))) for k in range(count)]
    return [(fit.low + fit.high) / 2 + (fit.high - fit.low) / 2 * angle for angle in reversed(angles)]


def remez(fit: Fit, degree: int) -> tuple[list[Decimal], Decimal]:
    """Coefficients from the lowest power, and the largest weighted error."""
    grid = places(fit, GRID)
    known, weight = [fit.function(x) for x in grid], [fit.weight(x) for x in grid]
    chosen = [round((k + 0.5) * GRID / (degree + 2)) for k in range(degree + 2)]
    coefficients: list[Decimal] = []
    worst = Decimal(0)
    for _ in range(ROUNDS):
        matrix = [[*(grid[i] ** p for p in range(degree + 1)), alternating(n) / weight[i]] for n, i in enumerate(chosen)]
        *coefficients, _ = solve(matrix, [known[i] for i in chosen])
        errors = [w * (horner(coefficients, x) - y) for x, y, w in zip(grid, known, weight, strict=True)]
        worst = max(map(abs, errors))
        chosen = exchange(errors, degree + 2)
    return coefficients, worst


def exchange(errors: Sequence[Decimal], count: int) -> list[int]:
    """The place of the largest error of each run of one sign; where there are too many runs, the weakest end is left out."""
    peaks: list[int] = []
    for i, error in enumerate(errors):
        if peaks and (error > 0) == (errors[peaks[-1]] > 0):
            if abs(error) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        else:
            peaks.append(i)
    while len(peaks) > count:
        peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
    return peaks


def written(coefficients: Sequence[Decimal], dtype: str) -> list[str]:
    """Coefficients in the dtype, the lowest power first."""
    return [repr(float(np.dtype(dtype).type(str(coefficient)))) for coefficient in coefficients]


def pair(value: Decimal, dtype: str) -> str:
    """A number as the nearest one of the dtype and what is left."""
    high = written([value], dtype)[0]
    return f"({high}, {written([value - Decimal(float(high))], dtype)[0]})"


def lines() -> list[str]:
    found = ['"""The numbers of the native functions: made by `python -m bench.coefficients`."""', ""]
    found += ["# A number as a sum of two of the dtype.", "PAIRS: dict[tuple[str, str], tuple[float, float]] = {"]
    found += [f'    ("{name}", "{dtype}"): {pair(value, dtype)},' for name, value in PAIRS.items() for dtype in ("float32", "float64")]
    found += [
        "}",
        "",
        "# Polynomials, the lowest power first.",
        "COEFFICIENTS: dict[tuple[str, str], tuple[float, ...]] = {",
    ]
    for name, fit in FITS.items():
        for dtype, degree in fit.degrees.items():
            coefficients, worst = remez(fit, degree)
            found.append(f"    # {fit.meaning}: weighted error {float(worst):.1e}")
            found.append(f'    ("{name}", "{dtype}"): (')
            found += [f"        {number}," for number in written(coefficients, dtype)]
            found.append("    ),")
    return [*found, "}"]


if __name__ == "__main__":
    print("\n".join(lines()))
