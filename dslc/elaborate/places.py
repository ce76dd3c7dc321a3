"""Which statement stands where: the table of docs/language.md."""

from __future__ import annotations

import re

from dslc.diagnostics import Diagnostic, Edit, Fix
from dslc.elaborate import errors
from dslc.source import Span
from dslc.syntax import ast
from dslc.syntax.errors import UnknownStatement, WrongSign
from dslc.syntax.near import near_word
from dslc.syntax.tokens import SETTINGS

KEYWORDS: dict[type[ast.Node], str] = {
    ast.Header: "dslc", ast.Import: "import", ast.Param: "param", ast.Block: "block", ast.Network: "network", ast.Train: "train",
    ast.Generate: "generate", ast.Layer: "layer", ast.Assign: "assignment", ast.Input: "input", ast.Output: "output",
    ast.Weight: "weight", ast.State: "state", ast.Update: "update", ast.For: "for", ast.If: "if", ast.Return: "return",
    ast.Carry: "carry", ast.Yield: "yield", ast.Step: "step", ast.Rule: "rule", ast.Setting: "setting",
}  # fmt: skip
ITEMS = ("dslc", "import", "param", "block", "network", "train", "generate")
BODIES: dict[str, tuple[str, ...]] = {
    "file": (*ITEMS, "layer"),
    "block": ("layer", "assignment", "weight", "state", "update", "for", "if", "return"),
    "network": ("layer", "assignment", "input", "output", "weight", "state", "update", "for", "if"),
    "train": ("assignment", "state", "update", "for", "if", "step", "rule", "setting"),
    "generate": ("assignment", "input", "state", "update", "for", "if", "setting"),
    "scan": ("assignment", "for", "if", "carry", "yield"),
    "step": ("assignment", "for", "if", "setting"),
    "rule": ("setting",),
}
DIRECT = frozenset(["input", "carry", "yield", "step", "rule", "setting", "dslc"])  # not inside `for` and `if`
ARTICLES = {"file": "the file itself", "if": "an `if`", "for": "a `for`"}


def allowed(statement: str, body: str, nested: str) -> bool:
    """Whether a statement stands in a body; `nested`: the innermost `for` or `if` around it in that body, or ""."""
    return statement in BODIES[body] and not (nested and statement in DIRECT)


def homes(statement: str) -> str:
    """Where a statement stands, as words."""
    found = [f"`{body}`" if body != "file" else ARTICLES["file"] for body, known in BODIES.items() if statement in known]
    text = found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
    return f"the top of {text}" if statement in DIRECT - {"setting", "dslc"} else text


def misplaced(statement: ast.Statement, keyword: str, body: str, nested: str) -> Diagnostic:
    if isinstance(statement, ast.Setting) and statement.key.id not in SETTINGS and "assignment" in BODIES[body]:
        found = slip(statement)
        if found is not None:
            return found
    place = ARTICLES[nested] if nested else ARTICLES["file"] if body == "file" else f"`{body}`"
    span = Span(statement.span.source, statement.span.start, statement.span.start + len(first_word(statement)))
    shown = "setting" if keyword == "setting" else keyword
    if keyword in ("assignment", "setting"):
        shown = first_word(statement)
    words = {"assignment": "an assignment", "setting": "a setting"}.get(keyword, f"`{shown}`")
    return errors.MisplacedStatement(span=span, statement=words, place=place, right=homes(keyword))


def slip(statement: ast.Setting) -> Diagnostic | None:
    """`inputt x: [3]` is a declaration with a slip; `y : f(x)` where no settings stand is an assignment."""
    key = statement.key
    if statement.name is not None:
        word = FOREIGN.get(key.id) or near_word(key.id, DECLARING)
        fix = Fix(f"write `{word}`", (Edit(key.span, word),))
        return UnknownStatement(span=key.span, word=key.id, nearest=word, fix=fix) if word else None
    return colon_slip(statement)


def colon_slip(statement: ast.Setting) -> Diagnostic:
    """`y : f(x)` for `y = f(x)`."""
    source = statement.span.source
    colon = source.text.index(":", statement.key.span.end)
    place = Span(source, colon, colon + 1)
    return WrongSign(span=place, found=":", wanted="=", fix=Fix("write `=`", (Edit(place, "="),)))


def keyword_slip(value: ast.Expr, body: str) -> Diagnostic | None:
    """`ret (a + b)` reads as a call; the blank says that it is a statement."""
    found = re.match(r"(\w+) \(", value.span.text)
    if found is None or body != "block" or not (found[1] == "ret" or near_word(found[1], ("return",))):
        return None
    span = Span(value.span.source, value.span.start, value.span.start + found.end(1))
    return UnknownStatement(span=span, word=found[1], nearest="return", fix=Fix("write `return`", (Edit(span, "return"),)))


def assignment_slip(value: ast.Expr) -> Diagnostic | None:
    """`y == f(x)` alone: an assignment."""
    if not isinstance(value, ast.Compare) or value.op != "==" or not isinstance(value.left, ast.Name):
        return None
    at = value.left.span.source.text.index("==", value.left.span.end)
    place = Span(value.left.span.source, at, at + 2)
    return WrongSign(span=place, found="==", wanted="=", fix=Fix("write `=`", (Edit(place, "="),)))


FOREIGN = {"data": "input", "placeholder": "input", "parameter": "weight", "variable": "weight"}
DECLARING = ("input", "weight", "state", "carry", "param")


def first_word(statement: ast.Statement) -> str:
    text = statement.span.text
    end = next((at for at, char in enumerate(text) if not (char.isalnum() or char == "_")), len(text))
    return text[: max(end, 1)]
