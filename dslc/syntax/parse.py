"""The parser: Lark's LALR table driven token by token, with layout, soft keywords and statement-wise recovery.

At a syntax error both stacks are popped to the innermost list of statements, one `ERROR` token stands for the broken statement, and
the parse goes on with the next one: every broken statement is reported once, and a tree always comes out.
"""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

from dslc.diagnostics import Diagnostic, Sink, SpecError
from dslc.source import Source
from dslc.syntax import ast, errors
from dslc.syntax.build import build
from dslc.syntax.reader import read_source
from dslc.syntax.recovery import Again, GivenUp, Run
from dslc.syntax.scan import MOST_TOKENS, Token, scan

__all__ = ["parse", "parse_literal", "parse_signature", "read_source"]

MOST_MENDS = 8
MOST_AGAIN = 20_000  # tokens that are parsed again for mends


def parse(source: Source, sink: Sink, most: int = MOST_TOKENS) -> ast.File:
    """The tree of a file of at most so many tokens. Syntax errors go to the sink; a tree comes out in any case."""
    before = sink.error_count
    enabled = gc.isenabled()
    gc.disable()  # a parse makes many objects and no cycles: a third of the time
    try:
        tokens, comments = scan(source, sink, most)
        tree = attempts(source, sink, tokens, most)
        statements = build(source, tree, sink)
    finally:
        if enabled:
            gc.enable()
    check_header(source, statements, sink)
    return ast.File(source, statements, tuple(comments), sink.error_count == before, len(tokens))


def attempts(source: Source, sink: Sink, tokens: list[Token], most: int) -> Any:
    """Lark's tree. Where indentation shows which brace is missing or too many, it is mended in the tokens and the parse begins again."""
    mended: list[Diagnostic] = []
    mends = min(MOST_MENDS, MOST_AGAIN // (len(tokens) + 1))
    while True:
        own = Sink()
        run = Run(source, own, tokens, "file", mends=len(mended) < mends, abandoned=len(tokens) >= most)
        try:
            tree = run.run()
        except Again as again:
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
        return build(source, Run(source, sink, tokens, start).run(), sink)
    except GivenUp:
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
