"""Other blanks, line breaks and comments, and another order of independent statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from dslc.syntax import ast
from tests.relations.edits import Edit, edited, every, names_in, tokens, tree
from tests.relations.rename import bound_by

BLANKS = (" ", "  ", "\t", " \t ")
COMMENTS = ("# a comment", "#", "# network Net { output y = x }", "# loss: 1 \\ \" ' (", "#\t# again")
CLOSE = frozenset("()[]{},")


def laid_out(text: str, rng: Random, *, lines: bool = True) -> str:
    """Blanks between tokens drawn anew, comments at ends of lines; with `lines` also line breaks where they mean nothing, and `\\r\\n`."""
    found = tokens(text)
    edits: list[Edit] = []
    depth = 0
    for before, after in pairwise(found):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(before.text, 0)
        if "\n" in (before.text[-1:], after.text[-1:]) or rng.random() < 0.5:
            continue
        tight = before.text in CLOSE or after.text in CLOSE
        gap = rng.choice(("", *BLANKS) if tight and before.end == after.start else BLANKS) if tight or before.end < after.start else ""
        if lines and depth > 0 and rng.random() < 0.2:
            gap += f"{rng.choice(COMMENTS)}\n{rng.choice(BLANKS)}"
        edits.append((before.end, after.start, gap))
    edits += [ending(rng, token.start, lines) for token in found if token.text[-1:] == "\n" and rng.random() < 0.4]
    new = edited(text, [edit for edit in edits if edit[2] or edit[0] < edit[1]])
    return new.replace("\n", "\r\n") if lines and rng.random() < 0.2 else new


def ending(rng: Random, at: int, lines: bool) -> Edit:
    """A comment at the end of a line, and lines of nothing behind it."""
    text = f"{rng.choice(BLANKS)}{rng.choice(COMMENTS)}"
    return at, at, text + rng.choice(("", "", "\n", f"\n\n   {rng.choice(COMMENTS)}")) if lines else text


# ---- order ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Effects:
    """What decides whether two statements may change places."""

    binds: frozenset[str]
    reads: frozenset[str]
    calls: frozenset[str]  # called twice, the second call has another address
    kind: str  # two of the same kind keep their order; "" has none

    def independent(self, other: Effects) -> bool:
        free = not (self.binds & (other.binds | other.reads) or other.binds & self.reads)
        return free and not self.calls & other.calls and not (self.kind and self.kind == other.kind)


def reordered(text: str, rng: Random) -> str:
    """The text with neighbouring independent statements exchanged at random, declarations of the file too."""
    file = tree(text)
    networks = {item.name.id for item in every(ast.Network, file)}
    while True:
        body = rng.choice([file.statements, *(node.body.statements for node in file.statements if hasattr(node, "body"))])
        new = exchanged(text, body, networks, rng)
        if new != text or rng.random() < 0.2:
            return new


def exchanged(text: str, body: Sequence[ast.Statement], networks: set[str], rng: Random) -> str:
    """One body in another order: what stands between two statements stays where it is."""
    order = list(body)
    effects = {id(item): effects_of(item, networks) for item in body}
    for _ in range(2 * len(body)):
        at = rng.randrange(max(len(order) - 1, 1))
        pair = order[at : at + 2]
        if len(pair) == 2 and all(movable(item) for item in pair) and effects[id(pair[0])].independent(effects[id(pair[1])]):
            order[at : at + 2] = reversed(pair)
    return edited(text, [(old.span.start, old.span.end, new.span.text) for old, new in zip(body, order, strict=True) if old is not new])


def movable(item: ast.Statement) -> bool:
    return not isinstance(item, (ast.Header, ast.Import, ast.Return, ast.Yield, ast.Carry, ast.Error, ast.Value))


def effects_of(item: ast.Statement, networks: set[str]) -> Effects:
    """A declaration of the file depends on nothing; what holds a body binds all that it names."""
    if isinstance(item, (ast.Block, ast.Network, ast.Train, ast.Generate)):
        return Effects(frozenset(), frozenset(), frozenset(), "train" if isinstance(item, (ast.Train, ast.Generate)) else "")
    names = frozenset(names_in(item))
    bound = frozenset(name.id for name in bound_by(item))
    nested = isinstance(item, (ast.If, ast.For)) or (isinstance(item, ast.Assign) and isinstance(item.values, ast.Scan))
    called = {node.id for call in every(ast.Call, item) for node in every(ast.Name, call.func)}
    called |= {name.id for stage in every(ast.Stage, item) for name in stage.path} | operators_in(item)
    if called & networks:
        called |= {"a network"}
    return Effects(names if nested else bound, names, frozenset(called), kind_of(item))


def operators_in(item: ast.Statement) -> set[str]:
    """Signs, which are operators with addresses of their own."""
    return {f"operator {node.op}" for node in every(ast.Term, item)}


def kind_of(item: ast.Statement) -> str:
    if isinstance(item, (ast.Input, ast.Output, ast.Weight, ast.State, ast.Update, ast.Param, ast.Rule)):
        return type(item).__name__
    if isinstance(item, ast.Setting):
        return f"setting {item.key.id}"
    return "nested" if isinstance(item, (ast.If, ast.For)) else ""
