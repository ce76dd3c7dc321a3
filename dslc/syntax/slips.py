"""Slips: common mistakes that the scanner reports and mends into the token that was meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from dslc.diagnostics import LIMIT, Edit, Fix, Sink
from dslc.source import Source, Span
from dslc.syntax import errors
from dslc.syntax.tokens import Token, point, printable

GLUED = re.compile(r"([A-Za-z_]+)([0-9]+)\Z")
MOST_LINE = 1000  # characters of a line in which quotes are counted
WORD_BEFORE = re.compile(r"[\w./*-]+$")
WORD_BEHIND = re.compile(r"[^\s\"\\,;()\[\]{}#]+(?=[)\],;]|[ \t]*(?:#|$))")
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
        sink.add(errors.Semicolon(span=span, fix=_without_semicolon(span) if sink.error_count < LIMIT else None))
        return Token("_NL", "\n", token.start, token.end, token.first, True)
    if token.text.endswith("=") and token.text != "===":
        if sink.error_count < LIMIT:
            sink.add(_augmented(span))
        else:
            sink.dropped += 1
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
    text = span.source.text
    left = text[text.rfind("\n", 0, span.start) + 1 : span.start].strip()
    known, sign = left.isidentifier() and left.isascii(), span.text[0]
    fix = Fix(f"write `{left} = {left} +`", (Edit(span, f"= {left} +"),)) if known and sign == "+" else None
    return errors.AugmentedAssignment(span=span, operator=span.text, sign=sign, name=left if known else "x", fix=fix)


def _quote(source: Source, token: Token, sink: Sink) -> Token:
    span = Span(source, token.start, token.end)
    body = token.text[1:]
    if token.text[0] != "'":
        return _unclosed(source, token, sink)
    body = body[:-1]
    fix = _fix(span, f'"{body}"') if '"' not in body and "\\" not in body else None
    sink.add(errors.SingleQuotes(span=span, fix=fix))
    body = body.replace("\\", "").replace('"', "")
    return Token("STRING", f'"{body}"', token.start, token.end, token.first, True)


def _unclosed(source: Source, token: Token, sink: Sink) -> Token:
    """A quote alone on the rest of its line: it ends a word (`char"`) or begins one."""
    body = token.text[1:].rstrip("\r")
    before = WORD_BEFORE.search(source.text[max(0, token.start - 64) : token.start])
    word = WORD_BEHIND.match(body) if "\\" not in body else None
    span, end = Span(source, token.start, token.end), token.end
    if before is not None:  # the first quote is missing
        start = token.start - len(before.group())
        fix: Fix | None = Fix('put `"` before it', (Edit(Span(source, start, start), '"'),))
        span = Span(source, start, token.start + 1)
    elif word is not None:  # the scanner goes on behind the word
        body, end = word.group(), token.start + 1 + word.end()
        span = Span(source, token.start, end)
        fix = Fix('put `"` at the end', (Edit(Span(source, end, end), '"'),))
    else:
        fix = None
    sink.add(errors.UnclosedString(span=span, fix=fix))
    return Token("STRING", f'"{body}"'.replace("\\", ""), token.start, end, token.first, True)


def runs_on(source: Source, token: Token, sink: Sink) -> Token | None:
    """`csv("a, "b"]`: a string that ends directly before a name, in a line with an odd number of quotes, lacks its own end."""
    line = source.text[token.start : token.start + MOST_LINE].partition("\n")[0]
    behind = source.text[token.end : token.end + 1]
    if not behind.isalnum() or len(line) == MOST_LINE or line.count('"') % 2 == 0 or not WORD_BEHIND.match(token.text, 1):
        return None
    return _unclosed(source, replace(token, text=token.text[:-1], end=token.end - 1), sink)


def unopened(source: Source, name: Token, token: Token, sink: Sink) -> Token | None:
    """`csv("a", b"], c="d")`: a string that begins directly behind a name, in a line with an odd number of quotes, ends that name."""
    rest = source.text[token.start : token.start + MOST_LINE].partition("\n")[0]
    if name.end != token.start or name.type != "NAME" or len(rest) == MOST_LINE or rest.count('"') % 2 == 0:
        return None
    fix = Fix('put `"` before it', (Edit(Span(source, name.start, name.start), '"'),))
    sink.add(errors.UnclosedString(span=Span(source, name.start, token.start + 1), fix=fix))
    return Token("STRING", f'"{name.text}"', name.start, token.start + 1, name.first, True)


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
    before = source.text[max(0, token.start - 2) : token.start]
    if before == ".." and text[0] == ".":  # 0...3
        sink.add(errors.RangeForm(span=span, fix=Fix("write `..`", (Edit(Span(source, span.start, span.start + 1), ""),))))
        return Token("INT", "1", token.start, token.end, token.first, True)
    glued = GLUED.search(source.text[max(0, token.start - 64) : token.start]) if text[0] == "." else None
    if glued:  # `sgd0.5, …)`
        place = Span(source, token.start - len(glued[2]), token.start - len(glued[2]))
        sink.add(errors.MissingThing(span=place, what="`(`", after=glued[1], fix=_fix(place, "(")))
        return Token("FLOAT", text[1:], token.start, token.end, token.first, True)
    fix, advice = None, NUMBERS
    if re.fullmatch(r"[0-9.]+\.", text) and ".." not in text and re.match(r" [\w*\[]", source.text[token.end : token.end + 2]):  # `[1. 28]`
        point = Span(source, token.end - 1, token.end)
        sink.add(errors.WrongSign(span=point, found=".", wanted=",", fix=_fix(point, ",")))
        return Token("FLOAT" if "." in text[:-1] else "INT", text[:-1], token.start, token.end, token.first, True)
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
