"""Faults planted into a source: every place of a syntax tree where one of the kinds fits, and the tree with one of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Mutant:
    """The fault number `number` of a file; `row` is the operator whose row it stands in ("" elsewhere), `rule` says eval or grad there."""

    number: int
    kind: str
    line: int
    before: str
    after: str
    function: str = ""
    row: str = ""
    rule: str = ""


Change = tuple[str, ast.AST]
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
PAIRS = (
    ("minimum", "maximum"), ("min", "max"), ("zeros", "ones"), ("any", "all"), ("greater", "greater_equal"), ("less", "less_equal"),
    ("floor", "ceil"),
)  # fmt: skip
NAMES = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
SAMPLES = ("SHAPES", "BATCHES", "BORDERS", "ROLLS", "_SAMPLE")  # what samples are made of
SAMPLERS = ("unary", "binary", "ints", "booleans", "away", "several", "targets")  # what makes samples of operators
SIGNATURE = re.compile(r"\w+\(.*\) -> ")  # of an operator
STRIDES = ("stride", "strides", "step", "dilation", "kernel", "count", "size", "offset")


def scaled(node: ast.AST) -> Iterator[Change]:
    """The body of a rule, times 1.0001."""
    if isinstance(node, ast.Lambda) and isinstance(node.body, ast.BinOp | ast.Call | ast.UnaryOp):
        yield "scale", replaced(node, body=ast.BinOp(node.body, ast.Mult(), ast.Constant(1.0001)))
    if isinstance(node, ast.Return) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Mult | ast.Div):
        yield "scale", replaced(node, value=ast.BinOp(node.value, ast.Mult(), ast.Constant(1.0001)))
    if isinstance(node, ast.Constant) and type(node.value) is float:
        yield "scale", ast.Constant(node.value * 1.0001 if node.value else 1e-4)


def bordered(node: ast.AST) -> Iterator[Change]:
    """One place less at a border of a slice."""
    if isinstance(node, ast.Slice) and node.upper is not None:
        yield "border", replaced(node, upper=ast.BinOp(node.upper, ast.Sub(), ast.Constant(1)))
    if isinstance(node, ast.Slice) and node.lower is not None:
        yield "border", replaced(node, lower=ast.BinOp(node.lower, ast.Add(), ast.Constant(1)))


def turned(node: ast.AST) -> Iterator[Change]:
    """Another axis."""
    if isinstance(node, ast.keyword) and node.arg in ("axis", "axes"):
        value = node.value
        if isinstance(value, ast.Constant) and type(value.value) is int:
            yield "axis", replaced(node, value=ast.Constant(0 if value.value else 1))
        elif isinstance(value, ast.UnaryOp | ast.Name):
            yield "axis", replaced(node, value=ast.Constant(0))


def forgotten(node: ast.AST) -> Iterator[Change]:
    """A sum of which one part is missing."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        yield "accumulation", ast.Assign([node.target], node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield "accumulation", node.left


def stepped(node: ast.AST) -> Iterator[Change]:
    """A whole number, or a stride, that is one more."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield "off by one", ast.Constant(node.value + 1)
    if isinstance(node, ast.BinOp):
        for side in ("left", "right"):
            value = getattr(node, side)
            if isinstance(value, ast.Name) and value.id in STRIDES:
                yield "off by one", replaced(node, **{side: ast.BinOp(value, ast.Add(), ast.Constant(1))})


def skipped(node: ast.AST) -> Iterator[Change]:
    """A call that is not made."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not declares(node.value):
        yield "skipped call", ast.Pass()


def swapped(node: ast.AST) -> Iterator[Change]:
    """Another operator, comparison or function of the same form; a condition that is reversed."""
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPPED:
        yield "other operator", replaced(node, op=SWAPPED[type(node.op)]())
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SWAPPED:
        yield "comparison", replaced(node, ops=[SWAPPED[type(node.ops[0])]()])
    if isinstance(node, ast.If | ast.IfExp):
        yield "condition", replaced(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Attribute) and node.attr in NAMES and isinstance(node.value, ast.Name) and node.value.id in ("xp", "np", "F"):
        yield "other operator", replaced(node, attr=NAMES[node.attr])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "sign", node.operand


