"""Sizes as text and as values: what is no size, and what a size is once its names have values."""

from __future__ import annotations

import pytest

from dslc.ir.types import Dim

BROKEN = [
    "", "a b", "a +", "+ a", "a $", "(a", "a)", "a^17", "a^b", "a^", "a // b", "a // 0", "1" * 19, "(" * 33 + "a" + ")" * 33,
    "a" + " + a" * 2500,
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:10])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError):
        Dim.parse(text)


VALUES = {"(a + 1) // 2": 2, "3*a^2 - a": 24, "(a - b) // 2 + b": 5, "((a + 1) // 2) * (b // 4)": 2, "(a + b) // 3 - 1": 2}


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    """With a = 3 and b = 7; given one after the other the size is the same."""
    dim = Dim.parse(text)
    assert Dim.parse(str(dim)) == dim
    assert dim.evaluate({"a": 3, "b": 7}) == VALUES[text]
    assert dim.substitute({"a": 3}).substitute({"b": Dim.of("c") + 2}).substitute({"c": 5}) == Dim.of(VALUES[text])


def test_a_quotient_of_unknown_sign_has_no_bound() -> None:
    dim = Dim.parse("(a - b) // 2")
    assert dim.sign() is None and dim.lower() is None and (-dim).lower() is None
    assert Dim.parse("(a + b) // 2").lower() == 1


def test_exact_division() -> None:
    a, b = Dim.of("a"), Dim.of("b")
    assert (6 * a * b).exact_div(2 * a) == 3 * b
    assert (3 * a).exact_div(2 * a) is None and a.exact_div(b) is None
    assert (a + 1).exact_div(a + 1) == Dim.of(1) and (2 * a + 2).exact_div(a + 1) is None
    with pytest.raises(ValueError, match="is not constant"):
        _ = a.constant
