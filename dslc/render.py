"""Diagnostics as text (in the manner of rustc) and as JSON, and the application of fixes: the one place that knows carets and colours."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dslc.diagnostics import Diagnostic, Edit
from dslc.source import Source, Span

VERSION = 1
TAB = 4
MOST_COLUMNS = 140  # of a shown line; longer ones are cut round the marks
COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "note": "\x1b[1;36m", "frame": "\x1b[1;34m", "bold": "\x1b[1m"}
OFF = "\x1b[0m"
INVISIBLE = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])


@dataclass(frozen=True, slots=True)
class Mark:
    """A span that is underlined: `^` if it is the primary one, `-` otherwise."""

    span: Span
    text: str
    primary: bool


def render_text(diagnostics: Iterable[Diagnostic], *, color: bool = False, dropped: int = 0) -> str:
    """All diagnostics as text for people, one blank line between two. Ends with a line break unless it is empty."""
    paint = Paint(color)
    parts = ["\n".join(_report(diagnostic, paint)) for diagnostic in diagnostics]
    if dropped:
        parts.append(paint("note", "note") + f": {dropped} more {'error is' if dropped == 1 else 'errors are'} not shown")
    return "\n\n".join(parts) + "\n" if parts else ""


class Paint:
    """Colours a text if colours are wanted."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, style: str, text: str) -> str:
        return f"{COLOURS[style]}{text}{OFF}" if self.color and text else text


# ---- text ------------------------------------------------------------------------------------------------------------------------


def _report(diagnostic: Diagnostic, paint: Paint) -> Iterator[str]:
    severity = diagnostic.severity
    yield paint(severity, f"{severity}[{diagnostic.code}]") + paint("bold", f": {escape(diagnostic.message)}")
    marks = marks_of(diagnostic)
    width = max((len(str(line_of(mark.span))) for mark in marks), default=0)
    yield from _snippets(marks, width, severity, paint)
    sign = paint("frame", " " * (width + 2) + "=") + " "
    for title, text in _footers(diagnostic):
        head, *rest = text.split("\n")
        yield f"{sign}{paint('bold', title)}: {escape(head)}"
        yield from (" " * (width + 6 + len(title)) + escape(line) for line in rest)


def _footers(diagnostic: Diagnostic) -> Iterator[tuple[str, str]]:
    if diagnostic.help:
        yield "help", diagnostic.help
    if diagnostic.fix is not None:
        file = not any(edit.span.source.path.startswith("--") for edit in diagnostic.fix.edits)  # what `--set` says stands in no file
        yield "fix", f"{diagnostic.fix.title} (dslc check --fix)" if file else diagnostic.fix.title
    yield "note", f"dslc explain {diagnostic.code}"


def marks_of(diagnostic: Diagnostic) -> list[Mark]:
    """The primary span first, then the others in the order given."""
    first = [] if diagnostic.span is None else [Mark(diagnostic.span, diagnostic.label_text, True)]
    return first + [Mark(label.span, label.text, False) for label in diagnostic.labels]


def line_of(span: Span) -> int:
    return span.source.position(min(span.start, len(span.source.text)))[0]


def _snippets(marks: Sequence[Mark], width: int, severity: str, paint: Paint) -> Iterator[str]:
    """One piece a file, that of the primary span first."""
    files: dict[str, list[Mark]] = {}
    for mark in marks:
        files.setdefault(mark.span.source.path, []).append(mark)
    for number, group in enumerate(files.values()):
        first = group[0].span
        line, column = first.source.position(min(first.start, len(first.source.text)))
        arrow = "-->" if number == 0 else ":::"
        yield paint("frame", " " * (width + 1) + arrow) + f" {escape(first.source.path)}:{line}:{column}"
        yield paint("frame", " " * (width + 2) + "|")
        yield from _lines(group, width, severity, paint)


def _lines(marks: Sequence[Mark], width: int, severity: str, paint: Paint) -> Iterator[str]:
    """The marked lines of one file, a single line between two of them, and `…` for longer gaps."""
    rows: dict[int, list[Mark]] = {}
    for mark in marks:
        rows.setdefault(line_of(mark.span), []).append(mark)
    source, last = marks[0].span.source, 0
    for number in sorted(rows):
        if last and number == last + 2:
            yield _source_line(Shown(source, last + 1, []), width, paint)
        elif last and number > last + 2:
            yield paint("frame", " " * (width + 2) + "…")
        shown = Shown(source, number, rows[number])
        yield _source_line(shown, width, paint)
        bar = paint("frame", " " * (width + 2) + "|") + " "
        yield from (bar + row for row in _underlines(shown, rows[number], severity, paint))
        last = number


def _source_line(shown: Shown, width: int, paint: Paint) -> str:
    return (paint("frame", f" {shown.number:>{width}} |") + f" {shown.text}").rstrip()


class Shown:
    """A line as it is printed: tabs expanded, invisible characters spelled out, a very long line cut round its marks."""

    def __init__(self, source: Source, number: int, marks: Sequence[Mark]) -> None:
        self.number = number
        self.start = source.line_starts[number - 1]
        raw = source.line(number)
        self.first, last = _window(raw, [mark.span.start - self.start for mark in marks])
        cells = ["…"] if self.first else []
        self.columns: list[int] = [len(cells)]
        for char in raw[self.first : last]:
            column = self.columns[-1]
            cells.append(" " * (TAB - column % TAB) if char == "\t" else escape(char))
            self.columns.append(column + columns(cells[-1]))
        self.text = "".join(cells) + ("…" if last < len(raw) else "")

    def column(self, offset: int) -> int:
        """The printed column (from 0) of a character's first cell."""
        return self.columns[min(max(offset - self.start - self.first, 0), len(self.columns) - 1)]

    def range(self, span: Span) -> tuple[int, int]:
        """First column and the one after the last; at least one wide; a span of several lines goes to the end of the first."""
        start = self.column(span.start)
        return start, max(start + 1, self.column(span.end))


