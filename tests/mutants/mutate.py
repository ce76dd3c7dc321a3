"""Faults planted into a source: every place of a syntax tree where one of the kinds fits, and the tree with one of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace

from tests.mutants.left_out import left_out


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
ROWS = ("op", "activation", "pair")  # what makes rows
SIGNATURE = re.compile(r"\w+\(.*\) -> ")  # of an operator
ARRAYS = ("xp", "g", "h", "x", "a", "v", "y")  # what a function of arrays calls the first of its arguments
COMPUTED = ("multiply", "divide", "subtract", "matmul", "exp", "log", "sqrt", "einsum")
FIRST_AXIS = {"axis": ast.Constant(0), "axes": ast.Tuple([ast.Constant(0)], ast.Load())}
BUILT_IN = ("len", "set", "list", "tuple", "isinstance", "enumerate")  # take no axis
MOVES = ("transpose", "swapaxes", "moveaxis")
FOLDERS = ("folder", "path", "parent")
STRIDES = ("stride", "strides", "step", "dilation", "kernel", "count", "size", "offset")
ACCUMULATED = ast.parse("np.copyto", mode="eval").body
AFTERWARDS = "(lambda step: lambda: (lambda y: np.multiply(y, 1.0001, y))(step()))"


def scaled(node: ast.AST) -> Iterator[Change]:
    """What a rule, a function or one step of a kernel computes, times 1.0001."""
    if isinstance(node, ast.Lambda) and of_arrays(node) and isinstance(node.body, ast.BinOp | ast.Call | ast.UnaryOp):
        yield "scale", replaced(node, body=more(node.body))
    if isinstance(node, ast.Return) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Mult | ast.Div):
        yield "scale", replaced(node, value=more(node.value))
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Mult | ast.Div):
        yield "scale", replaced(node, value=more(node.value))
    if isinstance(node, ast.Call) and bound(node) in COMPUTED:
        yield "scale", ast.Call(ast.parse(AFTERWARDS, mode="eval").body, [node], [])
    if isinstance(node, ast.Constant) and type(node.value) is float:
        yield "scale", ast.Constant(node.value * 1.0001 if node.value else 1e-4)


def more(node: ast.expr) -> ast.BinOp:
    return ast.BinOp(node, ast.Mult(), ast.Constant(1.0001))


def of_arrays(node: ast.Lambda) -> bool:
    """Whether its result is an array: that of a condition or of a type is none."""
    called = node.body.func if isinstance(node.body, ast.Call) else None
    made = called.id if isinstance(called, ast.Name) else ""
    return bool(node.args.args) and node.args.args[0].arg in ARRAYS and not made.endswith("Type")


def bound(node: ast.Call) -> str:
    """The function of NumPy that `partial(np.NAME, ...)` binds."""
    if isinstance(node.func, ast.Name) and node.func.id == "partial" and isinstance(node.args[0], ast.Attribute):
        return node.args[0].attr if ast.unparse(node.args[0].value) == "np" else ""
    return ""


def bordered(node: ast.AST) -> Iterator[Change]:
    """One place less at a border of a slice."""
    if isinstance(node, ast.Slice) and node.upper is not None:
        yield "border", replaced(node, upper=ast.BinOp(node.upper, ast.Sub(), ast.Constant(1)))
    if isinstance(node, ast.Slice) and node.lower is not None:
        yield "border", replaced(node, lower=ast.BinOp(node.lower, ast.Add(), ast.Constant(1)))


def turned(node: ast.AST) -> Iterator[Change]:
    """Another axis, another part of a shape, axes that are not moved."""
    if isinstance(node, ast.keyword) and node.arg in FIRST_AXIS:
        yield "axis", replaced(node, value=ast.Constant(1) if number_of(node.value) == 0 else FIRST_AXIS[node.arg])
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
        at = number_of(node.slice)
        if at is not None:
            yield "axis", replaced(node, slice=ast.Constant(at - 1 if at else -1))
    if isinstance(node, ast.Call):
        for at, given in enumerate(node.args):
            if isinstance(given, ast.Name) and given.id in FIRST_AXIS and ast.unparse(node.func) not in BUILT_IN:
                yield "axis", replaced(node, args=[*node.args[:at], FIRST_AXIS[given.id], *node.args[at + 1 :]])
        if isinstance(node.func, ast.Attribute) and node.func.attr in MOVES:
            module = isinstance(node.func.value, ast.Name) and node.func.value.id in ("np", "xp", "F")
            yield "axis", node.args[0] if module else node.func.value


def number_of(node: ast.AST) -> int | None:
    """A whole number that is written as such."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = number_of(node.operand)
        return None if inner is None else -inner
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def forgotten(node: ast.AST) -> Iterator[Change]:
    """A sum of which one part is missing."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        yield "accumulation", ast.Assign([node.target], node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield "accumulation", node.left
    if isinstance(node, ast.Call) and bound(node) == "add" and len(node.args) >= 3:
        into, part = node.args[1:3]
        outs = [*node.args[3:], *(item.value for item in node.keywords if item.arg == "out")]
        if [ast.unparse(out) for out in outs] == [ast.unparse(into)]:
            yield "accumulation", replaced(node, args=[ACCUMULATED, into, part], keywords=[])


def stepped(node: ast.AST) -> Iterator[Change]:
    """A stride, or a whole number, that is one more."""
    if isinstance(node, ast.Slice) and node.step is not None:
        yield "stride", replaced(node, step=ast.BinOp(node.step, ast.Add(), ast.Constant(1)))
    if isinstance(node, ast.BinOp):
        for side in ("left", "right"):
            value = getattr(node, side)
            if isinstance(value, ast.Name | ast.Attribute) and named(value) in STRIDES:
                yield "stride", replaced(node, **{side: ast.BinOp(value, ast.Add(), ast.Constant(1))})
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield "off by one", ast.Constant(node.value + 1)


def named(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def skipped(node: ast.AST) -> Iterator[Change]:
    """A call that is not made."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not declares(node.value):
        yield "skipped call", ast.Pass()


