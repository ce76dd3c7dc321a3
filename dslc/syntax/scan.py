"""The scanner: text to tokens, comments and slips, made from the terminals of Lark's table.

A *slip* is a common mistake (`=>`, `**`, single quotes, `3x`) that no rule of the grammar uses: it is reported, mended into
the token that was meant, and the parse goes on without an echo.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from dslc.diagnostics import Edit, Fix, Sink
from dslc.source import Source, Span
from dslc.syntax import errors
from dslc.syntax.ast import Comment

HARD = frozenset(
    [
        "network",
        "block",
        "train",
        "import",
        "param",
        "for",
        "if",
        "then",
        "else",
        "in",
        "scan",
        "return",
        "yield",
        "carry",
        "and",
        "or",
        "not",
        "true",
        "false",
    ]
)
SOFT = frozenset(["dslc", "from", "as", "over", "input", "output", "weight", "state", "update", "layer", "step", "rule", "generate"])
CONTEXTUAL = frozenset(["log"])  # a keyword only behind the range of a `param`, elsewhere a name
MOST_TOKENS = 300_000
MOST_NAME = 128


@dataclass(frozen=True, slots=True)
class Token:
    """`type` is the grammar's terminal; `first`: it is the first of its line; `slipped`: it was mended."""

    type: str
    text: str
    start: int
    end: int
    first: bool = False
    slipped: bool = False


@dataclass(frozen=True, slots=True)
class Tables:
    """The loaded parser and what the scanner needs of it."""

    lark: Any
    pattern: re.Pattern[str]
    keywords: dict[str, str]
    shift: Any


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
    return Tables(lark, re.compile(whole), words, Shift)


def _int_keys(value: dict[str, Any]) -> dict[Any, Any]:
    return {int(key) if key.isdigit() else key: item for key, item in value.items()}


def scan(source: Source, sink: Sink) -> tuple[list[Token], list[Comment]]:
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
        if len(tokens) >= MOST_TOKENS:
            sink.add(errors.TooManyTokens(span=Span(source, start, at), limit=MOST_TOKENS))
            break
        token = Token(kind, found.group(), start, at, first)
        if kind == "NAME":
            token = name(source, token, table, sink)
        elif kind in SLIPS:
            mended = SLIPS[kind](source, token, sink)
            if mended is None:
                strayed = True
                continue
            token, at = mended, max(at, mended.end)
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


# ---- slips --------------------------------------------------------------------------------------------------------------

WORDS = {"&&": "and", "||": "or", "**": "^", "!": "not", "===": "=="}


def _fix(span: Span, text: str) -> Fix:
    return Fix(f"write `{text.strip()}`", (Edit(span, text),))


def _arrow(source: Source, token: Token, sink: Sink) -> Token:
    span = Span(source, token.start, token.end)
    sink.add(errors.WrongArrow(span=span, found=token.text, fix=_fix(span, "->")))
    return Token("ARROW", "->", token.start, token.end, token.first, True)


def _word(source: Source, token: Token, sink: Sink) -> Token | None:
    span = Span(source, token.start, token.end)
    if token.text == ";":
        sink.add(errors.Semicolon(span=span, fix=_without_semicolon(span)))
        return Token("_NL", "\n", token.start, token.end, token.first, True)
    if token.text.endswith("=") and token.text != "===":
        sink.add(_augmented(span))
        return Token("EQUAL", "=", token.start, token.end, token.first, True)
    right = WORDS[token.text]
    text = right if right in ("^", "==") else f"{right} " if token.text == "!" else right
    sink.add(errors.WrongOperator(span=span, found=token.text, right=right, fix=_fix(span, text)))
    kind = {"and": "AND", "or": "OR", "not": "NOT", "^": "POWER", "==": "COMPARE"}[right]
    return Token(kind, right, token.start, token.end, token.first, True)


def _without_semicolon(span: Span) -> Fix:
    """Nothing at the end of a line, a new line between two statements."""
    line = span.source.line(span.source.position(span.start)[0])
    before, after = span.source.text[: span.start].rpartition("\n")[2], span.source.text[span.end :].partition("\n")[0].strip()
    if not after or after.startswith(("#", "}")):
        return Fix("delete `;`", (Edit(span, ""),))
    return Fix("begin a new line", (Edit(span, "\n" + line[: len(line) - len(line.lstrip())] if before.strip() else ""),))


def _augmented(span: Span) -> errors.AugmentedAssignment:
    """`x += 1`; certain only for `+` (`x *= a + b` is not `x * a + b`)."""
    left = span.source.text[: span.start].rpartition("\n")[2].strip()
    known, sign = left.isidentifier() and left.isascii(), span.text[0]
    fix = Fix(f"write `{left} = {left} +`", (Edit(span, f"= {left} +"),)) if known and sign == "+" else None
    return errors.AugmentedAssignment(span=span, operator=span.text, sign=sign, name=left if known else "x", fix=fix)


def _quote(source: Source, token: Token, sink: Sink) -> Token:
    span = Span(source, token.start, token.end)
    body = token.text[1:]
    if token.text[0] == "'":
        body = body[:-1]
        fix = _fix(span, f'"{body}"') if '"' not in body and "\\" not in body else None
        sink.add(errors.SingleQuotes(span=span, fix=fix))
        body = body.replace("\\", "").replace('"', "")
    else:
        body = body.rstrip("\r")
        certain = re.fullmatch(r"[\w./*-]+", body) is not None
        end = Span(source, token.start + 1 + len(body), token.start + 1 + len(body))
        sink.add(errors.UnclosedString(span=span, fix=Fix('put `"` at the end', (Edit(end, '"'),)) if certain else None))
        body = body.replace("\\", "")
    return Token("STRING", f'"{body}"', token.start, token.end, token.first, True)


