"""Spans of syntax trees: every one lies in the text and contains those of its children."""

from __future__ import annotations

import pytest

from dslc.diagnostics import Sink
from dslc.source import Source
from dslc.syntax.parse import parse
from tests.reliability.changed_texts import check_spans
from tests.reliability.corpus import Spec, specs


@pytest.mark.parametrize("text", ["{\n {\n  >\n}", '{" '])
def test_a_body_that_is_closed_for_its_author_contains_its_statements(text: str) -> None:
    for statement in parse(Source("a.nn", text), Sink()).statements:
        check_spans(statement, len(text))


@pytest.mark.parametrize("spec", specs(), ids=lambda spec: f"{spec.folder.name}-{spec.name}")
def test_shipped_specs_parse_and_their_spans_are_right(spec: Spec) -> None:
    sink = Sink()
    file = parse(Source(spec.name, spec.text), sink)
    assert list(sink) == [] and file.complete
    for statement in file.statements:
        check_spans(statement, len(spec.text))
        assert statement.span.text == statement.span.text.strip()
