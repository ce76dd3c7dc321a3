"""Changes of a spec's text by the spans of its syntax tree, and walks over trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from dslc.diagnostics import Sink
from dslc.source import Source, Span
from dslc.syntax import ast
from dslc.syntax.parse import parse
from dslc.syntax.scan import Token, scan

Kind = TypeVar("Kind", bound=ast.Node)
Edit = tuple[int, int, str]  # text[start:end] becomes this


def tree(text: str) -> ast.File:
    """The tree of a text without syntax errors."""
    sink = Sink()
    found = parse(Source("spec.nn", text), sink)
    sink.raise_errors()
    return found


def tokens(text: str) -> list[Token]:
    """All tokens, line ends included."""
    return scan(Source("spec.nn", text), Sink())[0]


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text after edits that do not overlap; several at one place stand in the given order."""
    parts, at = [], 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        assert start >= at, "two edits overlap"
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])


def replacing(node: ast.Node, new: str) -> Edit:
    return node.span.start, node.span.end, new


def walk(item: Any) -> Iterator[ast.Node]:
    """All nodes in a tree or a part of it, parents first."""
    if isinstance(item, (tuple, list)):
        for part in item:
            yield from walk(part)
    elif isinstance(item, ast.File):
        yield from walk(item.statements)
    elif isinstance(item, ast.Node):
        yield item
        for field in fields(item):
            value = getattr(item, field.name)
            if not isinstance(value, (Span, str, int, float)):
                yield from walk(value)


def every(kind: type[Kind], item: Any) -> Iterator[Kind]:
    """All nodes of a kind."""
    return (node for node in walk(item) if isinstance(node, kind))


def names_in(item: Any) -> set[str]:
    """Every word that stands as a name."""
    return {node.id for node in every(ast.Name, item)}


def bodies(item: Any) -> Iterator[Sequence[ast.Statement]]:
    """The statements of every body."""
    return (body.statements for body in every(ast.Body, item))


def callee(node: ast.Expr) -> tuple[ast.Name, tuple[ast.Arg, ...], ast.Expr | None] | None:
    """A call that is the whole of an expression: `f(x, k=1)` or `… -> f(k=1)`: its name, its arguments, what the arrow brings."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func, node.args, None
    if isinstance(node, ast.Pipe) and len(node.stages) == 1 and len(node.stages[0].path) == 1:
        stage = node.stages[0]
        return stage.path[0], stage.args or (), node.first
    return None
