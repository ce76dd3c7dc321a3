"""`dslc fmt`: one canonical form of a spec. The tree and all comments stay; blanks, indentation and the breaks of long lines are ours."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import fields

from dslc.diagnostics import InternalError, Sink
from dslc.source import Source, Span
from dslc.syntax import ast, errors
from dslc.syntax.align import Cell, Record, align
from dslc.syntax.parse import parse
from dslc.syntax.scan import Token, scan
from dslc.syntax.spacing import CLOSING, WIDTH, Word, kept, lay_out, line, words

INDENT = 2
MAJOR = (ast.Block, ast.Network, ast.Train, ast.Generate)
COLUMNS = (ast.Assign, ast.Setting, ast.Input, ast.Output, ast.Weight, ast.State, ast.Carry, ast.Layer, ast.Update, ast.Param, ast.Rule)


def format_source(source: Source) -> str:
    """The canonical text of a spec. Raises SpecError if it has syntax errors."""
    sink = Sink()
    file = parse(source, sink)
    sink.raise_errors()
    tokens = [token for token in scan(source, Sink())[0] if token.type != "_NL"]
    text = Writer(source, tokens, file.comments).write(file.statements)
    check(file, text)
    return text


def check(before: ast.File, text: str) -> None:
    """A formatter never changes the meaning or loses a comment: the tree of the new text is that of the old."""
    sink = Sink()
    after = parse(Source(before.source.path, text), sink)
    comments = [[comment.span.text.rstrip() for comment in file.comments] for file in (before, after)]
    if sink.error_count or comments[0] != comments[1] or outline(before.statements) != outline(after.statements):
        raise InternalError(errors.FormatterFault(path=before.source.path))


def outline(nodes: object) -> list[object]:
    """A tree without its spans as a flat list, so that two trees compare without recursion."""
    found: list[object] = []
    todo = [nodes]
    while todo:
        item = todo.pop()
        if isinstance(item, tuple):
            found.append(len(item))
            todo.extend(item)
        elif isinstance(item, ast.Node):
            found.append(type(item).__name__)
            todo.extend(getattr(item, field.name) for field in fields(item))
        elif not isinstance(item, Span):
            found.append(item)
    return found


class Writer:
    """Walks the statements in order and takes comments and blank lines along from the source."""

    def __init__(self, source: Source, tokens: Sequence[Token], comments: Sequence[ast.Comment]) -> None:
        self.source = source
        self.tokens = tokens
        self.starts = [token.start for token in tokens]
        self.comments = comments
        self.next_comment = 0
        self.records: list[Record] = []
        self.end = 0  # of what was written last, in the source
        self.fresh = True  # at the beginning of a file or body: no blank line

    def write(self, statements: Sequence[ast.Statement]) -> str:
        for at, statement in enumerate(statements):
            first = len(self.records)
            self.write_comments(statement.span.start, 0)
            gap = len(self.records)
            self.statement(statement, 0)
            before = statements[at - 1] if at else None
            if before is not None and (isinstance(before, (ast.Header, *MAJOR)) or isinstance(statement, MAJOR)):
                around = self.records[first : gap + 1]
                around[0].blank |= not any(record.blank for record in around)
        self.write_comments(len(self.source.text), 0)
        align(self.records)
        return "".join("\n" * record.blank + "\n".join(record.lines) + "\n" for record in self.records)

    # -- statements

    def statement(self, statement: ast.Statement, indent: int) -> None:
        if isinstance(statement, ast.Rule) and self.short_rule(statement, indent):
            return
        start = statement.span.start
        for body in bodies(statement):
            self.head(statement, start, body.span.start + 1, indent)
            self.fresh = True
            for inner in body.statements:
                self.write_comments(inner.span.start, indent + INDENT)
                self.statement(inner, indent + INDENT)
            start = body.span.end - 1
            self.write_comments(start, indent + INDENT)
            self.fresh = True
        self.head(statement, start, statement.span.end, indent)

    def head(self, statement: ast.Statement, start: int, end: int, indent: int) -> None:
        """One statement without bodies, or the part of one up to a `{`, or a `}`."""
        tokens = self.within(start, end)
        items = words(tokens)
        hang = indent + (2 * INDENT if tokens[-1].type == "LBRACE" else INDENT)
        if self.next_comment < len(self.comments) and self.comments[self.next_comment].span.start < tokens[-1].start:
            record = Record("", indent, self.with_comments(items, tokens[-1].start, indent, hang))
        else:
            record = Record(type(statement).__name__, indent, lay_out(items, indent, hang))
            if record.single and not bodies(statement):
                record.cells = self.cells(statement, items)
        self.add(record, start, end)

    def short_rule(self, rule: ast.Rule, indent: int) -> bool:
        """A rule with one setting stands on one line."""
        tokens = self.within(rule.span.start, rule.span.end)
        comments = self.comments[self.next_comment : self.next_comment + 1]
        text = line(words(tokens))
        if len(rule.body.statements) != 1 or bodies(rule.body.statements[0]) or indent + len(text) > WIDTH:
            return False
        if comments and comments[0].span.start < rule.span.end:
            return False
        self.add(Record("Rule", indent, [" " * indent + text], cells=self.cells(rule, words(tokens))), rule.span.start, rule.span.end)
        return True

    def within(self, start: int, end: int) -> Sequence[Token]:
        return self.tokens[bisect_left(self.starts, start) : bisect_left(self.starts, end)]

    def cells(self, statement: ast.Statement, items: Sequence[Word]) -> list[Cell]:
        """The text cut at the places where columns may stand: after the first `:`, before the first `=` or the `{` of a rule."""
        if not isinstance(statement, COLUMNS):
            return []
        cuts = [0]
        stops: tuple[str, ...] = (
            ("LBRACE",) if isinstance(statement, ast.Rule) else ("COLON",) if isinstance(statement, ast.Setting) else ("COLON", "EQUAL")
        )
        for at, word in enumerate(items):
            if word.depth == 0 and word.token.type in stops and len(cuts) <= len(stops):
                cuts.append(at + 1 if word.token.type == "COLON" else at)
                stops = stops[stops.index(word.token.type) + 1 :] or ("",)
        return [self.cell(statement, items, start, end) for start, end in zip(cuts, [*cuts[1:], len(items)], strict=True)]

    def cell(self, statement: ast.Statement, items: Sequence[Word], start: int, end: int) -> Cell:
        first = items[start].token.start
        gap = first - items[start - 1].token.end if start else 0
        return Cell(line(items[start:end]), first - statement.span.start, gap)

    # -- comments and blank lines

    def add(self, record: Record, start: int, end: int) -> None:
        """Write a record that stands at [start, end) in the source, with the comment behind it."""
        record.blank = not self.fresh and self.source.text.count("\n", self.end, start) > 1
        self.records.append(record)
        self.fresh, self.end = False, end
        following = bisect_left(self.starts, end)
        limit = self.starts[following] if following < len(self.starts) else len(self.source.text) + 1
        if self.next_comment < len(self.comments):
            comment = self.comments[self.next_comment]
            if not comment.own_line and comment.span.start < limit:
                record.comment = Cell(comment.span.text.rstrip(), self.source.position(comment.span.start)[1], comment.span.start - end)
                self.end = comment.span.end
                self.next_comment += 1

    def write_comments(self, before: int, indent: int) -> None:
        """Comments on lines of their own, up to an offset."""
        while self.next_comment < len(self.comments) and self.comments[self.next_comment].span.start < before:
            comment = self.comments[self.next_comment]
            self.next_comment += 1
            self.add(Record("#", indent, [" " * indent + comment.span.text.rstrip()]), comment.span.start, comment.span.end)

    def with_comments(self, items: Sequence[Word], end: int, indent: int, hang: int) -> list[str]:
        """A head with comments inside keeps its lines; comments stay behind or between them."""
        lines: list[str] = []
        for part in kept(items):
            self.inner_comments(part[0].token.start, lines, hang)
            base = not lines or part[0].token.type in (*CLOSING, "LBRACE", "ELSE")
            lines.append(" " * (indent if base else hang) + line(part))
        return lines

    def inner_comments(self, before: int, lines: list[str], hang: int) -> None:
        """Comments between two lines: one may stay behind the first, the others stand alone (a dropped comma's too)."""
        behind = True
        while self.next_comment < len(self.comments) and self.comments[self.next_comment].span.start < before:
            comment = self.comments[self.next_comment]
            self.next_comment += 1
            if comment.own_line or not behind:
                lines.append(" " * hang + comment.span.text.rstrip())
            else:
                lines[-1] += "  " + comment.span.text.rstrip()
            behind = False


def bodies(statement: ast.Statement) -> tuple[ast.Body, ...]:
    """The bodies of a statement, in order."""
    if isinstance(statement, ast.If):
        other = () if statement.other is None else (statement.other,)
        return tuple(body for _, body in statement.arms) + other
    if isinstance(statement, ast.Assign):
        return (statement.values.body,) if isinstance(statement.values, ast.Scan) else ()
    body = getattr(statement, "body", None)
    return () if body is None else (body,)
