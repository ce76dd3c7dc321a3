"""Braces that are missing, doubled, or taken for another bracket, where layout shows which one was meant."""

from __future__ import annotations

from dslc.diagnostics import Diagnostic, Edit, Fix
from dslc.source import Span
from dslc.syntax import errors
from dslc.syntax.driver import Driver
from dslc.syntax.scan import Token
from dslc.syntax.scene import VALUES
from dslc.syntax.statement_rules import HEADS

KINDS = {"{": "LBRACE", "}": "RBRACE", ")": "RPAR", "]": "RSQB"}
Mended = tuple[Diagnostic, list[Token]]


def without_doubled(driver: Driver, at: int) -> Mended | None:
    """`{{`: the second one, where it does not fit; `}}` on a line of its own: the first such line before a `}` that closes nothing."""
    tokens = driver.tokens
    if at < len(tokens) and tokens[at].type == "LBRACE":
        return without(driver, at) if beside(tokens, at) else None
    doubled = next((place for place in range(1, min(at + 1, len(tokens))) if tokens[place].type == "RBRACE" and beside(tokens, place)), 0)
    return without(driver, doubled) if doubled and tokens[doubled - 1].first else None


def beside(tokens: list[Token], at: int) -> bool:
    """Whether the same sign stands directly before this one."""
    return at > 0 and (tokens[at - 1].type, tokens[at - 1].end) == (tokens[at].type, tokens[at].start)


def without(driver: Driver, at: int) -> Mended:
    token = driver.tokens[at]
    fix = Fix(f"delete `{token.text}`", (Edit(driver.span(token), ""),))
    found = errors.SurplusSign(span=driver.span(token), found=token.text, fix=fix)
    return found, [*driver.tokens[:at], *driver.tokens[at + 1 :]]


def with_opener(driver: Driver, at: int) -> Mended | None:
    """The head of a body ends its line without `{` (or with another bracket), and the next line stands deeper."""
    tokens = driver.tokens
    history = driver.history
    if not history or history[0].type not in HEADS:
        return None
    if at < len(tokens) and tokens[at].type in ("LPAR", "LSQB") and driver.ends_line(at) and driver.accepted("LBRACE"):
        return written(driver, at, "{") if deeper(driver, at + 1) else None
    if driver.round:  # `for i in 0..3 [` and the body
        opened = driver.brackets[-1].token
        place = next((place for place in range(min(at, len(tokens)) - 1, -1, -1) if tokens[place].start == opened.start), -1)
        if place < 1 or not driver.ends_line(place) or tokens[place - 1].type not in VALUES or not deeper(driver, place + 1):
            return None
        return written(driver, place, "{")
    if history[-1].type not in (*VALUES, "ELSE", "TRAIN", "GENERATE") or not driver.accepted("LBRACE") or not deeper(driver, at):
        return None
    end = history[-1].end
    fix = Fix("write `{`", (Edit(Span(driver.source, end, end), " {"),))
    found = errors.MissingThing(span=Span(driver.source, end, end), what="`{` with a body", after=history[-1].text, fix=fix)
    return found, [*tokens[:at], Token("LBRACE", "{", end, end), *tokens[at:]]


def with_closer(driver: Driver, at: int) -> Mended | None:
    """`)` or `]` alone on a line that stands as far out as the line of the `{` that is open."""
    if not driver.brackets or at >= len(driver.tokens):
        return None
    token, bracket = driver.tokens[at], driver.brackets[-1]
    alone = token.first and driver.ends_line(at) and bracket.token.type == "LBRACE"
    return written(driver, at, "}") if alone and driver.indent(token) == bracket.indent else None


def written(driver: Driver, at: int, sign: str) -> Mended:
    """The tokens with this bracket in the place of another one."""
    token = driver.tokens[at]
    fix = Fix(f"write `{sign}`", (Edit(driver.span(token), sign),))
    brace = Token(KINDS[sign], sign, token.start, token.end, token.first)
    found = errors.WrongSign(span=driver.span(token), found=token.text, wanted=sign, fix=fix)
    return found, [*driver.tokens[:at], brace, *driver.tokens[at + 1 :]]


def deeper(driver: Driver, at: int) -> bool:
    """Whether the next line stands deeper than the statement."""
    tokens = driver.tokens
    while at < len(tokens) and tokens[at].type == "_NL":
        at += 1
    return at < len(tokens) and tokens[at].first and driver.indent(tokens[at]) > driver.statement_indent
