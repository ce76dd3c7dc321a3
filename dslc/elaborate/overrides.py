"""Values from outside the spec: `--set lr=0.01`, `--set train.optimizer=adam(0.001)`, the environment, Python arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dslc.diagnostics import Sink, SpecError
from dslc.elaborate import errors
from dslc.elaborate.evaluation import evaluate
from dslc.elaborate.frame import Frame
from dslc.elaborate.kinds import kind_text
from dslc.elaborate.params import Setting
from dslc.elaborate.settings import COUNTS, TABLES, counted, fraction, word_of
from dslc.elaborate.suggest import listed, meant, nearest
from dslc.elaborate.values import POISON, Value
from dslc.source import Span
from dslc.syntax import ast

TEXT = frozenset(["--set", "environment"])
COUNTED = ("batch_size", "epochs", "steps", "accumulate", "ema")
WORDS = ("optimizer", "schedule", "clip", "start")
OF_STEP = ("times", "optimizer", "schedule", "clip")
OPTIONAL = frozenset(["steps", "ema", "clip", "start"])  # `none` takes them away
TERMS = frozenset(["loss", "metric"])

Targets = Mapping[str, Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class Outside:
    """One override: an expression still to be evaluated, or a value."""

    path: str
    expr: ast.Expr | None
    value: Any
    origin: str
    span: Span | None


def read(path: str, value: Any, origin: str, sink: Sink) -> Outside | None:
    """Parse an override; None (reported) if its text cannot be read. A word (`adam(0.001)`) is text from Python too."""
    word = "." in path and path.rpartition(".")[2] in WORDS
    if not (isinstance(value, str) and (origin in TEXT or word)):
        return Outside(path, None, plain(value), origin, None)
    return parsed(path, value, origin, sink)


def parsed(path: str, value: str, origin: str, sink: Sink) -> Outside | None:
    """An override that is text."""
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
    """Overrides by what they mean: "" for params, the name of a training for its settings, as `KEY` or `STEP.KEY`.

    Unknown ones and values that do not fit a setting are reported; params are checked where they are declared.
    """
    params = {node.name.id: node for node in tree.statements if isinstance(node, ast.Param)}
    targets = targets_of(tree, trainings)
    result: dict[str, dict[str, Setting]] = {"": {}}
    for path, outside in found.items():
        if path in params:
            result[""][path] = param_setting(frame, kind_text(params[path].type), outside)
        elif path in targets:
            setting = Setting(setting_value(frame, path, outside), outside.origin, outside.span)
            for training, key in targets[path]:
                result.setdefault(training, {})[key] = setting
        else:
            frame.report(unknown(path, outside, list(params), targets))
    return result


def param_setting(frame: Frame, kind: str, outside: Outside) -> Setting:
    """The value for a param of this type. An initialiser is text from Python too."""
    given: Outside | None = outside
    if kind == "init" and isinstance(outside.value, str):
        given = parsed(outside.path, outside.value, outside.origin, frame.session.sink)
    if given is None:
        return Setting(POISON, outside.origin)
    value = evaluate(frame, given.expr, kind) if given.expr is not None else given.value
    return Setting(value, given.origin, given.span)


def targets_of(tree: ast.File, trainings: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Paths that can be set, with the trainings that they mean and the key there. `train.KEY` means every training."""
    found: dict[str, list[tuple[str, str]]] = {}
    for node in tree.statements:
        name = "train" if not isinstance(node, ast.Train) or node.name is None else node.name.id
        if isinstance(node, ast.Train) and name in trainings:
            for owner in (name,) if "train" in trainings else (name, "train"):
                for key in keys_of(node):
                    found.setdefault(f"{owner}.{key}", []).append((name, key))
    return found


def keys_of(node: ast.Train) -> list[str]:
    """The settings of one training; one that each of its steps has for itself would change nothing."""
    steps = [item for item in node.body.statements if isinstance(item, ast.Step)]
    own = [{item.key.id for item in step.body.statements if isinstance(item, ast.Setting)} for step in steps]
    everywhere = set.intersection(*own) if own else set()
    keys = [key for key in (*COUNTED, *WORDS) if key not in everywhere]
    return keys + [f"{step.name.id}.{key}" for step in steps for key in OF_STEP]


def setting_value(frame: Frame, path: str, outside: Outside) -> Value:
    """The value of a setting in the form that a training has it; None for `none`, POISON (reported) where it does not fit."""
    key = path.rpartition(".")[2]
    bare = outside.value is None if outside.expr is None else isinstance(outside.expr, ast.Name) and outside.expr.id == "none"
    if bare and key in OPTIONAL:
        return None
    if key in TABLES:
        if outside.expr is None:
            return frame.report(errors.SettingValue(name=path, wanted=f"one of {listed(TABLES[key])} as text", found="this"))
        call = word_of(frame, key, TABLES[key], outside.expr)
        return POISON if call is None else call
    value = evaluate(frame, outside.expr) if outside.expr is not None else outside.value
    number = counted(frame, path, value, outside.span) if key in COUNTS else fraction(frame, path, value, outside.span)
    return POISON if number is None else number


def unknown(path: str, outside: Outside, params: Sequence[str], targets: Targets) -> errors.UnknownOverride:
    """Nothing is called so. The name without its training, and the training's name for every training, are near ones."""
    span = None if outside.span is None else Span(outside.span.source, 0, len(path))
    owner, _, key = path.rpartition(".")
    if owner and key in TERMS and any(name.startswith(f"{owner}.") for name in targets):
        words = f": a {key} stands in the spec only, where a `param` may be part of it"
        return errors.UnknownOverride(span=span, name=path, meant=words, known=listed(params))
    known = [*params, *targets]
    near = [name for name in known if name.rpartition(".")[2] == key] or alike(path, known) or [nearest(path, known)]
    return errors.UnknownOverride(span=span, name=path, meant=meant(near[0]), known=listed(known, 20))


def alike(path: str, known: Sequence[str]) -> list[str]:
    """The names of the same owner whose last part is nearest; without an owner, of any."""
    owner, _, key = path.rpartition(".")
    last = {name.rpartition(".")[2]: name for name in reversed(known) if not owner or name.rpartition(".")[0] == owner}
    near = nearest(key, last)
    return [last[near]] if near else []
