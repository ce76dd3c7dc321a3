"""The changes of one token that are tried in a statement that does not parse, cheapest first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dslc.syntax.near import near_word
from dslc.syntax.scan import CONTEXTUAL, HARD, SOFT, Token, tables

KEYWORDS = sorted(HARD | SOFT | CONTEXTUAL)
WORD = 1  # the cost of another word
OPENERS, CLOSERS = {"LPAR": "(", "LSQB": "[", "LBRACE": "{"}, {"RPAR": ")", "RSQB": "]", "RBRACE": "}"}
SIBLINGS: dict[str, tuple[tuple[str, str], ...]] = {
    ".": (("COMMA", ","),), ",": (("DOT", "."),), "=": (("COLON", ":"),), ":": (("EQUAL", "="),), "==": (("EQUAL", "="),),
    ">": (("ARROW", "->"),), "-": (("ARROW", "->"),),
    "(": (("LSQB", "["),), "[": (("LPAR", "("),), "{": (("LPAR", "("), ("LSQB", "[")),
    ")": (("RSQB", "]"), ("LPAR", "(")), "]": (("RPAR", ")"),), "}": (("RPAR", ")"), ("RSQB", "]")),
}  # fmt: skip
INSERTED = (("COMMA", ","), ("EQUAL", "="), ("COLON", ":"))
FOREIGN: dict[str, tuple[str, ...]] = {
    "const": ("param",), "parameter": ("param", "weight"), "variable": ("weight",), "out": ("output",), "ret": ("return",),
    "var": ("param",),
    "fit": ("train",), "training": ("train",), "optimize": ("train",), "def": ("block",), "function": ("block",), "module": ("block",),
    "model": ("network",), "class": ("network",), "net": ("network",),
}  # fmt: skip
TYPED = frozenset(["PARAM", "input", "weight", "state", "CARRY", "BLOCK"])  # how a statement with types begins
FAR = 6  # the cost of a bracket that may stand anywhere
NUMBERED = re.compile(r"([A-Za-z_]+)[0-9]+")
INNER = frozenset(["int", "float", "bool", "string", "list"])  # what lists are of
LONG = 3  # letters of what is called
LONGEST = 64  # letters of two words that stand together
REACH = 4  # how far before the token that does not fit a sign may be wrong


@dataclass(frozen=True)
class Repair:
    """`old` becomes `new` ("" for a token that is missing or too many) at `start`; `after`: the text of the token before."""

    old: str
    new: str
    start: int
    end: int
    after: str
    cost: int


def applied(tokens: list[Token], made: Repair) -> list[Token]:
    """The tokens after a change of a bracket."""
    kinds = {text: kind for kind, text in (OPENERS | CLOSERS).items()}
    before = [token for token in tokens if token.end <= made.start]
    after = [token for token in tokens if token.start >= made.end]
    middle = [Token(kinds[made.new], made.new, made.start, made.end)] if made.new else []
    for token in tokens:
        if token.start < made.start < token.end:  # `dense10)`: the name and the number
            head, tail = torn(token, made.start)
            return [*before, head, *middle, tail, *after]
    return [*before, *middle, *after]


def torn(token: Token, at: int) -> tuple[Token, Token]:
    size = at - token.start
    head, tail = token.text[:size], token.text[size:]
    return Token("NAME", head, token.start, at, token.first), Token("INT" if tail.isdigit() else "NAME", tail, at, token.end)


def changes(tokens: list[Token], place: int, known: Mapping[str, int]) -> Iterator[tuple[Repair, list[Token]]]:
    yield from sorted_changes(
        [*words(tokens, place), *replaced(tokens, place), *doubled(tokens, place), *called(tokens, place, known), *lists(tokens, place)]
    )
    yield from sorted_changes([*inserted(tokens, place), *(made for made in deleted(tokens, place) if made[0].cost < FAR)])
    yield from sorted_changes([*closed(tokens, place), *opened(tokens, place)])
    yield from (made for made in deleted(tokens, place) if made[0].cost > FAR)


Change = tuple[Repair, list[Token]]


def sorted_changes(found: list[Change]) -> list[Change]:
    return sorted(found, key=lambda item: item[0].cost)


def change(tokens: list[Token], at: int, new: Token | None, cost: int) -> Change:
    old = tokens[at]
    after = tokens[at - 1].text if at else ""
    made = Repair(old.text, new.text if new is not None else "", old.start, old.end, after, cost)
    return made, [*tokens[:at], *([new] if new is not None else []), *tokens[at + 1 :]]


def insertion(tokens: list[Token], at: int, kind: str, text: str, cost: int) -> Change:
    start = tokens[at - 1].end
    token = Token(kind, text, start, start)
    return Repair("", text, start, start, tokens[at - 1].text, cost), [*tokens[:at], token, *tokens[at:]]


def near(place: int, tokens: list[Token], back: int = REACH) -> range:
    return range(max(0, place - back), min(place + 1, len(tokens)))


def words(tokens: list[Token], place: int) -> Iterator[Change]:
    """A name that is a keyword with a slip: also the first of the statement."""
    keywords = tables().keywords
    for at in dict.fromkeys([0, *near(place, tokens)]):
        token = tokens[at]
        if token.type == "NAME" and token.text not in HARD | SOFT:
            foreign = FOREIGN.get(token.text.lower(), ()) if at == 0 else ()
            for word in foreign or filter(None, [near_word(token.text, KEYWORDS)]):
                kind = keywords[word] if word in HARD else "NAME"
                yield change(tokens, at, Token(kind, word, token.start, token.end, token.first), WORD)


def replaced(tokens: list[Token], place: int) -> Iterator[Change]:
    """Another sign; an opening bracket, anywhere before the token that does not fit."""
    for at in near(place, tokens, place):
        token = tokens[at]
        if at < place - REACH and token.type not in OPENERS:
            continue
        for kind, text in SIBLINGS.get(token.text, ()):
            yield change(tokens, at, Token(kind, text, token.start, token.end, token.first), 2)
        if token.text in (",", "-") and 0 < at < len(tokens) - 1:
            yield from joined(tokens, at)


def joined(tokens: list[Token], at: int) -> Iterator[Change]:
    """`0,5` is a number, `- >` an arrow."""
    before, token, after = tokens[at - 1 : at + 2]
    if token.text == "," and before.type == after.type == "INT" and (before.end, token.end) == (token.start, after.start):
        made = Repair(",", ".", token.start, token.end, before.text, 1)
        number = Token("FLOAT", f"{before.text}.{after.text}", before.start, after.end, before.first)
        yield made, [*tokens[: at - 1], number, *tokens[at + 2 :]]
    if token.text == "-" and after.text == ">" and after.start - token.end <= 1:
        made = Repair("- >", "->", token.start, after.end, before.text, 1)
        yield made, [*tokens[:at], Token("ARROW", "->", token.start, after.end, token.first), *tokens[at + 2 :]]


def doubled(tokens: list[Token], place: int) -> Iterator[Change]:
    """One of two equal signs side by side; of brackets, anywhere before the token that does not fit."""
    for at in near(place, tokens, place):
        token = tokens[at]
        if at < place - REACH and token.type not in (*OPENERS, *CLOSERS):
            continue
        if not token.text[:1].isalnum() and at and (tokens[at - 1].text, tokens[at - 1].end) == (token.text, token.start):
            yield change(tokens, at, None, 1)


def inserted(tokens: list[Token], place: int) -> Iterator[Change]:
    for at in (place, place - 1):
        if 0 < at <= len(tokens):
            for kind, text in INSERTED:
                yield insertion(tokens, at, kind, text, 4 if at != place else 3)


def deleted(tokens: list[Token], place: int) -> Iterator[Change]:
    """A bracket; a `]` alone more probably lacks its partner in a type."""
    typed = bool(tokens) and (tokens[0].type in TYPED or tokens[0].text in TYPED)
    for at in (place, place - 1):
        if 0 <= at < len(tokens) and tokens[at].type in (*OPENERS, *CLOSERS):
            yield change(tokens, at, None, FAR + 1 if typed and tokens[at].type == "RSQB" else 3 + (at != place))


def closed(tokens: list[Token], place: int) -> Iterator[Change]:
    for at in range(1, min(place + 1, len(tokens)) + 1):
        for kind in ("RPAR", "RSQB"):
            yield insertion(tokens, at, kind, CLOSERS[kind], FAR)


def called(tokens: list[Token], place: int, known: Mapping[str, int]) -> Iterator[Change]:
    """`dense10)`, `tanhx)`: two words between which the bracket is missing; `known`: how often the text has each name."""
    for at in range(min(place, len(tokens) - 1)):
        size = seam(tokens[at].text, known) if tokens[at].type == "NAME" else 0
        if size and known[tokens[at].text] <= 1 and tokens[at + 1].text not in ("(", "=", "->"):
            head, tail = torn(tokens[at], tokens[at].start + size)
            sure = size >= LONG and tokens[at + 1].text in (",", ")", ".")
            made = Repair("", "(", tail.start, tail.start, head.text, 0 if sure else 2)
            yield made, [*tokens[:at], head, Token("LPAR", "(", tail.start, tail.start), tail, *tokens[at + 1 :]]


def lists(tokens: list[Token], place: int) -> Iterator[Change]:
    """`listint]`: the type of a list whose bracket is missing."""
    for at in range(min(place, len(tokens))):
        if tokens[at].type == "NAME" and tokens[at].text.startswith("list") and tokens[at].text[4:] in INNER:
            head, tail = torn(tokens[at], tokens[at].start + len("list"))
            made = Repair("", "[", tail.start, tail.start, head.text, 0)
            yield made, [*tokens[:at], head, Token("LSQB", "[", tail.start, tail.start), tail, *tokens[at + 1 :]]


def seam(word: str, known: Mapping[str, int]) -> int:
    """Where a word consists of two: of a number and a name, or of two of which the second stands elsewhere, and best the first too."""
    numbered = NUMBERED.fullmatch(word)
    if numbered:
        return len(numbered[1])
    sizes = [at for at in range(1, min(len(word), LONGEST)) if known.get(word[at:]) and word[:at].isidentifier()]
    return next((at for at in sizes if known.get(word[:at])), sizes[0] if sizes else 0)


def opened(tokens: list[Token], place: int) -> Iterator[Change]:
    for at in range(1, min(place, len(tokens) - 1) + 1):
        for kind in ("LPAR", "LSQB"):
            yield insertion(tokens, at, kind, OPENERS[kind], FAR)
