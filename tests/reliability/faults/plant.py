"""Kinds of faults: what each changes in one statement of a valid spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from dslc.elaborate.walk import nodes
from dslc.source import Span
from dslc.syntax import ast

BODIES = (ast.Block, ast.Network, ast.Train, ast.Generate, ast.For, ast.If, ast.Step, ast.Rule)


@dataclass(frozen=True)
class Change:
    """The text from `start` to `end` becomes `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Place:
    """A statement without a body of its own, in a file or in the body of `owner`."""

    statement: ast.Statement
    owner: str

    @property
    def span(self) -> Span:
        return self.statement.span


def places(file: ast.File) -> list[Place]:
    """All statements that have no body, in the order of the text; the header and imports are left as they are."""
    found: list[Place] = []
    for statement in file.statements:
        if not isinstance(statement, (ast.Header, ast.Import)):
            found += inside(statement, "file")
    return sorted(found, key=lambda place: place.span.start)


def inside(statement: ast.Statement, owner: str) -> Iterator[Place]:
    if not any(isinstance(node, ast.Body) for node in nodes((statement,))):
        yield Place(statement, owner)
    elif isinstance(statement, BODIES):
        kind = owner if isinstance(statement, (ast.For, ast.If)) else type(statement).__name__.lower()
        bodies = [statement.body] if not isinstance(statement, ast.If) else [body for _, body in statement.arms]
        for body in bodies:
            for inner in body.statements:
                yield from inside(inner, kind)


# ---- kinds ------------------------------------------------------------------------------------------------------------------------

Plant = Callable[[Random, Place], Change | None]


def expressions(place: Place) -> list[object]:
    """What is evaluated in a statement."""
    statement = place.statement
    parts = [getattr(statement, name, None) for name in ("values", "value", "default", "init")]
    return [part for part in parts if part is not None]


def found(place: Place, kinds: tuple[type[ast.Node], ...]) -> list[ast.Node]:
    """The nodes of these kinds in the expressions of a statement, in the order of the text."""
    return sorted((node for node in nodes(expressions(place)) if isinstance(node, kinds)), key=lambda node: node.span.start)


def calls(place: Place) -> list[ast.Call | ast.Stage]:
    return [node for node in found(place, (ast.Call, ast.Stage)) if isinstance(node, (ast.Call, ast.Stage))]


def odd(place: Place) -> str:
    """An end of a name that no other name has."""
    return f"_q{place.span.start}"


def insert(at: int, text: str) -> Change:
    return Change(at, at, text)


def unknown_name(rng: Random, place: Place) -> Change | None:
    """A name that is read becomes one that is not there."""
    called = {id(node.func) for node in calls(place) if isinstance(node, ast.Call)}
    other = {id(part) for node in calls(place) if isinstance(node, ast.Stage) for part in (*node.path, node.alias)}
    other |= {id(node.name) for node in found(place, (ast.Arg, ast.Field, ast.Rest)) if isinstance(node, (ast.Arg, ast.Field, ast.Rest))}
    names = [node for node in found(place, (ast.Name,)) if id(node) not in called | other and node.span.text != "_"]
    return insert(rng.choice(names).span.end, odd(place)) if names else None


def unknown_function(rng: Random, place: Place) -> Change | None:
    """What is called becomes what is not there."""
    names = [node.func if isinstance(node, ast.Call) else node.path[-1] for node in calls(place)]
    names = [name for name in names if isinstance(name, ast.Name)]
    return insert(rng.choice(names).span.end, odd(place)) if names else None


def unknown_argument(rng: Random, place: Place) -> Change | None:
    """A call gets an argument that nothing has."""
    given = [node for node in calls(place) if node.args]
    return insert(rng.choice(given).span.end - 1, ", qz_arg=1") if given and all(node.alias is None for node in stages(given)) else None


def stages(given: list[ast.Call | ast.Stage]) -> list[ast.Stage]:
    return [node for node in given if isinstance(node, ast.Stage)]


def missing_argument(rng: Random, place: Place) -> Change | None:
    """A call loses all its arguments."""
    given = [node for node in calls(place) if node.args]
    if not given:
        return None
    args = rng.choice(given).args or ()
    return Change(args[0].span.start, args[-1].span.end, "")


def wrong_type(rng: Random, place: Place) -> Change | None:
    """A number becomes a string."""
    numbers = found(place, (ast.Int, ast.Float))
    if not numbers:
        return None
    number = rng.choice(numbers).span
    return Change(number.start, number.end, '"qz"')


def bad_value(rng: Random, place: Place) -> Change | None:
    """A number becomes one that is out of most ranges."""
    numbers = found(place, (ast.Int, ast.Float))
    if not numbers:
        return None
    number = rng.choice(numbers).span
    return Change(number.start, number.end, rng.choice(["(-7)", "0"]))


def wrong_shape(rng: Random, place: Place) -> Change | None:
    """A value gets one axis more, or a size of a type another value."""
    if isinstance(place.statement, (ast.Output, ast.Return, ast.Setting, ast.Assign)) and expressions(place):
        names = [node for node in found(place, (ast.Field,)) if isinstance(node, ast.Field)]
        return insert(rng.choice(names).span.end, "[:, _, _]") if names else None
    return None


def unknown_field(rng: Random, place: Place) -> Change | None:
    """`net.logits` becomes what the network does not have."""
    fields = found(place, (ast.Field,))
    return insert(rng.choice(fields).span.end, odd(place)) if fields else None


def unknown_setting(rng: Random, place: Place) -> Change | None:
    """The name of a setting becomes none."""
    statement = place.statement
    return insert(statement.key.span.end, odd(place)) if isinstance(statement, ast.Setting) else None


def unknown_type(rng: Random, place: Place) -> Change | None:
    """A dtype or kind becomes none; a tensor without one gets one that is none."""
    type = getattr(place.statement, "type", None)
    return None if type is None else Change(type.span.start, type.dtype.span.end, "qz9") if type.dtype else insert(type.span.start, "qz9")


def duplicate(rng: Random, place: Place) -> Change | None:
    """A declaration stands twice."""
    if not isinstance(place.statement, (ast.Param, ast.Input, ast.Weight, ast.Setting, ast.State, ast.Layer)):
        return None
    text = place.span.source.text
    start = text.rfind("\n", 0, place.span.start) + 1
    indent = text[start : place.span.start]
    return insert(place.span.end, f"\n{indent}{place.span.text}") if not indent.strip() else None


def broken_bracket(rng: Random, place: Place) -> Change | None:
    """A closing bracket is missing."""
    closers = [at for at in range(place.span.start, place.span.end) if place.span.source.text[at] in ")]"]
    return Change(at := rng.choice(closers), at + 1, "") if closers else None


def broken_operator(rng: Random, place: Place) -> Change | None:
    """`= =`, `: :`: a sign stands twice."""
    text = place.span.text
    at = next((at for at, char in enumerate(text) if char in "=:"), None)
    return None if at is None else insert(place.span.start + at + 1, f" {text[at]}")


def broken_end(rng: Random, place: Place) -> Change | None:
    """A statement ends in an operator."""
    return insert(place.span.end, rng.choice([" +", " ->", ",", " ="]))


def stray_character(rng: Random, place: Place) -> Change | None:
    names = [node.span.end for node in found(place, (ast.Name, ast.Int))]
    return insert(rng.choice(names), rng.choice([" $", " ?", " !", " ~"])) if names else None


OF_VALUES = frozenset(["wrong shape", "unknown field"])  # seen only where the value is known: no other fault may stand before it
KINDS: dict[str, Plant] = {
    "unknown name": unknown_name,
    "unknown function": unknown_function,
    "unknown argument": unknown_argument,
    "missing argument": missing_argument,
    "wrong type": wrong_type,
    "bad value": bad_value,
    "wrong shape": wrong_shape,
    "unknown field": unknown_field,
    "unknown setting": unknown_setting,
    "unknown type": unknown_type,
    "duplicate": duplicate,
    "bracket missing": broken_bracket,
    "sign twice": broken_operator,
    "operator at the end": broken_end,
    "stray character": stray_character,
}
