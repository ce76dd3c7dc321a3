"""Recovery: one report for each broken statement, one `ERROR` in its place, and on with the next one (yacc's `error`, by layout)."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import Any

from dslc.diagnostics import LIMIT, Diagnostic, Edit, Fix, Label
from dslc.source import Span
from dslc.syntax import braces, errors
from dslc.syntax.changes import CLOSERS, OPENERS, applied
from dslc.syntax.driver import CLOSE, OPEN, TOP_LEVEL, Bracket, Driver
from dslc.syntax.near import near_word
from dslc.syntax.repair import described, mended, repair
from dslc.syntax.scan import Token
from dslc.syntax.situations import explain

ENDS = frozenset({"NAME", "INT", "FLOAT", "STRING", "TRUE", "FALSE", "RPAR", "RSQB"})
BRACKETS = frozenset([*OPENERS.values(), *CLOSERS.values()])
STATEMENTS = TOP_LEVEL | {"FOR", "RETURN", "YIELD", "CARRY"}


class Again(Exception):
    """A brace was mended in the tokens: begin again."""

    def __init__(self, error: Diagnostic, tokens: list[Token]) -> None:
        super().__init__()
        self.error = error
        self.tokens = tokens


class GivenUp(Exception):
    """A literal or signature has no recovery: one error is enough."""


class Run(Driver):
    """One run over the tokens of a text: a tree comes out, whatever the text."""

    def run(self) -> Any:
        """Feed all tokens; returns Lark's tree."""
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

    def finish(self, token: Token) -> bool:
        if self.start != "file" and (self.brackets or not self.accepted("$END")):
            if not self.sink.error_count:
                self.sink.add(self.unclosed_round(self.brackets[-1]) if self.brackets else explain(self, token, len(self.tokens)))
            raise GivenUp
        if self.brackets:
            self.close_open(token)
            return False
        self.drop_separator()
        if not self.accepted("$END"):
            self.report(token, len(self.tokens))
            self.restart(*((self.history[0], self.history[-1]) if self.history else (token, token)))
            self.history.clear()
            return False
        self.result = self.state.feed_token(token, True)
        return True

    def report(self, token: Token, at: int) -> Diagnostic | None:
        """One report for each statement; an `else` after a broken `if` is none of its own."""
        follows = token.type == "ELSE" and not self.history and self.broken_at == self.braces
        if self.slipped or token.slipped or follows:
            return None
        found = mended(self, at, explain(self, token, at))
        self.sink.add(found)
        return found

    def recover(self, token: Token, at: int) -> int:
        """Report what went wrong at `token` and return where to go on."""
        if self.start != "file":
            self.sink.add(explain(self, token, at))
            raise GivenUp
        if self.sink.error_count >= LIMIT:
            self.abandon()
        self.mend_brace(token, at)
        self.mend_else(token, at)
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
        begins = (
            self.starts_soft(token, at)
            or self.starts_assignment(token, at)
            or (token.type in STATEMENTS and token.first)
            or isinstance(reported, errors.SameLine)
        )
        if self.history and begins:
            self.restart(self.history[0], self.history[-1])
            self.separate(token)
            return at
        return self.skip(token, at)

    def mend_brace(self, token: Token, at: int) -> None:
        """Begin again where layout shows which brace is missing, doubled, or written as another bracket."""
        found = None
        if not self.mends or self.slipped:
            return
        if token.type == "LBRACE" or (token.type == "RBRACE" and not self.brackets):
            found = braces.without_doubled(self, at)
        elif token.type in ("RPAR", "RSQB") and self.wrongly_closed(token):
            found = braces.with_closer(self, at)
        elif self.closes_round(token):
            closer = CLOSERS[OPEN[self.brackets[-1].token.type]]
            found = self.not_closed_by(token, closer), braces.written(self, at, closer)[1]
        found = found or braces.with_opener(self, at)
        open = self.round and self.unclosed(token, at)
        inside = token.type == "LBRACE" and not self.ends_line(at)
        inside |= token.type == "COLON" and [item.type for item in self.history] == ["BLOCK", "NAME"]
        if found is None and (open or inside or (token.type in CLOSE and self.wrongly_closed(token))):
            found = self.with_bracket(at)
        if found is not None:
            raise Again(*found)

    def closes_round(self, token: Token) -> bool:
        """A `}` within a line whose innermost bracket is a `(` or `[` of the same line."""
        if token.type != "RBRACE" or token.first or not self.round or self.body_in_line(token):
            return False
        return self.brackets[-1].line == self.source.position(token.start)[0]

    def mend_else(self, token: Token, at: int) -> None:
        """`} esle {`: begin again with the word that was meant."""
        behind = self.tokens[at + 1].type if at + 1 < len(self.tokens) else ""
        arm = self.previous == "RBRACE" and token.type == "NAME" and not token.first and behind in ("LBRACE", "IF")
        if self.mends and arm and near_word(token.text, ("else",)):
            fix = Fix("write `else`", (Edit(self.span(token), "else"),))
            error = errors.MisspeltKeyword(span=self.span(token), found=token.text, right="else", fix=fix)
            raise Again(error, [*self.tokens[:at], replace(token, type="ELSE", text="else"), *self.tokens[at + 1 :]])

    def with_bracket(self, at: int) -> tuple[Diagnostic, list[Token]] | None:
        """An opening bracket that is another one, missing or doubled, or a closing one that is doubled."""
        while at > 0 and self.tokens[at - 1].type == "_NL":
            at -= 1
        made = repair(self, at)
        if (
            made is None
            or (made.old in CLOSERS.values() and not self.round)
            or not (made.old in BRACKETS or made.new in OPENERS.values())
            or (made.old in CLOSERS.values() and made.new in OPENERS.values())
        ):
            return None
        here = made.new in CLOSERS.values() and made.start == self.tokens[at].start
        found = self.not_closed_by(self.tokens[at], made.new) if here else described(self, made, None)
        return found, applied(self.tokens, made)

    def not_closed_by(self, token: Token, closer: str) -> errors.WrongCloser:
        """The closing bracket is another one than the open bracket has."""
        bracket = self.brackets[-1].token
        label = Label(self.span(bracket), f"this `{bracket.text}` is open")
        fix = Fix(f"write `{closer}`", (Edit(self.span(token), closer),))
        return errors.WrongCloser(span=self.span(token), found=token.text, wanted=closer, labels=(label,), fix=fix)

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
                    raise Again(error, [item for item in self.tokens if item is not closer])
                self.sink.add(error)
                return
        self.sink.add(errors.NothingToClose(span=self.span(token)))

    def close_open(self, token: Token) -> None:
        """Report the innermost open bracket; drop `(` and `[` with their statement, close `{` so that its statements are kept."""
        bracket = self.brackets[-1]
        if bracket.token.type == "LBRACE":
            if not self.abandoned:
                self.sink.add(self.unclosed_brace(bracket, token))
            end = max(len(self.source.text[: token.start].rstrip()), self.end_before(token))
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
                self.sink.add(self.unclosed_round(bracket, self.closing(token)))
            self.restart(self.history[0], self.history[-1])
            self.history.clear()
        if token.type not in ("$END", "RBRACE", "LBRACE"):
            self.separate(token)

    def end_before(self, token: Token) -> int:
        """Where the last token before this one ends that is no line break; a string that is not closed may end in blanks."""
        at = bisect_left(self.tokens, token.start, key=lambda item: item.start)
        return next((item.end for item in reversed(self.tokens[max(at - 2, 0) : at]) if item.type != "_NL"), 0)

    def closing(self, token: Token) -> Fix | None:
        """The bracket that is missing, where it can stand in one place alone."""
        at = bisect_left(self.tokens, token.start, key=lambda item: item.start)
        while at > 0 and self.tokens[at - 1].type == "_NL":
            at -= 1
        made = repair(self, at)
        if made is None or made.old or made.new not in (")", "]"):
            return None
        return Fix(f"write `{made.new}`", (Edit(Span(self.source, made.start, made.end), made.new),))

    def unclosed_round(self, bracket: Bracket, fix: Fix | None = None) -> errors.UnclosedBracket:
        text = bracket.token.text
        return errors.UnclosedBracket(span=self.span(bracket.token), bracket=text, closer={"(": ")", "[": "]"}[text], fix=fix)

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
                    raise Again(error, self.with_closer(opened))
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
        end = self.tokens[at - 1].end  # a broken statement before it takes its line break along
        return [*self.tokens[:at], Token("RBRACE", "}", end, end), Token("_NL", "\n", end, end), *self.tokens[at:]]

    def begins_outside(self, token: Token, opened: Bracket) -> bool:
        return token.first and token.type != "_NL" and self.indent(token) <= opened.indent

    def wrong_closer(self, token: Token, at: int) -> int:
        if not self.brackets or (self.brackets[-1].token.type == "LBRACE"):
            return self.surplus(token, at)
        bracket = self.brackets[-1]
        closer = {"LPAR": ")", "LSQB": "]"}[bracket.token.type]
        if token.type == "RBRACE" and (token.first or self.body_in_line(token)):  # an open ( or [ inside a body that ends
            self.close_open(token)
            return at
        if token.type != "RBRACE" and len(self.brackets) > 1 and self.brackets[-2].token.type == CLOSE[token.type]:
            return self.missing_closer(token, closer, at)
        if not self.slipped:
            more = at + 1 < len(self.tokens) and self.tokens[at + 1].type in CLOSE  # then the fix is not certain
            found = self.not_closed_by(token, closer)
            self.sink.add(replace(found, fix=None) if more else found)
        # Take it for the right one: the statement goes on.
        mended = Token(OPEN[bracket.token.type], closer, token.start, token.end, token.first, True)
        if self.take(mended, at):
            return at + 1
        return self.skip(token, at)

    def body_in_line(self, token: Token) -> bool:
        """Whether the innermost body began in the line of this token."""
        braces = [bracket.line for bracket in self.brackets if bracket.token.type == "LBRACE"]
        return bool(braces) and braces[-1] == self.source.position(token.start)[0]

    def surplus(self, token: Token, at: int) -> int:
        if not self.slipped:
            fix = Fix(f"delete `{token.text}`", (Edit(self.span(token), ""),))
            self.sink.add(errors.Surplus(span=self.span(token), found=token.text, fix=fix))
        return at + 1

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
        size = self.list_size()
        del self.state.state_stack[size:], self.state.value_stack[size - 1 :]

    def feed_error(self, first: Token, last: Token) -> None:
        """One ERROR statement; a separator before it where a statement was finished."""
        if "ERROR" not in self.rows[self.state.state_stack[-1]]:
            self.shift("_NL", Token("_NL", "\n", first.start, first.start))
        end = max(first.end, last.end)
        self.shift("ERROR", Token("ERROR", self.source.text[first.start : end], first.start, end))
        self.broken_at = self.braces
        self.previous = "ERROR"

    def skip_statement(self, at: int) -> int:
        """Skip to the end of the broken statement; a body that follows it is kept. A `{` inside ( or [ within a line opens none."""
        depth = braces = 0
        while at < len(self.tokens):
            token = self.tokens[at]
            if token.type in ("LPAR", "LSQB"):
                depth += 1
            elif token.type in ("RPAR", "RSQB"):
                depth = max(0, depth - 1)
            elif token.type == "LBRACE" and self.round and not self.ends_line(at):
                braces += 1
            elif token.type == "RBRACE" and braces and not token.first:
                braces -= 1
            elif token.type in ("LBRACE", "RBRACE") or (token.type == "_NL" and self.ends_statement(at, self.previous, depth)):
                break
            self.previous = token.type if token.type != "_NL" else self.previous
            at += 1
        if at < len(self.tokens) and self.tokens[at].type == "_NL":
            self.previous = "ERROR"
        return at
