"""Diagnostics as typed values: facts are fields, words are class variables, the raise site is one line.

A phase keeps its diagnostics in one place (`syntax/errors/`, `elaborate/errors/`, `passes/errors.py`, ...). Rendering is elsewhere
(`render.py`), so a diagnostic never knows about colours, terminals or JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

from dslc.source import Span

Severity = Literal["error", "warning", "note"]
LIMIT = 50  # errors reported in one run


@dataclass(frozen=True, slots=True)
class Label:
    """A further place that matters, and what is to be said there."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that certainly mend the error (`dslc check --fix` applies them)."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """Base of all diagnostics. Subclasses add facts as fields and set `code`, `words` and, where useful, `label`, `hint`.

    `words` (one sentence), `label` (what stands under the carets) and `hint` (one action) are `str.format` templates over the fields.
    """

    span: Span | None = None
    labels: tuple[Label, ...] = ()
    fix: Fix | None = None

    code: ClassVar[str] = ""
    severity: ClassVar[Severity] = "error"
    words: ClassVar[str] = ""
    label: ClassVar[str] = ""
    hint: ClassVar[str] = ""
    registry: ClassVar[dict[str, type[Diagnostic]]] = {}

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if cls.code:
            Diagnostic.registry.setdefault(cls.code, cls)

    def _fill(self, template: str) -> str:
        return template.format_map({f.name: getattr(self, f.name) for f in fields(self)})

    @property
    def message(self) -> str:
        return self._fill(self.words)

    @property
    def label_text(self) -> str:
        return self._fill(self.label)

    @property
    def help(self) -> str:
        return self._fill(self.hint)


class Sink:
    """Collects diagnostics of one run: drops repetitions, keeps 50 errors at most, sorts by place."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], Diagnostic] = {}
        self._dropped: set[int] = set()
        self.dropped = 0
        self.error_count = 0

    def add(self, diagnostic: Diagnostic) -> None:
        span = diagnostic.span
        key = (diagnostic.code, span and (span.source.path, span.start, span.end), "" if span else diagnostic.message)
        if key in self._seen:
            return
        if diagnostic.severity == "error" and self.error_count >= LIMIT:
            if hash(key) not in self._dropped:
                self._dropped.add(hash(key))
                self.dropped += 1
            return
        self._seen[key] = diagnostic
        self.error_count += diagnostic.severity == "error"

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        for diagnostic in diagnostics:
            self.add(diagnostic)

    def __iter__(self) -> Iterator[Diagnostic]:
        def order(d: Diagnostic) -> tuple[str, int, int]:
            return (d.span.source.path, d.span.start, d.span.end) if d.span else ("", 0, 0)

        return iter(sorted(self._seen.values(), key=order))

    def raise_errors(self) -> None:
        """Raise `SpecError` with everything collected if there is an error among it."""
        if self.error_count:
            raise SpecError(tuple(self), dropped=self.dropped)


class DslcError(Exception):
    """Base of the public exceptions: carries diagnostics and the exit code of the command line."""

    exit_code: ClassVar[int] = 1

    def __init__(self, diagnostics: Iterable[Diagnostic] | Diagnostic, *, dropped: int = 0) -> None:
        self.diagnostics = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        self.dropped = dropped
        super().__init__("\n".join(f"{d.severity}[{d.code}]: {d.message}" for d in self.diagnostics))


class InternalError(DslcError):
    """A fault of the compiler itself; never the user's (exit code 1)."""

    exit_code = 1


class SpecError(DslcError):
    """The spec or the usage is wrong (exit code 2)."""

    exit_code = 2


class DataError(DslcError):
    """Data, a checkpoint or a run folder is missing, malformed or does not fit (exit code 3)."""

    exit_code = 3


class DivergedError(DslcError):
    """Loss or a gradient is not finite; the last good state was kept (exit code 4)."""

    exit_code = 4
