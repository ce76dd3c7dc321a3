"""What a wrong value shows of a slip: `"64"`, `"true"`, `3.0`, `0,5`, `a. b` for `a, b`: the fix writes what was meant."""

from __future__ import annotations

import re
from dataclasses import fields

from dslc.diagnostics import Diagnostic, Edit, Fix
from dslc.source import Span

CODES = frozenset(["wrong-kind", "setting-value", "bad-shape", "param-value", "bad-operand"])
QUOTED = re.compile(r'"(-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?|true|false)"')
WHOLE = re.compile(r"(?<![\w.\"])([0-9]+)\.0(?![\w.\"])")
INTS = re.compile(r"\b(ints?|whole|shape|sizes?)\b")
GIVEN = frozenset(["too-many-arguments", "positional-after-named", "missing-argument", "network-as-value", "bare-value"])
DECIMAL = re.compile(r"(?<![\w.])-?[0-9]+,\Z")
FIELD = re.compile(r"[A-Za-z_]\w*,\Z")
EQUAL = re.compile(r"[A-Za-z_]\w* ?(==)")  # an argument or a statement
ARROW = re.compile(r" [->] \Z")  # before a call that lacks what a chain would give it
POINT = re.compile(r"(?<=[\w)\]])\.(?= +[A-Za-z_])")
MOST_TEXT = 1000  # of a value that is looked through


def mended(diagnostic: Diagnostic) -> Diagnostic:
    """The diagnostic with its fix, where the value that is wrong has one literal that explains it."""
    span = diagnostic.span
    if diagnostic.fix is not None or span is None or span.end - span.start > MOST_TEXT:
        return diagnostic
    edit = (
        literal(diagnostic.message, span) if diagnostic.code in CODES else sign(diagnostic.code, span) if diagnostic.code in GIVEN else None
    )
    if edit is None:
        return diagnostic
    facts = {field.name: getattr(diagnostic, field.name) for field in fields(diagnostic)}
    return type(diagnostic)(**{**facts, "fix": Fix(f"write `{edit.text}`", (edit,))})


def literal(words: str, span: Span) -> Edit | None:
    """The one literal of another kind, written as the wanted one."""
    pattern = QUOTED if "a string" in words else WHOLE if INTS.search(words) else None
    found = [] if pattern is None else list(pattern.finditer(span.text))
    return within(span, *found[0].span(), found[0].group(1)) if len(found) == 1 else None


def sign(code: str, span: Span) -> Edit | None:
    """`,` in a number or between a name and its field, `.` with a blank behind it for `,`, `==` for `=`, `-` for `->`."""
    text, source = span.text, span.source.text
    if (DECIMAL if text[:1].isdigit() else FIELD).search(source[max(0, span.start - 64) : span.start]):
        return within(span, -1, 0, ".")
    equal = EQUAL.match(text)
    if equal and code in ("positional-after-named", "bare-value"):
        return within(span, *equal.span(1), "=")
    if code == "missing-argument" and ARROW.search(source[max(0, span.start - 3) : span.start]):
        return within(span, -2, -1, "->")
    if text.isidentifier() and re.match(r",[A-Za-z_]", source[span.end : span.end + 2]):
        return within(span, len(text), len(text) + 1, ".")
    found = list(POINT.finditer(text))
    return within(span, *found[0].span(), ",") if len(found) == 1 else None


def within(span: Span, start: int, end: int, text: str) -> Edit:
    return Edit(Span(span.source, span.start + start, span.start + end), text)
