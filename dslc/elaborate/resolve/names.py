"""The names of one body: reading, binding and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from dslc.diagnostics import Diagnostic, Edit, Fix, Label
from dslc.elaborate import errors
from dslc.elaborate.data import NAMES as SOURCES
from dslc.elaborate.flow import Flow
from dslc.elaborate.kinds import known
from dslc.elaborate.names import BUILT_IN, DTYPES, operator, operators
from dslc.elaborate.patterns import is_tensor
from dslc.elaborate.resolve.signs import instead, sign_slip
from dslc.elaborate.suggest import MOST_LONE, meant, misspelt, nearest, rename
from dslc.elaborate.walk import nodes, read_names
from dslc.source import Span
from dslc.syntax import ast
from dslc.syntax.scan import MOST_NAME, SOFT
from dslc.vocabulary import INITIALISERS

if TYPE_CHECKING:
    from dslc.elaborate.resolve.files import FileResolver

RESERVED = {"training": "a built-in name", "op": "a built-in name", "std": "a built-in name", **dict.fromkeys(DTYPES, "a dtype")}


def misspelt_declaration(name: ast.Name, near: str, span: Span) -> errors.UnknownName:
    """Several uses of a name, and its declaration alone is written another way."""
    text = f": `{near}` is declared and never used: did you mean `{name.id}`?"
    fix = Fix(f"write `{name.id}` where it is declared", (Edit(span, name.id),))
    return errors.UnknownName(span=name.span, name=name.id, meant=text, labels=(Label(span, "declared here"),), fix=fix)


class Names:
    """What the names of one block, network, train or generate mean. `place`: what kind of body statements stand in."""

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
        beginnings = (name.id[:end] for end in range(1, min(len(name.id), MOST_NAME) + 1))
        self.excused |= {key for key in beginnings if self.flow.find(key) is not None}  # `x1` may mean `x`
        slip = sign_slip(name.span)
        if slip is not None:
            self.report(slip)
            return
        near, pool = ("", ()) if self.file.session.full else self.candidates(name.id, called)
        fix = rename(name.span, near, pool)
        declared = self.declared_once(near) if fix is not None else None
        elsewhere = None if declared is not None else self.bound_elsewhere(name)
        if elsewhere is not None:
            self.report(elsewhere)
            return
        if near:
            self.touch(near)
        if declared is not None and self.file.scope.written[name.id] > 1:
            self.report(misspelt_declaration(name, near, declared))
            return
        self.report(errors.UnknownName(span=name.span, name=name.id, meant=meant(near), fix=fix))

    def declared_once(self, name: str) -> Span | None:
        """Where a name is bound that stands nowhere else in the file."""
        found, binding = self.flow.find(name), self.file.scope.find(name)
        span = found[1].span if found is not None and found[1].kind != "error" else binding.span if binding is not None else None
        return span if span is not None and span.text == name and self.file.scope.written[name] == 1 else None

    def candidates(self, name: str, called: bool) -> tuple[str, tuple[str, ...]]:
        """The nearest name of the kind that is wanted here, and the names of that kind: functions where one is called, else values."""
        names = self.file.scope.names
        lone = tuple(islice((key for key in (*self.visible(), *names) if self.declared_once(key) is not None), MOST_LONE + 1))
        near = misspelt(name, lone)
        if near:
            return near, lone
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
            "true",
            "false",
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
            if self.misspelt_list(parm.type):
                self.flow.declare(parm.name.id, "error", parm.name.span, read=True)
                return
            self.pattern(parm.type)
        if parm.type is None and self.type_as_default(parm):
            self.flow.declare(parm.name.id, "error", parm.name.span, read=True)
            return
        self.reads(parm.default)
        self.declare(parm.name, "parameter")

    def misspelt_list(self, type: ast.Type) -> bool:
        """`lisst[float]`, which reads as a tensor of an unknown dtype."""
        word = type.dtype.id if type.dtype is not None else ""
        if type.dtype is None or word in DTYPES or not known("".join(type.span.text.replace(word, "list", 1).split())):
            return False
        fix = rename(type.dtype.span, "list")
        self.report(errors.UnknownType(span=type.dtype.span, name=word, meant=meant("list" if fix else ""), fix=fix))
        return fix is not None

    def type_as_default(self, parm: ast.Parm) -> bool:
        """`x=[batch, n]` and `units=int` in a head, for `x: [batch, n]` and `units: int`: sizes are taken as declared."""
        sizes = [node for node in nodes((parm.default,)) if isinstance(node, ast.Name)]
        shaped = isinstance(parm.default, ast.List) and not all(self.flow.find(item.id) or self.file.scope.find(item.id) for item in sizes)
        if not shaped and not (isinstance(parm.default, ast.Name) and known(parm.default.id)):
            return False
        at = parm.name.span.source.text.index("=", parm.name.span.end)
        place = Span(parm.name.span.source, at, at + 1)
        self.report(instead(place, ":"))
        for name in sizes:
            self.flow.declare(name.id, "error", name.span, read=True)
        return True
