"""Networks: elaborated once for each phase, copied or elaborated again where they are called (R5, R7, R13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dslc.diagnostics import Label
from dslc.elaborate import apply, errors, names, patterns
from dslc.elaborate.blocks import fits_dtype, wrong_dtype
from dslc.elaborate.calls import CALLERS, Given, Site, Slot, bind, number_argument, tensor_argument, wrong_number
from dslc.elaborate.evaluation import evaluate, run_body
from dslc.elaborate.frame import Frame
from dslc.elaborate.scope import Scope
from dslc.elaborate.session import EXPANSION, Session
from dslc.elaborate.splice import Finished, fits, spliced
from dslc.elaborate.tape import Tape
from dslc.elaborate.values import (
    POISON,
    Binding,
    Group,
    NetworkDecl,
    NetworkValue,
    Poison,
    Several,
    Value,
    counted,
    is_number,
    is_poison,
    size,
    words_of,
)
from dslc.elaborate.walk import nodes
from dslc.ir.graph import Graph
from dslc.ir.types import Dim, TensorType
from dslc.ops.value import Builder, Val
from dslc.program import Network, Port
from dslc.source import Span
from dslc.syntax import ast

FRAMES = 9


@dataclass(eq=False)
class NetworkBody:
    """A network under construction. `given`: values of its inputs where it is called; None where it stands for itself."""

    decl: ast.Network
    given: Mapping[str, tuple[Value, Given]] | None
    inputs: dict[str, Port] = field(default_factory=dict)
    outputs: dict[str, tuple[Val, ast.Name]] = field(default_factory=dict)
    waiting: list[ast.Input] = field(default_factory=list)
    names: Mapping[str, Value] = field(default_factory=dict)  # what can be read of it: its top-level names but those of sizes
    doubtful: bool = False  # an output failed (reported)

    def run(self, frame: Frame) -> None:
        run_body(frame, self.decl.body)
        self.names = {name: binding.value for name, binding in frame.scope.names.items() if binding.kind != "dim"}

    def source(self, frame: Frame, name: ast.Name, value: ast.Expr) -> bool:
        return False

    # -- inputs

    def input(self, frame: Frame, node: ast.Input) -> None:
        """An input: a value of the graph, or the argument of the call."""
        default = self.default(frame, node)
        if self.given is None:
            value = self.declared(frame, node, default)
        elif node.name.id in self.given:
            value = self.passed(frame, node, *self.given[node.name.id])
        else:
            value = self.filled(frame, node, default)
        if value is POISON:
            poison_sizes(frame, node.type)
        frame.scope.declare(node.name.id, Binding(value, node.name.span, "input"))

    def default(self, frame: Frame, node: ast.Input) -> Value:
        if node.default is None:
            return None
        value = evaluate(frame, node.default)
        if is_number(value) or isinstance(value, (bool, Poison)):
            return value
        return frame.report(
            errors.WrongType(span=node.default.span, what="the default of an input", wanted="a number", found=words_of(value))
        )

    def declared(self, frame: Frame, node: ast.Input, default: Value) -> Value:
        """The input of the network's own graph; new names in its type are symbolic dims."""
        type = symbolic_type(frame, node)
        if type is None or not apply.within_limits(frame, type, node.type.span):
            return POISON
        if node.default is not None and not is_poison(default):
            wrong = wrong_number(self.decl.name.id, node.name.id, default, type.dtype, node.default.span)
            if wrong is not None:
                return frame.report(wrong)
        place = frame.place(node.name.span)
        port = Port(name=node.name.id, type=type, default=None if isinstance(default, Poison) else default, place=place)
        self.inputs[node.name.id] = port
        return frame.tape.input("input", node.name.id, type, place)

    def passed(self, frame: Frame, node: ast.Input, value: Value, given: Given) -> Value:
        """The argument of a call, checked against the declared type."""
        caller = frame.caller
        wanted = patterns.dtype_of(frame, node.type)
        if isinstance(value, Poison) or wanted is None or caller is None:
            return POISON
        name = self.decl.name.id
        if not isinstance(value, Val):
            value = number_argument(caller, name, node.name.id, value, wanted, given.span)
        if not isinstance(value, Val):
            return POISON
        if not fits_dtype(wanted, value.type.dtype):
            diagnostic = wrong_dtype(name, node.name.id, wanted, value.type, given.span)
            return caller.report(diagnostic)
        view = frame.inside(scope=frame.scope, caller=caller.caller, call_span=caller.call_span)
        view.kind, view.name = caller.kind, caller.name
        good = patterns.match(view, name, node.name.id, node.type, value.type, given.span)
        return value if good else POISON

    def filled(self, frame: Frame, node: ast.Input, default: Value) -> Value:
        """An input that the call leaves out: its default, in the declared shape."""
        if is_poison(default) or default is None:
            return POISON
        type = patterns.resolve(frame, node.type)
        if type is None:
            return POISON
        value = apply.weak(frame, node.name.id, default, type.dtype, node.name.span)
        if isinstance(value, Val) and type.rank:
            value = apply.emit(frame, "broadcast", (value,), {"shape": tuple(size(dim) for dim in type.shape)}, node.name.span)
        return value

    # -- outputs

    def output(self, frame: Frame, node: ast.Output) -> None:
        """`output a, b` publishes present values; `output n = e` also binds `n`."""
        if node.value is not None:
            self.bind(frame, node)
        for name in node.names:
            binding = frame.scope.find(name.id)
            if binding is None:
                names.value(frame, name)
            elif name.id in self.outputs and node.value is not None:
                self.doubtful = True  # rebinding what is published is reported with the names
            elif name.id in self.outputs:
                labels = (Label(self.outputs[name.id][1].span, "published here"),)
                frame.report(errors.OutputTwice(span=name.span, name=name.id, labels=labels))
            elif isinstance(binding.value, Val):
                self.outputs[name.id] = (binding.value, name)
            elif isinstance(binding.value, Poison):
                self.doubtful = True
            else:
                frame.report(errors.OutputKind(span=name.span, name=name.id, found=words_of(binding.value)))

    def bind(self, frame: Frame, node: ast.Output) -> None:
        assert node.value is not None
        value = evaluate(frame, node.value, "several")
        values: Sequence[Value] = value.values if isinstance(value, Several) else (value,)
        if len(values) != len(node.names):
            if not is_poison(*values):
                frame.report(
                    errors.ResultCount(span=node.span, names=counted(len(node.names), "name"), given=counted(len(values), "value"))
                )
            values = (POISON,) * len(node.names)
        for name, item in zip(node.names, values, strict=True):
            if is_number(item) or isinstance(item, Dim):
                item = apply.scalar(frame, item, frame.session.precision, node.value.span)
            frame.scope.assign(name.id, Binding(item, name.span))


