"""What a wrong value shows of a slip: `"64"`, `"true"`, `3.0`, `0,5`, `a. b` for `a, b`: the fix writes what was meant."""

from __future__ import annotations

import re
from dataclasses import fields

from dslc.diagnostics import Diagnostic, Edit, Fix, Label
from dslc.source import Span
from dslc.syntax.errors import MissingThing, WrongSign

CODES = frozenset(["wrong-kind", "setting-value", "bad-shape", "param-value", "bad-operand", "bad-operands", "wrong-type", "bad-carry"])
FLOATS = frozenset(["weak-float"])
QUOTED = re.compile(r'"(-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?|true|false)"')
WHOLE = re.compile(r"(?<![\w.\"])([0-9]+)\.0(?![\w.\"])")
INTS = re.compile(r"\b(ints?|whole|shape|sizes?)\b")
TRUTH = {"0": "false", "1": "true"}
GIVEN = frozenset(
    [
        "too-many-arguments",
        "positional-after-named",
        "missing-argument",
        "network-as-value",
        "bare-value",
        "argument-twice",
        "not-a-value",
        "bad-index",
    ]
)
BLANK = re.compile(r"(?<=[\w\])])(?= \[)|(?<=[:_])(?= \w)")
LIST = re.compile(r" in (\[.*?\])\s*\{", re.DOTALL)
FIELDS = "something with fields"
NUMBER = re.compile(r"(?<![\w.])[0-9]+(,)[0-9]+(?![\w.])")
DECIMAL = re.compile(r"(?<![\w.])-?[0-9]+,\Z")
FIELD = re.compile(r"[A-Za-z_]\w*,\Z")
EQUAL = re.compile(r"[A-Za-z_]\w* ?(==)")  # an argument or a statement
ARROW = re.compile(r" ([->]) \Z")  # before a call that lacks what a chain would give it
POINT = re.compile(r"(?<=[\w)\]])\.(?= +[A-Za-z_])")
MOST_TEXT = 1000  # of a value that is looked through


def mended(diagnostic: Diagnostic) -> Diagnostic:
    """The diagnostic with its fix, where the value that is wrong has one literal that explains it; or the sign that explains it."""
    span = diagnostic.span
    if diagnostic.fix is not None or span is None or span.end - span.start > MOST_TEXT:
        return diagnostic
    if diagnostic.code in GIVEN or FIELDS in diagnostic.message:
        edit = sign(diagnostic.code, span) or comma(diagnostic.code, span)
        return diagnostic if edit is None else wrong_sign(diagnostic, edit)
    turn = next((label.span for label in diagnostic.labels if label.text.startswith(f"with `{span.text} = ")), None)
    if turn is not None and diagnostic.code in CODES:
        return of_loop(diagnostic, span, turn)
    edit = literal(diagnostic, span) if diagnostic.code in CODES | FLOATS else None
    if edit is None:
        return diagnostic
    facts = {field.name: getattr(diagnostic, field.name) for field in fields(diagnostic)}
    item = span.text.startswith("[")  # of a list the item is shown
    return type(diagnostic)(**{**facts, "span": edit.span if item else span, "fix": Fix(f"write `{edit.text}`", (edit,))})


def of_loop(diagnostic: Diagnostic, span: Span, turn: Span) -> Diagnostic:
    """A value that a `for` gives its variable: the one item of its list that explains it is shown."""
    items = LIST.match(turn.source.text, turn.end, turn.end + MOST_TEXT)
    edit = None if items is None else literal(diagnostic, Span(turn.source, *items.span(1)))
    if edit is None:
        return diagnostic
    facts = {field.name: getattr(diagnostic, field.name) for field in fields(diagnostic)}
    labels = (Label(span, "used here"), *(label for label in diagnostic.labels if label.span != turn))
    return type(diagnostic)(**{**facts, "span": edit.span, "labels": labels, "fix": Fix(f"write `{edit.text}`", (edit,))})


def wrong_sign(diagnostic: Diagnostic, edit: Edit) -> Diagnostic:
    """The sign that was taken for another one; what follows from it stands at its place."""
    labels = () if diagnostic.span is None else (Label(diagnostic.span, f"so {diagnostic.message}"),)
    if edit.span.start == edit.span.end:
        after = edit.span.source.text[max(0, edit.span.start - 1) : edit.span.start]
        return MissingThing(span=edit.span, what=f"`{edit.text}`", after=after, labels=labels, fix=Fix(f"write `{edit.text}`", (edit,)))
    return WrongSign(span=edit.span, found=edit.span.text, wanted=edit.text, labels=labels, fix=Fix(f"write `{edit.text}`", (edit,)))


def literal(diagnostic: Diagnostic, span: Span) -> Edit | None:
    """The one literal of another kind, written as the wanted one."""
    words = diagnostic.message
    if "be true or false" in words and span.text in TRUTH:
        return within(span, 0, 1, TRUTH[span.text])
    quoted = "a string" in words or diagnostic.code in ("wrong-type", "bad-carry")
    pattern = QUOTED if quoted else WHOLE if diagnostic.code in FLOATS or INTS.search(words) else None
    found = [] if pattern is None else list(pattern.finditer(span.text))
    return within(span, *found[0].span(), found[0].group(1)) if len(found) == 1 else None


def sign(code: str, span: Span) -> Edit | None:
    """`,` in a number or between a name and its field, `.` with a blank behind it for `,`, `==` for `=`, `-` for `->`."""
    text, source = span.text, span.source.text
    before = source[max(0, span.start - 64) : span.start]
    if code in ("missing-argument", "not-a-value"):
        arrow = ARROW.search(before)
        if arrow or code == "not-a-value":
            return within(span, -2, -1, "->") if arrow else None
    if code == "argument-twice":
        return decimal(span)
    if (DECIMAL if text[:1].isdigit() else FIELD).search(before):
        return within(span, -1, 0, ".")
    equal = EQUAL.match(text)
    if equal and code in ("positional-after-named", "bare-value"):
        return within(span, *equal.span(1), "=")
    if text.isidentifier() and re.match(r",[A-Za-z_]", source[span.end : span.end + 2]):
        return within(span, len(text), len(text) + 1, ".")
    found = list(POINT.finditer(text))
    return within(span, *found[0].span(), ",") if len(found) == 1 else None


def comma(code: str, span: Span) -> Edit | None:
    """`x [1, 2]`, `x[: row]`: the one blank before a bracket or a name that shows where a comma is missing."""
    found = list(BLANK.finditer(span.text)) if code in ("bad-index", "missing-argument") else []
    return within(span, *found[0].span(), ",") if len(found) == 1 else None


def decimal(span: Span) -> Edit | None:
    """The comma of `0,5` in the arguments before this one, where it is the only one without a blank."""
    start = span.source.text.rfind("\n", 0, span.start) + 1
    found = list(NUMBER.finditer(span.source.text[start : span.start]))
    return Edit(Span(span.source, start + found[0].start(1), start + found[0].end(1)), ".") if len(found) == 1 else None


def within(span: Span, start: int, end: int, text: str) -> Edit:
    return Edit(Span(span.source, span.start + start, span.start + end), text)
