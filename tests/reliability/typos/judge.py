"""What the compiler says to a typo: does an error point at it, is the first suggestion right, does the fix give the spec back?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from dslc.diagnostics import Diagnostic, Sink
from dslc.loading import check_source
from dslc.program import Program
from dslc.render import apply_fixes
from dslc.source import Source, Span
from dslc.syntax.scan import scan
from tests.reliability.corpus import Spec
from tests.reliability.typos.typo import Typo

ROUNDS = 20  # as many as `dslc check --fix` makes
WORDS = re.compile(r"did you mean `([^`]+)`|\b(?:write|put|add|delete) `([^`]+)`")
PLACE = re.compile(r"[\w./-]+\.nn:\d+:\d+")


@dataclass(frozen=True)
class Verdict:
    """`outcome`: harmless (the same program), another valid spec, or reported; all else is about what was reported.

    suggestion: "right", "wrong" or "none"; compiles: after all fixes; restored: the fixes give the original program.
    """

    outcome: str
    covered: bool = False
    suggestion: str = "none"
    compiles: bool = False
    restored: bool = False
    errors: int = 0


def judge(spec: Spec, typo: Typo) -> Verdict:
    source = Source(spec.name, typo.text)
    program, found = check_source(source, folder=spec.folder)
    if program is not None:
        return Verdict("harmless" if meaning(program) == original(spec) else "another valid spec")
    errors = [item for item in found if item.severity == "error"]
    text, mended = after_fixes(spec, source, found)
    return Verdict(
        outcome="reported",
        covered=any(covers(item, source, typo) for item in errors),
        suggestion=first_suggestion(spec, source, typo, errors),
        compiles=mended,
        restored=mended and (consistent(text, spec, typo) or check_meaning(spec, text) == original(spec)),
        errors=len(errors),
    )


# ---- programs and texts


def meaning(program: Program | None) -> str:
    """All of a program but for the places of its text."""
    return PLACE.sub("", repr(program))


def check_meaning(spec: Spec, text: str) -> str:
    return meaning(check_source(Source(spec.name, text), folder=spec.folder)[0])


@cache
def original(spec: Spec) -> str:
    return check_meaning(spec, spec.text)


def consistent(text: str, spec: Spec, typo: Typo) -> bool:
    """The original text, but for blanks, or the original with the misspelt name in all places."""
    found, wanted = scanned(text), scanned(spec.text)
    return found == wanted or (typo.group == "name" and found == tuple(typo.new if word == typo.old else word for word in wanted))


def scanned(text: str) -> tuple[str, ...]:
    """The words and signs of a text, whatever the blanks between them."""
    return tuple(token.text for token in scan(Source("a.nn", text), Sink())[0] if token.type != "_NL")


# ---- places


def covers(error: Diagnostic, source: Source, typo: Typo) -> bool:
    """An error whose main span touches the typo (where a sign is missing: the gap between its neighbours) or its other bracket.

    Where a name is misspelt in its declaration, the main span may be that of a use, if the words say the misspelt name.
    """
    span = error.span
    if span is None or span.source.path != source.path or span.text.count("\n") > 1:
        return False
    places = [gap(typo), *((at, at + 1) for at in typo.partners)]
    if any(span.start <= end and start <= span.end for start, end in places):
        return True
    return typo.group == "name" and span.text.strip('"') == typo.old and f"`{typo.new}`" in said(error)


def gap(typo: Typo) -> tuple[int, int]:
    """The place of the typo: what is written, or the blanks where something is missing."""
    if typo.new:
        return typo.start, typo.end
    return len(typo.text[: typo.start].rstrip()), len(typo.text) - len(typo.text[typo.start :].lstrip())


def said(error: Diagnostic) -> str:
    return " ".join([error.message, error.help, error.fix.title if error.fix else "", *(label.text for label in error.labels)])


# ---- suggestions


def first_suggestion(spec: Spec, source: Source, typo: Typo, errors: Iterable[Diagnostic]) -> str:
    for error in errors:
        if error.fix is not None:
            return "right" if leads_back(spec, source, typo, error) else "wrong"
        words = [left or right for left, right in WORDS.findall(f"{error.message} {error.help}")]
        if words:
            return "right" if meant(error.span, typo, words[0]) else "wrong"
    return "none"


def leads_back(spec: Spec, source: Source, typo: Typo, error: Diagnostic) -> bool:
    """The fix writes the original text; or, at a use of a name that is misspelt in its declaration, the name as it is declared."""
    if scanned(apply_fixes(source, [error])) == scanned(spec.text):
        return True
    edits = error.fix.edits if error.fix else ()
    return typo.group == "name" and all((edit.span.text, edit.text) == (typo.old, typo.new) for edit in edits)


def meant(span: Span | None, typo: Typo, word: str) -> bool:
    """A suggestion in words alone."""
    at_use = typo.group == "name" and span is not None and span.text == typo.old and word == typo.new
    return word.strip('"') in (typo.old, typo.old.strip('"')) or at_use


def after_fixes(spec: Spec, source: Source, found: Sequence[Diagnostic]) -> tuple[str, bool]:
    """The text that `dslc check --fix` leaves, and whether it compiles."""
    text = source.text
    for _ in range(ROUNDS):
        fixed = apply_fixes(Source(spec.name, text), found)
        if fixed == text:
            return text, False
        text = fixed
        if scanned(text) == scanned(spec.text):
            return text, True  # the shipped spec compiles
        program, found = check_source(Source(spec.name, text), folder=spec.folder)
        if program is not None:
            return text, True
    return text, False
