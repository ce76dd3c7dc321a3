"""Walking syntax trees without recursion: all nodes, the textual numbers of calls (R6), the names that statements bind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from dslc.source import Span
from dslc.syntax import ast

_PARTS: dict[str, tuple[str, ...]] = {}


def parts(node: ast.Node) -> tuple[str, ...]:
    """The names of a node's fields, its span left out."""
    kind = type(node).__name__
    if kind not in _PARTS:
        _PARTS[kind] = tuple(field.name for field in fields(node) if field.name != "span")
    return _PARTS[kind]


def nodes(roots: Iterable[object]) -> Iterator[ast.Node]:
    """All nodes below and including the roots, parents first, in no particular order among siblings."""
    stack: list[object] = list(roots)
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            stack.extend(item)
        elif isinstance(item, ast.Node):
            yield item
            stack.extend(getattr(item, part) for part in parts(item))


def callee(node: ast.Call | ast.Stage) -> ast.Name | None:
    """The last name of what is called: `conv` in `std.conv(...)`; None if it is no path of names."""
    if isinstance(node, ast.Stage):
        return node.path[-1]
    if isinstance(node.func, ast.Name):
        return node.func
    return node.func.name if isinstance(node.func, ast.Field) else None


def call_numbers(body: ast.Body) -> dict[int, int]:
    """For each call in a body (by identity) its number among the calls of the same name, in the order of the text."""
    found: list[tuple[int, str, int]] = []
    for node in nodes((body,)):
        if isinstance(node, (ast.Call, ast.Stage)):
            name = callee(node)
            if name is not None:
                found.append((name.span.start, name.id, id(node)))
    counts: dict[str, int] = {}
    numbers: dict[int, int] = {}
    for _, name_text, node_id in sorted(found):
        numbers[node_id] = counts.get(name_text, 0)
        counts[name_text] = numbers[node_id] + 1
    return numbers


def bound_names(statements: Iterable[ast.Statement]) -> Iterator[str]:
    """Names that the statements and the bodies inside them would bind."""
    for node in nodes(statements):
        if isinstance(node, (ast.Assign, ast.State, ast.Output, ast.Carry)):
            yield from (name.id for name in node.names)
        elif isinstance(node, (ast.Weight, ast.Layer, ast.Input)):
            yield node.name.id
        elif isinstance(node, ast.Error):
            yield from node.names


def places(body: ast.Body) -> dict[str, list[tuple[Span, str]]]:
    """Where a body binds each name, with the `if`, `for` or `scan` around that place ("" for none), in the order of the text."""
    found: dict[str, list[tuple[Span, str]]] = {}
    stack: list[tuple[ast.Body, str]] = [(body, "")]
    while stack:
        current, inside = stack.pop()
        for node in current.statements:
            if isinstance(node, (ast.Assign, ast.State, ast.Output, ast.Carry)):
                if not (isinstance(node, ast.Output) and node.value is None):
                    for name in node.names:
                        found.setdefault(name.id, []).append((name.span, inside))
            elif isinstance(node, (ast.Weight, ast.Layer, ast.Input)):
                found.setdefault(node.name.id, []).append((node.name.span, inside))
            elif isinstance(node, ast.For):
                found.setdefault(node.name.id, []).append((node.name.span, "for"))
                stack.append((node.body, "for"))
            elif isinstance(node, ast.If):
                stack += [(arm, "if") for _, arm in node.arms] + ([(node.other, "if")] if node.other is not None else [])
            if isinstance(node, ast.Assign) and isinstance(node.values, ast.Scan):
                stack.append((node.values.body, "scan"))
    return {name: sorted(items, key=lambda item: item[0].start) for name, items in found.items()}


def read_names(roots: Iterable[object]) -> Iterator[tuple[ast.Name, bool]]:
    """The names that expressions read, and whether each is called; names of arguments, fields and aliases are not read."""
    stack: list[object] = list(roots)
    while stack:
        item = stack.pop()
        if isinstance(item, ast.Name):
            yield item, False
        elif isinstance(item, tuple):
            stack.extend(reversed(item))
        elif isinstance(item, ast.Call) and isinstance(item.func, ast.Name):
            yield item.func, True
            stack.append(item.args)
        elif isinstance(item, (ast.Arg, ast.Field)):
            stack.append(item.value)
        elif isinstance(item, ast.Stage):
            yield item.path[0], True
            stack.append(item.args)
        elif isinstance(item, (ast.Body, ast.Scan)):
            continue
        elif isinstance(item, ast.Node):
            stack.extend(getattr(item, part) for part in reversed(parts(item)))