def swapped(node: ast.AST) -> Iterator[Change]:
    """Another operator, comparison or function of the same form; a condition that is reversed."""
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPPED and not of_text(node):
        yield "other operator", replaced(node, op=SWAPPED[type(node.op)]())
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SWAPPED:
        yield "comparison", replaced(node, ops=[SWAPPED[type(node.ops[0])]()])
    if isinstance(node, ast.If | ast.IfExp):
        yield "condition", replaced(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Attribute) and node.attr in NAMES and isinstance(node.value, ast.Name) and node.value.id in ("xp", "np", "F"):
        yield "other operator", replaced(node, attr=NAMES[node.attr])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "sign", node.operand


def of_text(node: ast.BinOp | ast.BoolOp) -> bool:
    """Whether it joins paths or texts, which know no other operator."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return isinstance(node.left, ast.Name | ast.Attribute) and named(node.left) in FOLDERS
    return isinstance(node.op, ast.Add) and any(
        isinstance(part, ast.Constant) and type(part.value) is str for part in (node.left, node.right)
    )


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
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and (declares(node) or SIGNATURE.match(first.value)):
                return replace(self, row=first.value.partition("(")[0])
        if isinstance(node, ast.keyword) and self.row and node.arg in ("eval", "grad"):
            return replace(self, rule=node.arg)
        return self


def declares(node: ast.Call) -> bool:
    """Whether a call is the row of an operator, or names a tuned kernel, without which another does the same."""
    if isinstance(node.func, ast.Call):
        return isinstance(node.func.func, ast.Attribute) and node.func.func.attr == "tune"
    return isinstance(node.func, ast.Name) and node.func.id in ROWS


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
