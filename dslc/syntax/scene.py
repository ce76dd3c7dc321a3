"""What a rule about a syntax error may look at: the offending token, those before it, the next ones and the open brackets."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dslc.diagnostics import Edit, Fix
from dslc.source import Span
from dslc.syntax.scan import Token, printable

if TYPE_CHECKING:
    from dslc.syntax.driver import Driver

VALUES = frozenset({"NAME", "INT", "FLOAT", "STRING", "TRUE", "FALSE", "RPAR", "RSQB"})
ATOMS = VALUES - {"RPAR", "RSQB"}
BINARY = frozenset(["PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "AT", "POWER", "OR", "AND", "COMPARE"])
ROUND = ("LPAR", "LSQB")
OPENING = {"LPAR": 1, "LSQB": 1, "RPAR": -1, "RSQB": -1}
EXPRESSION_STARTS = frozenset(
    ["EQUAL", "COLON", "COMMA", "LPAR", "LSQB", "RETURN", "YIELD", "IN", "THEN", "ELSE", "IF", "LBRACE", "AND", "OR", "NOT"]
)


class Scene:
    """`history`: the tokens of the statement so far (soft keywords by their kind), `last` the last of them, `following` the next one."""

    def __init__(self, driver: Driver, token: Token, at: int) -> None:
        self.driver = driver
        self.token = token
        self.at = at
        self.history = driver.history
        self.last = driver.history[-1] if driver.history else None
        self.after = self.last.type if self.last is not None else ""
        self.opening = driver.history[0].type if driver.history else ""
        self.bracket = driver.brackets[-1].token.type if driver.brackets else ""
        self.following = driver.tokens[at + 1] if at + 1 < len(driver.tokens) else None

    @property
    def span(self) -> Span:
        """The offending token; where the line or text ends too early, the place behind the last token."""
        if self.ended and self.last is not None:
            return Span(self.driver.source, self.last.end, self.last.end)
        return self.driver.span(self.token)

    @property
    def last_span(self) -> Span:
        return self.driver.span(self.last or self.token)

    @property
    def found(self) -> str:
        return f"`{printable(self.token.text)}`" if self.token.text.strip() else "the end of the line"

    @property
    def ended(self) -> bool:
        return self.token.type in ("$END", "_NL")

    @property
    def outside(self) -> bool:
        """Not inside ( or [."""
        return self.bracket not in ROUND

    def text(self, token: Token | None) -> str:
        return printable(token.text) if token is not None else ""

    @cached_property
    def level(self) -> list[Token]:
        """The tokens of the innermost open bracket or of the statement; closed groups in it are left out but for their brackets."""
        found: list[Token] = []
        depth = 0
        for token in reversed(self.history):
            depth -= OPENING.get(token.type, 0)
            if depth < 0:
                break
            if depth == 0 or (depth == 1 and token.type in ("RPAR", "RSQB")):
                found.append(token)
        return found[::-1]

    def has(self, *kinds: str) -> bool:
        return any(token.type in kinds for token in self.level)

    def expression(self) -> list[Token]:
        """The tokens of this level since the expression began."""
        start = max((at + 1 for at, token in enumerate(self.level) if token.type in EXPRESSION_STARTS - {"LPAR", "LSQB"}), default=0)
        return self.level[start:]

    # -- fixes

    def replace(self, token: Token, text: str, title: str = "") -> Fix:
        return Fix(title or f"write `{text}`", (Edit(self.driver.span(token), text),))

    def insert(self, at: int, text: str, title: str = "") -> Fix:
        return Fix(title or f"write `{text.strip()}`", (Edit(Span(self.driver.source, at, at), text),))

    def parenthesise(self) -> Fix | None:
        """Parentheses round the chain so far, where no operator before its first arrow makes it doubtful what is meant."""
        chain = self.expression()
        arrow = next((at for at, token in enumerate(chain) if token.type == "ARROW"), 0)
        if not arrow or self.last is None or any(token.type in BINARY for token in chain[:arrow]):
            return None
        edits = tuple(Edit(Span(self.driver.source, at, at), text) for at, text in ((chain[0].start, "("), (self.last.end, ")")))
        return Fix("put the chain in parentheses", edits)
