"""One body, statement by statement: which may stand where, what each reads and binds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dslc.elaborate import errors
from dslc.elaborate.places import KEYWORDS, allowed, assignment_slip, first_word, keyword_slip, misplaced
from dslc.elaborate.resolve.names import Names
from dslc.elaborate.settings import PLACES, TABLES
from dslc.elaborate.suggest import meant, nearest, rename
from dslc.elaborate.walk import bound_names, nodes, places
from dslc.syntax import ast

KINDS = {
    "local": "", "parameter": "the parameter ", "input": "the input ", "weight": "the weight ", "state": "the state ",
    "layer": "the layer ",
    "slice": "", "loop": "the loop variable ", "dim": "the dim ", "param": "the param ", "import": "the imported name ", "carry": "",
}  # fmt: skip
FIELDS_TOO = frozenset(["local", "layer", "weight"])  # top-level names of networks that may be read from outside


class BodyResolver(Names):
    """The walk over one block, network, train or generate."""

    def body(self, body: ast.Body) -> bool:
        """Walk statements; True if a `return` ends the body on every way."""
        if not self.bound:
            self.bound = places(body)
        ended: ast.Statement | None = None
        for at, statement in enumerate(body.statements):
            if ended is not None:
                self.report(errors.UnreachableStatement(span=statement.span, after=first_word(ended)))
                break
            if not self.check_place(statement, at == len(body.statements) - 1):
                self.skip(statement)
                continue
            handler = HANDLERS.get(type(statement))
            if handler is not None and handler(self, statement):
                ended = statement
        return ended is not None

    def skip(self, statement: ast.Statement) -> None:
        """A statement in the wrong place: its names are neither unknown nor unused, and it is not elaborated."""
        self.file.session.misplaced.add(id(statement))
        self.touches(statement)
        made = [statement.name] if isinstance(statement, ast.Setting) and statement.name is not None else []
        self.file.session.unknown |= {(name.span.source.path, name.id) for name in made}  # `data x: [3]` was to declare it
        for name in dict.fromkeys([*bound_names((statement,)), *(name.id for name in made)]):
            if self.flow.find(name) is None and self.file.scope.find(name) is None:
                self.flow.declare(name, "error", statement.span, read=True)

    def check_place(self, statement: ast.Statement, last: bool) -> bool:
        """Whether the statement may stand here."""
        keyword = KEYWORDS.get(type(statement))
        if keyword is None:
            return True
        if not allowed(keyword, self.place, self.nested):
            self.report(misplaced(statement, keyword, self.place, self.nested))
            return False
        if keyword == "yield" and not last:
            self.report(errors.UnreachableStatement(span=statement.span, after="yield"))
        return True

    def finish(self) -> None:
        """Report what is never used."""
        if not self.file.scope.tree.complete:
            return
        outside = self.file.fields if self.kind == "network" else frozenset()
        for variable in self.flow.variables:
            if variable.kind in ("error", "dim", "loop", "carry") or variable.name == "_" or variable.name in self.excused:
                continue
            unread = [definition for definition in variable.definitions if not definition.read]
            if not unread or (variable.name in outside and variable.kind in FIELDS_TOO and unread == variable.definitions[-1:]):
                continue
            if len(unread) == len(variable.definitions):
                what = KINDS[variable.kind].strip() or "the name"
                self.file.never_used(variable.name, variable.span, what)
                continue
            for definition in unread:
                self.report(errors.NeverRead(span=definition.span, name=variable.name))

    # -- statements

    def assignment(self, node: ast.Assign) -> None:
        if isinstance(node.values, ast.Scan):
            self.scan(node.values)
        else:
            self.reads(*node.values)
        for name in node.names:
            self.assign(name)

    def input(self, node: ast.Input) -> None:
        self.pattern(node.type)
        self.reads(node.default)
        self.declare(node.name, "input", read=node.type.dims is None)

    def output(self, node: ast.Output) -> None:
        if node.value is not None:
            self.reads(node.value)
            for name in node.names:
                self.assign(name, read=True)
        for name in node.names:
            self.read(name)
            found = self.flow.find(name.id)
            if found is not None and found[1].published is None:
                found[1].published = name.span

    def weight(self, node: ast.Weight) -> None:
        self.reads(node.type.dims, node.init)
        self.declare(node.name, "weight")

    def state(self, node: ast.State) -> None:
        self.reads(node.type.dims if node.type is not None else None, node.init)
        for name in node.names:
            self.declare(name, "state")

    def update(self, node: ast.Update) -> None:
        self.reads(node.value)
        if self.flow.read(node.name.id) is None:
            states = [name for name in self.visible() if self.flow.find(name)[1].kind == "state"]  # type: ignore[index]
            near = nearest(node.name.id, states)
            if near:
                self.touch(near)
            fix = rename(node.name.span, near, states)
            self.report(errors.NotAState(span=node.name.span, name=node.name.id, meant=meant(near), fix=fix))

    def layer(self, node: ast.Layer) -> None:
        self.reads(node.value)
        self.declare(node.name, "layer")

    def for_(self, node: ast.For) -> None:
        self.reads(node.low, node.high)
        before = self.flow.snapshot()
        stand_ins = self.flow.enter_loop(set(bound_names(node.body.statements)))
        outer = self.nested
        self.nested = "for"
        self.flow.push()
        self.declare(node.name, "loop", read=True)
        self.body(node.body)
        self.flow.pop()
        self.nested = outer
        self.flow.leave_loop(stand_ins)
        self.flow.join([before, self.flow.snapshot()])

    def if_(self, node: ast.If) -> bool:
        before = self.flow.snapshot()
        ways: list[list[Any]] = []
        ends = True
        outer = self.nested
        self.nested = "if"
        for test, arm in [*node.arms, *([(None, node.other)] if node.other is not None else [])]:
            if test is not None:
                self.reads(test)
            self.flow.restore(before)
            self.flow.push()
            ended = self.body(arm)
            self.flow.pop()
            if not ended:
                ways.append(self.flow.snapshot())
            ends = ends and ended
        self.nested = outer
        if node.other is None:
            ways.append(before)
            ends = False
        self.flow.restore(before)
        if ways:
            self.flow.join(ways)
        return ends

    def scan(self, node: ast.Scan) -> None:
        """The body of a scan: carried names are its own; other names around are read only."""
        self.reads(*node.values, *(arg.value for arg in node.args))
        if isinstance(node.over, ast.Name):
            self.read(node.over)
        place, nested = self.place, self.nested
        before = self.flow.snapshot()
        self.flow.push()
        self.flow.fences.append(len(self.flow.bodies) - 1)
        self.place, self.nested = "scan", ""
        for name in node.names:
            self.slice(name)
        carried = self.carries(node.body)
        self.body(node.body)
        for name in carried:
            self.flow.read(name.id)
        self.place, self.nested = place, nested
        self.flow.fences.pop()
        self.flow.pop()
        self.flow.restore(before)
        for name in carried:
            self.assign(name, read=True)

    def slice(self, name: ast.Name) -> None:
        """The slice of a sequence may hide nothing of the bodies around."""
        self.declare(name, "slice")

    def carries(self, body: ast.Body) -> list[ast.Name]:
        return [name for statement in body.statements if isinstance(statement, ast.Carry) for name in statement.names]

    def carry(self, node: ast.Carry) -> None:
        self.reads(node.type.dims if node.type is not None else None, node.init)
        for name in node.names:
            if node.init is None:
                self.read(name)
            if not self.shadows(name, "carry"):
                self.flow.declare(name.id, "carry", name.span, read=True)

    def yield_(self, node: ast.Yield) -> None:
        self.reads(*node.values)

    def return_(self, node: ast.Return) -> bool:
        self.reads(*node.values)
        return True

    def setting(self, node: ast.Setting) -> None:
        value = node.value
        if node.key.id not in PLACES.get(self.place, ()):  # the elaborator reports it
            self.touches(value)
            self.flow.declare(node.key.id, "error", node.key.span, read=True)  # perhaps `name: value` for `name = value`
            return
        if node.key.id == "trains":
            for name in nodes((value,)):
                if isinstance(name, ast.Name):
                    self.read(name, called=True)  # a network is meant
            return
        if node.key.id in TABLES and self.kind == "train":
            self.reads(*(arg.value for arg in value.args)) if isinstance(value, ast.Call) else None
            return
        self.reads(value)

    def step(self, node: ast.Step) -> None:
        place, self.place = self.place, "step"
        self.flow.push()
        self.body(node.body)
        self.flow.pop()
        self.place = place

    def rule(self, node: ast.Rule) -> None:
        place, self.place = self.place, "rule"
        self.flow.push()
        self.body(node.body)
        self.flow.pop()
        self.place = place

    def value(self, node: ast.Value) -> None:
        slip = keyword_slip(node.value, self.place) or assignment_slip(node.value)
        if slip is None:
            self.report(errors.BareValue(span=node.span))
            self.reads(node.value)
            return
        self.report(slip)
        self.touches(node.value)
        if isinstance(node.value, ast.Compare) and isinstance(node.value.left, ast.Name):
            self.flow.declare(node.value.left.id, "error", node.value.left.span, read=True)

    def broken(self, node: ast.Error) -> None:
        for name in node.names:
            if self.flow.find(name) is None and self.file.scope.find(name) is None:
                self.flow.declare(name, "error", node.span, read=True)
            else:
                self.flow.read(name)


HANDLERS: dict[type[ast.Node], Callable[[BodyResolver, Any], bool | None]] = {
    ast.Assign: BodyResolver.assignment,
    ast.Input: BodyResolver.input,
    ast.Output: BodyResolver.output,
    ast.Weight: BodyResolver.weight,
    ast.State: BodyResolver.state,
    ast.Update: BodyResolver.update,
    ast.Layer: BodyResolver.layer,
    ast.For: BodyResolver.for_,
    ast.If: BodyResolver.if_,
    ast.Carry: BodyResolver.carry,
    ast.Yield: BodyResolver.yield_,
    ast.Return: BodyResolver.return_,
    ast.Setting: BodyResolver.setting,
    ast.Step: BodyResolver.step,
    ast.Rule: BodyResolver.rule,
    ast.Value: BodyResolver.value,
    ast.Error: BodyResolver.broken,
}
