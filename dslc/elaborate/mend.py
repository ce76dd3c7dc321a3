"""`optimizer = sgd(0.1)` in a training: a setting that is written with the wrong sign is reported and read as a setting."""

from __future__ import annotations

from dataclasses import replace

from dslc.diagnostics import Edit, Fix
from dslc.elaborate import errors
from dslc.elaborate.session import Session
from dslc.elaborate.settings import PLACES
from dslc.elaborate.suggest import certain, nearest
from dslc.elaborate.walk import nodes
from dslc.source import Span
from dslc.syntax import ast


def mended(session: Session, tree: ast.File) -> ast.File:
    """The tree with such assignments of trainings and generates as settings."""
    statements = tuple(
        replace(node, body=body(session, node.body, place)) if (place := PLACE.get(type(node))) and isinstance(node, WITH_BODY) else node
        for node in tree.statements
    )
    return replace(tree, statements=statements)


WITH_BODY = (ast.Train, ast.Generate)
PLACE = {ast.Train: "train", ast.Generate: "generate"}


def body(session: Session, node: ast.Body, place: str) -> ast.Body:
    uses = [name.id for name in nodes((node,)) if isinstance(name, ast.Name)]
    taken = {item.key.id for item in node.statements if isinstance(item, ast.Setting)}
    return replace(node, statements=tuple(statement(session, item, place, uses, taken) for item in node.statements))


def statement(session: Session, node: ast.Statement, place: str, uses: list[str], taken: set[str]) -> ast.Statement:
    if isinstance(node, ast.Step):
        return replace(node, body=body(session, node.body, "step"))
    if isinstance(node, ast.Rule):
        return replace(node, body=body(session, node.body, "rule"))
    if not isinstance(node, ast.Assign) or isinstance(node.values, ast.Scan) or len(node.names) != 1 or len(node.values) != 1:
        return node
    name = node.names[0]
    key = name.id if name.id in PLACES[place] else nearest(name.id, PLACES[place])
    if key != name.id and key in taken:
        return node  # that setting stands there
    if not key or uses.count(name.id) != 1 or not certain(name.id, key, PLACES[place]):
        return node  # another name, or one that something reads
    value = node.values[0]
    source, end = name.span.source, name.span.end
    sign = Span(source, end + source.text[end : value.span.start].index("="), end + source.text[end : value.span.start].index("=") + 1)
    fix = Fix(f"write `{key}:`", (Edit(Span(source, name.span.start, sign.end), f"{key}:"),))
    session.report(errors.SettingSign(span=sign, name=key, fix=fix))
    return ast.Setting(key=ast.Name(id=key, span=name.span), name=None, value=value, span=node.span)
