"""Typos in words: a letter dropped, doubled, swapped, replaced by its neighbour on the keyboard, another case, plural, `_` dropped."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

from dslc.elaborate.names import BUILT_IN, DTYPES, FUNCTIONS, operators
from dslc.elaborate.settings import PLACES, TABLES
from dslc.loading import specs_folder
from dslc.syntax.scan import HARD, SOFT
from dslc.vocabulary import DATASETS, INITIALISERS, SOURCES
from tests.reliability.typos.typo import Page, Typo

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
SHORT = 2  # names of one or two letters: every other short name is as near
TYPES = (
    "int",
    "float",
    "bool",
    "string",
    "list",
    "init",
    "layer",
    "dtype",
    "sizes",
    "padding",
    "size",
    "shape",
    "axes",
    "number",
    "scalar",
)


def dropped(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    return word[:at] + word[at + 1 :]


def doubled(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    return word[: at + 1] + word[at:]


def swapped(word: str, chance: random.Random) -> str:
    at = chance.randrange(max(1, len(word) - 1))
    return word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]


def neighbour(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    row = next((row for row in ROWS if word[at].lower() in row), "")
    if not row:
        return word
    place = row.index(word[at].lower())
    key = chance.choice(row[max(0, place - 1) : place] + row[place + 1 : place + 2])
    return word[:at] + (key.upper() if word[at].isupper() else key) + word[at + 1 :]


def other_case(word: str, chance: random.Random) -> str:
    return chance.choice([word[:1].swapcase() + word[1:], word.upper(), word.lower(), word.title().replace("_", "")])


def plural(word: str, chance: random.Random) -> str:
    return word[:-1] if word.endswith("s") else f"{word}s"


def joined(word: str, chance: random.Random) -> str:
    return word.replace("_", "", 1)


SLIPS: dict[str, Callable[[str, random.Random], str]] = {
    "letter dropped": dropped,
    "letter doubled": doubled,
    "letters swapped": swapped,
    "neighbouring key": neighbour,
    "other case": other_case,
    "plural or singular": plural,
    "_ dropped": joined,
}


def misspelt(page: Page, chance: random.Random) -> Typo | None:
    """One slip in one name, keyword, or word in quotes."""
    at = chance.choice([at for at, token in enumerate(page.tokens) if token.text[0].isalpha() or token.type == "STRING"])
    token = page.tokens[at]
    quoted = token.type == "STRING"
    old = token.text.strip('"')
    kind = chance.choice(list(SLIPS))
    if quoted and not old.replace("-", "").replace("_", "").isalnum():
        return None  # patterns and paths are no words
    new = SLIPS[kind](old, chance) if old else ""
    if new in ("", old) or not (quoted or new.isidentifier()):
        return None
    start = token.start + quoted
    real, short = new in words() or any(other.text.strip('"') == new for other in page.tokens), len(old) <= SHORT
    return Typo(
        group="name",
        kind="another word of the language or the spec" if real else "name of one or two letters" if short else kind,
        role="string" if quoted else role(page, at),
        text=page.change(start, start + len(old), new),
        start=start,
        old=old,
        new=new,
        suggests=not (real or short),
        fixable=not (real or short),
    )


@cache
def words() -> frozenset[str]:
    """All words that mean something in every spec."""
    tables = (*TABLES.values(), DATASETS, INITIALISERS, SOURCES)
    library = (path.stem for path in (specs_folder() / "std").glob("*.nn"))
    settings = (name for place in PLACES.values() for name in place)
    rows = (name for table in tables for name in table)
    return frozenset([*operators(), *FUNCTIONS, *library, *settings, *rows, *HARD, *SOFT, *BUILT_IN, *DTYPES, *TYPES, "batch"])


BINDS = ("param", "block", "network", "input", "output", "weight", "state", "layer", "carry", "for", "scan", "step", "train", "generate")


def role(page: Page, at: int) -> str:
    """What a word is, as far as its neighbours tell."""
    token, before, behind = page.tokens[at], page.near(at, -1), page.near(at, 1)
    if token.text in HARD:
        return "true or false" if token.text in ("true", "false") else "keyword"
    if token.first and token.text in SOFT and (behind[:1].isalpha() or behind in ("{", '"')):
        return "keyword"
    if before == ".":
        return "member"
    if before == ":" and (token.text in TYPES or token.text in DTYPES):
        return "type"
    if behind == "=" and before in ("(", ","):
        return "argument" if inside(page, at) == "(" else "local name where it is bound"
    if token.first and (behind == ":" or page.near(at, 2) == ":"):
        return "setting"
    if before == "->" or behind == "(":
        return "called" if before != "block" else "name where it is declared"
    if before in BINDS:
        return "name where it is declared"
    if behind in ("=", ",") and (token.first or before == ","):
        return "local name where it is bound" if inside(page, at) == "{" else "name in a list"
    return "name in an expression"


def inside(page: Page, at: int) -> str:
    """The innermost open bracket round a token."""
    number = at - 1
    while number >= 0:
        if page.tokens[number].text in ("(", "[", "{"):
            return page.tokens[number].text
        number = page.pairs.get(number, number) - 1
    return ""
