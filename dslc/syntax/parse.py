"""The parser: Lark's LALR table driven token by token, with layout, soft keywords and statement-wise recovery.

At a syntax error both stacks are popped to the innermost list of statements, one `ERROR` token stands for the broken statement, and
the parse goes on with the next one: every broken statement is reported once, and a tree always comes out.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, field, replace
from typing import Any

from dslc.diagnostics import LIMIT, Diagnostic, Edit, Fix, Label, Sink, SpecError
from dslc.source import Source, Span
from dslc.syntax import ast, errors
from dslc.syntax.build import build
from dslc.syntax.reader import read_source
from dslc.syntax.scan import CONTEXTUAL, MOST_TOKENS, SOFT, Token, scan, tables
from dslc.syntax.situations import explain

__all__ = ["parse", "parse_literal", "parse_signature", "read_source"]

MOST_BRACKETS = 64
MOST_MENDS = 8
OPEN = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSE = {close: open for open, close in OPEN.items()}
OPERATORS = frozenset(["ARROW", "OR", "AND", "COMPARE", "PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "AT", "POWER", "RANGE"])
CONTINUES = OPERATORS | {"COMMA", "LBRACE", "IN", "NOT", "THEN", "ELSE"}
CONTINUED = OPERATORS | {"THEN", "ELSE", "LBRACE", "RBRACE"}
KEYWORDS = SOFT | CONTEXTUAL
ENDS = frozenset({"NAME", "INT", "FLOAT", "STRING", "TRUE", "FALSE", "RPAR", "RSQB"})
TOP_LEVEL = frozenset({"NETWORK", "TRAIN", "IMPORT", "BLOCK", "PARAM"})
STATEMENTS = TOP_LEVEL | {"FOR", "RETURN", "YIELD", "CARRY"}
SOFT_STATEMENTS = SOFT - {"from", "as", "over"}


def parse(source: Source, sink: Sink) -> ast.File:
    """The tree of a file. Syntax errors go to the sink; a tree comes out in any case (`complete` says whether all was well)."""
    before = sink.error_count
    enabled = gc.isenabled()
    gc.disable()  # a parse makes many objects and no cycles: a third of the time
    try:
        tokens, comments = scan(source, sink)
        tree = attempts(source, sink, tokens)
        statements = build(source, tree, sink)
    finally:
        if enabled:
            gc.enable()
    check_header(source, statements, sink)
    return ast.File(source, statements, tuple(comments), sink.error_count == before)


def attempts(source: Source, sink: Sink, tokens: list[Token]) -> Any:
    """Lark's tree. Where indentation shows which brace is missing or too many, it is mended in the tokens and the parse begins again."""
    mended: list[Diagnostic] = []
    while True:
        own = Sink()
        driver = Driver(source, own, tokens, "file", mends=len(mended) < MOST_MENDS, abandoned=len(tokens) >= MOST_TOKENS)
        try:
            tree = driver.run()
        except _Again as again:
            mended.append(again.error)
            tokens = again.tokens
            continue
        sink.extend([*mended, *own])
        sink.dropped += own.dropped
        return tree


def parse_signature(text: str) -> ast.Signature:
    """The head of an operator row: `softmax(x: f[*s], axis: int = -1) -> f[*s]`. Raises ValueError."""
    return _parse_whole(Source(text, text), "signature")  # type: ignore[no-any-return]


def parse_literal(text: str, shown: str) -> tuple[tuple[str, ...], ast.Expr]:
    """`lr=0.02` or `train.epochs=3` as given to `--set`: the path and the expression. Raises SpecError; `shown` names the source."""
    sink = Sink()
    source = Source(shown, text)
    tokens, _ = scan(source, sink)
    sink.raise_errors()
    equal = next((at for at, token in enumerate(tokens) if token.type == "EQUAL"), 0)
    tokens[:equal] = [replace(token, type="NAME") if token.text.isidentifier() else token for token in tokens[:equal]]
    result = _one(source, sink, tokens, "literal")
    sink.raise_errors()
    return result  # type: ignore[no-any-return]


def _parse_whole(source: Source, start: str) -> Any:
    sink = Sink()
    tokens, _ = scan(source, sink)
    tokens[0] = replace(tokens[0], type="NAME")  # the operator `scan` is called like a keyword
    result = _one(source, sink, tokens, start)
    # Arguments may be called like soft keywords: `cross_entropy(x, label, weight=w)`.
    wrong = [found for found in sink if found.code != errors.KeywordAsName.code]
    if wrong:
        raise ValueError(f"{source.text}: {SpecError(wrong)}")
    return result


