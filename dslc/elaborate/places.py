"""Which statement stands where: the table of docs/language.md."""

from __future__ import annotations

from dslc.diagnostics import Diagnostic
from dslc.elaborate import errors
from dslc.source import Span
from dslc.syntax import ast

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
    place = ARTICLES[nested] if nested else ARTICLES["file"] if body == "file" else f"`{body}`"
    span = Span(statement.span.source, statement.span.start, statement.span.start + len(first_word(statement)))
    shown = "setting" if keyword == "setting" else keyword
    if keyword in ("assignment", "setting"):
        shown = first_word(statement)
    words = {"assignment": "an assignment", "setting": "a setting"}.get(keyword, f"`{shown}`")
    return errors.MisplacedStatement(span=span, statement=words, place=place, right=homes(keyword))


def first_word(statement: ast.Statement) -> str:
    text = statement.span.text
    end = next((at for at, char in enumerate(text) if not (char.isalnum() or char == "_")), len(text))
    return text[: max(end, 1)]
