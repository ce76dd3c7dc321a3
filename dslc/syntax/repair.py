"""One change of one token that makes a broken statement right: a sign that is missing, doubled, or another one than was meant.

The tokens of the statement are run through the table's states alone, once for each change that is tried; the cheapest change with
which the whole statement parses is the repair, if there is no second one as cheap.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from dslc.diagnostics import Diagnostic, Edit, Fix
from dslc.source import Span
from dslc.syntax import errors
from dslc.syntax.changes import CLOSERS, FAR, OPENERS, TYPED, WORD, Repair, changes
from dslc.syntax.scan import Token
from dslc.syntax.tokens import SETTINGS

if TYPE_CHECKING:
    from dslc.syntax.driver import Driver

MOST_TOKENS = 1000  # of a statement that is tried
MOST_TRIED = 48_000  # tokens, over all changes
SHORT = 3  # letters of a word that is near to many
EXPLAINED = (errors.SliceStep, errors.SeveralInParentheses, errors.PlainAssignment, errors.ConditionalForm, errors.OnlyNamesLeft)
TYPE = re.compile(r" *(?:float|int|bool|string|sizes|size|padding|axes|init|list\[|[fiut][0-9]+)\b")


def repair(driver: Driver, at: int) -> Repair | None:
    """The change that mends the statement in which the token of this number does not fit."""
    tokens, place = statement(driver, at)
    if not tokens or len(tokens) > MOST_TOKENS:
        return None
    stack = driver.state.state_stack[: driver.list_size()]
    best: list[Repair] = []
    for tries, (found, changed) in enumerate(changes(tokens, place, driver.known)):
        if best and found.cost > best[0].cost:
            break
        if tries * len(tokens) > MOST_TRIED:
            return None
        if likely(driver, found, tokens) and parses(driver, stack, changed) and not any(same(found, other) for other in best):
            best.append(found)
    return best[0] if len(best) == 1 else None


def mended(driver: Driver, at: int, found: Diagnostic) -> Diagnostic:
    """What is said about a token that does not fit: `found`, or the one change that mends the statement where that says more."""
    over = isinstance(found, errors.OperatorAfterChain) and found.operator in (">", "-")
    if isinstance(found, errors.PlainAssignment) or (
        found.fix is not None and not (over or isinstance(found, (errors.MissingComma, errors.IndexAfterStage)))
    ):
        return found
    made = repair(driver, at)
    bracket = made is not None and made.new in OPENERS.values() and made.cost < FAR
    certain = bracket or (made is not None and (made.old, made.new) == (".", ","))
    if made is not None and made.cost > WORD and isinstance(found, EXPLAINED) and not certain:
        return found
    return found if made is None else described(driver, made, found)


def described(driver: Driver, made: Repair, found: Diagnostic | None) -> Diagnostic:
    span = Span(driver.source, made.start, made.end)
    if not made.old:
        fix = Fix(f"write `{made.new}`", (Edit(span, made.new if made.new != "=" else " = "),))
        if isinstance(found, errors.MissingEqual):
            return errors.MissingEqual(span=span, name=made.after, found=found.found, fix=fix)
        return (
            found
            if found is not None and made.new == "," and found.fix is not None
            else errors.MissingThing(span=span, what=f"`{made.new}`", after=made.after, fix=fix)
        )
    if not made.new:
        return errors.SurplusSign(span=span, found=made.old, fix=Fix(f"delete `{made.old}`", (Edit(span, ""),)))
    fix = Fix(f"write `{made.new}`", (Edit(span, made.new),))
    if made.new[0].isalpha():
        if not made.after or driver.source.text[made.start - 1 : made.start] == "\n":
            return errors.UnknownStatement(span=span, word=made.old, nearest=made.new, fix=fix)
        return errors.MisspeltKeyword(span=span, found=made.old, right=made.new, fix=fix)
    return errors.WrongSign(span=span, found=made.old, wanted=made.new, fix=fix)


def likely(driver: Driver, made: Repair, tokens: list[Token]) -> bool:
    """What the blanks and the words of the statement say: `a. b` has a comma that slipped, `a,b` a point, `lr: 3` is a setting."""
    text, at = driver.source.text, bisect_left(tokens, made.start, key=lambda token: token.start)
    inside = sum((token.type in OPENERS) - (token.type in CLOSERS) for token in tokens[:at]) > 0
    behind = text[made.end : made.end + 1]
    blank = behind in (" ", "\n", "\r", "")
    if made.old.isidentifier() and made.new.isidentifier():
        return fits(driver, made.old, made.new)
    if (made.old, made.new) == (".", ","):
        return blank or not behind.isalpha()
    if (made.old, made.new) == (",", "."):
        return not blank
    if (made.old, made.new) == ("-", "->"):
        return stage(driver, tokens[at + 1 : at + 2])
    if (made.old, made.new) in (("[", "("), ("(", "["), (")", "]")):
        called = stage(driver, before_opener(tokens, at))
        return called if made.old == "[" and at and tokens[at - 1].type == "NAME" else made.old == "[" or not called
    if made.new == "[" and not made.old and (tokens[0].type in TYPED or tokens[0].text in TYPED):
        return made.after in (":", "list")
    typed = tokens[0].type == "BLOCK" and inside and (text[made.end :].lstrip(" ")[:1] == "[" or TYPE.match(text, made.end) is not None)
    if typed and not made.old:
        return made.new == ":"
    if typed and (made.old, made.new) == (":", "="):
        return False
    if made.new == ":" and made.after == "[":
        return False
    if default_follows(made, tokens, at, inside):
        return made.new == "="
    if made.new == "," and not made.old:
        return inside or tokens[0].type in ("RETURN", "YIELD") or any(token.type == "COMMA" for token in tokens[:at])
    if made.new == "=" and not (made.old or inside) and tokens[0].text in SETTINGS:
        return False
    if made.new == ":" and not inside:
        first = tokens[0]
        if first.text in SETTINGS:  # `loss mean(y)`: the blank says where the value begins
            return blank or made.old != ""
        return (first.type in TYPED or first.text in TYPED) and at > 1
    return True


def default_follows(made: Repair, tokens: list[Token], at: int, inside: bool) -> bool:
    """`stride: sizes 1` in the head of a block: a sign is missing behind a whole type."""
    typed = tokens[0].type == "BLOCK" and inside and at > 1 and tokens[at - 2].type == "COLON" and TYPE.match(made.after)
    return not made.old and made.new in (",", ":", "=") and bool(typed)


def fits(driver: Driver, old: str, new: str) -> bool:
    """Whether a word may be meant to be this keyword: a short one that stands elsewhere too is a name, and each declares in its place."""
    if len(old) <= SHORT and sum(token.text == old for token in driver.tokens) > 1:
        return False
    return driver.braces == 0 if new == "param" else driver.braces > 0 if new in ("weight", "output", "return") else True


def before_opener(tokens: list[Token], at: int) -> list[Token]:
    """The token before this opening bracket, or before the one that this closing bracket belongs to by its place."""
    if at == len(tokens):
        return []  # behind the last token that was read
    depth = int(tokens[at].type in CLOSERS)
    while depth and at > 0:
        at -= 1
        depth += (tokens[at].type in CLOSERS) - (tokens[at].type in OPENERS)
    return tokens[max(at - 1, 0) : at]


def stage(driver: Driver, after: list[Token]) -> bool:
    """Whether a name comes that the text gives to no value: that of a block or a layer."""
    pairs = list(zip(driver.tokens, driver.tokens[1:], strict=False))
    names = {token.text for token, sign in pairs if sign.type in ("EQUAL", "COLON")} | {
        name.text for word, name in pairs if word.type == "FOR"
    }
    return bool(after) and after[0].type == "NAME" and after[0].text not in names


def same(left: Repair, right: Repair) -> bool:
    """Two changes with one outcome: one of two equal neighbours is deleted."""
    return left.old == right.old and left.new == right.new == "" and (left.end == right.start or right.end == left.start)


def statement(driver: Driver, at: int) -> tuple[list[Token], int]:
    """The tokens of the statement, line breaks left out, and which of them does not fit (their number at the end)."""
    tokens = driver.tokens
    start = at
    if driver.history:
        first = driver.history[0].start
        while start > 0 and (start >= len(tokens) or tokens[start].start > first):
            start -= 1
    end, previous = start, ""
    place = 0
    found: list[Token] = []
    while end < len(tokens):
        token = tokens[end]
        if token.type == "_NL":
            if end >= at and driver.ends_statement(end, previous):
                break
        else:
            if end < at:
                place += 1
            found.append(token)
            previous = token.type
            if token.type == "LBRACE" and end >= at and driver.ends_line(end):
                break
        end += 1
    return found, place


# ---- the table without values ----------------------------------------------------------------------------------------------------


def parses(driver: Driver, stack: list[int], tokens: list[Token]) -> bool:
    """Whether a statement of these tokens is complete."""
    states = list(stack)
    if "ERROR" not in driver.rows[states[-1]] and not shift(driver, states, "_NL"):
        return False
    for at, token in enumerate(tokens):
        following = tokens[at + 1].type if at + 1 < len(tokens) else "$END"
        if not shift(driver, states, driver.kind_in(states[-1], token, following)):
            return False
    return bool(tokens) and (tokens[-1].type == "LBRACE" or any(shift(driver, list(states), end) for end in ("_NL", "RBRACE", "$END")))


def shift(driver: Driver, states: list[int], kind: str) -> bool:
    """Reduce until the token can be shifted, and shift it."""
    found = driver.reached(states, kind)
    if found is None:
        return False
    stay, more = found
    states[stay:] = more
    return True
