"""Trees as s-expressions and a few helpers of the syntax tests."""

from __future__ import annotations

from dataclasses import fields

from dslc.diagnostics import Sink
from dslc.source import Source
from dslc.syntax import ast
from dslc.syntax.parse import parse


def parsed(text: str) -> tuple[ast.File, list[str]]:
    """The tree and the codes of the diagnostics."""
    sink = Sink()
    return parse(Source("a.nn", text), sink), [diagnostic.code for diagnostic in sink]


def expression(text: str) -> str:
    """The s-expression of `x = TEXT`."""
    file, codes = parsed(f"dslc 1\nx = {text}\n")
    assert codes == [], codes
    statement = file.statements[1]
    assert isinstance(statement, ast.Assign) and isinstance(statement.values, tuple)
    return ", ".join(show(value) for value in statement.values)


def show(node: object) -> str:
    """`(+ a b)` for operators, `(-> x f(k=3))` for chains, `(f a)` for calls, `[...]` for lists, `<...>` for parentheses."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Int(value=value) | ast.Float(value=value):
            return repr(value)
        case ast.Bool(value=value):
            return str(value).lower()
        case ast.String(value=value):
            return repr(value)
        case ast.Rest(name=name):
            return f"*{name.id}"
        case ast.List(items=items):
            return f"[{' '.join(map(show, items))}]"
        case ast.Paren(value=value):
            return f"<{show(value)}>"
        case ast.Pipe(first=first, stages=stages):
            return f"(-> {show(first)} {' '.join(map(show, stages))})"
        case ast.Stage(path=path, args=args, alias=alias):
            text = ".".join(name.id for name in path) + ("" if args is None else f"({' '.join(map(show, args))})")
            return text + (f" as {alias.id}" if alias else "")
        case ast.Arg(name=name, value=value):
            return (f"{name.id}=" if name else "") + show(value)
        case ast.Cond(test=test, then=then, other=other):
            return f"(if {show(test)} {show(then)} {show(other)})"
        case ast.BoolOp(op=op, values=values):
            return f"({op} {' '.join(map(show, values))})"
        case ast.Not(value=value):
            return f"(not {show(value)})"
        case ast.Neg(value=value):
            return f"(neg {show(value)})"
        case ast.Compare(op=op, left=left, right=right):
            return f"({op} {show(left)} {show(right)})"
        case ast.Arith(first=first, terms=terms):
            text = show(first)
            for term in terms:
                text = f"({term.op} {text} {show(term.value)})"
            return text
        case ast.Power(base=base, exponent=exponent):
            return f"(^ {show(base)} {show(exponent)})"
        case ast.Call(func=func, args=args):
            return f"({' '.join([show(func), *map(show, args)])})"
        case ast.Index(value=value, items=items):
            return f"{show(value)}[{' '.join(map(show, items))}]"
        case ast.Slice(start=start, stop=stop):
            return f"{show(start) if start else ''}:{show(stop) if stop else ''}"
        case ast.Ellipsis():
            return ".."
        case ast.Field(value=value, name=name):
            return f"{show(value)}.{name.id}"
    raise AssertionError(f"no s-expression for {node}")


def children(node: ast.Node) -> list[ast.Node]:
    found: list[ast.Node] = []
    todo: list[object] = [getattr(node, field.name) for field in fields(node) if field.name != "span"]
    while todo:
        item = todo.pop()
        if isinstance(item, tuple):
            todo.extend(item)
        elif isinstance(item, ast.Node):
            found.append(item)
    return found
