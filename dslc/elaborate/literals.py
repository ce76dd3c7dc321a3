"""`"64"`, `"true"` and `3.0` where a number, a truth value or an int is wanted: the fix writes what was meant."""

from __future__ import annotations

import re
from dataclasses import fields

from dslc.diagnostics import Diagnostic, Edit, Fix
from dslc.source import Span

CODES = frozenset(["wrong-kind", "setting-value", "bad-shape", "param-value", "bad-operand"])
QUOTED = re.compile(r'"(-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?|true|false)"')
WHOLE = re.compile(r"(?<![\w.\"])([0-9]+)\.0(?![\w.\"])")
INTS = re.compile(r"\b(ints?|whole|shape|sizes?)\b")
MOST_TEXT = 1000  # of a value that is looked through


def mended(diagnostic: Diagnostic) -> Diagnostic:
    """The diagnostic with its fix, where the value that is wrong has one literal that explains it."""
    span = diagnostic.span
    if diagnostic.code not in CODES or diagnostic.fix is not None or span is None or span.end - span.start > MOST_TEXT:
        return diagnostic
    words = diagnostic.message
    pattern = QUOTED if "a string" in words else WHOLE if INTS.search(words) else None
    found = [] if pattern is None else list(pattern.finditer(span.text))
    if len(found) != 1:
        return diagnostic
    right, (start, end) = found[0].group(1), found[0].span()
    place = Span(span.source, span.start + start, span.start + end)
    facts = {field.name: getattr(diagnostic, field.name) for field in fields(diagnostic)}
    return type(diagnostic)(**{**facts, "fix": Fix(f"write `{right}`", (Edit(place, right),))})