def _window(raw: str, at: list[int]) -> tuple[int, int]:
    if len(raw) <= MOST_COLUMNS:
        return 0, len(raw)
    first = max(0, min(at, default=0) - MOST_COLUMNS // 2)
    return first, min(len(raw), first + MOST_COLUMNS)


def _underlines(shown: Shown, marks: Sequence[Mark], severity: str, paint: Paint) -> Iterator[str]:
    """The row of carets; the rightmost label beside it, the others below, from right to left."""
    placed = sorted(((*shown.range(mark.span), mark) for mark in marks), key=lambda item: (item[0], item[2].primary))
    row: list[tuple[str, str]] = []
    for start, end, mark in sorted(placed, key=lambda item: (item[0] - item[1], item[2].primary)):  # inner ones over outer ones
        row += [(" ", "")] * (end - len(row))
        row[start:end] = [("^", severity) if mark.primary else ("-", "frame")] * (end - start)
    labelled = [item for item in placed if item[2].text]
    beside = labelled[-1:] if labelled and labelled[-1][1] == len(row) else []
    below = labelled[: len(labelled) - len(beside)]
    tail = [f" {paint(severity if mark.primary else 'frame', escape(mark.text))}" for _, _, mark in beside]
    yield _painted(row, paint) + "".join(tail)
    if below:
        yield _painted(_bars(below, severity), paint)
    for at in reversed(range(len(below))):
        start, _, mark = below[at]
        lead = _bars([item for item in below[:at] if item[0] < start], severity)
        lead += [(" ", "")] * (start - len(lead))
        yield _painted(lead, paint) + paint(severity if mark.primary else "frame", escape(mark.text))


def _bars(placed: Sequence[tuple[int, int, Mark]], severity: str) -> list[tuple[str, str]]:
    row: list[tuple[str, str]] = []
    for start, _, mark in placed:
        row += [(" ", "")] * (start + 1 - len(row))
        row[start] = ("|", severity if mark.primary else "frame")
    return row


def _painted(row: Sequence[tuple[str, str]], paint: Paint) -> str:
    """Cells of one style are painted together."""
    out, at = [], 0
    while at < len(row):
        end = at
        while end < len(row) and row[end][1] == row[at][1]:
            end += 1
        text = "".join(char for char, _ in row[at:end])
        out.append(paint(row[at][1], text) if row[at][1] else text)
        at = end
    return "".join(out)


def escape(text: str) -> str:
    """Control and invisible characters by their code points, so that no text can move the cursor or turn the line round."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"<U+{ord(char):04X}>" if unicodedata.category(char) in INVISIBLE else char for char in text)


def columns(text: str) -> int:
    """The number of terminal columns of a text: 2 for wide characters, 0 for combining ones."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


# ---- JSON ------------------------------------------------------------------------------------------------------------------------


def render_json(diagnostics: Iterable[Diagnostic], *, dropped: int = 0) -> str:
    """All diagnostics as one JSON document, version 1 (`docs/diagnostics.md` describes it)."""
    document = {"version": VERSION, "diagnostics": [_object(d) for d in diagnostics], "dropped": dropped}
    return json.dumps(document, indent=2) + "\n"


def _object(diagnostic: Diagnostic) -> dict[str, Any]:
    fix = diagnostic.fix
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": diagnostic.span.source.path if diagnostic.span else None,
        "spans": [{**_place(mark.span), "label": mark.text, "primary": mark.primary} for mark in marks_of(diagnostic)],
        "help": diagnostic.help or None,
        "fix": None if fix is None else {"title": fix.title, "edits": [{**_place(edit.span), "text": edit.text} for edit in fix.edits]},
    }


def _place(span: Span) -> dict[str, Any]:
    return {"file": span.source.path, "start": _position(span.source, span.start), "end": _position(span.source, span.end)}


def _position(source: Source, offset: int) -> dict[str, int]:
    line, column = source.position(offset)
    return {"line": line, "column": column, "offset": offset}


# ---- fixes -----------------------------------------------------------------------------------------------------------------------


def apply_fixes(source: Source, diagnostics: Iterable[Diagnostic]) -> str:
    """The text after all fixes whose edits lie in this source; a fix that overlaps an earlier one is left out as a whole."""
    taken: list[Edit] = []
    for diagnostic in diagnostics:
        edits = diagnostic.fix.edits if diagnostic.fix else ()
        fresh = [edit for edit in edits if not any(_same(edit, other) for other in taken)]
        here = all(edit.span.source.path == source.path and edit.span.source.text == source.text for edit in fresh)
        if here and not any(_overlap(edit.span, other.span) for edit in fresh for other in taken):
            taken += fresh
    text = source.text
    for edit in sorted(taken, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _same(a: Edit, b: Edit) -> bool:
    return (a.span.start, a.span.end, a.text) == (b.span.start, b.span.end, b.text)


def _overlap(a: Span, b: Span) -> bool:
    """Common characters, or one place at which both insert."""
    return (a.start < b.end and b.start < a.end) or a.start == b.start
