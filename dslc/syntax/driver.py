"""The driver of Lark's table: layout, soft keywords, and the state that recovery and messages look at."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from dslc.diagnostics import Sink
from dslc.source import Source, Span
from dslc.syntax import errors
from dslc.syntax.scan import CONTEXTUAL, SOFT, Token, tables
from dslc.syntax.tree import State

MOST_BRACKETS = 64
OPEN = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSE = {close: open for open, close in OPEN.items()}
OPERATORS = frozenset(["ARROW", "OR", "AND", "COMPARE", "PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "AT", "POWER", "RANGE"])
CONTINUES = OPERATORS | {"COMMA", "LBRACE", "IN", "NOT", "THEN", "ELSE"}
CONTINUED = OPERATORS | {"THEN", "ELSE", "LBRACE", "RBRACE"}
KEYWORDS = SOFT | CONTEXTUAL
TOP_LEVEL = frozenset({"NETWORK", "TRAIN", "IMPORT", "BLOCK", "PARAM"})
SOFT_STATEMENTS = SOFT - {"from", "as", "over"}
BLANKS = re.compile(r"[ \t]*")


@dataclass
class Bracket:
    """An open bracket and the indentation of its line."""

    token: Token
    indent: int
    line: int


@dataclass
class Driver:
    """One run over the tokens of a text. `history` holds the tokens fed since the statement began."""

    source: Source
    sink: Sink
    tokens: list[Token]
    start: str
    mends: bool = False
    abandoned: bool = False
    brackets: list[Bracket] = field(default_factory=list)
    history: list[Token] = field(default_factory=list)
    crooked: list[tuple[Bracket, Token]] = field(default_factory=list)  # a `{` and its `}` where the indentation differs
    statement_indent: int = 0
    broken_at: int | None = None  # number of open braces at the last broken statement
    previous: str = ""
    state: State = field(init=False)
    rows: Any = field(init=False)  # Lark's table: by state, then by terminal

    def __post_init__(self) -> None:
        table = tables()
        self.shift_action = table.shift
        conf = table.lark.parse_interactive(start=self.start).parser_state.parse_conf
        self.state = State(conf, table.shift, table.reductions)
        self.rows = conf.states

    @cached_property
    def known(self) -> Counter[str]:
        """How often each name stands in the text."""
        return Counter(token.text for token in self.tokens if token.type == "NAME")

    def skip_breaks(self, at: int) -> int:
        """Drop the line breaks at `at` that separate nothing (the layout rule)."""
        while at < len(self.tokens) and self.tokens[at].type == "_NL":
            after = at + 1
            while after < len(self.tokens) and self.tokens[after].type == "_NL":
                after += 1
            if after == len(self.tokens) or self.joined(after):
                at = after
                continue
            return after - 1  # one break stands for a run of them
        return at

    def joined(self, after: int) -> bool:
        if not self.history and not self.brackets and self.state.state_stack[-1:] == self.state.state_stack[:1]:
            return True  # before the first statement
        if self.round or self.previous == "_NL":  # a second break in a row separates nothing
            return True
        return self.previous in CONTINUES or self.tokens[after].type in CONTINUED

    def take(self, token: Token, at: int) -> bool:
        """Shift one token; False if the table does not accept it."""
        if token.type in OPEN and len(self.brackets) >= MOST_BRACKETS:
            self.sink.add(errors.NestedTooDeeply(span=self.span(token), limit=MOST_BRACKETS))
            self.abandon()
            return True
        if self.wrongly_closed(token) or self.interrupts(token, at) or self.stray_brace(token, at):
            return False
        kind = self.kind(token, at)
        if not self.shift(kind, token):
            return False
        self.after(token if kind == token.type else replace(token, type=kind))
        return True

    def interrupts(self, token: Token, at: int) -> bool:
        """A soft keyword that begins a statement although the one before is not finished: `y = x +` and `output y` on the next line."""
        if self.starts_assignment(token, at):
            return True
        if not (token.first and self.history and self.previous != "DOT" and self.starts_soft(token, at)):
            return False
        return self.previous in CONTINUES - {"LBRACE"} or self.unclosed(token, at)

    def starts_assignment(self, token: Token, at: int) -> bool:
        """`b = x ->` and `c = 1` on the next line: a name with `=` or `:` after it, where the line before is not finished."""
        if token.type != "NAME" or not token.first or not self.history or self.round or at + 1 >= len(self.tokens):
            return False
        goes_on = self.previous in OPERATORS or (self.previous == "COMMA" and any(item.type == "EQUAL" for item in self.history))
        return goes_on and self.tokens[at + 1].type in ("EQUAL", "COLON")

    def starts_soft(self, token: Token, at: int) -> bool:
        """A soft keyword with what follows it in a statement: `output y`, `generate {`, `rule "..."`."""
        if token.type != "NAME" or token.text not in SOFT_STATEMENTS or at + 1 >= len(self.tokens):
            return False
        after = "" if self.tokens[at + 1].text in ("as", "over", "from") else self.tokens[at + 1].type
        return after == {"rule": "STRING", "dslc": "INT"}.get(token.text, "NAME") or (token.text == "generate" and after == "LBRACE")

    def kind(self, token: Token, at: int) -> str:
        """What the token of this number is in the present state."""
        following = self.tokens[at + 1].type if at + 1 < len(self.tokens) else "$END"
        return self.kind_in(self.state.state_stack[-1], token, following)

    def kind_in(self, state: int, token: Token, following: str) -> str:
        """A soft keyword is one where the table takes it, but not before `:` (a setting's name) or `=` in a call."""
        if token.type != "NAME" or token.text not in KEYWORDS:
            return token.type
        keyword = tables().keywords[token.text]
        return "NAME" if following == "COLON" or keyword not in self.rows[state] else keyword

    def shift(self, kind: str, token: Token) -> bool:
        """Reduce until the token can be shifted. Nothing changes if it cannot."""
        if not self.accepted(kind):
            return False
        self.state.feed_token(token if kind == token.type else replace(token, type=kind))
        return True

    def accepted(self, kind: str) -> bool:
        """Whether the table shifts `kind` after its pending reductions."""
        return self.reached(self.state.state_stack, kind) is not None

    def reached(self, stack: list[Any], kind: str) -> tuple[int, list[Any]] | None:
        """What a stack of states becomes where `kind` is shifted: how many of them stay, and those that follow. None where it is not.

        Simulated on the states alone, over the stack as it is.
        """
        pushed, base = [stack[-1]], len(stack) - 1
        while True:
            entry = self.rows[pushed[-1]].get(kind)
            if entry is None:
                return None
            action, argument = entry
            if action is self.shift_action:
                pushed.append(argument)
                return base, pushed
            size, mine = len(argument.expansion), len(pushed)
            if size < mine:
                del pushed[mine - size :]
            else:
                base -= size - mine + 1
                pushed[:] = [stack[base]]
            pushed.append(self.rows[pushed[-1]][argument.origin.name][1])
            if kind == "$END" and pushed[-1] == self.state.parse_conf.end_state:
                return base, pushed

    def list_size(self) -> int:
        """How many of the states there are where the innermost statement may begin, or a separator is due."""
        states, values = self.state.state_stack, self.state.value_stack
        braces = self.braces
        open = sum(getattr(value, "type", "") == "LBRACE" for value in values)
        size = len(states)
        while size > 1:
            row = self.rows[states[size - 1]]
            separator = row.get("_NL")
            if open == braces and ("ERROR" in row or (separator is not None and separator[0] is self.shift_action)):
                break
            size -= 1
            open -= getattr(values[size - 1], "type", "") == "LBRACE"
        return size

    def ends_statement(self, at: int, previous: str, depth: int = 0) -> bool:
        """Whether the line break at `at` ends the statement whose last token is of the kind `previous`; `depth`: brackets that are open."""
        while at < len(self.tokens) and self.tokens[at].type == "_NL":
            at += 1
        if at == len(self.tokens):
            return True
        following = self.tokens[at]
        outside = self.indent(following) <= self.statement_indent
        return outside if depth else outside or not (previous in CONTINUES or following.type in CONTINUED)

    def after(self, token: Token) -> None:
        """Bookkeeping once a token is taken."""
        if token.type == "_NL":
            self.history.clear()
            self.previous = "_NL"
            return
        if not self.history:
            self.begin(token)
        if token.type in OPEN:
            line = self.source.position(token.start)[0]
            self.brackets.append(Bracket(token, self.indent(token), line))
        elif token.type in CLOSE and self.brackets:
            opened = self.brackets.pop()
            if token.type == "RBRACE" and token.first and self.indent(token) != opened.indent:
                self.crooked.append((opened, token))
        self.history.append(token)
        if token.type in ("LBRACE", "RBRACE"):
            self.history.clear()
        self.previous = token.type

    def begin(self, token: Token) -> None:
        """A statement begins."""
        self.statement_indent = self.indent(token)
        if self.broken_at is not None and self.braces <= self.broken_at and token.type not in ("LBRACE", "RBRACE"):
            self.broken_at = None

    @property
    def braces(self) -> int:
        return sum(bracket.token.type == "LBRACE" for bracket in self.brackets)

    def indent(self, token: Token) -> int:
        """How far the line of a token is indented."""
        line, _ = self.source.position(token.start)
        start = self.source.line_starts[line - 1]
        blanks = BLANKS.match(self.source.text, start)
        return blanks.end() - start if blanks else 0

    def span(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def end_token(self) -> Token:
        end = len(self.source.text.rstrip())
        return Token("$END", "", end, end, True)

    @property
    def round(self) -> bool:
        return bool(self.brackets) and self.brackets[-1].token.type != "LBRACE"

    @property
    def slipped(self) -> bool:
        """A slip was mended in this statement: what follows from it is not reported."""
        return any(item.slipped for item in self.history)

    def ends_line(self, at: int) -> bool:
        return at + 1 >= len(self.tokens) or self.tokens[at + 1].type == "_NL"

    def wrongly_closed(self, token: Token) -> bool:
        """A bracket whose partner is another one, or none."""
        return token.type in CLOSE and (not self.brackets or self.brackets[-1].token.type != CLOSE[token.type])

    def stray_brace(self, token: Token, at: int) -> bool:
        """A `}` in the middle of a line: after one that closes a body the line ends, or `else` follows."""
        return token.type == "RBRACE" and not token.first and not self.ends_line(at) and self.tokens[at + 1].type not in ("RBRACE", "ELSE")

    def unclosed(self, token: Token, at: int) -> bool:
        """Layout says that the innermost bracket should have been closed before this token."""
        if not self.brackets or not token.first:
            return False
        bracket = self.brackets[-1]
        if self.source.position(token.start)[0] == bracket.line:
            return False
        top = token.type in TOP_LEVEL or (token.text == "generate" and self.starts_soft(token, at))
        if bracket.token.type == "LBRACE":
            return top and self.indent(token) <= bracket.indent
        return self.indent(token) <= bracket.indent or top or token.type == "RBRACE"

    def abandon(self) -> None:
        """Give up the rest of the text."""
        self.tokens = self.tokens[:0]
        self.abandoned = True
