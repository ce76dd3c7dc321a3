"""`generate`: which network is stepped, what is fed back, where it starts and stops (R24)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dslc.elaborate import apply, errors, settings
from dslc.elaborate.calls import Given
from dslc.elaborate.evaluation import evaluate, run_body
from dslc.elaborate.files import FileScope
from dslc.elaborate.frame import Frame
from dslc.elaborate.graphs import pruned
from dslc.elaborate.networks import symbolic_type
from dslc.elaborate.scope import Scope
from dslc.elaborate.session import Session
from dslc.elaborate.settings import Settings
from dslc.elaborate.tape import Tape
from dslc.elaborate.values import POISON, Binding, NetworkValue, Poison, Value, is_int, words_of
from dslc.ops.value import Builder, Val
from dslc.program import Generate
from dslc.source import Span
from dslc.syntax import ast

LIMIT = 200


@dataclass(eq=False)
class GenerateBody:
    """One run over a generate body."""

    settings: Settings = field(default_factory=lambda: Settings("generate"))
    inputs: dict[str, Val] = field(default_factory=dict)
    starts: dict[str, Val] = field(default_factory=dict)
    calls: list[NetworkValue] = field(default_factory=list)
    next: Val | None = None

    def source(self, frame: Frame, name: ast.Name, value: ast.Expr) -> bool:
        return False

    def called(self, frame: Frame, value: NetworkValue, given: Mapping[str, tuple[Value, Given]]) -> None:
        self.calls.append(value)

    def input(self, frame: Frame, node: ast.Input) -> None:
        type = symbolic_type(frame, node)
        value: Value = POISON
        if type is not None and apply.within_limits(frame, type, node.type.span):
            value = frame.tape.input("input", node.name.id, type, frame.place(node.name.span))
            self.inputs[node.name.id] = value
        if node.default is not None:
            what = f"the input `{node.name.id}` of `generate`"
            frame.report(errors.WrongType(span=node.default.span, what=what, wanted="given when it runs", found="a default"))
        frame.scope.declare(node.name.id, Binding(value, node.name.span, "input"))

    def setting(self, frame: Frame, node: ast.Setting) -> None:
        if not self.settings.claim(frame, node):
            return
        key = node.key.id
        if key == "next":
            self.logits(frame, node)
        elif key in settings.COUNTS:
            self.settings.values[key] = settings.count(frame, node)
        else:
            self.settings.values[key] = token(frame, node)

    def logits(self, frame: Frame, node: ast.Setting) -> None:
        """`next:` names logits: a float tensor with the tokens on its last axis."""
        value = evaluate(frame, node.value)
        if isinstance(value, Val) and value.type.dtype.is_float and value.type.rank >= 2:
            self.next = value
        elif not isinstance(value, Poison):
            wanted = "logits, a float tensor [batch, …, tokens]"
            frame.report(errors.SettingValue(span=node.value.span, name="next", wanted=wanted, found=words_of(value)))


def token(frame: Frame, node: ast.Setting) -> Any:
    """`start:` and `stop:` are a token: its text or its number."""
    value = evaluate(frame, node.value)
    if isinstance(value, str) or is_int(value):
        return value
    if not isinstance(value, Poison):
        wanted = "a token: a string or an int"
        frame.report(errors.SettingValue(span=node.value.span, name=node.key.id, wanted=wanted, found=words_of(value)))
    return None


def elaborate_generate(session: Session, file: FileScope, node: ast.Generate) -> Generate | None:
    """The graph of one evaluation with its settings; None where something failed."""
    before = session.sink.error_count + session.sink.dropped
    name = node.name.id if node.name is not None else "generate"
    span = node.name.span if node.name is not None else Span(node.span.source, node.span.start, node.span.start + len("generate"))
    body = GenerateBody()
    tape = Tape(Builder(name), False)
    frame = Frame(
        session=session, file=file, tape=tape, scope=Scope(), kind="generate", name=name, address=name, training=False,
        numbers=session.library.numbers(node.body), body=body,
    )  # fmt: skip
    run_body(frame, node.body)
    if ("next", "") not in body.settings.spans and "next" not in body.settings.missed:
        frame.report(errors.MissingSetting(span=span, name="next", place=f"`{name}`", example="next: net.logits"))
    if session.sink.error_count + session.sink.dropped != before or body.next is None:
        return None
    if "token" not in body.inputs:
        example = "input token: i64[batch, time]"
        frame.report(errors.MissingSetting(span=span, name="input token", place=f"`{name}`", example=example))
        return None
    outputs = {"next": body.next} | {f"init:{address}": value for address, value in body.starts.items()}
    updates = {address: value for address, (value, _) in tape.updates.items() if tape.states[address].scope == "train"}
    values: dict[str, Any] = {"limit": LIMIT} | {key: value for key, value in body.settings.values.items() if value is not None}
    session.signature_only.setdefault("generate", span.place)
    return Generate(name=name, graph=pruned(tape, name, outputs, updates), settings=values, place=span.place)
