"""Calls of the vocabulary's words (`normal(std=0.02)`, `sgd(0.1)`): bound, checked, with their defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from dslc.diagnostics import Edit, Fix
from dslc.elaborate import errors, kinds
from dslc.elaborate.calls import Given, Site, Slot, bind
from dslc.elaborate.evaluation import evaluate
from dslc.elaborate.frame import Frame
from dslc.elaborate.suggest import listed, meant, nearest, rename
from dslc.elaborate.values import POISON, Value, is_number, is_poison, text_of
from dslc.ops.infer import literal
from dslc.program import Init
from dslc.syntax import ast
from dslc.vocabulary import INITIALISERS, Range, Word

NAMES = "names"  # a string or a list of strings
NONE = object()


def named(frame: Frame, node: ast.Name) -> Value | None:
    """An initialiser by its bare name; None if the name means something else here."""
    if frame.scope.find(node.id) is not None or frame.file.find(node.id) is not None or node.id not in INITIALISERS:
        return None
    return default(node.id) or init_of(frame, INITIALISERS[node.id], Site(path=(node,), args=(), span=node.span, node=node))


@cache
def default(name: str) -> Init | None:
    """An initialiser as its bare name gives it; None where an argument has no default."""
    found: dict[str, Any] = {}
    for parm in INITIALISERS[name].signature.parms:
        if parm.default is None:
            return None
        found[parm.name.id] = None if is_none(parm.default) else literal(parm.default)
    return Init(name=name, args=found)


def called(frame: Frame, node: ast.Call) -> Value | None:
    """An initialiser with arguments; None if something else is called."""
    if not isinstance(node.func, ast.Name) or frame.scope.find(node.func.id) is not None:
        return None
    word = INITIALISERS.get(node.func.id)
    if word is None:
        return None
    return init_of(frame, word, Site(path=(node.func,), args=node.args, span=node.span, node=node))


def init_of(frame: Frame, word: Word, site: Site) -> Value:
    bound = arguments(frame, word, site)
    return POISON if bound is None else Init(name=word.name, args=bound)


def slots_of(word: Word) -> list[Slot]:
    """The parameters of a word."""
    return [Slot(parm.name.id, kind(parm), parm.default is None) for parm in word.signature.parms]


def kind(parm: ast.Parm) -> str:
    return kinds.kind_text(parm.type)


def arguments(frame: Frame, word: Word, site: Site, extra: Mapping[str, Range] | None = None) -> dict[str, Any] | None:
    """The arguments of a word by name, defaults filled in; None, with everything reported, where they do not fit."""
    bound = bind(frame, site, word.name, slots_of(word), word.text)
    if bound is None:
        return None
    found: dict[str, Any] = {}
    good = True
    for parm in word.signature.parms:
        name = parm.name.id
        if name not in bound:
            found[name] = None if is_none(parm.default) else literal(parm.default) if parm.default is not None else None
            continue
        value = argument(frame, word, name, kind(parm), bound[name][0])
        good = good and not is_poison(value)
        found[name] = value
    return found if good and ordered(frame, word, site, found) and complete(frame, word, site, found) else None


def complete(frame: Frame, word: Word, site: Site, found: Mapping[str, Any]) -> bool:
    """A flag that needs a number (`nesterov` a `momentum`) has it."""
    for flag, number in word.needs.items():
        if found[flag] and not found[number]:
            wanted = f"false, or `{number}` above 0"
            frame.report(errors.WrongKind(span=site.span, callee=word.name, name=flag, wanted=wanted, found=f"true with `{number}` 0"))
            return False
    return True


def ordered(frame: Frame, word: Word, site: Site, found: Mapping[str, Any]) -> bool:
    """`low` is below `high`."""
    if word.ordered is None or found[word.ordered[0]] < found[word.ordered[1]]:
        return True
    low, high = word.ordered
    diagnostic = errors.WrongKind(
        span=site.span, callee=word.name, name=high, wanted=f"above `{low}`, {text_of(found[low])}", found=text_of(found[high])
    )
    frame.report(diagnostic)
    return False


def is_none(default: ast.Expr | None) -> bool:
    return isinstance(default, ast.Name) and default.id == "none"


def argument(frame: Frame, word: Word, name: str, kind: str, given: Given) -> Value:
    """One argument, checked against its type and range."""
    value = evaluate(frame, given.expr) if given.value is None and given.expr is not None else given.value
    if is_poison(value):
        return POISON
    converted = convert(kind, value)
    if converted is None:
        diagnostic = errors.WrongKind(span=given.span, callee=word.name, name=name, wanted=words(kind), found=kinds.described(kind, value))
        return frame.report(diagnostic)
    wanted = outside(word, name, converted)
    if wanted:
        found = text_of(converted)
        return frame.report(errors.WrongKind(span=given.span, callee=word.name, name=name, wanted=wanted, found=found))
    return converted


def outside(word: Word, name: str, value: Value) -> str:
    """What an argument must be, where it is not: its range, its choices, a list that rises; "" where it is."""
    limits, choices = word.ranges.get(name), word.choices.get(name)
    if choices is not None and value not in choices:
        return "one of " + ", ".join(f'"{choice}"' for choice in choices)
    if limits is None:
        return ""
    if is_number(value):
        return "" if limits.holds(value) else str(limits)
    items = value if isinstance(value, tuple) else ()
    if not items or any(not limits.holds(item) for item in items):
        return f"a list of numbers {limits}"
    return "" if all(a < b for a, b in pairwise(items)) else "a list of numbers that rise"


def convert(kind: str, value: Value) -> Value | None:
    if kind != NAMES:
        return kinds.convert(kind, value)
    if isinstance(value, str):
        return value
    return kinds.convert("list[string]", value)


def words(kind: str) -> str:
    return "a string or a list of strings" if kind == NAMES else kinds.words(kind)


def not_a_word(what: str, table: Mapping[str, Word], node: ast.Expr) -> errors.SettingValue:
    """`optimizer: "adam"`: the word stands without quotes, with its arguments."""
    text = node.value if isinstance(node, ast.String) else ""
    word = table.get(text.lower()) or table.get(nearest(text, table))
    found = node.span.text if "\n" not in node.span.text and len(node.span.text) < 40 else "this"
    example = "" if word is None else f"{word.name}({', '.join(EXAMPLES.get(slot.name, '…') for slot in slots_of(word) if slot.required)})"
    certain = Fix(f"write `{example}`", (Edit(node.span, example),)) if example and "…" not in example else None
    action = f"write `{example}`, without quotes" if example else ""
    return errors.SettingValue(span=node.span, name=what, wanted=f"one of {listed(table)}", found=found, action=action, fix=certain)


EXAMPLES = {"rate": "0.001", "every": "10", "limit": "1"}


def word_call(frame: Frame, what: str, table: Mapping[str, Word], node: ast.Expr) -> tuple[Word, dict[str, Any]] | None:
    """A call of a word of this table, as a setting's value; a word without parameters that are required may stand alone."""
    func = node.func if isinstance(node, ast.Call) else node
    if not isinstance(func, ast.Name):
        frame.report(not_a_word(what, table, node))
        return None
    word = table.get(func.id)
    if word is None:
        near = nearest(func.id, table)
        fix = rename(func.span, near, table)
        frame.report(errors.NotOneOf(span=func.span, name=what, found=func.id, meant=meant(near), known=listed(table), fix=fix))
        return None
    args = node.args if isinstance(node, ast.Call) else ()
    bound = arguments(frame, word, Site(path=(func,), args=args, span=node.span, node=node))
    return None if bound is None else (word, bound)
