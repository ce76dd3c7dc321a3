"""The line `dslc 1`."""

from __future__ import annotations

from dslc.diagnostics import Edit, Fix
from dslc.finding import Finding
from dslc.source import Source, Span


class MissingHeader(Finding):
    what: str
    code = "missing-header"
    words = "{what}"
    hint = "the first line is `dslc 1`"


def missing_header(source: Source, at: int, empty: bool) -> MissingHeader:
    """The error for a file without `dslc 1`, with the fix that puts it there."""
    fix = None if empty else Fix("put `dslc 1` first", (Edit(Span(source, at, at), "dslc 1\n\n"),))
    what = "the file has no statement" if empty else "the file does not begin with `dslc 1`"
    return MissingHeader(span=Span(source, at, at), what=what, fix=fix)


class MisplacedHeader(Finding):
    code = "misplaced-header"
    words = "`dslc 1` stands once, at the top of the file"


class UnknownVersion(Finding):
    version: str
    code = "unknown-version"
    words = "this is a spec of version {version}; this program knows version 1"
