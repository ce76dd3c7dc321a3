"""Blocks moved into a file that is imported, and calls of blocks replaced by the text of the block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from dslc.syntax import ast
from tests.relations.edits import Edit, callee, edited, every, names_in, replacing, tree, walk
from tests.relations.rename import arguments_of_others, bound_by

LIBRARY = "blocks.nn"


def imported(text: str) -> tuple[str, str] | None:
    """The text without its blocks, and a file with them; None where there are no blocks or they read what the file declares."""
    file = tree(text)
    blocks = [item for item in file.statements if isinstance(item, ast.Block)]
    rest = [item for item in file.statements if not isinstance(item, (ast.Block, ast.Header))]
    others = {name.id for item in rest for name in bound_by(item)}
    if not blocks or others & names_in(blocks):
        return None
    called = sorted({block.name.id for block in blocks} & names_in(rest))
    head = f'\n\nimport {", ".join(called)} from "{LIBRARY}"\n' if called else ""
    library = "\n\n".join(["dslc 1", *(block.span.text for block in blocks)]) + "\n"
    edits: list[Edit] = [replacing(block, "") for block in blocks]
    header = file.statements[0].span.end
    return edited(text, [(header, header, head), *edits]), library


# ---- a call becomes the text of the block -----------------------------------------------------------------------------------------------


def inlined(text: str, rng: Random) -> str | None:
    """Some calls of blocks replaced by the bodies of these; None where there is no call that can be."""
    file = tree(text)
    blocks = {item.name.id: item for item in file.statements if isinstance(item, ast.Block) and can_be_inlined(item)}
    calls = [found for found in calls_of(file, blocks) if rng.random() < 0.7]
    if not calls:
        return None
    return edited(text, [replacing(statement, expansion(text, statement, blocks, at)) for at, statement in enumerate(calls)])


def can_be_inlined(block: ast.Block) -> bool:
    """Its only `return` is its last statement, its parameters have no layer or list, and it names no size that its patterns bind."""
    returns = list(every(ast.Return, block))
    dims = {name.id for parm in block.parms for name in list(bound_by(parm))[1:]}
    simple = all(parm.type is not None and (parm.type.dtype is None or parm.type.dtype.id != "layer") for parm in block.parms)
    return simple and len(returns) == 1 and block.body.statements[-1] is returns[0] and not dims & (names_in(block.body) - {"batch"})


def calls_of(file: ast.File, blocks: dict[str, ast.Block]) -> Iterator[ast.Assign]:
    """Assignments whose whole value is a call of one of these blocks, in bodies of networks."""
    for network in (item for item in file.statements if isinstance(item, ast.Network)):
        for node in walk(network):
            if isinstance(node, ast.Assign) and not isinstance(node.values, ast.Scan) and len(node.values) == 1:
                call = callee(node.values[0])
                if call is not None and call[0].id in blocks:
                    yield node


def expansion(text: str, statement: ast.Assign, blocks: dict[str, ast.Block], number: int) -> str:
    """Assignments of the arguments, the body with names of its own, assignments of the results."""
    assert not isinstance(statement.values, ast.Scan)
    call = callee(statement.values[0])
    assert call is not None
    name, args, piped = call
    block = blocks[name.id]
    own = {found.id for node in walk(block) for found in bound_by(node)} - {"batch"}
    new = {word: f"{word}_{number}_" for word in own}
    lines = [f"{new[parm]} = {value}" for parm, value in bound_arguments(text, block, args, piped).items()]
    kept = arguments_of_others(tree(text), set())
    body = block.body.statements
    for inner in body[:-1]:
        lines.append(with_names(inner, new, kept))
    last = body[-1]
    assert isinstance(last, ast.Return)
    lines += [f"{target.id} = {with_names(value, new, kept)}" for target, value in zip(statement.names, last.values, strict=True)]
    return "\n  ".join(lines)


def bound_arguments(text: str, block: ast.Block, args: Sequence[ast.Arg], piped: ast.Expr | None) -> dict[str, str]:
    """The text of the value of each parameter, defaults included, in the order of the parameters."""
    given = [piped.span.text] if piped is not None else []
    given += [arg.value.span.text for arg in args if arg.name is None]
    names = [parm.name.id for parm in block.parms]
    found = dict(zip(names, given, strict=False)) | {arg.name.id: arg.value.span.text for arg in args if arg.name is not None}
    defaults = {parm.name.id: parm.default.span.text for parm in block.parms if parm.default is not None}
    return {name: found.get(name, defaults.get(name, "")) for name in names}


def with_names(node: ast.Node, new: dict[str, str], kept: set[int]) -> str:
    """The text of a node of the block with new names, those of arguments of other calls left alone."""
    start = node.span.start
    edits = [
        (name.span.start - start, name.span.end - start, new[name.id])
        for name in every(ast.Name, node)
        if name.id in new and name.span.start not in kept
    ]
    return edited(node.span.text, edits)