KINDS: tuple[Callable[[ast.AST], Iterator[Change]], ...] = (scaled, bordered, turned, forgotten, stepped, skipped, swapped)


def replaced(node: ast.AST, **fields: object) -> ast.AST:
    found = type(node)(**{name: getattr(node, name) for name in node._fields})
    for name, value in fields.items():
        setattr(found, name, value)
    return found


@dataclass(frozen=True)
class Place:
    """Where a node stands: its function, and the operator's row and rule."""

    function: str = ""
    row: str = ""
    rule: str = ""

    def into(self, node: ast.AST) -> Place:
        if isinstance(node, ast.FunctionDef | ast.Lambda) and node.args.args and node.args.args[0].arg == "g":
            return replace(self, rule="grad", function=getattr(node, "name", self.function))
        if isinstance(node, ast.FunctionDef):
            return replace(self, function=node.name)
        if isinstance(node, ast.Call) and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and SIGNATURE.match(first.value):
                return replace(self, row=first.value.partition("(")[0])
        if isinstance(node, ast.keyword) and self.row and node.arg in ("eval", "grad"):
            return replace(self, rule=node.arg)
        return self


def declares(node: ast.Call) -> bool:
    """Whether a call is the row of an operator."""
    return isinstance(node.func, ast.Name) and node.func.id == "op"


def left_out(node: ast.AST) -> bool:
    """What is not of the subject: samples of tests, imports, words of messages, types, decorators, what only type checkers read."""
    if isinstance(node, ast.FunctionDef):
        result = ast.unparse(node.returns) if node.returns else ""
        return result in ("Sampler", "list[Case]") or any(arg.arg == "rng" for arg in node.args.args)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in SAMPLERS or node.func.id.endswith("_cases")
    if isinstance(node, ast.keyword):
        return node.arg in ("sample", "doc", "example")
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return node.value is None or (isinstance(target, ast.Name) and target.id in SAMPLES)
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Raise | ast.Assert | ast.JoinedStr)


def parts(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    """The children that count, with the field they stand in."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
            continue
        if isinstance(value, ast.AST):
            yield name, None, value
        elif isinstance(value, list):
            yield from ((name, at, item) for at, item in enumerate(value) if isinstance(item, ast.AST))


def changes(tree: ast.Module) -> Iterator[tuple[Mutant, Callable[[], None]]]:
    """Every fault of a tree, with what plants it there."""
    number = 0
    todo: list[tuple[ast.AST, Place]] = [(tree, Place())]
    while todo:
        node, place = todo.pop()
        for name, at, child in parts(node):
            if left_out(child):
                continue
            inner = place.into(child)
            todo.append((child, inner))
            for kind in KINDS:
                for label, new in kind(child):
                    yield (
                        Mutant(number, label, getattr(child, "lineno", 0), short(child), short(new), inner.function, inner.row, inner.rule),
                        lambda node=node, name=name, at=at, new=new: plant(node, name, at, new),
                    )
                    number += 1


def plant(node: ast.AST, name: str, at: int | None, new: ast.AST) -> None:
    if at is None:
        setattr(node, name, new)
    else:
        getattr(node, name)[at] = new


def short(node: ast.AST) -> str:
    """A node as text, one line of it."""
    text = ast.unparse(ast.fix_missing_locations(deepcopy(node))).split("\n")[0]
    return text if len(text) <= 80 else f"{text[:77]}..."


def mutants(source: str) -> list[Mutant]:
    return [mutant for mutant, _ in changes(ast.parse(source))]


def mutated(source: str, number: int) -> ast.Module:
    """The tree with the fault of this number."""
    tree = ast.parse(source)
    for mutant, plant_it in changes(tree):
        if mutant.number == number:
            plant_it()
            return ast.fix_missing_locations(tree)
    raise ValueError(f"there is no fault {number}")