def poison_sizes(frame: Frame, type: ast.Type) -> None:
    """The new names in the type of an input that failed: what reads them is no error of its own."""
    for item in type.dims or ():
        name = item.name if isinstance(item, ast.Rest) else item
        if isinstance(name, ast.Name) and name.id != "_" and frame.scope.find(name.id) is None and frame.file.find(name.id) is None:
            frame.scope.declare(name.id, Binding(POISON, name.span, "dim"))


def symbolic_type(frame: Frame, node: ast.Input) -> TensorType | None:
    """The type of an input; names that are new are symbolic dims of the network from here on."""
    for item in node.type.dims or ():
        if isinstance(item, ast.Name) and item.id != "_":
            if frame.scope.find(item.id) is None and frame.file.find(item.id) is None:
                frame.scope.declare(item.id, Binding(Dim.of(item.id), item.span, "dim"))
        elif isinstance(item, ast.Rest) and frame.scope.find(item.name.id) is None:
            text = "an input has a fixed number of axes"
            frame.report(errors.BadShape(span=item.span, found=f"`{item.span.text}`: {text}"))
            frame.scope.declare(item.name.id, Binding(Group(()), item.span, "dim"))
            return None
        elif isinstance(item, ast.Name):
            frame.report(errors.BadShape(span=item.span, found="`_`: give the axis a name"))
            return None
    return patterns.resolve(frame, node.type)


# ---- the network by itself ------------------------------------------------------------------------------------------------------


def elaborate_network(session: Session, decl: NetworkDecl) -> Network | None:
    """Both phases of a network; None where something failed (reported)."""
    before = session.sink.error_count + session.sink.dropped
    tapes: list[tuple[Tape, NetworkBody]] = []
    session.phase_read = False
    for training in (False, True):
        if training and not session.phase_read:
            tapes.append(tapes[0])  # nothing asks which phase it is: both graphs are the same
            break
        tape = Tape(Builder(decl.name), training)
        body = NetworkBody(decl.decl, None)
        body.run(network_frame(session, decl, tape, body, training))
        tapes.append((tape, body))
    for _, body in tapes:
        if body.outputs or body.doubtful or session.sink.error_count + session.sink.dropped != before:
            continue
        if not any(isinstance(node, ast.Error) for node in nodes((decl.decl.body,))):
            session.report(errors.NoOutput(span=decl.decl.name.span, network=decl.name))
    if session.sink.error_count + session.sink.dropped == before:
        same_weights(session, decl, tapes[0][0], tapes[1][0])
    if session.sink.error_count + session.sink.dropped != before:
        session.broken.add(decl.name)
        return None
    for training, (tape, body) in zip((False, True), tapes, strict=True):
        inputs, phased = {name: port.type for name, port in body.inputs.items()}, tapes[0] is not tapes[1]
        session.finished[id(decl.decl), training] = Finished(tape, inputs, body.names, tuple(body.outputs), phased)
    return finished(decl, tapes)


def network_frame(
    session: Session, decl: NetworkDecl, tape: Tape, body: NetworkBody, training: bool, caller: Frame | None = None,
    call_span: Span | None = None, call: int = 0,
) -> Frame:  # fmt: skip
    return Frame(
        session=session, file=decl.file, tape=tape, scope=Scope(), kind="network", name=decl.name, address=decl.name, training=training,
        call=call, caller=caller, call_span=call_span, depth=0 if caller is None else caller.depth + 1,
        numbers=session.library.numbers(decl.decl.body), body=body, frozen=frozenset() if caller is None else caller.frozen,
    )  # fmt: skip


