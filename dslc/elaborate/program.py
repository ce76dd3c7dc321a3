"""The whole spec: files, networks, trainings, generates, in this order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dslc.elaborate import errors, overrides, params
from dslc.elaborate.blocks import examine_rest
from dslc.elaborate.files import FileScope, Library
from dslc.elaborate.generate import elaborate_generate
from dslc.elaborate.mend import mended
from dslc.elaborate.networks import elaborate_network
from dslc.elaborate.overrides import Outside
from dslc.elaborate.resolve import resolve
from dslc.elaborate.session import Session, Stopped
from dslc.elaborate.train import TrainElaborator
from dslc.elaborate.values import NetworkDecl
from dslc.program import Generate, Network, ParamValue, Program, Training
from dslc.source import Source, Span
from dslc.syntax import ast


def elaborate(
    session: Session, source: Source, tree: ast.File, folder: Path | None, std: Path, given: Mapping[str, Outside], train: str | None
) -> Program | None:  # fmt: skip
    """The program of a file; None where something failed. All diagnostics are in the session's sink."""
    session.library = Library(session, folder, std)
    try:
        return whole(session, source, tree, folder, given, train)
    except Stopped:
        return None


def whole(
    session: Session, source: Source, tree: ast.File, folder: Path | None, given: Mapping[str, Outside], train: str | None
) -> Program | None:  # fmt: skip
    library = session.library
    tree = mended(session, tree)
    trains = [node for node in tree.statements if isinstance(node, ast.Train)]
    names = [train_name(node) for node in trains]
    bare = FileScope(source, tree, folder)
    outside = overrides.settings(library.frame(bare), given, tree, [train] if train in names and train is not None else names)
    scope = library.load(source, tree, folder, outside[""])
    resolve(session, [scope, *library.imported()])
    networks = all_networks(session, scope, tree)
    trainings: dict[str, Training] = {}
    unread: dict[str, str] = {}
    shown: list[ParamValue] = []
    for at, node in enumerate(trains):
        if train_name(node) in names[:at]:
            span = node.name.span if node.name is not None else keyword(node)
            session.report(errors.DuplicateName(span=span, name=train_name(node), what="a training"))
        elaborator = TrainElaborator(session, scope, node, outside.get(train_name(node), {}))
        training, values = elaborator.elaborate()
        shown += values
        if training is not None:
            trainings[training.name] = training
        elif elaborator.unread:
            unread[elaborator.name] = elaborator.unread
    generates: dict[str, Generate] = {}
    for statement in tree.statements:
        if isinstance(statement, ast.Generate):
            found = elaborate_generate(session, scope, statement)
            if found is not None:
                generates[found.name] = found
    if session.sink.error_count:
        examine_rest(library.frame(scope))
        return None
    return Program(
        path=source.path, precision=session.precision, networks=networks, trainings=trainings, generates=generates,
        params=params.listed(library.frame(scope), tree, outside[""]), settings=tuple(shown),
        uses_signature_only=tuple(f"{name} ({place})" for name, place in session.signature_only.items()),
        unread=unread,
    )  # fmt: skip


def keyword(node: ast.Train) -> Span:
    """The word `train`."""
    return Span(node.span.source, node.span.start, node.span.start + len("train"))


def train_name(node: ast.Train) -> str:
    return node.name.id if node.name is not None else "train"


def all_networks(session: Session, scope: FileScope, tree: ast.File) -> dict[str, Network]:
    """The networks that the file declares or imports, in the order of the text."""
    found: dict[str, Network] = {}
    for statement in tree.statements:
        names = [statement.name] if isinstance(statement, ast.Network) else statement.names if isinstance(statement, ast.Import) else ()
        for name in names:
            binding = scope.find(name.id)
            if binding is None or not isinstance(binding.value, NetworkDecl) or name.id in found:
                continue
            network = elaborate_network(session, binding.value)
            if network is not None:
                found[name.id] = network
                session.networks[name.id] = network
    return found
