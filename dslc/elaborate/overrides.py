"""Values from outside the spec: `--set lr=0.01`, the environment, Python arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dslc.diagnostics import Sink, SpecError
from dslc.elaborate import errors
from dslc.elaborate.evaluation import evaluate
from dslc.elaborate.frame import Frame
from dslc.elaborate.params import Setting
from dslc.elaborate.suggest import listed, meant, nearest
from dslc.source import Span
from dslc.syntax import ast

TEXT = frozenset(["--set", "environment"])
SETTINGS = ("batch_size", "epochs", "steps")


@dataclass(frozen=True)
class Outside:
    """One override: an expression still to be evaluated, or a value."""

    path: str
    expr: ast.Expr | None
    value: Any
    origin: str
    span: Span | None


def read(path: str, value: Any, origin: str, sink: Sink) -> Outside | None:
    """Parse an override; None (reported) if its text cannot be read."""
    if not (isinstance(value, str) and origin in TEXT):
        return Outside(path, None, plain(value), origin, None)
    from dslc.syntax.parse import parse_literal

    try:
        names, expr = parse_literal(f"{path}={value}", origin)
    except SpecError as error:
        sink.extend(error.diagnostics)
        return None
    return Outside(".".join(names), expr, None, origin, expr.span)


def plain(value: Any) -> Any:
    """Lists of Python as tuples."""
    return tuple(plain(item) for item in value) if isinstance(value, (list, tuple)) else value


def settings(frame: Frame, found: Mapping[str, Outside], tree: ast.File, trainings: Sequence[str]) -> dict[str, dict[str, Setting]]:
    """Overrides by what they mean: "" for params, the name of a training for its settings. Unknown ones are reported."""
    params = [node.name.id for node in tree.statements if isinstance(node, ast.Param)]
    known = [*params, *(f"train.{name}" for name in SETTINGS if trainings)]
    result: dict[str, dict[str, Setting]] = {"": {}}
    for path, outside in found.items():
        value = evaluate(frame, outside.expr) if outside.expr is not None else outside.value
        setting = Setting(value, outside.origin, outside.span, None)
        owner, _, key = path.rpartition(".")
        if not owner and key in params:
            result[""][key] = setting
        elif owner and key in SETTINGS and (owner == "train" or owner in trainings) and trainings:
            for name in trainings if owner == "train" and owner not in trainings else [owner]:
                result.setdefault(name, {})[key] = setting
        else:
            near = f"train.{path}" if path in SETTINGS and f"train.{path}" in known else nearest(path, known)
            span = None if outside.span is None else Span(outside.span.source, 0, len(path))
            frame.report(errors.UnknownOverride(span=span, name=path, meant=meant(near), known=listed(known)))
    return result