def same_weights(session: Session, decl: NetworkDecl, evaluate: Tape, train: Tape) -> None:
    """Both phases declare the same weights and states (R13)."""
    for what, a, b in (("weight", evaluate.weights, train.weights), ("state", evaluate.states, train.states)):
        mine: Mapping[str, object] = a
        other: Mapping[str, object] = b
        for address in sorted(mine.keys() ^ other.keys()):
            phase = "evaluation" if address in mine else "training"
            detail = f"the {what} `{address}` exists only in {phase}"
            session.report(errors.PhasesDiffer(span=decl.decl.name.span, address=address, detail=detail))
        made_alike(session, decl.decl.name.span, what, mine, other)


def made_alike(session: Session, span: Span, what: str, mine: Mapping[str, object], other: Mapping[str, object]) -> None:
    """What both phases declare is the same in both."""
    for address in mine.keys() & other.keys():
        if mine[address] != other[address]:
            detail = f"the {what} `{address}` is made in two ways"
            session.report(errors.PhasesDiffer(span=span, address=address, detail=detail))


def finished(decl: NetworkDecl, tapes: list[tuple[Tape, NetworkBody]]) -> Network:
    graphs: list[Graph] = []
    for at, (tape, body) in enumerate(tapes):
        if at and tape is tapes[0][0]:
            graphs.append(graphs[0])
            break
        for name, (value, _) in body.outputs.items():
            tape.builder.output(name, value)
        for address, (value, _) in tape.updates.items():
            tape.builder.update(address, value)
        graphs.append(tape.builder.build())
    tape, body = tapes[0]
    ports = tuple(
        Port(name=name, type=value.type, place=node.span.place) for name, (value, node) in body.outputs.items()
    )  # fmt: skip
    return Network(
        name=decl.name, inputs=tuple(body.inputs.values()), outputs=ports, evaluate=graphs[0], train=graphs[1],
        weights=tuple(tape.weights.values()), states=tuple(tape.states.values()), layers=tuple(tape.layers),
        place=decl.decl.name.span.place,
    )  # fmt: skip


# ---- calls ------------------------------------------------------------------------------------------------------------------------


def call_network(frame: Frame, decl: NetworkDecl, site: Site, want: str) -> Value:
    """A network in the graph of its caller, copied where that is the same; its weights are those of its name."""
    if frame.kind not in ("train", "generate", "network") or frame.scanning:
        place = "a `scan`" if frame.scanning else f"a {frame.kind}"
        return frame.report(errors.NetworkInBlock(span=site.name_span, name=decl.name, place=place))
    if not site.last:
        return frame.report(errors.NetworkInChain(span=site.name_span, name=decl.name))
    if site.alias is not None:
        frame.report(errors.UselessAlias(span=site.alias.span, callee=decl.name, alias=site.alias.id))
    chain = [decl.name]
    outer: Frame | None = frame
    while outer is not None:
        if outer.kind == "network":
            chain.append(outer.name)
            if outer.name == decl.name:
                text = " -> ".join(reversed(chain))
                return frame.report(errors.NetworkCycle(span=site.name_span, chain=text))
        outer = outer.caller
    given = given_inputs(frame, decl, site)
    if given is None:
        return POISON
    root = frame.tape.root
    root.calls += 1
    body = NetworkBody(decl.decl, given)
    inner = network_frame(frame.session, decl, frame.tape, body, frame.training, frame, site.span, root.calls)
    frame.session.step(site.span, EXPANSION)
    arguments = {name: argument for name, (argument, _) in given.items()}
    done = frame.session.finished.get((id(decl.decl), frame.training))
    if done is not None and fits(inner, done, arguments):
        value = spliced(inner, done, arguments, site.span)
    else:
        with frame.session.silent(decl.name in frame.session.broken), frame.session.deeper(FRAMES, site.span):
            body.run(inner)
        value = NetworkValue(decl.name, body.names, tuple(body.outputs), site.span)
    top = frame
    if top.body is not None and hasattr(top.body, "called"):
        top.body.called(frame, value, given)
    return value


def given_inputs(frame: Frame, decl: NetworkDecl, site: Site) -> dict[str, tuple[Value, Given]] | None:
    """The values of the inputs that a call gives. A broken statement may be an input too."""
    slots: list[Slot] = []
    for node in decl.decl.body.statements:
        if isinstance(node, ast.Input):
            slots.append(Slot(node.name.id, "", node.default is None, label=node.name.span))
        elif isinstance(node, ast.Error):
            slots += [Slot(name, "", False) for name in node.names[:1]]
    head = f"{decl.name}({', '.join(slot.name for slot in slots)})"
    bound = bind(frame, site, decl.name, slots, head)
    if bound is None:
        return None
    return {name: (tensor_argument(frame, given[0]), given[0]) for name, given in bound.items()}


CALLERS["network"] = call_network
