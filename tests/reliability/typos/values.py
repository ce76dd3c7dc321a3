"""Values of a wrong type: a number in quotes, `3.0` where an int stands, `True`."""

from __future__ import annotations

import random

from tests.reliability.typos.typo import Page, Typo


def mistyped(page: Page, chance: random.Random) -> Typo | None:
    values = [token for token in page.tokens[2:] if token.type in ("INT", "FLOAT", "TRUE", "FALSE")]
    if not values:
        return None
    token = chance.choice(values)
    if token.type in ("TRUE", "FALSE"):
        kind, new = chance.choice([("True", token.text.title()), ("number for a truth value", str(int(token.text == "true")))])
        kind, new = chance.choice([(kind, new), ("truth value in quotes", f'"{token.text}"')])
    elif token.type == "INT" and chance.randrange(2):
        kind, new = "3.0 for 3", f"{token.text}.0"
    else:
        kind, new = "number in quotes", f'"{token.text}"'
    return Typo("value", kind, token.type.lower(), page.change(token.start, token.end, new), token.start, token.text, new, fixable=False)
