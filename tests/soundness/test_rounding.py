"""What is known of rounding: which results no way to compute them rounds, and how far the others may move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import DType, tensor
from dslc.ops.value import Builder, F, Val
from tests.reliability.campaign import Tally
from tests.soundness.compare import Differs, compare
from tests.soundness.rounding import Reference

INTEGERS = np.array([[1.0, -2, 3, 0], [2, 2, -1, 3]])
FRACTIONS = np.random.default_rng(0).uniform(0.1, 2, (2, 4))
Write = Callable[[Val], Val]


def reference(write: Write, x: Any, dtype: DType = DType.f64) -> Reference:
    builder = Builder("one")
    builder.output("y", write(builder.input("data", "x", tensor(dtype.value, 2, 4))))
    return Reference(builder.build(), {"x": np.asarray(x, dtype.numpy)})


EXACT: dict[str, tuple[Write, Any, bool]] = {
    "a sum of integers": (lambda x: F.sum(x), INTEGERS, True),
    "a sum of fractions": (lambda x: F.sum(x), FRACTIONS, False),
    "the largest of fractions": (lambda x: F.max(x), FRACTIONS, True),
    "a product of integers and quarters": (lambda x: x @ F.transpose(x * 0.25), INTEGERS, True),
    "a product of integers and tenths": (lambda x: x @ F.transpose(x * 0.1), INTEGERS, False),
    "products that need more than 53 bits": (lambda x: (x * 2.0**30) * (x * 2.0**30), INTEGERS, False),
    "a mean of four": (lambda x: F.mean(x, axis=1), INTEGERS, True),
    "a mean of eight, thrice": (lambda x: F.mean(x) * 3, INTEGERS, True),
    "a mean of six": (lambda x: F.mean(F.slice(x, starts=(0, 0), stops=(2, 3))), INTEGERS, False),
    "a quotient by a power of two": (lambda x: x / 8, INTEGERS, True),
    "a quotient by three that is whole": (lambda x: (x * 3) / 3, INTEGERS, False),
    "a function of integers": (lambda x: F.tanh(x), INTEGERS, False),
    "a comparison of fractions": (lambda x: F.greater(x, x * 0), FRACTIONS, False),
    "a comparison of integers": (lambda x: F.greater(x, x * 2), INTEGERS, True),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_no_order_rounds_is_known(name: str) -> None:
    write, x, exact = EXACT[name]
    assert reference(write, x).is_exact("y") == exact


def test_the_spread_of_a_sum_is_that_of_its_terms() -> None:
    """A sum that cancels moves by as much as one that does not, and a longer way moves further."""
    plain = reference(lambda x: F.sum(x), FRACTIONS).spread(10)["y"]
    cancels = reference(lambda x: F.sum(x) - 8.0, FRACTIONS).spread(10)["y"]
    longer = reference(lambda x: F.exp(F.sum(F.exp(x))), FRACTIONS).spread(10)["y"]
    assert 2.0**-53 < plain < 2.0**-53 * 100 * FRACTIONS.sum()
    assert plain / 4 < cancels < plain * 4
    assert longer > 1000 * plain


def test_a_jump_shows_in_the_spread() -> None:
    tie = np.full((2, 4), 0.1) * 3
    assert reference(lambda x: F.heaviside(F.tanh(x) - F.tanh(x * 1)), tie).spread(40)["y"] == 1
    assert reference(lambda x: F.heaviside(F.tanh(x) - 0.2), tie).spread(40)["y"] == 0


def test_a_rounded_index_that_leaves_its_range_moves_its_results_by_any_distance() -> None:
    builder = Builder("one")
    x = builder.input("data", "x", tensor("f64", 2, 4))
    builder.output("y", F.take_along_axis(x, F.cast(x * 1, dtype=DType.i64), axis=0))
    builder.output("z", F.tanh(x))
    moves = Reference(builder.build(), {"x": np.full((2, 4), np.nextafter(2, 0))}).spread(10)
    assert moves["y"] == np.inf
    assert 0 < moves["z"] < 1e-14


def verdict(write: Write, x: Any, found: Callable[[Any], Any]) -> str:
    """What is said of a result that `found` makes of the right one."""
    known, tally = reference(write, x), Tally()
    trusted = compare("it", known, {"y": found(interpret(known.graph, np, known.arrays)["y"])}, tally)
    (said,) = tally.histograms["results compared"]
    assert bool(trusted) != said.startswith("mistrusted")
    return said


def test_results_that_say_nothing_are_mistrusted() -> None:
    def same(y: Any) -> Any:
        return y

    assert verdict(lambda x: F.sum(x, axis=1), INTEGERS, same) == "equal, nothing rounds"
    assert verdict(lambda x: F.tanh(x), FRACTIONS, same) == "equal"
    assert verdict(lambda x: F.tanh(x), FRACTIONS, lambda y: y * (1 + 2.0**-52)) == "within the bound"
    assert verdict(lambda x: F.relu(-x), FRACTIONS, same) == "mistrusted: zeros"
    assert verdict(lambda x: x * 0 + 1, FRACTIONS, same) == "mistrusted: one number repeated"
    assert verdict(lambda x: F.log(-x), FRACTIONS, same) == "mistrusted: not finite"
    assert verdict(lambda x: F.tanh(x) - F.tanh(x * 1), FRACTIONS, lambda y: y + 1e-17) == "mistrusted: zeros"
    assert verdict(lambda x: F.log(x + 1e13) - F.log(x * 1 + 1e13 + 1e-2), FRACTIONS, lambda y: y + 1e-15).startswith("mistrusted")


@pytest.mark.parametrize(
    ("write", "x", "found"),
    [
        (lambda x: F.sum(x, axis=1), INTEGERS, lambda y: y * (1 + 2.0**-52)),
        (lambda x: F.sum(x, axis=1), FRACTIONS, lambda y: y * (1 + 1e-12)),
        (lambda x: F.tanh(x), FRACTIONS, lambda y: y * (1 + 1e-13)),
        (lambda x: F.log(-x), FRACTIONS, np.zeros_like),
        (lambda x: F.tanh(x), FRACTIONS, lambda y: y.astype(np.float32)),
        (lambda x: F.argmax(x), FRACTIONS, lambda y: y + 1),
    ],
)
def test_what_rounding_does_not_explain_differs(write: Write, x: Any, found: Callable[[Any], Any]) -> None:
    with pytest.raises(Differs):
        verdict(write, x, found)
