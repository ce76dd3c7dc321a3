"""One expansion: the names, address and graph in which statements and expressions are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dslc.diagnostics import Diagnostic, Label
from dslc.elaborate.scope import Scope
from dslc.elaborate.session import REPORT, Session
from dslc.elaborate.tape import Tape
from dslc.elaborate.values import POISON, Poison, Value, text_of
from dslc.source import Span
from dslc.syntax import ast

if TYPE_CHECKING:
    from dslc.elaborate.files import FileScope

STD = "std/"
MOST_CHAIN = 6


@dataclass(eq=False)
class Frame:
    """`kind`: "block", "network", "train", "generate", "file" (params and layers); `call`: which call of a network this belongs to.

    `numbers`: the number of each textual call of a block in this body, by the node's identity (R6).
    """

    session: Session
    file: FileScope
    tape: Tape
    scope: Scope
    kind: str
    name: str
    address: str
    training: bool
    call: int = 0
    caller: Frame | None = None
    call_span: Span | None = None
    depth: int = 0
    numbers: Mapping[int, int] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)  # names of states of this expansion -> addresses
    frozen: frozenset[str] = frozenset()
    body: Any = None  # the network, train, generate or scan under construction
    scanning: bool = False
    turns: tuple[tuple[ast.Name, Value], ...] = ()  # the loops around, with the number of the turn that runs

    def inside(self, scope: Scope | None = None, address: str | None = None, **changes: Any) -> Frame:
        """The same expansion with an inner scope or another address."""
        inner = Frame.__new__(Frame)
        inner.__dict__.update(self.__dict__, scope=scope or Scope(self.scope), **changes)
        if address is not None:
            inner.address = address
        return inner

    def at(self, name: str) -> str:
        """The address of something called `name` here."""
        return f"{self.address}.{name}" if self.address else name

    # -- reports

    def report(self, diagnostic: Diagnostic) -> Poison:
        """Report where the user can see it, with the chain of calls; the value of what failed is POISON."""
        if self.session.muted:
            return POISON
        if diagnostic.span is not None:
            self.session.step(diagnostic.span, REPORT)
        if self.session.full and diagnostic.severity == "error" and diagnostic.span is not None and not is_std(diagnostic.span):
            self.session.sink.add(diagnostic)  # it is only counted
            return POISON
        self.session.report(self.located(diagnostic))
        return POISON

    def located(self, diagnostic: Diagnostic) -> Diagnostic:
        """Move a diagnostic out of the standard library to the call that the user typed, and name the calls around it."""
        span, frame = diagnostic.span, self
        labels = list(diagnostic.labels)
        while span is not None and is_std(span) and frame.call_span is not None:
            span = frame.call_span
            labels = []
            if frame.caller is None:
                break
            frame = frame.caller
        chain: list[Label] = []
        seen: set[tuple[int, int]] = set()
        current: Frame | None = frame
        while current is not None and len(chain) < MOST_CHAIN:
            turns = ((name.span, f"with `{name.id} = {text_of(value)}`") for name, value in reversed(current.turns))
            chain += [Label(place, text) for place, text in turns if not is_std(place)]
            if current.call_span is None:
                break
            call = current.call_span
            if not is_std(call) and call != span and (call.start, call.end) not in seen and current.kind == "block":
                seen.add((call.start, call.end))
                chain.append(Label(call, f"`{current.name}` is called here"))
            current = current.caller
        fix = diagnostic.fix
        if fix is not None and any(is_std(edit.span) for edit in fix.edits):
            fix = None
        return replace(diagnostic, span=span, labels=tuple(label for label in labels if not is_std(label.span)) + tuple(chain), fix=fix)

    def shown(self, span: Span) -> Span:
        """What the user typed: out of the standard library, the call that led there."""
        frame: Frame | None = self
        while is_std(span) and frame is not None and frame.call_span is not None:
            span = frame.call_span
            frame = frame.caller
        return span

    def place(self, span: Span) -> str:
        """`file:line:column` of what the user typed."""
        return self.shown(span).place

    def chain(self) -> str:
        """The calls around this expansion, outermost first."""
        names: list[str] = []
        frame: Frame | None = self
        while frame is not None:
            names.append(frame.name)
            frame = frame.caller
        names.reverse()
        if len(names) > 8:
            names = [*names[:4], "…", *names[-3:]]
        return " -> ".join(name for name in names if name)


def is_std(span: Span) -> bool:
    """Whether a span lies in the standard library."""
    return span.source.path.startswith(STD)
