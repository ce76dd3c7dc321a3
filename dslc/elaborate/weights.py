"""Weights, states and updates."""

from __future__ import annotations

from dslc.diagnostics import Label
from dslc.elaborate import apply, errors, patterns
from dslc.elaborate.evaluation import evaluate
from dslc.elaborate.frame import Frame
from dslc.elaborate.values import POISON, Binding, Poison, Value, is_number, is_scalar, size, words_of
from dslc.ir.types import TensorType
from dslc.ops.value import Val
from dslc.program import Init, State, Weight
from dslc.source import Span
from dslc.syntax import ast
from dslc.vocabulary import INITIALISERS


def weight(frame: Frame, node: ast.Weight) -> None:
    """`weight w: [a, b] = init`: made once for each address, read by every expansion of the same layer."""
    value = declared_weight(frame, node)
    frame.scope.assign(node.name.id, Binding(value, node.name.span, "weight"))


def declared_weight(frame: Frame, node: ast.Weight) -> Value:
    type = patterns.resolve(frame, node.type)
    init = initial(frame, node.init)
    if type is None or init is None:
        return POISON
    if not type.dtype.is_float:
        return frame.report(errors.WrongType(span=node.type.span, what="a weight", wanted="a float tensor", found=str(type)))
    if not fixed(frame, f"the weight `{node.name.id}`", type, node.type.span) or not apply.within_limits(frame, type, node.type.span):
        return POISON
    if not suits(frame, init, type, node.init.span):
        return POISON
    address = frame.at(node.name.id)
    known = frame.tape.root.weights.get(address)
    if known is not None and known.type != type:
        return frame.report(errors.LayerMismatch(span=node.type.span, address=address, first=str(known.type), second=str(type)))
    if known is None:
        shown = frame.shown(node.span)
        known = Weight.made({"address": address, "type": type, "init": init, "place": shown.place})
        frame.tape.root.weights[address], frame.tape.root.spans[address] = known, shown
    return frame.tape.root.weight(known)


def fixed(frame: Frame, what: str, type: TensorType, span: Span) -> bool:
    """Sizes of weights, and of states of networks, are known when the spec is compiled."""
    names = sorted(type.names)
    if not names:
        return True
    listed = " and ".join(f"`{name}`" for name in names)
    frame.report(errors.SymbolicWeight(span=span, what=what, type=str(type), names=listed))
    return False


def suits(frame: Frame, init: Init, type: TensorType, span: Span) -> bool:
    """An initialiser for matrices or kernels stands at one."""
    rank = INITIALISERS[init.name].rank
    if type.rank >= rank:
        return True
    frame.report(errors.WrongType(span=span, what=f"a weight with `{init.name}`", wanted=f"of {rank} axes at least", found=str(type)))
    return False


def initial(frame: Frame, node: ast.Expr) -> Init | None:
    """An initialiser, or a number that stands for `constant(number)`."""
    value = evaluate(frame, node, "init")
    if isinstance(value, Init):
        return value
    if is_number(value):
        return Init(name="constant", args={"value": float(value)})
    if not isinstance(value, Poison):
        frame.report(errors.WrongType(span=node.span, what="this", wanted="an initialiser or a number", found=words_of(value)))
    return None


# ---- states ------------------------------------------------------------------------------------------------------------------


def state(frame: Frame, node: ast.State) -> None:
    """`state a, b: [c] = init`: reads give the value before the step (R14)."""
    tensors = frame.kind == "generate" and node.type is None
    for name in node.names:
        value = from_tensor(frame, node, name) if tensors else declared_state(frame, node, name)
        frame.scope.assign(name.id, Binding(value, name.span, "state"))


def declared_state(frame: Frame, node: ast.State, name: ast.Name) -> Value:
    if node.type is None:
        return frame.report(errors.WrongType(span=name.span, what=f"`{name.id}`", wanted="a state with a type", found="one without"))
    type = patterns.resolve(frame, node.type)
    init = initial(frame, node.init)
    if type is None or init is None:
        return POISON
    inner = frame.kind in ("block", "network")
    if inner and not fixed(frame, f"the state `{name.id}`", type, node.type.span):
        return POISON
    if not apply.within_limits(frame, type, node.type.span) or not suits(frame, init, type, node.init.span):
        return POISON
    scope, place = "network" if inner else "train", frame.place(name.span)
    known = State.made({"address": frame.at(name.id), "type": type, "init": init, "scope": scope, "place": place})
    return add_state(frame, known, name, node.type.span)


def add_state(frame: Frame, known: State, name: ast.Name, span: Span) -> Value:
    first = frame.tape.root.states.setdefault(known.address, known)
    if first.type != known.type:
        return frame.report(errors.LayerMismatch(span=span, address=known.address, first=str(first.type), second=str(known.type)))
    frame.states[name.id] = known.address
    return frame.tape.root.input("state", known.address, known.type, known.place)


def from_tensor(frame: Frame, node: ast.State, name: ast.Name) -> Value:
    """`state h = enc.h` in `generate`: starts from a value of the first evaluation."""
    value = evaluate(frame, node.init)
    if not isinstance(value, Val):
        if not isinstance(value, Poison):
            wanted = "a tensor, or a number with a type before it"
            frame.report(errors.WrongType(span=node.init.span, what=f"the start of `{name.id}`", wanted=wanted, found=words_of(value)))
        return POISON
    address = frame.at(name.id)
    frame.body.starts[address] = value
    known = State(address=address, type=value.type, init=Init(name="zeros"), scope="train", place=frame.place(name.span))
    return add_state(frame, known, name, node.init.span)


def update(frame: Frame, node: ast.Update) -> None:
    """`update s = e`: takes effect after the step, once for each state."""
    value = evaluate(frame, node.value)
    address = frame.states.get(node.name.id)
    if address is None:
        binding = frame.scope.find(node.name.id)
        if binding is not None and binding.value is not POISON:  # a name that nothing binds is reported with the names
            labels = (Label(binding.span, "bound here"),)
            frame.report(errors.NotAState(span=node.name.span, name=node.name.id, labels=labels))
        return
    known = frame.tape.root.states[address]
    if not isinstance(value, (Val, Poison)) and is_scalar(value):
        value = apply.weak(frame, "update", value, known.type.dtype, node.value.span)
        if isinstance(value, Val) and known.type.rank:
            shape = tuple(size(dim) for dim in known.type.shape)
            value = apply.emit(frame, "broadcast", (value,), {"shape": shape}, node.value.span)
    if isinstance(value, Poison):
        return
    if not isinstance(value, Val):
        frame.report(errors.WrongType(span=node.value.span, what=f"`{node.name.id}`", wanted=str(known.type), found=words_of(value)))
        return
    if value.type != known.type:
        text = f"the state `{node.name.id}` is {known.type}, and its update is {value.type}"
        frame.report(errors.ShapeMismatch(span=node.value.span, message_text=text, here=str(value.type)))
        return
    updates = frame.tape.root.updates
    first = updates.get(address)
    if first is not None and (first[1].source.path, first[1].start) != (node.span.source.path, node.span.start):
        frame.report(errors.DuplicateUpdate(span=node.span, name=node.name.id, labels=(Label(first[1], "the first one"),)))
        return
    updates[address] = (value, node.span)
