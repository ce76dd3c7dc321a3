"""Other names for everything that a spec names itself (α-renaming)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random

from dslc import vocabulary
from dslc.loading import specs_folder
from dslc.ops.table import rows
from dslc.syntax import ast
from dslc.syntax.tokens import CONTEXTUAL, HARD, SOFT
from tests.relations.edits import callee, edited, every, names_in, replacing, tree, walk

FIXED = frozenset(["training", "op", "std", "batch", "token", "_"])  # words of the language
NAMED = (
    ast.Param, ast.Block, ast.Network, ast.Input, ast.Weight, ast.Layer, ast.For, ast.Step, ast.Train, ast.Generate, ast.Setting,
)  # fmt: skip
TABLES = (vocabulary.INITIALISERS, vocabulary.OPTIMIZERS, vocabulary.SCHEDULES, vocabulary.CLIPS, vocabulary.CONSTRAINTS, vocabulary.STARTS)
SOURCES = frozenset([*vocabulary.SOURCES, "dataset"])
WORDS = SOURCES.union(*TABLES)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def renamed(text: str, rng: Random) -> tuple[str, dict[str, str]]:
    """The text with invented names, and what each of them was called."""
    file = tree(text)
    own = sorted(declared(file) - taken(file))
    words = invented(rng, len(own))
    new = dict(zip(own, words, strict=True))
    kept = arguments_of_others(file, called_by_name(file)) | set(imported(file)) | set(data_fields(file))
    edits = [replacing(name, new[name.id]) for name in every(ast.Name, file) if name.id in new and name.span.start not in kept]
    return edited(text, edits), dict(zip(words, own, strict=True))


def shadowing(text: str, rng: Random) -> str | None:
    """Local values called like operators, blocks of the library and words of settings that the text does not use; None without locals."""
    file = tree(text)
    fixed = {name.id for node in walk(file) if not isinstance(node, (ast.Assign, ast.Scan, ast.Carry)) for name in bound_by(node)}
    seen = {node.name.id for node in every(ast.Field, file)} | {arg.name.id for arg in every(ast.Arg, file) if arg.name is not None}
    assigned = {name.id for node in every(ast.Assign, file) for name in node.names}
    own = sorted(assigned - fixed - seen - taken(file) - FIXED)
    words = sorted(library_words() - HARD - SOFT - CONTEXTUAL - FIXED - names_in(file))
    if not own:
        return None
    new = dict(zip(own, rng.sample(words, len(own)), strict=True))
    return edited(text, [replacing(name, new[name.id]) for name in every(ast.Name, file) if name.id in new])


def invented(rng: Random, count: int) -> list[str]:
    """Words in random order that no other text holds, also where a number follows."""
    found: set[str] = set()
    while len(found) < count:
        found.add(f"{rng.choice('aZ')}q_{''.join(rng.choices(LETTERS, k=6))}_")
    return rng.sample(sorted(found), count)


def declared(file: ast.File) -> set[str]:
    """All names that the file binds."""
    return {name.id for node in walk(file) for name in bound_by(node)} - FIXED


def bound_by(node: ast.Node) -> Iterator[ast.Name]:
    if isinstance(node, (ast.Assign, ast.Output, ast.State, ast.Carry, ast.Scan)):
        yield from node.names
    elif isinstance(node, NAMED):
        yield from [node.name] if node.name is not None else []
    elif isinstance(node, ast.Parm):
        yield node.name
        yield from dims_of(node.type)
    elif isinstance(node, ast.Stage) and node.alias is not None:
        yield node.alias
    if isinstance(node, ast.Input):
        yield from dims_of(node.type)


def dims_of(type: ast.Type | None) -> Iterator[ast.Name]:
    """The sizes and groups of sizes that a shape binds."""
    tensor = type is not None and type.dims is not None and (type.dtype is None or type.dtype.id not in ("list",))
    for dim in (type.dims or ()) if type is not None and tensor else ():
        if isinstance(dim, ast.Name):
            yield dim
        elif isinstance(dim, ast.Rest):
            yield dim.name


def taken(file: ast.File) -> set[str]:
    """Words that mean something else too: operators, what the standard library names, words in strings, imported names."""
    strings = {word for item in every(ast.String, file) for word in item.value.replace("*", ".").split(".")}
    imports = {name for item in every(ast.Import, file) for name in names_in(item)}
    return library_words() | strings | imports


@cache
def library_words() -> frozenset[str]:
    """Operators, blocks of the standard library and the weights, states and layers in them."""
    found = {row.name for row in rows()} | HARD | SOFT | CONTEXTUAL | WORDS
    for path in (specs_folder() / "std").glob("*.nn"):
        for node in walk(tree(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Block, ast.Weight, ast.Layer)):
                found.add(node.name.id)
            elif isinstance(node, ast.State):
                found |= {name.id for name in node.names}
    return frozenset(found)


def called_by_name(file: ast.File) -> set[str]:
    """Names of the file whose parameters are the file's too: blocks, networks, layers."""
    return {node.name.id for node in walk(file) if isinstance(node, (ast.Block, ast.Network, ast.Layer))}


def arguments_of_others(file: ast.File, own: set[str]) -> set[int]:
    """Where names of arguments stand in calls of what the file does not declare: they are the callee's."""
    found: set[int] = set()
    for node in walk(file):
        calls = [(node.func, node.args)] if isinstance(node, ast.Call) else []
        if isinstance(node, ast.Stage):
            calls = [(node.path[0], node.args or ())] if len(node.path) == 1 else [(None, node.args or ())]
        for func, args in calls:
            if not (isinstance(func, ast.Name) and func.id in own):
                found |= {arg.name.span.start for arg in args if arg.name is not None}
        if isinstance(node, ast.Scan):
            found |= {arg.name.span.start for arg in node.args if arg.name is not None}
        if isinstance(node, ast.Setting):
            found.add(node.key.span.start)
    return found


def data_fields(file: ast.File) -> Iterator[int]:
    """Where names of fields of data stand: files have them, not the spec."""
    assigned = [item for item in every(ast.Assign, file) if not isinstance(item.values, ast.Scan)]
    calls = [(item.names[0].id, callee(item.values[0])) for item in assigned if isinstance(item.values, tuple)]
    sources = {name for name, call in calls if call is not None and call[0].id in SOURCES}
    for node in every(ast.Field, file):
        if isinstance(node.value, ast.Name) and node.value.id in sources:
            yield node.name.span.start


def imported(file: ast.File) -> Iterator[int]:
    """Where names of `import` statements stand."""
    for item in every(ast.Import, file):
        yield from (name.span.start for name in every(ast.Name, item))
