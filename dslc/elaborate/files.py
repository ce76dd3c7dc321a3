"""Files: the root spec, imports (R22) and the standard library, each with the names that it declares."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath

from dslc.below import Below, kind_of_place
from dslc.diagnostics import Edit, Fix, Label, SpecError
from dslc.elaborate import errors, params
from dslc.elaborate.calls import Slot
from dslc.elaborate.evaluation import evaluate
from dslc.elaborate.frame import Frame
from dslc.elaborate.paths import InnerPath
from dslc.elaborate.scope import Scope
from dslc.elaborate.session import Session
from dslc.elaborate.statements import layer_value
from dslc.elaborate.suggest import meant, nearest, rename
from dslc.elaborate.tape import Tape
from dslc.elaborate.values import POISON, Binding, BlockValue, NetworkDecl, Value, text_of
from dslc.elaborate.walk import call_numbers, nodes
from dslc.ops.value import Builder
from dslc.source import Source, Span
from dslc.syntax import ast
from dslc.syntax.reader import read_source

MOST_IMPORTS = 64
DEEPEST = 8


@dataclass(eq=False)
class FileScope:
    """One file with its names; `complete` is False where a syntax error was reported."""

    source: Source
    tree: ast.File
    folder: Path | None
    names: dict[str, Binding] = field(default_factory=dict)

    @cached_property
    def written(self) -> Counter[str]:
        """How often each name stands in the file."""
        return Counter(node.id for node in nodes(self.tree.statements) if isinstance(node, ast.Name))

    def find(self, name: str) -> Binding | None:
        return self.names.get(name)


class Library:
    """All files of one check."""

    def __init__(self, session: Session, root: Path | None, std: Path) -> None:
        self.session = session
        self.root = root  # folder of the root spec: imports stay inside
        self.std_folder = std
        self.std_names = tuple(sorted(path.stem for path in std.glob("*.nn"))) if std.is_dir() else ()
        self._std: dict[str, BlockValue | None] = {}
        self._imports: dict[tuple[str, str], FileScope | None] = {}
        self._trees: dict[str, ast.File | None] = {}
        self._numbers: dict[int, Mapping[int, int]] = {}
        self._reading: list[str] = []
        self.slots: dict[int, tuple[Slot, ...]] = {}  # parameters of blocks, by the identity of the declaration

    def numbers(self, body: ast.Body) -> Mapping[int, int]:
        """The textual numbers of the calls in a body."""
        found = self._numbers.get(id(body))
        if found is None:
            found = self._numbers[id(body)] = call_numbers(body)
        return found

    # -- the standard library

    def std(self, name: str) -> BlockValue | None:
        """The block of the standard library called `name`, parsed when first asked for."""
        if name not in self.std_names:
            return None
        if name not in self._std:
            source = read_source(self.std_folder / f"{name}.nn", f"std/{name}.nn")
            tree = self.session.parse(source)
            scope = FileScope(source, tree, None)
            found = None
            for statement in tree.statements:
                if isinstance(statement, ast.Block):
                    block = BlockValue(statement, scope)
                    scope.names[statement.name.id] = Binding(block, statement.name.span, "block")
                    found = block if statement.name.id == name else found
            self._std[name] = found
        return self._std[name]

    # -- files

    def load(self, source: Source, tree: ast.File, folder: Path | None, given: params.Given) -> FileScope:
        """The names of a file: blocks and networks first, then imports and params in order, then layers."""
        scope = FileScope(source, tree, folder)
        frame = self.frame(scope)
        for statement in tree.statements:
            if isinstance(statement, ast.Block):
                self.declare(scope, statement.name, BlockValue(statement, scope), "block")
            elif isinstance(statement, ast.Network):
                self.declare(scope, statement.name, NetworkDecl(statement, scope), "network")
        for statement in tree.statements:
            if isinstance(statement, ast.Import):
                self.import_names(frame, scope, statement)
            elif isinstance(statement, ast.Param):
                value = params.value_of(frame, statement, given)
                self.declare(scope, statement.name, value, "param")
            elif isinstance(statement, ast.Error):
                for name in statement.names:
                    scope.names.setdefault(name, Binding(POISON, statement.span, "error"))
        for statement in tree.statements:
            if isinstance(statement, ast.Layer):
                self.declare(scope, statement.name, self.layer(frame, statement), "layer")
        return scope

    def frame(self, scope: FileScope) -> Frame:
        """Where params and layers of a file are evaluated."""
        return Frame(
            session=self.session, file=scope, tape=Tape(Builder("file"), False), scope=Scope(), kind="file", name="", address="",
            training=False,
        )  # fmt: skip

    def declare(self, scope: FileScope, name: ast.Name, value: Value, kind: str) -> None:
        first = scope.names.get(name.id)
        if first is not None and first.kind != "error":
            spans = [(first.span, first.kind), (name.span, kind)]
            if name.span.source is first.span.source and name.span.start < first.span.start:
                spans.reverse()
            (early, one), (late, other) = spans
            what = articled(kind) if kind == first.kind else f"{articled(one)} and {articled(other)}"
            labels = (Label(early, f"the {one} `{name.id}` is declared here"),)
            self.session.report(errors.DuplicateName(span=late, name=name.id, what=what, labels=labels))
            return
        scope.names[name.id] = Binding(value, name.span, kind)

    def layer(self, frame: Frame, statement: ast.Layer) -> Value:
        """A layer of the file: its address is its name."""
        value = layer_value(frame, statement)
        name = statement.name.id
        first = self.session.layer_homes.setdefault(name, statement.span)
        if first != statement.span and (first.source.path, first.start) != (statement.span.source.path, statement.span.start):
            labels = (Label(first, "the other layer"),)
            self.session.report(errors.DuplicateAddress(span=statement.name.span, address=name, labels=labels))
        return value

    # -- imports

    def imported(self) -> list[FileScope]:
        """All imported files, each once."""
        found: dict[str, FileScope] = {}
        for scope in self._imports.values():
            if scope is not None:
                found.setdefault(scope.source.path, scope)
        return list(found.values())

    def import_names(self, frame: Frame, scope: FileScope, node: ast.Import) -> None:
        other = self.open(frame, scope, node)
        for name in node.names:
            value: Value = POISON
            kind = "error"
            if other is not None:
                binding = other.names.get(name.id)
                if binding is not None and binding.kind in ("block", "network", "layer"):
                    value, kind = binding.value, "import"
                elif binding is None or binding.kind != "error":
                    known = [key for key, item in other.names.items() if item.kind in ("block", "network", "layer")]
                    near = nearest(name.id, known)
                    fix = rename(name.span, near, known)
                    diagnostic = errors.ImportName(span=name.span, name=name.id, path=node.path.value, meant=meant(near), fix=fix)
                    self.session.report(diagnostic)
            self.declare(scope, name, value, kind)

    def open(self, frame: Frame, scope: FileScope, node: ast.Import) -> FileScope | None:
        """The imported file with its params set; None (reported) where it cannot be read."""
        path = self.located(scope, node)
        if path is None or self.root is None:
            return None
        shown = path.relative_to(self.root).as_posix()
        if shown in self._reading:
            chain = " -> ".join([*self._reading, shown])
            self.session.report(errors.ImportCycle(span=node.path.span, chain=chain))
            return None
        if len(self._reading) > DEEPEST:
            self.session.report(errors.ImportDepth(span=node.path.span, limit=str(DEEPEST)))
            return None
        given, key = self.arguments(frame, node)
        if (shown, key) not in self._imports:
            if len(self._trees) >= MOST_IMPORTS and shown not in self._trees:
                self.session.report(errors.TooManyImports(span=node.path.span, limit=str(MOST_IMPORTS)))
                return None
            tree = self.tree(path, shown, node)
            self._reading.append(shown)
            self._imports[shown, key] = None if tree is None else self.load(tree.source, tree, path.parent, given)
            self._reading.pop()
            self.check_arguments(node, tree)
        return self._imports[shown, key]

    def arguments(self, frame: Frame, node: ast.Import) -> tuple[params.Given, str]:
        """`(classes=5)`: params of the imported file."""
        given: dict[str, params.Setting] = {}
        for arg in node.args:
            if arg.name is None:
                takes = "none: params are given by their names"
                self.session.report(errors.TooManyArguments(span=arg.span, callee="import", given="some", takes=takes))
                continue
            if arg.name.id in given:
                self.session.report(errors.ArgumentTwice(span=arg.span, callee="import", name=arg.name.id))
            value = evaluate(frame, arg.value)
            given[arg.name.id] = params.Setting(value, "argument", arg.value.span, arg.name.span)
        return given, ", ".join(f"{name}={text_of(item.value)}" for name, item in sorted(given.items()))

    def check_arguments(self, node: ast.Import, tree: ast.File | None) -> None:
        if tree is None:
            return
        known = [statement.name.id for statement in tree.statements if isinstance(statement, ast.Param)]
        for arg in node.args:
            if arg.name is not None and arg.name.id not in known:
                near = nearest(arg.name.id, known)
                diagnostic = errors.UnknownArgument(
                    span=arg.name.span, callee=node.path.value, name=arg.name.id, meant=meant(near),
                    known=", ".join(f"`{name}`" for name in known) or "no params", fix=rename(arg.name.span, near, known),
                )  # fmt: skip
                self.session.report(diagnostic)

    def tree(self, path: Path, shown: str, node: ast.Import) -> ast.File | None:
        if shown not in self._trees:
            try:
                place = path if self.root is None else Below(self.root, PurePosixPath(shown))
                self._trees[shown] = self.session.parse(read_source(place, shown))
            except SpecError as error:
                self._trees[shown] = None
                for diagnostic in error.diagnostics:
                    if diagnostic.span is not None:
                        self.session.report(diagnostic)
                    else:
                        reason = diagnostic.message
                        self.session.report(errors.ImportMissing(span=node.path.span, path=node.path.value, reason=reason))
        return self._trees[shown]

    def located(self, scope: FileScope, node: ast.Import) -> Path | None:
        """The file that an import names: relative, inside the root folder, through no link."""
        text = node.path.value
        if text in ("std", "op") or text.startswith("std/"):
            self.session.report(errors.ImportStandard(span=node.path.span, path=text, fix=without_line(node.span)))
            return None
        inside = InnerPath(text)
        if scope.folder is None or self.root is None or not inside.good:
            self.session.report(errors.ImportOutside(span=node.path.span, path=text))
            return None
        path = scope.folder
        for part in inside.parts:
            path = path / part
            if path.is_symlink():
                self.session.report(errors.ImportLink(span=node.path.span, path=text))
                return None
        mode = mode_of(path)
        if mode and not stat.S_ISREG(mode):
            self.session.report(errors.ImportMissing(span=node.path.span, path=text, reason=f"it is {kind_of_place(mode)}", meant=""))
            return None
        if not mode:
            near = nearest(path.name, specs_in(path.parent))
            diagnostic = errors.ImportMissing(span=node.path.span, path=text, reason="there is no such file", meant=meant(near))
            self.session.report(diagnostic)
            return None
        return path


def articled(kind: str) -> str:
    return f"an {kind}" if kind == "import" else f"a {kind}"


def specs_in(folder: Path) -> list[str]:
    """The names of some specs in a folder, as far as it is one."""
    try:
        return [item.name for item in islice(folder.glob("*.nn"), 200)]
    except OSError:
        return []


def mode_of(path: Path) -> int:
    """What stands there, as the system counts it; 0 for nothing."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def without_line(span: Span) -> Fix | None:
    """The fix that deletes a statement with its line; None where something else stands there."""
    text = span.source.text
    start, end = text.rfind("\n", 0, span.start) + 1, text.find("\n", span.end) + 1 or len(text)
    alone = text[start:end].strip() == span.text.strip()
    return Fix("delete this line", (Edit(Span(span.source, start, end), ""),)) if alone else None
