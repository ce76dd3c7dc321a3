"""The harness itself: it refuses what no input may bring about, and it sees each kind of fault."""

from __future__ import annotations

import pytest

from tests.reliability.hostile import all_rows, breaches, document, harness
from tests.reliability.hostile.row import Limits, Row

LIMITS = Limits(cpu=1, wall=20)


def row(name: str, **more: object) -> Row:
    return Row(0, name, spec="dslc 1\n", call=f"{breaches.__name__}:{name}", exit=0, limits=LIMITS, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", breaches.BREACHES)
def test_a_breach_is_refused(name: str) -> None:
    with pytest.raises(AssertionError, match="the guard refused"):
        harness.check(row(name))


@pytest.mark.parametrize("name", breaches.FAULTS)
def test_a_fault_is_seen(name: str) -> None:
    with pytest.raises(AssertionError):
        harness.check(row(name))


def test_what_is_allowed_is_no_breach() -> None:
    harness.check(row("harmless"))


@pytest.mark.parametrize("more", [{"says": ("x",)}, {"exit": 2}, {"never": ("ok",)}])
def test_another_outcome_than_expected_is_seen(more: dict[str, object]) -> None:
    expected = {"exit": 0, "command": ("check", "lenet"), **more}
    with pytest.raises(AssertionError):
        harness.check(Row(0, "a shipped spec", **expected))  # type: ignore[arg-type]


def test_every_item_of_the_list_has_a_row() -> None:
    assert {row.number for row in all_rows()} == set(range(1, 137))


def test_the_page_is_up_to_date() -> None:
    assert document.PAGE.read_text(encoding="utf-8") == document.page(), "python -m tests.reliability.hostile.document"