def _one(source: Source, sink: Sink, tokens: list[Token], start: str) -> Any:
    try:
        return build(source, Driver(source, sink, tokens, start).run(), sink)
    except _GivenUp:
        return None


def check_header(source: Source, statements: tuple[ast.Statement, ...], sink: Sink) -> None:
    """`dslc 1` is the first statement, once."""
    headers = [statement for statement in statements if isinstance(statement, ast.Header)]
    if not statements or (not headers and not isinstance(statements[0], ast.Error)):
        at = statements[0].span.start if statements else 0
        sink.add(errors.missing_header(source, at, empty=not statements))
    for header in headers:
        if header is not statements[0]:
            sink.add(errors.MisplacedHeader(span=header.span))
        elif header.version.value != 1:
            sink.add(errors.UnknownVersion(span=header.version.span, version=str(header.version.value)))


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

    def run(self) -> Any:
        """Feed all tokens; returns Lark's tree."""
        self.state = tables().lark.parse_interactive(start=self.start).parser_state
        self.rows = self.state.parse_conf.states
        self.shift_action = tables().shift
        at = 0
        while True:
            at = self.skip_breaks(at)
            token = self.tokens[at] if at < len(self.tokens) else self.end_token()
            if token.type == "$END":
                if self.finish(token):
                    return self.result
                continue
            if self.take(token, at):
                at += 1
            else:
                at = self.recover(token, at)

    # -- layout

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

    # -- feeding

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
        if not (token.first and self.history and self.previous != "DOT" and self.starts_soft(token, at)):
            return False
        return self.previous in CONTINUES - {"LBRACE"} or self.unclosed(token, at)

    def starts_soft(self, token: Token, at: int) -> bool:
        """A soft keyword with what follows it in a statement: `output y`, `generate {`, `rule "..."`."""
        if token.type != "NAME" or token.text not in SOFT_STATEMENTS or at + 1 >= len(self.tokens):
            return False
        after = "" if self.tokens[at + 1].text in ("as", "over", "from") else self.tokens[at + 1].type
        return after == {"rule": "STRING", "dslc": "INT"}.get(token.text, "NAME") or (token.text == "generate" and after == "LBRACE")

    def kind(self, token: Token, at: int) -> str:
        """A soft keyword is one where the table takes it, but not before `:` (a setting's name) or `=` in a call."""
        if token.type != "NAME" or token.text not in KEYWORDS:
            return token.type
        keyword = tables().keywords[token.text]
        following = self.tokens[at + 1].type if at + 1 < len(self.tokens) else "$END"
        if following == "COLON" or keyword not in self.rows[self.state.state_stack[-1]]:
            return "NAME"
        return keyword

    def shift(self, kind: str, token: Token) -> bool:
        """Reduce until the token can be shifted. Nothing changes if it cannot."""
        if not self.accepted(kind):
            return False
        self.state.feed_token(self.lark_token(kind, token))
        return True

    def accepted(self, kind: str) -> bool:
        """Whether the table shifts `kind` after its pending reductions (simulated on the states alone, over the stack as it is)."""
        stack, pushed = self.state.state_stack, [self.state.state_stack[-1]]
        base = len(stack) - 1
        while True:
            entry = self.rows[pushed[-1]].get(kind)
            if entry is None:
                return False
            action, argument = entry
            if action is self.shift_action:
                return True
            size, mine = len(argument.expansion), len(pushed)
            if size < mine:
                del pushed[mine - size :]
            else:
                base -= size - mine + 1
                pushed[:] = [stack[base]]
            pushed.append(self.rows[pushed[-1]][argument.origin.name][1])
            if kind == "$END" and pushed[-1] == self.state.parse_conf.end_state:
                return True

    def lark_token(self, kind: str, token: Token) -> Any:
        from lark import Token as LarkToken

        return LarkToken(kind, token.text, start_pos=token.start, end_pos=token.end, line=1, column=1, end_line=1, end_column=1)

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
        line, _ = self.source.position(token.start)
        text = self.source.line(line)
        return len(text) - len(text.lstrip())

    def span(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def end_token(self) -> Token:
        end = len(self.source.text.rstrip())
        return Token("$END", "", end, end, True)

    # -- the end

    def finish(self, token: Token) -> bool:
        if self.start != "file" and (self.brackets or not self.accepted("$END")):
            if not self.sink.error_count:
                self.sink.add(self.unclosed_round(self.brackets[-1]) if self.brackets else explain(self, token, len(self.tokens)))
            raise _GivenUp
        if self.brackets:
            self.close_open(token)
            return False
        self.drop_separator()
        if not self.accepted("$END"):
            self.report(token, len(self.tokens))
            self.restart(*((self.history[0], self.history[-1]) if self.history else (token, token)))
            self.history.clear()
            return False
        self.result = self.state.feed_token(self.lark_token("$END", token), True)
        return True

    def abandon(self) -> None:
        """Give up the rest of the text."""
        self.tokens = self.tokens[:0]
        self.abandoned = True

    # -- recovery

    @property
    def slipped(self) -> bool:
        """A slip was mended in this statement: what follows from it is not reported."""
        return any(item.slipped for item in self.history)

    def report(self, token: Token, at: int) -> Diagnostic | None:
        """One report for each statement; an `else` after a broken `if` is none of its own."""
        follows = token.type == "ELSE" and not self.history and self.broken_at == self.braces
        if self.slipped or token.slipped or follows:
            return None
        found = explain(self, token, at)
        self.sink.add(found)
        return found

    def wrongly_closed(self, token: Token) -> bool:
        """A bracket whose partner is another one, or none."""
        return token.type in CLOSE and (not self.brackets or self.brackets[-1].token.type != CLOSE[token.type])

    def recover(self, token: Token, at: int) -> int:
        """Report what went wrong at `token` and return where to go on."""
        if self.start != "file":
            self.sink.add(explain(self, token, at))
            raise _GivenUp
        if self.sink.error_count >= LIMIT:
            self.abandon()
        if self.stray_brace(token, at):
            return self.surplus(token, at)
        if self.unclosed(token, at):
            self.close_open(token)
            return at
        if token.type == "RBRACE" and not self.brackets:
            self.nothing_to_close(token)
            return at + 1
        if token.type in CLOSE and self.wrongly_closed(token):
            return self.wrong_closer(token, at)
        if token.type == "LBRACE" and self.round and self.previous in ENDS and self.ends_line(at):  # a head whose ( is open
            self.close_open(token)
            return at
        reported = self.report(token, at)
        begins = self.starts_soft(token, at) or (token.type in STATEMENTS and token.first) or isinstance(reported, errors.SameLine)
        if self.history and begins:
            self.restart(self.history[0], self.history[-1])
            self.separate(token)
            return at
        return self.skip(token, at)

    def skip(self, token: Token, at: int) -> int:
        """Put an ERROR in the place of the broken statement and skip the rest of it."""
        first, last = (self.history[0], self.history[-1]) if self.history else (token, token)
        after = self.skip_statement(at)
        self.restart(first, self.tokens[after - 1] if after > at else last)
        self.history.clear()
        return after

    def restart(self, first: Token, last: Token) -> None:
        """Put an ERROR in the place of the broken statement from `first` to `last`."""
        if not self.history:
            self.shift("_NL", Token("_NL", "\n", first.start, first.start))  # what stands before is finished
        self.drop_round()
        self.pop_to_list()
        self.feed_error(first, last)

    @property
    def round(self) -> bool:
        return bool(self.brackets) and self.brackets[-1].token.type != "LBRACE"

    def separate(self, token: Token) -> None:
        """End the broken statement before a token that begins the next one."""
        self.history.clear()
        self.shift("_NL", Token("_NL", "\n", token.start, token.start))
        self.previous = "_NL"

    def nothing_to_close(self, token: Token) -> None:
        """The first `}` that stands deeper than the line of its `{` is probably the one too many."""
        for opened, closer in self.crooked:
            if self.indent(closer) > opened.indent:
                text = f"by its indentation this one does not belong to the `{{` of line {opened.line}"
                error = errors.NothingToClose(span=self.span(token), labels=(Label(self.span(closer), text),))
                if self.mends:
                    raise _Again(error, [item for item in self.tokens if item is not closer])
                self.sink.add(error)
                return
        self.sink.add(errors.NothingToClose(span=self.span(token)))

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

    def close_open(self, token: Token) -> None:
        """Report the innermost open bracket; drop `(` and `[` with their statement, close `{` so that its statements are kept."""
        bracket = self.brackets[-1]
        if bracket.token.type == "LBRACE":
            if not self.abandoned:
                self.sink.add(self.unclosed_brace(bracket, token))
            end = len(self.source.text[: token.start].rstrip())
            closer = Token("RBRACE", "}", end, end)
            self.drop_separator()
            if not self.shift("RBRACE", closer):
                self.pop_to_list()
                self.feed_error(*((self.history[0], self.history[-1]) if self.history else (closer, closer)))
                self.shift("RBRACE", closer)
            self.brackets.pop()
            self.previous = "RBRACE"
            self.history.clear()
        else:
            if not (self.slipped or self.abandoned):
                self.sink.add(self.unclosed_round(bracket))
            self.restart(self.history[0], self.history[-1])
            self.history.clear()
        if token.type not in ("$END", "RBRACE", "LBRACE"):
            self.separate(token)

    def unclosed_round(self, bracket: Bracket) -> errors.UnclosedBracket:
        text = bracket.token.text
        return errors.UnclosedBracket(span=self.span(bracket.token), bracket=text, closer={"(": ")", "[": "]"}[text])

    def drop_separator(self) -> None:
        """A line break that was taken for a separator, and then no statement came."""
        if self.previous == "_NL":
            self.state.state_stack.pop()
            self.state.value_stack.pop()
            self.previous = ""

    def unclosed_brace(self, bracket: Bracket, token: Token) -> errors.UnclosedBrace:
        """Indentation tells which brace it is: an inner one whose `}` stands further out, else this one."""
        for opened, closer in self.crooked:
            if opened.token.start > bracket.token.start and self.indent(closer) < opened.indent:
                text = f"by its indentation this `}}` does not belong to the `{{` of line {opened.line}"
                error = errors.UnclosedBrace(span=self.span(opened.token), labels=(Label(self.span(closer), text),))
                if self.mends:
                    raise _Again(error, self.with_closer(opened))
                return error
        labels: tuple[Label, ...] = ()
        if token.type != "$END":
            labels = (Label(self.span(token), f"by its indentation line {self.source.position(token.start)[0]} stands outside"),)
        fix = None
        if len(self.brackets) == 1 and not self.crooked:
            at = len(self.source.text[: token.start].rstrip())
            fix = Fix("write `}` on a line of its own", (Edit(Span(self.source, at, at), "\n" + " " * bracket.indent + "}"),))
        return errors.UnclosedBrace(span=self.span(bracket.token), labels=labels, fix=fix)

    def with_closer(self, opened: Bracket) -> list[Token]:
        """The tokens with a `}` before the first line that stands no deeper than the line of `opened`."""
        start = self.tokens.index(opened.token) + 1
        at = next(at for at in range(start, len(self.tokens)) if self.begins_outside(self.tokens[at], opened))
        end = self.tokens[at - 1].start
        return [*self.tokens[:at], Token("RBRACE", "}", end, end), Token("_NL", "\n", end, end), *self.tokens[at:]]

    def begins_outside(self, token: Token, opened: Bracket) -> bool:
        return token.first and token.type != "_NL" and self.indent(token) <= opened.indent

    def wrong_closer(self, token: Token, at: int) -> int:
        if not self.brackets or (self.brackets[-1].token.type == "LBRACE"):
            return self.surplus(token, at)
        bracket = self.brackets[-1]
        closer = {"LPAR": ")", "LSQB": "]"}[bracket.token.type]
        if token.type == "RBRACE":  # an open ( or [ inside a body that ends
            self.close_open(token)
            return at
        if len(self.brackets) > 1 and self.brackets[-2].token.type == CLOSE[token.type]:
            return self.missing_closer(token, closer, at)
        if not self.slipped:
            more = at + 1 < len(self.tokens) and self.tokens[at + 1].type in CLOSE  # then the fix is not certain
            certain = None if more else Fix(f"write `{closer}`", (Edit(self.span(token), closer),))
            label = Label(self.span(bracket.token), f"this `{bracket.token.text}` is open")
            self.sink.add(errors.WrongCloser(span=self.span(token), found=token.text, wanted=closer, labels=(label,), fix=certain))
        # Take it for the right one: the statement goes on.
        mended = Token(OPEN[bracket.token.type], closer, token.start, token.end, token.first, True)
        if self.take(mended, at):
            return at + 1
        return self.skip(token, at)

    def surplus(self, token: Token, at: int) -> int:
        if not self.slipped:
            fix = Fix(f"delete `{token.text}`", (Edit(self.span(token), ""),))
            self.sink.add(errors.Surplus(span=self.span(token), found=token.text, fix=fix))
        return at + 1

    def stray_brace(self, token: Token, at: int) -> bool:
        """A `}` in the middle of a line: after one that closes a body the line ends, or `else` follows."""
        return token.type == "RBRACE" and not token.first and not self.ends_line(at) and self.tokens[at + 1].type not in ("RBRACE", "ELSE")

    def ends_line(self, at: int) -> bool:
        return at + 1 >= len(self.tokens) or self.tokens[at + 1].type == "_NL"

    def missing_closer(self, token: Token, closer: str, at: int) -> int:
        """`([ … )`: the inner bracket is never closed; its closer is put in."""
        bracket = self.brackets[-1]
        if not self.slipped:
            label = Label(self.span(token), f"this closes the `{self.brackets[-2].token.text}` around it")
            fix = Fix(f"write `{closer}`", (Edit(Span(self.source, token.start, token.start), closer),))
            self.sink.add(
                errors.UnclosedBracket(
                    span=self.span(bracket.token), bracket=bracket.token.text, closer=closer, labels=(label,), fix=fix
                )
            )  # fmt: skip
        kind = OPEN[bracket.token.type]
        return at if self.take(Token(kind, closer, token.start, token.start, False, True), at) else self.skip(token, at)

    def drop_round(self) -> None:
        """Forget open ( and [ of the broken statement."""
        while self.brackets and self.brackets[-1].token.type != "LBRACE":
            self.brackets.pop()

    def pop_to_list(self) -> None:
        """Pop to the innermost state in which a statement may begin or a separator is due."""
        states, values = self.state.state_stack, self.state.value_stack
        braces = sum(1 for bracket in self.brackets if bracket.token.type == "LBRACE")
        while len(states) > 1:
            row = self.rows[states[-1]]
            separator = row.get("_NL")
            here = "ERROR" in row or (separator is not None and separator[0] is self.shift_action)
            if here and sum(1 for value in values if getattr(value, "type", "") == "LBRACE") == braces:
                return
            states.pop()
            values.pop()

    def feed_error(self, first: Token, last: Token) -> None:
        """One ERROR statement; a separator before it where a statement was finished."""
        if "ERROR" not in self.rows[self.state.state_stack[-1]]:
            self.shift("_NL", Token("_NL", "\n", first.start, first.start))
        end = max(first.end, last.end)
        self.shift("ERROR", Token("ERROR", self.source.text[first.start : end], first.start, end))
        self.broken_at = self.braces
        self.previous = "ERROR"

    def skip_statement(self, at: int) -> int:
        """Skip to the end of the broken statement; a body that follows it is kept."""
        depth = 0
        while at < len(self.tokens):
            token = self.tokens[at]
            if token.type in ("LPAR", "LSQB"):
                depth += 1
            elif token.type in ("RPAR", "RSQB"):
                depth = max(0, depth - 1)
            elif token.type in ("LBRACE", "RBRACE") or (token.type == "_NL" and self.ends_statement(at, depth)):
                break
            self.previous = token.type if token.type != "_NL" else self.previous
            at += 1
        if at < len(self.tokens) and self.tokens[at].type == "_NL":
            self.previous = "ERROR"
        return at

    def ends_statement(self, at: int, depth: int) -> bool:
        while at < len(self.tokens) and self.tokens[at].type == "_NL":
            at += 1
        if at == len(self.tokens):
            return True
        following = self.tokens[at]
        outside = self.indent(following) <= self.statement_indent
        return outside if depth else outside or not (self.previous in CONTINUES or following.type in CONTINUED)


class _Again(Exception):
    """A brace was mended in the tokens: begin again."""

    def __init__(self, error: Diagnostic, tokens: list[Token]) -> None:
        super().__init__()
        self.error = error
        self.tokens = tokens


class _GivenUp(Exception):
    """A literal or signature has no recovery: one error is enough."""
