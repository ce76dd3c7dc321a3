"""`param` values: default, import argument or override, with type and domain checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dslc.diagnostics import Label
from dslc.elaborate import errors, kinds
from dslc.elaborate.evaluation import evaluate
from dslc.elaborate.frame import Frame
from dslc.elaborate.suggest import meant, nearest, rename
from dslc.elaborate.values import POISON, Poison, Value, is_number, is_poison, text_of, words_of
from dslc.program import ParamValue
from dslc.source import Span
from dslc.syntax import ast


@dataclass(frozen=True)
class Setting:
    """A value that is given from outside the file. `span` is None where it comes from Python."""

    value: Value
    origin: str
    span: Span | None = None
    name_span: Span | None = None


Given = Mapping[str, Setting]


def value_of(frame: Frame, node: ast.Param, given: Given) -> Value:
    """The value of a param; POISON (reported) where it has none that fits."""
    kind = kinds.kind_text(node.type)
    if not kinds.is_setting(kind):
        known = ("int", "float", "bool", "string", "list[int]", "list[float]", "list[list[int]]")
        near = nearest(kind, known)
        fix = rename(node.type.span, near, known)
        return frame.report(errors.UnknownType(span=node.type.span, name=kind[:40], meant=meant(near), fix=fix))
    if kind == "layer":
        known_types = "a param is a number, a bool, a string, a dtype, an initialiser or a list; a block takes a layer"
        return frame.report(errors.UnknownType(span=node.type.span, name=kind, known=known_types))
    override = given.get(node.name.id)
    value: Value = POISON
    if node.default is not None:
        value = fitted(frame, node, kind, evaluate(frame, node.default, kind), node.default.span)
    elif override is None:
        return frame.report(errors.ParamMissing(span=node.name.span, name=node.name.id))
    if override is not None:
        value = fitted(frame, node, kind, override.value, override.span)
    return value


def fitted(frame: Frame, node: ast.Param, kind: str, value: Value, span: Span | None) -> Value:
    """The value in the param's type and domain."""
    if is_poison(value):
        return POISON
    converted = kinds.convert(kind, value)
    name = node.name.id
    labels = () if span is None or span.source is node.span.source else (Label(node.name.span, f"`{name}` is declared here"),)
    if converted is None:
        diagnostic = errors.ParamValue(
            span=span or node.name.span, name=name, wanted=kinds.words(kind), found=kinds.described(kind, value), labels=labels
        )  # fmt: skip
        return frame.report(diagnostic)
    return converted if in_domain(frame, node, converted, span, labels) else POISON


def in_domain(frame: Frame, node: ast.Param, value: Value, span: Span | None, labels: tuple[Label, ...]) -> bool:
    """`in low..high log` or `in [a, b]`."""
    if node.low is None:
        return True
    low = evaluate(frame, node.low)
    if node.high is None:
        if isinstance(low, Poison) or (isinstance(low, tuple) and value in low):
            return True
        if not isinstance(low, tuple):
            frame.report(errors.WrongType(span=node.low.span, what="a domain", wanted="`low..high` or a list", found=words_of(low)))
            return False
        return outside(frame, node, value, text_of(low), span, labels)
    high = evaluate(frame, node.high)
    if is_poison(low, high):
        return True
    if not (is_number(low) and is_number(high) and is_number(value)) or low >= high or (node.log and low <= 0):
        found = f"{text_of(low)}..{text_of(high)}" + (" log" if node.log else "")
        wanted = "a range of numbers with low < high" + (" and low > 0" if node.log else "")
        frame.report(errors.WrongType(span=node.low.span.to(node.high.span), what="a domain", wanted=wanted, found=found))
        return False
    if low <= value <= high:
        return True
    return outside(frame, node, value, f"{text_of(low)}..{text_of(high)}", span, labels)


def outside(frame: Frame, node: ast.Param, value: Value, domain: str, span: Span | None, labels: tuple[Label, ...]) -> bool:
    where = span or node.name.span
    frame.report(errors.ParamDomain(span=where, name=node.name.id, value=text_of(value), domain=domain, labels=labels))
    return False


def listed(frame: Frame, tree: ast.File, given: Given) -> tuple[ParamValue, ...]:
    """The params of the root file with their values and origins."""
    found = []
    for node in tree.statements:
        if not isinstance(node, ast.Param):
            continue
        override = given.get(node.name.id)
        origin = "spec" if override is None else override.origin
        value = frame.file.names[node.name.id].value
        found.append(
            ParamValue(name=node.name.id, type=kinds.kind_text(node.type), value=value, origin=origin, place=node.name.span.place)
        )  # fmt: skip
    return tuple(found)
