"""One file: its declarations, each body once, and which names nothing uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dslc.diagnostics import Diagnostic
from dslc.elaborate import errors
from dslc.elaborate.files import FileScope
from dslc.elaborate.places import KEYWORDS, allowed, misplaced
from dslc.elaborate.resolve.bodies import BodyResolver
from dslc.elaborate.resolve.signs import point_slip
from dslc.elaborate.session import Session
from dslc.elaborate.suggest import meant, misspelt, rename
from dslc.source import Span
from dslc.syntax import ast

SHORT = 2  # letters of a name that may be near to any other
FILE_UNUSED = {"param": "the param", "import": "the imported name", "layer": "the layer"}


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
                self.never_used(name, binding.span, FILE_UNUSED[binding.kind])

    def never_used(self, name: str, span: Span, what: str) -> None:
        """Report a name that nothing reads; where it stands once and is a slip of another word of the file, that one is meant."""
        written = self.scope.written
        once = len(name) > SHORT and written[name] == 1 and not self.session.full
        words = (
            [word for word in written if word != name and abs(len(word) - len(name)) <= 1 and word[:1].lower() in name.lower()]
            if once
            else []
        )
        slip = None if self.session.full else point_slip(span, name)
        near = misspelt(name, words)
        if slip is not None:
            self.report(slip)
            return
        if not near:
            self.report(errors.UnusedName(span=span, name=name, what=what))
            return
        self.session.unknown.add((span.source.path, near))  # reads of it are no errors of their own
        self.report(errors.UnusedName(span=span, name=name, what=what, meant=meant(near), action="", fix=rename(span, near)))

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
