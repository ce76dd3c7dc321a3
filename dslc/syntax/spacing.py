"""The text of one statement's head: blanks between its tokens, and where it is broken when it is too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dslc.syntax.scan import Token

WIDTH = 120
OPENING = frozenset({"LPAR", "LSQB"})
CLOSING = frozenset({"RPAR", "RSQB"})
VALUES = frozenset({"NAME", "INT", "FLOAT", "STRING", "TRUE", "FALSE", "RPAR", "RSQB"})
SIGNS = frozenset({"MINUS", "STAR"})
TIGHT = frozenset({"DOT", "RANGE", "POWER"})
# Where a line may be broken, best first, at one depth of brackets: after a comma, before the others.
BREAKS = (
    frozenset({"ARROW"}),
    frozenset({"COMMA"}),
    frozenset({"THEN", "ELSE", "OR", "AND"}),
    frozenset({"COMPARE", "PLUS", "MINUS"}),
    frozenset({"STAR", "SLASH", "FLOOR", "PERCENT", "AT"}),
)


@dataclass(frozen=True, slots=True)
class Word:
    """A token as it is written out: `blank` says whether a blank stands before it, `depth` how many brackets are open round it."""

    token: Token
    blank: bool
    depth: int
    unary: bool


@dataclass(slots=True)
class Bracket:
    """An open bracket; `typed`: a `:` was seen since the last comma, so a default value stands after ` = `."""

    kind: str
    typed: bool = False


def words(tokens: Sequence[Token]) -> list[Word]:
    """Decide the blanks of one statement's head. Trailing commas are dropped."""
    found: list[Word] = []
    open: list[Bracket] = [Bracket("")]
    imports = bool(tokens) and tokens[0].type == "IMPORT"
    before = Word(Token("", "", 0, 0), False, 0, False)
    tight_equal = dropped_first = False
    for at, token in enumerate(tokens):
        following = tokens[at + 1].type if at + 1 < len(tokens) else ""
        if token.type == "COMMA" and following in CLOSING:
            dropped_first = token.first
            continue
        if dropped_first:  # the comma's line is now this token's
            token, dropped_first = replace(token, first=True), False
        if token.type in CLOSING and len(open) > 1:
            open.pop()
        inner, last = open[-1], before.token.type
        unary = token.type in SIGNS and last not in VALUES
        if token.type == "EQUAL":
            tight_equal = inner.kind == "LPAR" and not inner.typed and following != "IF"
        blank = bool(found) and not (
            _never(before, token, inner, imports and len(open) == 1) or ("EQUAL" in (token.type, last) and tight_equal)
        )
        before = Word(token, blank, len(open) - 1, unary)
        found.append(before)
        if token.type in ("COLON", "COMMA"):
            inner.typed = token.type == "COLON"
        if token.type in OPENING:
            open.append(Bracket(token.type))
    return found


def _never(before: Word, token: Token, inner: Bracket, import_arguments: bool) -> bool:
    """Whether no blank stands between two tokens."""
    last, kind = before.token.type, token.type
    if kind in ("COMMA", *CLOSING) or last in OPENING or before.unary:
        return True
    if kind == "DOT" and last in ("INT", "FLOAT"):
        return False
    if kind in TIGHT or last in TIGHT:
        return not (kind == "RANGE" and last in ("COMMA", "COLON"))
    if "COLON" in (kind, last):
        return last != "COMMA" and (kind == "COLON" or inner.kind == "LSQB")
    if kind in OPENING:
        return (last in VALUES or last == "SCAN") and not (import_arguments and last == "STRING")
    return False


def line(items: Sequence[Word]) -> str:
    """Words on one line."""
    return "".join((" " if word.blank and at else "") + word.token.text for at, word in enumerate(items))


def lay_out(items: Sequence[Word], indent: int, hang: int) -> list[str]:
    """The lines of a statement's head: breaks before `->` outside brackets are the author's, others are made where a line is too long.

    The first line stands at `indent`, the others at `hang`. The result does not change when it is laid out again.
    """
    lines = _cut(items, lambda word: word.token.type == "ARROW" and word.depth == 0 and word.token.first)
    for depth in sorted({word.depth for word in items}) if _long(lines, indent, hang) else ():
        for kinds in BREAKS:
            lines = _fill(lines, kinds, depth, indent, hang)
    return [" " * (hang if number else indent) + line(part) for number, part in enumerate(lines)]


def kept(items: Sequence[Word]) -> list[list[Word]]:
    """The words by the author's own lines: a statement with comments inside keeps them."""
    return _cut(items, lambda word: word.token.first)


def _cut(items: Sequence[Word], here: Callable[[Word], bool]) -> list[list[Word]]:
    lines: list[list[Word]] = [[]]
    for word in items:
        if here(word) and lines[-1]:
            lines.append([])
        lines[-1].append(word)
    return lines


def _long(lines: Sequence[Sequence[Word]], indent: int, hang: int) -> bool:
    return any(_width(part, indent if number == 0 else hang) > WIDTH for number, part in enumerate(lines))


def _width(part: Sequence[Word], indent: int) -> int:
    return indent + sum(len(word.token.text) + (word.blank and at > 0) for at, word in enumerate(part))


def _fill(lines: Sequence[list[Word]], kinds: frozenset[str], depth: int, indent: int, hang: int) -> list[list[Word]]:
    """Break lines that are too long at one kind of place, each as late as it goes."""
    found: list[list[Word]] = []
    for part in lines:
        start = 0
        while (at := _latest(part, start, kinds, depth, WIDTH - (hang if found else indent))) is not None:
            found.append(part[start:at])
            start = at
        found.append(part[start:])
    return found


def _latest(part: Sequence[Word], start: int, kinds: frozenset[str], depth: int, room: int) -> int | None:
    """The last place to break within `room` columns, else the first one; None if the rest fits or has no place."""
    best, column = None, 0
    for at in range(start, len(part)):
        word = part[at]
        if at > start and _breaks(part[at - 1], word, kinds, depth) and (best is None or column <= room):
            best = at
        column += len(word.token.text) + (word.blank and at > start)
        if best is not None and column > room:
            return best
    return None


def _breaks(before: Word, word: Word, kinds: frozenset[str], depth: int) -> bool:
    if before.token.type == "COMMA":
        return "COMMA" in kinds and before.depth == depth
    return word.token.type in kinds and word.token.type != "COMMA" and word.depth == depth and not word.unary
