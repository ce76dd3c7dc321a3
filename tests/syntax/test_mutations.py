"""Seeded mutations of the shipped specs: never an exception, always a tree, and every span where it belongs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from dslc.diagnostics import Sink
from dslc.render import apply_fixes, render_json, render_text
from dslc.source import Source
from dslc.syntax import ast
from dslc.syntax.parse import parse
from tests.syntax.sexpr import children

ROOT = Path(__file__).parents[2]
SPECS = sorted([*(ROOT / "specs").rglob("*.nn"), *(ROOT / "tests" / "targets").glob("*.nn")])
INSERTED = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "->",
    "=>",
    ",",
    ":",
    "=",
    "\n",
    " ",
    "if ",
    "else ",
    "for ",
    "in ",
    '"',
    "'",
    "#",
    "3",
    "3x",
    "é",
    ";",
    ".",
    "..",
    "network ",
    "return ",
    "scan ",
    "output ",
    "*",
    "-",
    "\t",
    "\r\n",
    "\\",
    "@",
    "then ",
    "not ",
]
ROUNDS = 2000


def mutated(text: str, chance: random.Random, times: int) -> str:
    for _ in range(times):
        at = chance.randrange(len(text))
        end = at + chance.choice([0, 1, 1, 2, 8])
        kind = chance.randrange(3)
        text = text[:at] + (chance.choice(INSERTED) if kind else text[at:end] * 2) + text[at if kind == 1 else end :]
    return text


def check_spans(node: ast.Node, length: int) -> None:
    """Every span lies in the text and contains those of its children (a Term's span is that of its operator)."""
    todo = [node]
    while todo:
        item = todo.pop()
        assert 0 <= item.span.start <= item.span.end <= length
        for child in children(item):
            inside = item.span.start <= child.span.start and child.span.end <= item.span.end
            assert inside or isinstance(item, ast.Term), (type(item).__name__, item.span.text, child.span.text)
            todo.append(child)


@pytest.mark.parametrize("text", ["{\n {\n  >\n}", '{" '])
def test_a_body_that_is_closed_for_its_author_contains_its_statements(text: str) -> None:
    for statement in parse(Source("a.nn", text), Sink()).statements:
        check_spans(statement, len(text))


@pytest.mark.parametrize("part", range(4))
def test_mutations_give_a_tree_and_reports_that_render(part: int) -> None:
    chance = random.Random(part)
    texts = [path.read_text(encoding="utf-8") for path in SPECS]
    reports = []
    for number in range(ROUNDS // 4):
        times = chance.randint(1, 3)
        source = Source("a.nn", mutated(chance.choice(texts), chance, times))
        sink = Sink()
        file = parse(source, sink)
        for statement in file.statements:
            check_spans(statement, len(source.text))
        for diagnostic in sink:
            assert diagnostic.span is not None
            assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(source.text)
        assert file.complete == (sink.error_count == 0)
        if number % 10 == 0:
            assert render_text(sink, color=number % 20 == 0).count("dslc explain") == sink.error_count
            render_json(sink)
            apply_fixes(source, sink)
        if sink.error_count:
            reports.append(sink.error_count - times)
    assert sum(echoes <= 1 for echoes in reports) >= 0.95 * len(reports)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_shipped_specs_parse_and_their_spans_are_right(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    sink = Sink()
    file = parse(Source(path.name, text), sink)
    assert list(sink) == [] and file.complete
    for statement in file.statements:
        check_spans(statement, len(text))
        assert statement.span.text == statement.span.text.strip()
