"""Types of the IR: dtypes, symbolic dims and tensor types.

A dim is a polynomial with integer coefficients over dim names (`batch`, `time`) and floor quotients (`(h + 1) // 2`),
kept in normal form, so equal sizes are equal values. Dim names stand for integers >= 1.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from math import gcd, prod
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Frozen(BaseModel):
    """Base of all IR models: immutable, strict, nothing extra, no inf or nan."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False)

    def changed(self, **values: Any) -> Self:
        """A copy with other values, which are not checked again; in a third of the time of `model_copy`."""
        return type(self).made({**self.__dict__, **values})

    @classmethod
    def made(cls, values: dict[str, Any]) -> Self:
        """A model of all its fields, which are right because the compiler itself made them: nothing is checked."""
        model, put = cls.__new__(cls), object.__setattr__
        put(model, "__dict__", values)
        put(model, "__pydantic_fields_set__", names_of(cls))
        put(model, "__pydantic_extra__", None)
        put(model, "__pydantic_private__", None)
        return model


@cache
def names_of(model: type[BaseModel]) -> set[str]:
    """The names of all fields: one set for all models that `made` makes."""
    return set(model.model_fields)


class DType(StrEnum):
    """Element types; `f32` is the model's float unless the precision says `f64`."""

    f32 = "f32"
    f64 = "f64"
    i32 = "i32"
    i64 = "i64"
    u8 = "u8"
    u64 = "u64"
    bool = "bool"

    @property
    def is_float(self) -> builtins.bool:
        return self in (DType.f32, DType.f64)

    @property
    def is_int(self) -> builtins.bool:
        return self in (DType.i32, DType.i64, DType.u8, DType.u64)

    @property
    def itemsize(self) -> int:
        return {"f32": 4, "f64": 8, "i32": 4, "i64": 8, "u8": 1, "u64": 8, "bool": 1}[self.value]

    @property
    def numpy(self) -> str:
        """The name NumPy and CuPy give it."""
        return {"f32": "float32", "f64": "float64", "i32": "int32", "i64": "int64", "u8": "uint8", "u64": "uint64", "bool": "bool"}[
            self.value
        ]


@dataclass(frozen=True, slots=True)
class Floor:
    """The atom `floor(numerator / divisor)`; `divisor` > 1 and the quotient is not exact."""

    numerator: Dim
    divisor: int

    def __str__(self) -> str:
        return f"({self.numerator}) // {self.divisor}"


LONG = 16  # bits of a number that count as one name
Atom = str | Floor
Monomial = tuple[tuple[Atom, int], ...]  # (atom, power), sorted by text; () is the constant


