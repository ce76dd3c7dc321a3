"""Calls: binding arguments to parameters (R3), and which kind of thing is called."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from dslc.diagnostics import Edit, Fix, Label
from dslc.elaborate import apply, errors, kinds, names
from dslc.elaborate.evaluation import as_tensor, evaluate, tensor
from dslc.elaborate.frame import Frame
from dslc.elaborate.suggest import certain, listed, meant, nearest, rename
from dslc.elaborate.values import POISON, BlockValue, LayerValue, NetworkDecl, OperatorValue, Poison, Value, words_of
from dslc.ir.types import DType
from dslc.source import Span
from dslc.syntax import ast
from dslc.syntax.tokens import SOFT


@dataclass(slots=True)
class Site:
    """A call as it is written. `piped`: value, place and expression of what stands before `->`; `last`: nothing follows in its chain.

    `first`: the value of the first argument by position, where it had to be known before the call is bound.
    """

    path: tuple[ast.Name, ...]
    args: tuple[ast.Arg, ...]
    span: Span
    node: ast.Node
    piped: tuple[Value, Span, ast.Expr | None] | None = None
    alias: ast.Name | None = None
    last: bool = True
    first: Value = None

    @property
    def name(self) -> str:
        return self.path[0].id if len(self.path) == 1 else ".".join(part.id for part in self.path)

    @property
    def name_span(self) -> Span:
        return self.path[0].span.to(self.path[-1].span)


@dataclass(frozen=True)
class Slot:
    """A parameter as binding sees it. `kind`: the type of a setting, "" for a tensor; `variadic` takes all that is left by position.

    `default`: the value of a setting whose default is written as a number, text or truth value.
    """

    name: str
    kind: str
    required: bool
    variadic: bool = False
    label: Span | None = None
    default: Value = None


@dataclass(slots=True)
class Given:
    """An argument: an expression, or a value that was piped in. `span` is where messages point, `text` what was written."""

    span: Span
    expr: ast.Expr | None = None
    value: Value = None
    name_span: Span | None = None
    written: Span | None = None

    @property
    def text(self) -> str:
        return (self.written or self.span).flat


Caller = Callable[[Frame, Any, Site, str], Value]
CALLERS: dict[str, Caller] = {}
"""Filled by the modules: "block", "operator", "network", "layer" call such a target, "new layer" makes a layer of one."""


def call(frame: Frame, site: Site, want: str = "") -> Value:
    """The result of a call; `Several` if there is more than one. `want` is "layer" where a layer is expected."""
    target = names.callee(frame, site.path)
    if isinstance(target, Poison):
        evaluate_all(frame, site)
        return POISON
    if want == "layer" and isinstance(target, (BlockValue, OperatorValue)):
        return CALLERS["new layer"](frame, target, site, want)
    return CALLERS[KINDS[type(target)]](frame, target, site, want)


KINDS: dict[type, str] = {LayerValue: "layer", BlockValue: "block", OperatorValue: "operator", NetworkDecl: "network"}


def evaluate_all(frame: Frame, site: Site) -> None:
    """Evaluate the arguments of a call that cannot be made, for the errors in them."""
    for arg in site.args:
        if not isinstance(arg.value, ast.Name):
            evaluate(frame, arg.value, "several")


def bind(frame: Frame, site: Site, callee: str, slots: Sequence[Slot], signature: str = "") -> dict[str, list[Given]] | None:
    """Arguments by parameter (a list: several for a variadic one). None, with everything reported, where they do not fit."""
    bound: dict[str, list[Given]] = {}
    by_name = {outside(slot.name): slot for slot in slots} if any(arg.name is not None for arg in site.args) else {}
    good = True
    positional = [piped(site)] if site.piped is not None else []
    named: list[ast.Arg] = []
    for arg in site.args:
        if arg.name is not None:
            named.append(arg)
            continue
        if named:
            frame.report(errors.PositionalAfterNamed(span=arg.span))
            good = False
        positional.append(Given(arg.span, arg.value, None if positional else site.first))
    if not good:
        return None
    good = fill(frame, site, callee, slots, positional, bound)
    for arg in named:
        assert arg.name is not None
        slot = by_name.get(arg.name.id)
        if slot is None:
            free = [name for name, slot in by_name.items() if slot.name not in bound]
            frame.report(unknown_argument(callee, arg.name, free or by_name, by_name))
            good = False
        elif slot.name in bound:
            labels: tuple[Label, ...] = (Label(bound[slot.name][0].span, "given here first"),)
            frame.report(errors.ArgumentTwice(span=arg.span, callee=callee, name=arg.name.id, labels=labels))
            good = False
        else:
            bound[slot.name] = [Given(arg.value.span, arg.value, name_span=arg.name.span)]
    for slot in slots:
        if good and slot.required and slot.name not in bound:
            labels = (Label(slot.label, "declared here"),) if slot.label is not None else ()
            frame.report(
                errors.MissingArgument(span=site.span, callee=callee, name=slot.name, signature=signature or callee, labels=labels)
            )
            good = False
    return bound if good else None


def outside(name: str) -> str:
    """The name by which a parameter is given: `weight` for `weight_`, which a block cannot call by the keyword (R3)."""
    return name[:-1] if name.endswith("_") and name[:-1] in SOFT else name


def unknown_argument(callee: str, name: ast.Name, free: Collection[str], every: Collection[str]) -> errors.UnknownArgument:
    """A name that no parameter has; `free`: those that nothing was given for yet."""
    advice = "write the function after it, for example `-> relu`; " if name.id == "activation" else ""
    near = "" if advice else nearest(name.id, free)
    fix, known = rename(name.span, near, free), listed(every, 20)
    return errors.UnknownArgument(span=name.span, callee=callee, name=name.id, meant=meant(near), known=known, advice=advice, fix=fix)


def piped(site: Site) -> Given:
    """What stands before `->`: messages point at the stage that takes it."""
    assert site.piped is not None
    value, span, expr = site.piped
    return Given(site.name_span, expr, value, written=span)


def fill(
    frame: Frame, site: Site, callee: str, slots: Sequence[Slot], positional: list[Given], bound: dict[str, list[Given]]
) -> bool:  # fmt: skip
    """Give values by position to the parameters in order."""
    at = 0
    for slot in slots:
        if at >= len(positional):
            return True
        if slot.variadic:
            bound[slot.name] = positional[at:]
            return True
        bound[slot.name] = [positional[at]]
        at += 1
    if at < len(positional):
        extra = positional[at]
        frame.report(errors.TooManyArguments(span=extra.span, callee=callee, given=str(len(positional)), takes=str(len(slots))))
        return False
    return True


def setting(frame: Frame, callee: str, slot: Slot, given: Given) -> Value:
    """The value of a setting, checked against its type."""
    value = evaluate(frame, given.expr, slot.kind) if given.expr is not None and given.value is None else given.value
    return fitted(frame, callee, slot, value, given)


def fitted(frame: Frame, callee: str, slot: Slot, value: Value, given: Given) -> Value:
    converted = kinds.convert(slot.kind, value)
    if converted is None:
        return frame.report(wrong_kind(callee, slot, value, given))
    return converted


PADDINGS = {"valid": ("0", "no padding is `pad=0`"), "none": ("0", "no padding is `pad=0`")}


def wrong_kind(callee: str, slot: Slot, value: Value, given: Given) -> errors.WrongKind:
    """A value of another kind than the setting's; words of other libraries have their fix."""
    right, action = "", ""
    if slot.kind == "padding" and isinstance(value, str):
        right, action = PADDINGS.get(value.lower(), ('"same"' if certain(value.lower(), "same") else "", ""))
    fix = Fix(f"write `{right}`", (Edit(given.span, right),)) if right and given.expr is not None else None
    wanted, found = kinds.words(slot.kind), kinds.described(slot.kind, value)
    return errors.WrongKind(span=given.span, callee=callee, name=slot.name, wanted=wanted, found=found, action=action, fix=fix)


def tensor_argument(frame: Frame, given: Given) -> Value:
    """A tensor, or a number that stands for one."""
    if given.value is None and given.expr is not None:
        return tensor(frame, given.expr)
    return as_tensor(frame, given.value, given.span, given.written or given.span)


def wrong_number(callee: str, name: str, value: Value, dtype: DType, span: Span) -> errors.WrongKind | None:
    """Why a number or truth value cannot stand for a tensor of this dtype; it never changes its kind."""
    if (dtype.is_float or not isinstance(value, float)) and isinstance(value, bool) == (dtype is DType.bool):
        return None
    return errors.WrongKind(span=span, callee=callee, name=name, wanted=f"of type {dtype}", found=words_of(value))


def number_argument(frame: Frame, callee: str, name: str, value: Value, dtype: DType, span: Span) -> Value:
    """A number or truth value given for a tensor of this dtype."""
    wrong = wrong_number(callee, name, value, dtype, span)
    return apply.scalar(frame, value, dtype, span) if wrong is None else frame.report(wrong)