def _foreign_name(source: Source, token: Token, sink: Sink) -> Token:
    plain = "".join(LOOKALIKE.get(char, char) for char in token.text)
    span = Span(source, token.start, token.end)
    if plain.isascii():
        char = next(char for char in token.text if not char.isascii())
        letters = f"`{char}` is {point(char)}"
        sink.add(errors.LookalikeName(span=span, found=printable(token.text), right=plain, letters=letters, fix=_fix(span, plain)))
        return Token("NAME", plain, token.start, token.end, token.first, True)
    sink.add(errors.ForeignName(span=span, found=printable(token.text)))
    return Token("NAME", token.text, token.start, token.end, token.first, True)


NUMBERS = "numbers are written `3`, `0.5`, `1e-4`"


def _bad_number(source: Source, token: Token, sink: Sink) -> Token:
    span, text = Span(source, token.start, token.end), token.text
    before = source.text[: token.start][-2:]
    if before == ".." and text[0] == ".":  # 0...3
        sink.add(errors.RangeForm(span=span, fix=Fix("write `..`", (Edit(Span(source, span.start, span.start + 1), ""),))))
        return Token("INT", "1", token.start, token.end, token.first, True)
    fix, advice = None, NUMBERS
    if re.fullmatch(r"[0-9]+\.", text):
        fix, advice = _fix(span, f"{text}0"), "digits stand on both sides of the point"
    elif re.fullmatch(r"\.[0-9]+", text):
        touching = before[-1:].isalnum() or before[-1:] in ("_", ")", "]")
        advice = "a name stands after a point; an item is taken with `[0]`" if touching else "digits stand on both sides of the point"
        fix = None if touching else _fix(span, f"0{text}")
    elif re.fullmatch(r"0[xXbBoO]\w+", text):
        advice = "numbers are written in decimal digits"
    elif re.fullmatch(r"[0-9_]+", text):
        advice = "a single `_` groups digits: `1_000`"
    elif re.fullmatch(r"[0-9.]+[eE]", text):
        advice = "an exponent has digits: `1e-4`"
    elif text.isalnum():
        advice = f"{NUMBERS}; a name does not begin with a digit"
    sink.add(errors.BadNumber(span=span, found=text[:40], advice=advice, fix=fix))
    return Token("FLOAT" if "." in text else "INT", "1", token.start, token.end, token.first, True)


QUOTED = re.compile(r"[“”„‘’«]([^\"“”„‘’«»\\\n]*)[“”‘’»]")
# Signs of typography and mathematics that people paste: terminal and right spelling.
SIGNS = {
    "×": ("STAR", "*"),
    "·": ("STAR", "*"),
    "÷": ("SLASH", "/"),
    "−": ("MINUS", "-"),
    "–": ("MINUS", "-"),
    "≤": ("COMPARE", "<="),
    "≥": ("COMPARE", ">="),
    "≠": ("COMPARE", "!="),
}
ADVICE = {
    "?": "a conditional value is written `if c then a else b`",
    "~": "write `not`",
    "&": "write `and`",
    "|": "write `or`",
    "\\": "a line goes on by itself after an operator or a comma, and inside brackets",
}


def _stray(source: Source, token: Token, sink: Sink) -> Token | None:
    span, char = Span(source, token.start, token.end), token.text
    quoted = QUOTED.match(source.text, token.start)
    if quoted:
        span = Span(source, token.start, quoted.end())
        sink.add(errors.SingleQuotes(span=span, fix=_fix(span, f'"{quoted.group(1)}"')))
        return Token("STRING", f'"{quoted.group(1)}"', token.start, quoted.end(), token.first, True)
    if char in SIGNS:
        kind, right = SIGNS[char]
        sink.add(errors.WrongOperator(span=span, found=char, right=right, fix=_fix(span, right)))
        return Token(kind, right, token.start, token.end, token.first, True)
    foreign = not char.isascii() and char.isprintable()
    advice = ADVICE.get(char, f"it is {point(char)}" if foreign else "")
    sink.add(errors.StrayCharacter(span=span, character=printable(char), advice=advice))
    return None


SLIPS: dict[str, Callable[[Source, Token, Sink], Token | None]] = {
    "ARROW_SLIP": _arrow,
    "WORD_SLIP": _word,
    "QUOTE_SLIP": _quote,
    "NAME_SLIP": _foreign_name,
    "NUMBER_SLIP": _bad_number,
    "STRAY": _stray,
}

# Letters of other scripts that look like Latin ones.
LOOKALIKE = dict(zip("асеорхуіјѕԁһԛԝАВСЕНІЈКМОРЅТХУΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "aceopxyijsdhqwABCEHIJKMOPSTXYABEZHIKMNOPTYXo", strict=True))


def printable(text: str) -> str:
    """Text for a message: what is not printable is shown by its code point."""
    return "".join(char if char.isprintable() else f"U+{ord(char):04X}" for char in text[:40])


def point(char: str) -> str:
    """`U+0445 CYRILLIC SMALL LETTER HA`."""
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()
