"""Signs that were taken for others, as names that are unknown or unused show it."""

from __future__ import annotations

import re

from dslc.diagnostics import Diagnostic, Edit, Fix
from dslc.source import Span
from dslc.syntax.errors import MissingThing, WrongSign

NEAR = 64  # characters beside a name that are looked at
EQUAL = re.compile(r" ?==")
OWNER = re.compile(r"(?:[A-Za-z_]\w*|[)\]]),\Z")
POINT = re.compile(r"(\.) +[A-Za-z_*]")
STAR = re.compile(r" \*(?=[A-Za-z_])")
STARRED = re.compile(r"[A-Za-z_]\w* \*\Z")


def sign_slip(span: Span) -> Diagnostic | None:
    """A sign beside a name that is not known: `f(net,logits, y)` for `net.logits`, `f(axis==1)`, `[batch. c]`, `[c *s]` for `[c, *s]`."""
    text, source = span.source.text, span.source
    before = text[max(0, span.start - NEAR) : span.start]
    equal = EQUAL.match(text, span.end)
    if equal is not None and before.rstrip()[-1:] in ("(", ","):
        return instead(Span(source, equal.end() - 2, equal.end()), "=")
    if OWNER.search(before) and ", " in text:
        return instead(Span(source, span.start - 1, span.start), ".")
    point = POINT.match(text, span.end)
    if point is not None:
        return instead(Span(source, *point.span(1)), ",")
    if STAR.match(text, span.end):
        return comma(place=Span(source, span.end, span.end), after=span.text)
    starred = STARRED.search(before)
    if starred is not None:
        end = span.start - 2
        return comma(place=Span(source, end, end), after=before[starred.start() : -2])
    return None


def point_slip(span: Span, name: str) -> Diagnostic | None:
    """`f(x. label)`, the one place of a name that nothing else reads: a comma was meant."""
    found = [item.start() for item in re.finditer(rf"(?<=[\w)\]])\. +{name}\b", span.source.text)]
    return instead(Span(span.source, found[0], found[0] + 1), ",") if len(found) == 1 else None


def instead(place: Span, wanted: str) -> Diagnostic:
    """Another sign stands at this place."""
    return WrongSign(span=place, found=place.text, wanted=wanted, fix=Fix(f"write `{wanted}`", (Edit(place, wanted),)))


def comma(place: Span, after: str) -> Diagnostic:
    return MissingThing(span=place, what="`,`", after=after, fix=Fix("write `,`", (Edit(place, ","),)))
