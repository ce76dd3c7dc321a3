"""The scanner: text to tokens, comments and slips, made from the terminals of Lark's table.

A *slip* is a common mistake (`=>`, `**`, single quotes, `3x`) that no rule of the grammar uses: it is reported, mended into
the token that was meant, and the parse goes on without an echo.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from dslc import limits
from dslc.diagnostics import LIMIT, Sink
from dslc.source import Source, Span
from dslc.syntax import errors
from dslc.syntax.ast import Comment
from dslc.syntax.slips import SLIPS, runs_on, unopened
from dslc.syntax.tokens import CONTEXTUAL, HARD, SOFT, Token, printable
from dslc.syntax.tree import Reduction

__all__ = ["CONTEXTUAL", "HARD", "MOST_NAME", "MOST_TOKENS", "SOFT", "Tables", "Token", "printable", "scan", "tables"]

MOST_TOKENS = 300_000
MOST_NAME = 128
MOST_DROPPED = 10_000  # slips beyond the 50 that are reported: what follows is not even counted


@dataclass(frozen=True, slots=True)
class Tables:
    """The loaded parser and what the scanner needs of it."""

    lark: Any
    pattern: re.Pattern[str]
    keywords: dict[str, str]
    shift: Any
    reductions: dict[int, Reduction]  # by the identity of the table's rules, made when first used


@cache
def tables() -> Tables:
    """Load the parse table (once) and make the scanner's pattern from its terminals."""
    from lark import Lark
    from lark.lexer import PatternStr
    from lark.parsers.lalr_analysis import Shift

    data, memo, slips = json.loads(resources.files("dslc.syntax").joinpath("table.json").read_text(), object_hook=_int_keys)
    lark = Lark._load_from_dict(data, memo)  # type: ignore[no-untyped-call]
    words: dict[str, str] = {}
    signs: dict[str, str] = {}
    patterns: list[tuple[int, int, str, str]] = [(-priority, 0, name, pattern) for name, priority, pattern in slips]
    for terminal in lark.terminals:
        text = terminal.pattern.value
        if isinstance(terminal.pattern, PatternStr):
            (words if text[0].isalpha() else signs)[text] = terminal.name
        elif terminal.name not in ("_NL", "COMMENT") and not terminal.name.startswith("__IGNORE"):
            patterns.append((-terminal.priority, -2 if terminal.name == "COMPARE" else 0, terminal.name, text))
    patterns += [(0, -len(text), name, re.escape(text)) for text, name in signs.items()]
    ordered = "|".join(f"(?P<{name}>{text})" for _, _, name, text in sorted(patterns, key=lambda item: item[:2]))
    whole = rf"(?P<blank>[ \t]+)|(?P<comment>#[^\n]*)|(?P<_NL>\r?\n)|{ordered}"
    return Tables(lark, re.compile(whole), words, Shift, {})


def _int_keys(value: dict[str, Any]) -> dict[Any, Any]:
    return {int(key) if key.isdigit() else key: item for key, item in value.items()}


def scan(source: Source, sink: Sink, most: int = MOST_TOKENS) -> tuple[list[Token], list[Comment]]:
    """All tokens (line breaks included, blanks and comments not) and the comments of a text. Reports slips."""
    table = tables()
    text = source.text
    tokens: list[Token] = []
    strayed = False
    comments: list[Comment] = []
    first, at = True, 0
    match = table.pattern.match
    while at < len(text):
        found = match(text, at)
        if found is None:  # a lone carriage return; every other character is a STRAY
            sink.add(errors.StrayCharacter(span=Span(source, at, at + 1), character=printable(text[at])))
            at += 1
            continue
        kind, start, at = found.lastgroup or "", at, found.end()
        if kind == "blank":
            continue
        if kind == "comment":
            end = at - 1 if text[at - 1] == "\r" else at
            comments.append(Comment(Span(source, start, end), first))
            continue
        if sink.dropped > MOST_DROPPED:
            break
        if len(tokens) >= most:
            advice = limits.advice() if most < MOST_TOKENS else ""
            sink.add(errors.TooManyTokens(span=Span(source, start, at), limit=f"{most:,}", advice=advice))
            break
        token = Token(kind, found.group(), start, at, first)
        if kind == "NAME":
            token = name(source, token, table, sink)
        elif kind in SLIPS:
            mended = SLIPS[kind](source, token, sink)
            if mended is None:
                strayed = True
                continue
            token, at = mended, mended.end
        elif kind == "STRING" and tokens and sink.error_count < LIMIT:
            before = unopened(source, tokens[-1], token, sink)
            if before is not None:
                tokens.pop()
            string = before or runs_on(source, token, sink) or token
            token, at = string, string.end
        elif kind in ("INT", "FLOAT"):
            token = number(source, token, sink)
        first = kind == "_NL"
        tokens.append(replace(token, slipped=True) if strayed and not first else token)
        strayed = False
    return tokens, comments


def name(source: Source, token: Token, table: Tables, sink: Sink) -> Token:
    if len(token.text) > MOST_NAME:
        sink.add(errors.NameTooLong(span=Span(source, token.start, token.start + 20), length=len(token.text), limit=MOST_NAME))
    keyword = table.keywords.get(token.text)
    return Token(keyword, token.text, token.start, token.end, token.first) if keyword and token.text in HARD else token


def number(source: Source, token: Token, sink: Sink) -> Token:
    """Integers have at most 18 digits, floats are finite; a number that is not is reported and replaced by 1."""
    digits = token.text.replace("_", "")
    fine = len(digits) <= 18 if token.type == "INT" else len(digits) <= 400 and float(digits) != float("inf")
    if fine:
        return token
    kind = errors.IntegerTooLong if token.type == "INT" else errors.FloatTooLarge
    sink.add(kind(span=Span(source, token.start, token.end)))
    return Token(token.type, "1", token.start, token.end, token.first, True)
