"""Names before values: unknown, shadowing and unused names, and statements in the wrong place (R1, R2, R7).

Every body is walked once, arms that no phase takes included; no value is computed. What depends on values is the elaborator's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dslc.diagnostics import Diagnostic, Label
from dslc.elaborate import errors
from dslc.elaborate.data import NAMES as SOURCES
from dslc.elaborate.files import FileScope
from dslc.elaborate.flow import Flow
from dslc.elaborate.names import BUILT_IN, DTYPES, operator, operators
from dslc.elaborate.patterns import is_tensor
from dslc.elaborate.places import ARTICLES, KEYWORDS, allowed, homes
from dslc.elaborate.session import Session
from dslc.elaborate.settings import PLACES, TABLES
from dslc.elaborate.suggest import meant, nearest, rename
from dslc.elaborate.walk import bound_names, nodes, places, read_names
from dslc.source import Span
from dslc.syntax import ast
from dslc.syntax.scan import SOFT
from dslc.vocabulary import INITIALISERS

RESERVED = {"training": "a built-in name", "op": "a built-in name", "std": "a built-in name", **dict.fromkeys(DTYPES, "a dtype")}
KINDS = {
    "local": "", "parameter": "the parameter ", "input": "the input ", "weight": "the weight ", "state": "the state ",
    "layer": "the layer ",
    "slice": "", "loop": "the loop variable ", "dim": "the dim ", "param": "the param ", "import": "the imported name ", "carry": "",
}  # fmt: skip
FIELDS_TOO = frozenset(["local", "layer", "weight"])  # top-level names of networks that may be read from outside
FILE_UNUSED = {"param": "the param", "import": "the imported name", "layer": "the layer"}


def resolve(session: Session, files: Iterable[FileScope]) -> None:
    """Check the names of all files."""
    scopes = list(files)
    fields = frozenset(node.name.id for scope in scopes for node in nodes(scope.tree.statements) if isinstance(node, ast.Field))
    for at, scope in enumerate(scopes):
        resolver = FileResolver(session, scope, fields)
        resolver.run()
        if at == 0 and scope.tree.complete and any(isinstance(node, ast.Network) for node in scope.tree.statements):
            resolver.never_called()


class FileResolver:
    """One file: `used` are the file-level names that something reads."""

    def __init__(self, session: Session, scope: FileScope, fields: frozenset[str]) -> None:
        self.session = session
        self.scope = scope
        self.fields = fields
        self.used: set[str] = set()

    def run(self) -> None:
        for statement in self.scope.tree.statements:
            keyword = KEYWORDS.get(type(statement))
            if isinstance(statement, ast.Value):
                self.report(errors.BareValue(span=statement.span))
            elif keyword is not None and not allowed(keyword, "file", ""):
                self.report(misplaced(statement, keyword, "file", ""))
            handler = FILE_HANDLERS.get(type(statement))
            if handler is not None:
                handler(self, statement)
        if self.scope.tree.complete:
            self.unused()

    def report(self, diagnostic: Diagnostic) -> None:
        self.session.report(diagnostic)

    def unused(self) -> None:
        for name, binding in self.scope.names.items():
            if binding.kind in FILE_UNUSED and name not in self.used and name != "_":
                self.report(errors.UnusedName(span=binding.span, name=name, what=FILE_UNUSED[binding.kind]))

    def never_called(self) -> None:
        """A note for each block of the root file that nothing calls: its body is not elaborated."""
        for name, binding in self.scope.names.items():
            if binding.kind == "block" and name not in self.used:
                self.report(errors.NeverCalled(span=binding.span, name=name))

    # -- file-level statements

    def expressions(self, *found: ast.Expr | None) -> None:
        """Names that params, imports and layers of the file read."""
        body = BodyResolver(self, "file")
        for expression in found:
            body.reads(expression)

    def param(self, node: ast.Param) -> None:
        self.expressions(node.default, node.low, node.high)

    def imported(self, node: ast.Import) -> None:
        self.expressions(*(arg.value for arg in node.args))

    def layer(self, node: ast.Layer) -> None:
        self.expressions(node.value)

    def block(self, node: ast.Block) -> None:
        body = BodyResolver(self, "block")
        for parm in node.parms:
            body.parameter(parm)
        body.body(node.body)
        body.finish()

    def network(self, node: ast.Network) -> None:
        body = BodyResolver(self, "network")
        body.body(node.body)
        body.finish()

    def train(self, node: ast.Train) -> None:
        body = BodyResolver(self, "train")
        body.body(node.body)
        body.finish()

    def generate(self, node: ast.Generate) -> None:
        body = BodyResolver(self, "generate")
        body.body(node.body)
        body.finish()


FILE_HANDLERS: dict[type[ast.Node], Callable[[FileResolver, Any], None]] = {
    ast.Param: FileResolver.param,
    ast.Import: FileResolver.imported,
    ast.Layer: FileResolver.layer,
    ast.Block: FileResolver.block,
    ast.Network: FileResolver.network,
    ast.Train: FileResolver.train,
    ast.Generate: FileResolver.generate,
}


def misplaced(statement: ast.Statement, keyword: str, body: str, nested: str) -> Diagnostic:
    place = ARTICLES[nested] if nested else ARTICLES["file"] if body == "file" else f"`{body}`"
    span = Span(statement.span.source, statement.span.start, statement.span.start + len(first_word(statement)))
    shown = "setting" if keyword == "setting" else keyword
    if keyword in ("assignment", "setting"):
        shown = first_word(statement)
    words = {"assignment": "an assignment", "setting": "a setting"}.get(keyword, f"`{shown}`")
    return errors.MisplacedStatement(span=span, statement=words, place=place, right=homes(keyword))


def first_word(statement: ast.Statement) -> str:
    text = statement.span.text
    end = next((at for at, char in enumerate(text) if not (char.isalnum() or char == "_")), len(text))
    return text[: max(end, 1)]


class BodyResolver:
    """One block, network, train or generate. `place`: what kind of body statements stand in."""

    def __init__(self, file: FileResolver, place: str) -> None:
        self.file = file
        self.flow = Flow()
        self.kind = place
        self.place = place
        self.nested = ""
        self.unknowns: set[str] = set()
        self.excused: set[str] = set()  # names that are not reported as unused: a read of them was reported
        self.bound: dict[str, list[tuple[Span, str]]] = {}

    def report(self, diagnostic: Diagnostic) -> None:
        self.file.report(diagnostic)

    # -- reading

    def reads(self, *roots: object) -> None:
        """Mark every name that expressions read."""
        for name, called in read_names(roots):
            self.read(name, called)

    def touches(self, *roots: object) -> None:
        """Mark names that stand in what is wrong as a whole: they are used, and none is reported."""
        for node in nodes(roots):
            if isinstance(node, ast.Name):
                self.touch(node.id)

    def touch(self, name: str) -> None:
        self.flow.read(name)
        self.file.used.add(name)

    def read(self, name: ast.Name, called: bool = False) -> None:
        if name.id == "_" or self.flow.read(name.id) is not None:
            return
        if self.file.scope.find(name.id) is not None:
            self.file.used.add(name.id)
            return
        if not self.known_word(name.id):
            self.unknown(name, called)

    def unknown(self, name: ast.Name, called: bool) -> None:
        """A name that nothing binds: said once for each body, with what was probably meant, which then counts as used."""
        self.file.session.unknown.add((name.span.source.path, name.id))
        if name.id in self.unknowns:
            return
        self.unknowns.add(name.id)
        elsewhere = self.bound_elsewhere(name)
        if elsewhere is not None:
            self.report(elsewhere)
            return
        near, pool = ("", ()) if self.file.session.full else self.candidates(name.id, called)
        fix = rename(name.span, near, pool)
        if near:
            self.touch(near)
        self.report(errors.UnknownName(span=name.span, name=name.id, meant=meant(near), fix=fix))

    def candidates(self, name: str, called: bool) -> tuple[str, tuple[str, ...]]:
        """The nearest name of the kind that is wanted here, and the names of that kind: functions where one is called, else values."""
        names = self.file.scope.names
        functions = [key for key, binding in names.items() if binding.kind in ("block", "import", "layer", "error")]
        networks = [key for key, binding in names.items() if binding.kind == "network"] if self.kind != "block" else []
        library = (*functions, *self.file.session.library.std_names, *operators())
        sources = tuple(SOURCES) if self.kind in ("train", "generate") else ()
        local = tuple(key for key in self.visible() if not called or self.flow.find(key)[1].kind in ("layer", "parameter", "loop", "local"))  # type: ignore[index]
        values = (
            *local,
            *(key for key, binding in names.items() if binding.kind in ("param", "layer", "import")),
            *BUILT_IN,
            *DTYPES,
            *INITIALISERS,
        )
        pools = [(*local, *library, *networks, *sources)] if called else [values, library]
        for pool in pools:
            near = nearest(name, pool)
            if near:
                return near, pool
        return "", ()

    def bound_elsewhere(self, name: ast.Name) -> Diagnostic | None:
        """A name that this body binds, but below or in an arm or loop alone (R1)."""
        found = self.bound.get(name.id, [])
        before = [item for item in found if item[0].start < name.span.start]
        if not found or (before and not before[-1][1]):
            return None
        self.excused.add(name.id)
        if not before:
            span = found[0][0]
            below = f": it is bound only below, at line {span.source.position(span.start)[0]}"
            return errors.UnknownName(span=name.span, name=name.id, meant=below, labels=(Label(span, "bound here"),))
        inside = before[-1][1]
        article = "an" if inside == "if" else "a"
        labels = tuple(Label(span, f"bound here, in the `{inside}`") for span, _ in before[:3])
        action = f"what {article} `{inside}` binds is local to it (R1): bind `{name.id}` before it"
        where = f": it is bound only inside the `{inside}`"
        return errors.UnknownName(span=name.span, name=name.id, meant=where, action=action, labels=labels)

    def known_word(self, name: str) -> bool:
        if name in SOFT or name in BUILT_IN or name in DTYPES or name in INITIALISERS or name in self.file.session.library.std_names:
            return True
        if self.kind in ("train", "generate") and (name == "batch" or name in SOURCES):
            return True
        return operator(name) is not None

    def visible(self) -> Iterator[str]:
        for body in reversed(self.flow.bodies):
            yield from body

    # -- binding

    def shadows(self, name: ast.Name, kind: str) -> bool:
        """Report a name that may not be bound here."""
        if name.id in RESERVED or (name.id == "batch" and self.kind in ("train", "generate")):
            self.report(errors.ReservedName(span=name.span, name=name.id, what=RESERVED.get(name.id, "a dim of every training")))
            return True
        binding = self.file.scope.find(name.id)
        if binding is not None and binding.kind != "error":
            what = {"import": "an imported name"}.get(binding.kind, f"a {binding.kind} of the file")
            labels = (Label(binding.span, "declared here"),)
            self.report(errors.Shadowing(span=name.span, name=name.id, what=what, labels=labels))
            return True
        found = self.flow.find(name.id)
        if found is not None and found[1].kind == "dim" and kind != "dim":
            labels = (Label(found[1].span, "the dim"),)
            self.report(errors.Shadowing(span=name.span, name=name.id, what="a dim", labels=labels))
            return True
        return False

    def declare(self, name: ast.Name, kind: str, read: bool = False) -> None:
        """A name that is made here and must be new in this body."""
        if name.id == "_":
            return
        if self.shadows(name, kind):
            self.flow.declare(name.id, "error", name.span, read=True)
            return
        found = self.flow.find(name.id)
        if found is not None and found[1].kind != "error":
            labels = (Label(found[1].span, "declared here first"),)
            self.report(errors.DuplicateName(span=name.span, name=name.id, what="a name of this body", labels=labels))
            self.flow.read(name.id)
        self.flow.declare(name.id, kind, name.span, read)

    def assign(self, name: ast.Name, read: bool = False) -> None:
        """Rebind a name of a body around, or make a new one."""
        if name.id == "_":
            return
        found = self.flow.find(name.id)
        if found is None or found[1].kind == "dim":
            bad = self.shadows(name, "local")
            self.flow.declare(name.id, "error" if bad else "local", name.span, read or bad)
            return
        depth, variable = found
        if self.flow.fences and depth < self.flow.fences[-1]:
            labels = (Label(variable.span, "it is bound here"),)
            self.report(errors.ScanAssignment(span=name.span, name=name.id, labels=labels))
            self.flow.declare(name.id, "error", name.span, read=True)
            return
        if variable.published is not None:
            labels = (Label(variable.published, "published here"),)
            self.report(errors.OutputRebound(span=name.span, name=name.id, labels=labels))
        self.flow.define(depth, variable, name.span, read or variable.kind == "error")

    def pattern(self, type: ast.Type) -> None:
        """A shape that may bind dims."""
        if type.dims is None:
            return
        for item in type.dims:
            if isinstance(item, (ast.Name, ast.Rest)):
                name = item.name if isinstance(item, ast.Rest) else item
                binding = self.file.scope.find(name.id)
                if name.id == "_" or self.flow.read(name.id) is not None:
                    continue
                if binding is not None and binding.kind in ("param", "error"):
                    self.file.used.add(name.id)
                    continue
                if name.id == "batch" and self.kind == "generate":
                    continue
                bad = self.shadows(name, "dim")
                if bad:
                    self.file.session.unknown.add((name.span.source.path, name.id))
                self.flow.declare(name.id, "error" if bad else "dim", name.span, read=True)
            else:
                self.reads(item)

    def parameter(self, parm: ast.Parm) -> None:
        if parm.type is not None and is_tensor(parm.type):
            self.pattern(parm.type)
        self.reads(parm.default)
        self.declare(parm.name, "parameter")

    # -- bodies

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
        for name in dict.fromkeys(bound_names((statement,))):
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
                self.report(errors.UnusedName(span=variable.span, name=variable.name, what=what))
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
        self.report(errors.BareValue(span=node.span))
        self.reads(node.value)

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
