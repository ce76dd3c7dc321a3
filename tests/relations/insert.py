"""Statements that change nothing: code that never runs, and identities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from dslc.syntax import ast
from tests.relations.edits import bodies, edited, every, names_in, tree

NEVER = ("false", "not true", "1 > 2", "training and not training", "2 == 3 or false")
RUBBISH = ("exp({x}) * 1000", "{x} @ {x}", "concat({x}, {x})", "({x} -> reshape([7, 7, 7]))", "[1, 2]", "1 / 0", "log(0 * {x})")
IDENTITIES = {
    "stack and take": "block {name}(x) {{\n  return stack(x, x, axis=1)[:, 0]\n}}",
    "a new axis": "block {name}(x: [n, *s]) {{\n  y = x[:, _]\n  return y[:, 0]\n}}",
    "reshape there and back": "block {name}(x: [*s, n]) {{\n  y = x -> reshape([*s, 1, n])\n  return y -> reshape([*s, n])\n}}",
    "two transposes": "block {name}(x: [*s, n, m]) {{\n  return transpose(transpose(x))\n}}",
    "axes around": "block {name}(x: [n, m, k]) {{\n  return transpose(transpose(x, [2, 0, 1]), [1, 2, 0])\n}}",
    "split and concat": "block {name}(x: [*s, n]) {{\n  a, b = split(concat(x, x), 2)\n  c, _ = split(concat(b, a), 2)\n  return c\n}}",
    "parts": "block {name}(x: [*s, n]) {{\n  y = concat(x, x, axis=-1)\n  return y[.., n:2 * n]\n}}",
    "a choice": "block {name}(x: [*s]) {{\n  return where(x == x, x, tanh(x) + 7)\n}}",
    "turned twice": "block {name}(x: [n, *s, m]) {{\n  return flip(flip(x, axis=-1), axis=-1)\n}}",
}  # fmt: skip


def places(text: str) -> list[tuple[int, str]]:
    """Ends of assignments of one value in networks and blocks, with the name."""
    found = []
    for item in tree(text).statements:
        if isinstance(item, (ast.Network, ast.Block)):
            for body in bodies(item):
                found += [(at, name) for at, name in assigned(body)]
    return found


def assigned(body: Sequence[ast.Statement]) -> Iterator[tuple[int, str]]:
    for item in body:
        if isinstance(item, ast.Assign) and len(item.names) == 1 and not isinstance(item.values, ast.Scan):
            lists = isinstance(item.values[0], ast.List) or not names_in(item.values)
            if not lists and item.names[0].id != "_":
                yield item.span.end, item.names[0].id


def with_dead_code(text: str, rng: Random) -> str | None:
    """Arms that are never taken and loops that never turn, over values that are there."""
    found = places(text)
    if not found:
        return None
    edits = []
    for at, name in rng.sample(found, min(len(found), rng.randint(1, 4))):
        rubbish = rng.choice(RUBBISH).format(x=name)
        head = f"if {rng.choice(NEVER)}" if rng.random() < 0.7 else f"for never{at} in 3..3"
        edits.append((at, at, f"\n  {head} {{\n  {name} = {rubbish}\n  }}\n"))
    return edited(text, edits)


def with_identity(text: str, rng: Random) -> tuple[str, str] | None:
    """One value replaced by an identity of it, and which."""
    found = places(text)
    if not found:
        return None
    at, name = rng.choice(found)
    kind = rng.choice(sorted(IDENTITIES))
    block = IDENTITIES[kind].format(name="unchanged")
    return edited(text, [(at, at, f"\n  {name} = unchanged({name})\n")]) + f"\n{block}\n", kind


def with_output(text: str, rng: Random) -> str | None:
    """One more output in a network: a value that is there, doubled."""
    found = [
        (body.statements[-1].span.end, name) for item in tree(text).statements if isinstance(item, ast.Network)
        for body in [item.body] for _, name in assigned(body.statements)
    ]  # fmt: skip
    if not found:
        return None
    at, name = rng.choice(found)
    return edited(text, [(at, at, f"\n  output more{at} = stack({name}, {name})\n")])


def with_losses_scaled(text: str, factor: str) -> str:
    """Every loss times a number."""
    losses = [item.value for item in every(ast.Setting, tree(text)) if item.key.id == "loss"]
    return edited(text, [(loss.span.start, loss.span.end, f"({loss.span.text}) * {factor}") for loss in losses])


def with_setting(text: str, key: str, value: str) -> str:
    """The text with a setting of its training; unchanged where it has that one."""
    (train,) = every(ast.Train, tree(text))
    if any(item.key.id == key for item in every(ast.Setting, train)):
        return text
    end = train.body.statements[-1].span.end
    return edited(text, [(end, end, f"\n  {key}: {value}")])


def with_losses_named(text: str) -> str:
    """Every loss with a name."""
    losses = [item for item in every(ast.Setting, tree(text)) if item.key.id == "loss" and item.name is None]
    return edited(text, [(item.key.span.end, item.key.span.end, f" own{item.span.start}") for item in losses])
