"""Names before values: unknown, shadowing and unused names, and statements in the wrong place (R1, R2, R7).

Every body is walked once, arms that no phase takes included; no value is computed. What depends on values is the elaborator's.
"""

from __future__ import annotations

from collections.abc import Iterable

from dslc.elaborate.files import FileScope
from dslc.elaborate.resolve.files import FileResolver
from dslc.elaborate.session import Session
from dslc.elaborate.walk import nodes
from dslc.syntax import ast


def resolve(session: Session, files: Iterable[FileScope]) -> None:
    """Check the names of all files."""
    scopes = list(files)
    fields = frozenset(node.name.id for scope in scopes for node in nodes(scope.tree.statements) if isinstance(node, ast.Field))
    for at, scope in enumerate(scopes):
        resolver = FileResolver(session, scope, fields)
        resolver.run()
        if at == 0 and scope.tree.complete and any(isinstance(node, ast.Network) for node in scope.tree.statements):
            resolver.never_called()
