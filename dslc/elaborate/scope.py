"""Names of a body while it is elaborated: nested scopes inside one expansion, then the file's names (R1)."""

from __future__ import annotations

from collections.abc import Iterator

from dslc.elaborate.values import Binding


class Scope:
    """One body; `parent` is the enclosing body of the same expansion."""

    __slots__ = ("depth", "fence", "names", "parent")

    def __init__(self, parent: Scope | None = None, fence: bool = False) -> None:
        self.names: dict[str, Binding] = {}
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.fence = fence  # the body of a `scan`: names around it are read only

    def find(self, name: str) -> Binding | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def declare(self, name: str, binding: Binding) -> None:
        """Bind in this very body."""
        self.names[name] = binding

    def assign(self, name: str, binding: Binding) -> None:
        """Rebind a name of an enclosing body, or make a name of this one."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                scope.names[name] = binding
                return
            if scope.fence:
                break
            scope = scope.parent
        self.names[name] = binding

    def visible(self) -> Iterator[str]:
        """All names that can be read here, inner ones first."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent
