"""Typos in signs: commas, brackets, `=` and `:`, arrows, points, quotes, a `;` at the end of a line."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.reliability.typos.typo import CLOSE, OPEN, Page, Typo

WRONG = {"(": "[{", "[": "({", "{": "([", ")": "]}", "]": ")}", "}": ")]"}


def pick(page: Page, chance: random.Random, *texts: str) -> int | None:
    """The number of one of the tokens with these texts."""
    found = [at for at, token in enumerate(page.tokens) if token.text in texts]
    return chance.choice(found) if found else None


def written(page: Page, at: int, kind: str, new: str, **more: object) -> Typo:
    """A token that is written another way."""
    token = page.tokens[at]
    text = page.change(token.start, token.end, new)
    return replace(Typo("punctuation", kind, token.text, text, token.start, token.text, new), **more)  # type: ignore[arg-type]


def missing_comma(page: Page, chance: random.Random) -> Typo | None:
    at = pick(page, chance, ",")
    return None if at is None else written(page, at, "comma missing", "")


def doubled_comma(page: Page, chance: random.Random) -> Typo | None:
    at = pick(page, chance, ",")
    return None if at is None else written(page, at, "comma doubled", ",,")


def point_for_comma(page: Page, chance: random.Random) -> Typo | None:
    at = pick(page, chance, ",")
    return None if at is None else written(page, at, "point for comma", ".")


def comma_for_point(page: Page, chance: random.Random) -> Typo | None:
    """Also in a number: `0,5`."""
    at = pick(page, chance, ".")
    numbers = [at for at, token in enumerate(page.tokens) if token.type == "FLOAT" and "." in token.text]
    if numbers and (at is None or chance.randrange(3) == 0):
        token = page.tokens[chance.choice(numbers)]
        text = page.change(token.start, token.end, token.text.replace(".", ","))
        return Typo("punctuation", "comma for the point of a number", "number", text, token.start, token.text, token.text.replace(".", ","))
    return None if at is None else written(page, at, "comma for point", ",")


def partner(page: Page, at: int, by: int) -> tuple[int, ...]:
    other = page.pairs[at]
    return (page.moved(other, page.tokens[at].start, by),)


def missing_bracket(page: Page, chance: random.Random) -> Typo | None:
    at = pick(page, chance, *OPEN, *CLOSE)
    if at is None:
        return None
    sign = page.tokens[at].text
    return written(page, at, f"{sign} missing", "", partners=partner(page, at, -1))


def extra_bracket(page: Page, chance: random.Random) -> Typo | None:
    at = pick(page, chance, *OPEN, *CLOSE)
    if at is None:
        return None
    sign = page.tokens[at].text
    return written(page, at, f"{sign} doubled", sign * 2, partners=partner(page, at, 1))


def wrong_bracket(page: Page, chance: random.Random) -> Typo | None:
    at = pick(page, chance, *OPEN, *CLOSE)
    if at is None:
        return None
    sign = page.tokens[at].text
    return written(page, at, f"{sign} as another bracket", chance.choice(WRONG[sign]), partners=partner(page, at, 0))


def wrong_sign(page: Page, chance: random.Random) -> Typo | None:
    """`=` for `:`, `:` for `=`, `==` for `=`."""
    at = pick(page, chance, "=", ":")
    if at is None:
        return None
    sign = page.tokens[at].text
    new = ":" if sign == "=" else "="
    if sign == "=" and chance.randrange(2):
        new = "=="
    return written(page, at, f"{new} for {sign}", new)


def missing_sign(page: Page, chance: random.Random) -> Typo | None:
    """Of a statement: `epochs 3`."""
    at = pick(page, chance, "=", ":")
    return None if at is None or page.text[page.tokens[at].end] != " " else written(page, at, f"{page.tokens[at].text} missing", "")


def wrong_arrow(page: Page, chance: random.Random) -> Typo | None:
    at = pick(page, chance, "->")
    new = chance.choice(["=>", ">", "-", "-->", "- >"])
    return None if at is None else written(page, at, f"{new} for ->", new)


def missing_quote(page: Page, chance: random.Random) -> Typo | None:
    strings = [at for at, token in enumerate(page.tokens) if token.type == "STRING"]
    if not strings:
        return None
    token = page.tokens[chance.choice(strings)]
    new = chance.choice([token.text[1:], token.text[:-1], f"'{token.text[1:-1]}'"])
    kind = "quote missing before" if not new.startswith(('"', "'")) else "quote missing behind" if new[0] == '"' else "single quotes"
    return Typo("punctuation", kind, "string", page.change(token.start, token.end, new), token.start, token.text, new)


def semicolon(page: Page, chance: random.Random) -> Typo | None:
    """At the end of a line."""
    ends = [at for at, token in enumerate(page.tokens) if at + 1 == len(page.tokens) or page.tokens[at + 1].first]
    end = page.tokens[chance.choice(ends)].end
    return Typo("punctuation", "; at the end of a line", "line", page.change(end, end, ";"), end, "", ";")


MAKERS = (
    missing_comma, doubled_comma, point_for_comma, comma_for_point, missing_bracket, extra_bracket, wrong_bracket, wrong_sign,
    missing_sign, wrong_arrow, missing_quote, semicolon,
)  # fmt: skip


def mispunctuated(page: Page, chance: random.Random) -> Typo | None:
    return chance.choice(MAKERS)(page, chance)