@dataclass(frozen=True, slots=True)
class Dim:
    """A size: `terms` maps monomials to non-zero coefficients, sorted. Build with `Dim.of` and arithmetic."""

    terms: tuple[tuple[Monomial, int], ...]

    @staticmethod
    def of(value: int | str | Dim) -> Dim:
        """A constant, a dim name, or a dim as it is."""
        if isinstance(value, Dim):
            return value
        if isinstance(value, int):
            return Dim((((), value),)) if value else Dim(())
        return Dim(((((value, 1),), 1),))

    @staticmethod
    def _from(terms: Mapping[Monomial, int]) -> Dim:
        def order(item: tuple[Monomial, int]) -> tuple[int, str]:
            degree = sum(power for _, power in item[0])
            return (-degree, _monomial_text(item[0]))

        return Dim(tuple(sorted(((m, c) for m, c in terms.items() if c), key=order)))

    # -- arithmetic; exact, over Python ints

    def __add__(self, other: int | Dim) -> Dim:
        terms = dict(self.terms)
        for monomial, coefficient in Dim.of(other).terms:
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return Dim._from(terms)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return Dim(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: int | Dim) -> Dim:
        return self + (-Dim.of(other))

    def __rsub__(self, other: int | Dim) -> Dim:
        return Dim.of(other) - self

    def __mul__(self, other: int | Dim) -> Dim:
        terms: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in Dim.of(other).terms:
                powers = dict(left)
                for atom, power in right:
                    powers[atom] = powers.get(atom, 0) + power
                monomial = tuple(sorted(powers.items(), key=lambda item: str(item[0])))
                terms[monomial] = terms.get(monomial, 0) + a * b
        return Dim._from(terms)

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> Dim:
        """`floor(self / divisor)` for a constant divisor >= 1; terms divisible by it leave the floor."""
        if divisor < 1:
            raise ValueError(f"a dim is divided by a constant >= 1, not {divisor}")
        if self.is_constant:
            return Dim.of(self.constant // divisor)
        exact = Dim._from({m: c // divisor for m, c in self.terms if c % divisor == 0})
        rest = Dim._from({m: c for m, c in self.terms if c % divisor})
        if rest.is_constant:
            return exact + rest.constant // divisor
        # The constant of the rest is reduced to 0 <= c < divisor, then a common factor is cancelled.
        constant = dict(rest.terms).get((), 0)
        exact, rest = exact + constant // divisor, rest - constant + constant % divisor
        common = divisor
        for monomial, coefficient in rest.terms:
            if monomial:
                common = gcd(common, coefficient)
        if common > 1:
            offset = dict(rest.terms).get((), 0)
            rest = Dim._from({m: (c // common if m else offset // common) for m, c in rest.terms})
            divisor //= common
        # ⌊(⌊p / j⌋ + c) / k⌋ = ⌊(p + c·j) / (j·k)⌋
        symbolic = [(m, c) for m, c in rest.terms if m]
        if len(symbolic) == 1 and symbolic[0][1] == 1 and len(symbolic[0][0]) == 1:
            atom, power = symbolic[0][0][0]
            if isinstance(atom, Floor) and power == 1:
                offset = dict(rest.terms).get((), 0)
                return exact + (atom.numerator + offset * atom.divisor) // (atom.divisor * divisor)
        return exact + Dim((((((Floor(rest, divisor), 1),)), 1),))

    def __mod__(self, divisor: int) -> Dim:
        return self - (self // divisor) * divisor

    def exact_div(self, other: Dim) -> Dim | None:
        """`self / other` if the polynomial division by a single-term `other` leaves nothing, else None."""
        if len(other.terms) != 1:
            return Dim.of(1) if self == other else None
        (monomial, coefficient) = other.terms[0]
        terms: dict[Monomial, int] = {}
        for mine, c in self.terms:
            powers = dict(mine)
            for atom, power in monomial:
                powers[atom] = powers.get(atom, 0) - power
                if powers[atom] < 0:
                    return None
            if c % coefficient:
                return None
            terms[tuple((a, p) for a, p in powers.items() if p)] = c // coefficient
        return Dim._from(terms)

    # -- questions

    @property
    def weight(self) -> int:
        """How large it is written out: terms, names with their powers, those inside quotients too, and long numbers."""
        found = 0
        for monomial, coefficient in self.terms:
            found += 1 + coefficient.bit_length() // LONG
            for atom, power in monomial:
                inside = 0 if isinstance(atom, str) else atom.numerator.weight + atom.divisor.bit_length() // LONG
                found += power * (1 + inside)
        return found

    @property
    def nesting(self) -> int:
        """How many quotients stand within each other."""
        atoms = [atom for monomial, _ in self.terms for atom, _ in monomial]
        return max((1 + atom.numerator.nesting for atom in atoms if isinstance(atom, Floor)), default=0)

    @property
    def expansion(self) -> int:
        """How many terms `sign` and `lower` may look at: those of the polynomial over x - 1."""
        return sum(prod(power + 1 for _, power in monomial) for monomial, _ in self.terms)

    @property
    def is_constant(self) -> bool:
        return not self.terms or (len(self.terms) == 1 and not self.terms[0][0])

    @property
    def constant(self) -> int:
        """The value of a constant dim."""
        if not self.is_constant:
            raise ValueError(f"{self} is not constant")
        return self.terms[0][1] if self.terms else 0

    @property
    def names(self) -> frozenset[str]:
        """The dim names that occur, also inside quotients."""
        if self.is_constant:
            return frozenset()
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom, _ in monomial:
                found |= {atom} if isinstance(atom, str) else atom.numerator.names
        return frozenset(found)

    def sign(self) -> int | None:
        """1, 0 or -1 where it holds for all names >= 1, else None."""
        if self.is_constant:
            return (self.constant > 0) - (self.constant < 0)
        low, high = self._bounds()
        if low is not None and low > 0:
            return 1
        if high is not None and high < 0:
            return -1
        return None

    def lower(self) -> int | None:
        """A lower bound for all names >= 1, or None."""
        return self._bounds()[0]

    @lru_cache(maxsize=4096)  # noqa: B019 (a dim is a value)
    def _bounds(self) -> tuple[int | None, int | None]:
        low, high = self._shifted()
        if not any(isinstance(monomial[0][0], Floor) for monomial, _ in self.terms if len(monomial) == 1):
            return low, high
        rest, least, most = self._remainders()
        lowest, highest = rest._shifted()
        lows = [low, None if lowest is None else lowest + least]
        highs = [high, None if highest is None else highest + most]
        return max((b for b in lows if b is not None), default=None), min((b for b in highs if b is not None), default=None)

    def _remainders(self) -> tuple[Dim, int, int]:
        """With k·⌊p / k⌋ = p - r, 0 <= r < k: what is left without such quotients, and the bounds of all -r together."""
        rest, least, most = Dim.of(0), 0, 0
        for monomial, coefficient in self.terms:
            atom = monomial[0][0] if len(monomial) == 1 and monomial[0][1] == 1 else None
            if isinstance(atom, Floor) and coefficient % atom.divisor == 0:
                factor = coefficient // atom.divisor
                rest = rest + atom.numerator * factor
                least, most = least + min(-factor * (atom.divisor - 1), 0), most + max(-factor * (atom.divisor - 1), 0)
            else:
                rest = rest + Dim(((monomial, coefficient),))
        return rest, least, most

    def _shifted(self) -> tuple[int | None, int | None]:
        # With x = 1 + x', x' >= 0: if all coefficients of the expansion but the constant have one sign, the constant is a bound.
        shifted = Dim.of(0)
        for monomial, coefficient in self.terms:
            product = Dim.of(coefficient)
            for atom, power in monomial:
                base = _shift(atom)
                for _ in range(power):
                    product = product * base
            shifted = shifted + product
        constant = dict(shifted.terms).get((), 0)
        others = [c for m, c in shifted.terms if m]
        return (constant if all(c >= 0 for c in others) else None, constant if all(c <= 0 for c in others) else None)

    def substitute(self, values: Mapping[str, int | Dim]) -> Dim:
        """Replace names; names that are not in `values` stay."""
        result = Dim.of(0)
        for monomial, coefficient in self.terms:
            product = Dim.of(coefficient)
            for atom, power in monomial:
                if isinstance(atom, str):
                    base = Dim.of(values.get(atom, atom))
                else:
                    base = atom.numerator.substitute(values) // atom.divisor
                for _ in range(power):
                    product = product * base
            result = result + product
        return result

    def evaluate(self, values: Mapping[str, int]) -> int:
        """The size for given names; KeyError names a missing one."""
        total = 0
        for monomial, coefficient in self.terms:
            product = coefficient
            for atom, power in monomial:
                base = values[atom] if isinstance(atom, str) else atom.numerator.evaluate(values) // atom.divisor
                product *= base**power
            total += product
        return total

    # -- text

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        text = ""
        for monomial, coefficient in self.terms:
            body = _monomial_text(monomial)
            size = abs(coefficient)
            piece = str(size) if not body else body if size == 1 else f"{size}*{body}"
            text += (" - " if coefficient < 0 else " + ") + piece if text else ("-" if coefficient < 0 else "") + piece
        return text

    __repr__ = __str__

    @staticmethod
    def parse(text: str) -> Dim:
        """The inverse of `str`."""
        return _DimParser(text).parse()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        instance = core_schema.is_instance_schema(Dim)
        text = core_schema.no_info_after_validator_function(Dim.parse, core_schema.str_schema(max_length=4096))
        return core_schema.json_or_python_schema(
            json_schema=text, python_schema=instance, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


def _shift(atom: Atom) -> Dim:
    """The atom written over x' = x - 1 >= 0: a name x is 1 + x'; a quotient is its lower bound + something >= 0."""
    if isinstance(atom, str):
        return Dim.of(atom) + 1
    low = atom.numerator.lower()
    if low is None:
        return Dim.of(f"?{atom}") - Dim.of(f"?-{atom}")
    return Dim.of(f"?{atom}") + low // atom.divisor


def _monomial_text(monomial: Monomial) -> str:
    return "*".join(
        f"({a})" if isinstance(a, Floor) else a if p == 1 else f"{a}^{p}"
        for a, p in monomial
        for _ in range(p if isinstance(a, Floor) else 1)
    )


_DIM_TOKEN = re.compile(r"\s*(\d+|[A-Za-z_]\w*|//|[-+*^()])")


class _DimParser:
    """Reads what `Dim.__str__` writes (iterative on sums and products, recursive only on parentheses, which are bounded)."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        text = text.strip()
        while at < len(text):
            match = _DIM_TOKEN.match(text, at)
            if match is None or len(self.tokens) > 4096:
                raise ValueError(f"not a dim: {text[:80]!r}")
            self.tokens.append(match.group(1))
            at = match.end()
        self.text = text
        self.at = 0
        self.depth = 0

    def parse(self) -> Dim:
        result = self.sum()
        if self.at != len(self.tokens):
            raise ValueError(f"not a dim: {self.text[:80]!r}")
        return result

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def sum(self) -> Dim:
        negative = self.peek() == "-" and self.take() == "-"
        result = -self.product() if negative else self.product()
        while self.peek() in ("+", "-"):
            result = result + self.product() if self.take() == "+" else result - self.product()
        return result

    def product(self) -> Dim:
        result = self.factor()
        while self.peek() in ("*", "//"):
            if self.take() == "*":
                result = result * self.factor()
            else:
                result = result // self.factor().constant
        return result

    def factor(self) -> Dim:
        token = self.take()
        if token == "(":
            self.depth += 1
            if self.depth > 32:
                raise ValueError("a dim is nested too deeply")
            result = self.sum()
            if self.take() != ")":
                raise ValueError(f"not a dim: {self.text[:80]!r}")
            self.depth -= 1
        elif token.isdigit() and len(token) <= 18:
            result = Dim.of(int(token))
        elif token.isidentifier():
            result = Dim.of(token)
        else:
            raise ValueError(f"not a dim: {self.text[:80]!r}")
        if self.peek() == "^":
            self.take()
            power = self.take()
            if not power.isdigit() or int(power) > 16:
                raise ValueError(f"not a dim: {self.text[:80]!r}")
            base, result = result, Dim.of(1)
            for _ in range(int(power)):
                result = result * base
        return result


class TensorType(Frozen):
    """`f32[batch, 10]`."""

    dtype: DType
    shape: tuple[Dim, ...]

    # As pydantic's own, in a third of the time: types are compared for each node of a graph.

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, TensorType) and self.dtype is other.dtype and self.shape == other.shape)

    def __hash__(self) -> int:
        return hash((self.dtype, self.shape))

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def elements(self) -> Dim:
        total = Dim.of(1)
        for size in self.shape:
            total = total * size
        return total

    @property
    def bytes(self) -> Dim:
        return self.elements * self.dtype.itemsize

    @property
    def names(self) -> frozenset[str]:
        return frozenset().union(*(size.names for size in self.shape))

    def substitute(self, values: Mapping[str, int | Dim]) -> TensorType:
        return TensorType(dtype=self.dtype, shape=tuple(size.substitute(values) for size in self.shape))

    def sizes(self, values: Mapping[str, int]) -> tuple[int, ...]:
        """The concrete shape for given dim names."""
        return tuple(size.evaluate(values) for size in self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(str(size) for size in self.shape)}]"

    __repr__ = __str__


def tensor(dtype: DType | str, *shape: int | str | Dim) -> TensorType:
    """`tensor("f32", "batch", 10)` is `f32[batch, 10]`."""
    return TensorType(dtype=DType(dtype), shape=tuple(Dim.of(size) for size in shape))
