"""What a typo is, and the tokens of the text that it is made in."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from dslc.diagnostics import Sink
from dslc.source import Source
from dslc.syntax.scan import Token, scan

OPEN = {"(": ")", "[": "]", "{": "}"}
CLOSE = {closer: opener for opener, closer in OPEN.items()}


@dataclass(frozen=True)
class Typo:
    """`text` with `new` at `start`, where the original has `old`.

    group: name, punctuation, value, foreign; kind: what the hand did; role: what was hit; partners: offsets in `text` of what is broken
    with it (the other bracket); suggests: one right suggestion exists and can be found; fixable: and it is certain enough to be applied.
    """

    group: str
    kind: str
    role: str
    text: str
    start: int
    old: str
    new: str
    partners: tuple[int, ...] = ()
    suggests: bool = True
    fixable: bool = True

    @property
    def end(self) -> int:
        return self.start + len(self.new)


Maker = Callable[["Page", random.Random], Typo | None]


@dataclass(frozen=True)
class Page:
    """A valid text with its tokens, line breaks left out; `depths`: how many brackets are open before each token."""

    text: str
    tokens: tuple[Token, ...]
    pairs: dict[int, int]  # the number of a bracket's token -> that of its partner

    def change(self, start: int, end: int, new: str) -> str:
        return self.text[:start] + new + self.text[end:]

    def near(self, at: int, step: int) -> str:
        """The text of the token beside another one."""
        return self.tokens[at + step].text if 0 <= at + step < len(self.tokens) else ""

    def gap(self, at: int) -> tuple[int, int]:
        """From the end of the token before to the start of the one behind: where the place of a token that is missing is."""
        before = self.tokens[at - 1].end if at else 0
        return before, self.tokens[at + 1].start if at + 1 < len(self.tokens) else len(self.text)

    def moved(self, at: int, start: int, by: int) -> int:
        """The offset of a token after `by` characters were put in at `start`."""
        return self.tokens[at].start + (by if self.tokens[at].start > start else 0)


@cache
def page(text: str) -> Page:
    tokens = tuple(token for token in scan(Source("a.nn", text), Sink())[0] if token.type != "_NL")
    pairs: dict[int, int] = {}
    open: list[int] = []
    for at, token in enumerate(tokens):
        if token.text in OPEN:
            open.append(at)
        elif token.text in CLOSE:
            pairs[at] = open.pop()
            pairs[pairs[at]] = at
    return Page(text, tokens, pairs)
