"""The tables of words against each other and against the documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dslc.elaborate.places import BODIES, DIRECT
from dslc.vocabulary import CLIPS, CONSTRAINTS, DATASETS, INITIALISERS, OPTIMIZERS, SCHEDULES, SOURCES, STARTS, Word

DOCS = Path(__file__).parent.parent.parent / "docs"
WORDS = [word for table in (INITIALISERS, OPTIMIZERS, SCHEDULES, CLIPS, CONSTRAINTS, STARTS, SOURCES) for word in table.values()]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.name)
def test_signatures_parse(word: Word) -> None:
    names = [parm.name.id for parm in word.signature.parms]
    assert word.signature.name == word.name
    assert {*word.ranges, *word.choices, *word.needs, *word.needs.values()} <= set(names)
    kinds = {parm.name.id: parm.type.span.text for parm in word.signature.parms if parm.type is not None}
    if word.name not in ("uniform", "normal", "truncated_normal", "constant", "identity"):  # any number will do for theirs
        assert {name for name, kind in kinds.items() if kind in ("int", "float", "list[float]")} - {"value", "split"} <= set(word.ranges)
    assert word.doc


def test_places_are_those_of_the_document() -> None:
    """The table `statement × body` of docs/language.md, cell by cell."""
    text = (DOCS / "language.md").read_text(encoding="utf-8").split("## Which statement stands where")[1].split("## Types")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    head = [cell.replace("`", "") for cell in rows[0][1:]]
    found: dict[str, set[str]] = {}
    for row in rows[2:]:
        words = re.findall(r"`(\w+)`", row[0].split("(")[0]) or [row[0]]
        for statement in words:
            found[statement] = {body for body, cell in zip(head, row[1:], strict=True) if cell}
    for statement, places in found.items():
        for body in BODIES:
            assert (body in places) == (statement in BODIES[body]), f"{statement} in {body}"
        if statement not in DIRECT and BODIES["file"].count(statement) == 0:
            assert "for, if" in places, statement


@pytest.mark.parametrize("table", [OPTIMIZERS, SCHEDULES, INITIALISERS, CLIPS])
def test_defaults_are_documented(table: dict[str, Word]) -> None:
    text = (DOCS / "defaults.md").read_text(encoding="utf-8")
    assert [name for name, word in table.items() if "=" in word.text and f"`{name}" not in text and f"`{name}(" not in text] == []


def test_data_sets_have_fields() -> None:
    assert DATASETS["fashion-mnist"].classes[-1] == "Ankle boot"
    assert len(DATASETS["fashion-mnist"].classes) == len(DATASETS["digits"].classes) == 10
