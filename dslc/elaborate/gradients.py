"""`grad(loss, x)`: the gradient of a scalar as a value of the same graph, which may be differentiated again."""

from __future__ import annotations

from dataclasses import replace

from dslc.diagnostics import SpecError
from dslc.elaborate import errors
from dslc.elaborate.calls import Given, Site, Slot, bind, tensor_argument
from dslc.elaborate.evaluation import as_tensor, evaluate, short
from dslc.elaborate.frame import Frame
from dslc.elaborate.session import NODE
from dslc.elaborate.values import POISON, Poison, Several, Value, words_of
from dslc.ops.value import Val
from dslc.source import Span
from dslc.syntax import ast

SLOTS = (Slot("loss", "", True), Slot("x", "", True, variadic=True))
SIGNATURE = "grad(loss, x, …)"
Target = tuple[Val, Span, str]


def grad(frame: Frame, site: Site) -> Value:
    """∂loss/∂x in the shape of x; several x give several results, a list of them a list."""
    bound = bind(frame, site, "grad", SLOTS, SIGNATURE)
    if bound is None:
        return POISON
    loss = scalar(frame, bound["loss"][0])
    values, listed = members(frame, bound["x"])
    checked = [target(frame, *value) for value in values]
    targets = [item for item in checked if not isinstance(item, Poison)]
    if isinstance(loss, Poison) or len(targets) != len(values):
        return POISON
    found = gradients(frame, loss, targets, bound["loss"][0].text, site.span)
    if found is None:
        return POISON
    return found if listed else found[0] if len(found) == 1 else Several(found)


def members(frame: Frame, given: list[Given]) -> tuple[list[tuple[Value, Span, str]], bool]:
    """What stands after the loss, with its place and text; the members of one list, and whether it was a list."""
    values = [(evaluate(frame, g.expr) if g.value is None and g.expr is not None else g.value, g.span, g.text) for g in given]
    value, span, text = values[0]
    if len(values) > 1 or not isinstance(value, tuple):
        return values, False
    written = given[0].expr.items if isinstance(given[0].expr, ast.List) and len(given[0].expr.items) == len(value) else None
    if written is None:
        return [(item, span, f"{text}[{at}]") for at, item in enumerate(value)], True
    return [(item, place.span, short(place.span.text)) for item, place in zip(value, written, strict=True)], True


def scalar(frame: Frame, given: Given) -> Value:
    """What is differentiated: one float."""
    value = tensor_argument(frame, given)
    if isinstance(value, Poison):
        return POISON
    if not isinstance(value, Val) or not value.type.dtype.is_float:
        return frame.report(errors.WrongKind(span=given.span, callee="grad", name="loss", wanted="a float tensor", found=words_of(value)))
    if value.type.rank:
        return frame.report(errors.GradientOfTensor(span=given.span, type=str(value.type)))
    return value


def target(frame: Frame, value: Value, span: Span, text: str) -> Target | Poison:
    """What is differentiated to: a float tensor."""
    value = as_tensor(frame, value, span, text)
    if isinstance(value, Poison):
        return POISON
    if not isinstance(value, Val):
        return frame.report(errors.WrongKind(span=span, callee="grad", name="x", wanted="a float tensor", found=words_of(value)))
    if not value.type.dtype.is_float:
        action = "take the gradient to the float value that is made of it"
        found = str(value.type)
        return frame.report(errors.WrongDtype(span=span, callee="grad", name="x", wanted="a float tensor", found=found, action=action))
    return value, span, text


def gradients(frame: Frame, loss: Val, targets: list[Target], text: str, span: Span) -> tuple[Val, ...] | None:
    """Run the rules of the rows backwards over the present graph; None (reported) where one of the gradients does not exist."""
    from dslc.passes.differentiate import Reverse

    tape = frame.tape
    tape.root.looks_outside = True
    builder, seed = tape.builder, tape.local(loss).id
    ids = [tape.local(value).id for value, _, _ in targets]
    frame.session.step(span, len(builder.nodes))
    reverse = Reverse(builder, builder.nodes, ids, ".grad")
    try:
        reverse.run(seed, frame.address, Meter(frame, span))
    except SpecError as error:
        for diagnostic in error.diagnostics:
            frame.report(replace(diagnostic, span=span))
        return None
    found = []
    for id, (_, place, name) in zip(ids, targets, strict=True):
        value = reverse.gradient(id)
        if value is None:
            frame.report(missing(frame, id, seed, name, text, place))
        else:
            found.append(value)
    return tuple(found) if len(found) == len(targets) else None


class Meter:
    """Fuel for the nodes that a differentiation writes, charged while it runs."""

    def __init__(self, frame: Frame, span: Span) -> None:
        self.frame, self.span = frame, span
        self.nodes = frame.tape.builder.nodes
        self.seen = len(self.nodes)

    def __call__(self) -> None:
        session, count = self.frame.session, len(self.nodes)
        session.step(self.span, (1 + NODE) * (count - self.seen))
        self.seen = count
        if count > session.most_nodes:
            session.stop(self.frame.located(session.too_many_nodes(self.span)))


def missing(frame: Frame, id: int, seed: int, name: str, text: str, span: Span) -> errors.NoGradient:
    """Why there is no gradient: no path at all, or an operator on every path that passes none on."""
    stopped = stops(frame, id, seed)
    reason = f"`{stopped}` on the way passes no gradient on" if stopped else f"`{text}` is not computed from it"
    action = "" if stopped else f"`{name}` must be the very value that `{text}` is computed from"
    return errors.NoGradient(span=span, name=name, text=text, reason=reason, action=action)


def stops(frame: Frame, id: int, seed: int) -> str:
    """The first operator between a value and the seed whose result has no gradient to it; "" where no path leads there."""
    from dslc.ops.table import lookup
    from dslc.passes.differentiate import input_names

    nodes = frame.tape.builder.nodes
    behind = {seed}
    for node in reversed(nodes):
        if not behind.isdisjoint(node.outputs):
            behind.update(node.inputs)
    reached, first = {id}, ""
    for node in nodes:
        if reached.isdisjoint(node.inputs) or behind.isdisjoint(node.outputs):
            continue
        rules = lookup(node.op).grad
        passing = any(i in reached and rules.get(name) is not None for i, name in zip(node.inputs, input_names(node), strict=True))
        if not passing or not any(frame.tape.builder.types[out].dtype.is_float for out in node.outputs):
            first = first or node.op
        reached.update(node.outputs)
    return first
