"""What a name stands for: locals, the file's names, the standard library, operators, built-in words (R1)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from dslc.diagnostics import Label
from dslc.elaborate import errors
from dslc.elaborate.frame import Frame
from dslc.elaborate.suggest import meant, nearest, rename
from dslc.elaborate.values import (
    POISON,
    BlockValue,
    LayerValue,
    NetworkDecl,
    OperatorValue,
    Poison,
    Value,
    words_of,
)
from dslc.ir.types import Dim, DType
from dslc.ops.table import TABLE, lookup
from dslc.syntax import ast
from dslc.syntax.scan import SOFT

BUILT_IN = ("training", "op", "std")
DTYPES = ("f32", "f64", "i32", "i64", "u8", "bool")
FUNCTIONS = ("tensor", "per_axis", "grad")  # known to the elaborator alone
CALLABLE = (LayerValue, BlockValue, OperatorValue, NetworkDecl)


@lru_cache(maxsize=1024)  # asked for each call
def operator(name: str) -> OperatorValue | None:
    """The operator of this name, if specs may call it."""
    if name in FUNCTIONS:
        return OperatorValue(name)
    try:
        row = lookup(name)
    except KeyError:
        return None
    return None if row.internal else OperatorValue(name)


def operators() -> tuple[str, ...]:
    return (*FUNCTIONS, *(name for name, row in TABLE.items() if not row.internal))


def built_in(frame: Frame, name: str) -> Value | None:
    if name == "training":
        frame.session.phase_read = True
        return frame.training
    if name == "batch" and frame.kind in ("train", "generate"):
        return Dim.of("batch")
    if name == "f32":  # the model's float (R10)
        return frame.session.precision
    return DType(name) if name in DTYPES else None


def value(frame: Frame, node: ast.Name) -> Value:
    """The value of a name; an error where it has none."""
    binding = frame.scope.find(node.id) or frame.file.find(node.id)
    if binding is not None:
        return binding.value
    found = built_in(frame, node.id)
    if found is not None:
        return found
    if (node.span.source.path, node.id) in frame.session.unknown:
        return POISON  # reported already
    kind = "a block of the standard library" if node.id in frame.session.library.std_names else "an operator" if operator(node.id) else ""
    if node.id in SOFT:
        return POISON  # a keyword as a name is reported by the parser
    if kind:
        return frame.report(errors.NotAValue(span=node.span, name=node.id, what=kind))
    near = (
        ""
        if frame.session.full
        else nearest(node.id, (*frame.scope.visible(), *frame.file.names, *frame.session.library.std_names, *operators()))
    )
    return frame.report(errors.UnknownName(span=node.span, name=node.id, meant=meant(near), fix=rename(node.span, near)))


def callee(frame: Frame, path: tuple[ast.Name, ...]) -> Value:
    """What a call calls: a layer, block, operator or network; POISON (reported) for anything else."""
    first, last = path[0], path[-1]
    if len(path) == 2 and first.id in ("op", "std") and frame.scope.find(first.id) is None:
        return primitive(frame, first.id, last)
    if len(path) > 1:
        if (first.span.source.path, first.id) in frame.session.unknown:
            return POISON  # reported already
        text = ".".join(part.id for part in path)
        return frame.report(errors.NotCallable(span=first.span.to(last.span), name=text, what="a value, no block or function"))
    binding = frame.scope.find(first.id) or frame.file.find(first.id)
    if binding is not None:
        if isinstance(binding.value, (*CALLABLE, Poison)):
            return binding.value
        labels = (Label(binding.span, f"`{first.id}` is bound here"),)
        return frame.report(errors.NotCallable(span=first.span, name=first.id, what=words_of(binding.value), labels=labels))
    found = frame.session.library.std(first.id) or operator(first.id)
    if found is not None:
        return found
    if (first.span.source.path, first.id) in frame.session.unknown:
        return POISON  # reported already
    near = "" if frame.session.full else nearest(first.id, callables(frame))
    return frame.report(errors.UnknownName(span=first.span, name=first.id, meant=meant(near), fix=rename(first.span, near)))


def callables(frame: Frame) -> Iterator[str]:
    """Names that can be called here, for suggestions."""
    for name in frame.scope.visible():
        binding = frame.scope.find(name)
        if binding is not None and isinstance(binding.value, CALLABLE):
            yield name
    yield from (name for name, binding in frame.file.names.items() if isinstance(binding.value, CALLABLE))
    yield from frame.session.library.std_names
    yield from operators()


def primitive(frame: Frame, where: str, node: ast.Name) -> Value:
    """`op.mean` and `std.conv`."""
    library = frame.session.library
    found = operator(node.id) if where == "op" else library.std(node.id)
    if found is not None:
        return found
    near = nearest(node.id, operators() if where == "op" else library.std_names)
    fix = rename(node.span, near)
    known = "the operators: `dslc ops`" if where == "op" else ", ".join(sorted(library.std_names))
    frame.report(errors.UnknownField(span=node.span, owner=where, name=node.id, meant=meant(near), known=known, fix=fix))
    return POISON
