"""Settings of train, step, rule and generate bodies: which there are, and reading their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dslc.diagnostics import Label
from dslc.elaborate import errors
from dslc.elaborate.evaluation import evaluate
from dslc.elaborate.frame import Frame
from dslc.elaborate.initialisers import word_call
from dslc.elaborate.params import Given
from dslc.elaborate.places import colon_slip
from dslc.elaborate.suggest import listed, meant, nearest, rename
from dslc.elaborate.values import POISON, Poison, Value, is_int, is_number, text_of, words_of
from dslc.program import Call
from dslc.source import Span
from dslc.syntax import ast
from dslc.syntax.tokens import SETTINGS
from dslc.vocabulary import CLIPS, CONSTRAINTS, OPTIMIZERS, SCHEDULES, STARTS, Word

MOST_COUNT = 2**53
TABLES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "clip": CLIPS, "start": STARTS, "constraint": CONSTRAINTS}
PLACES: dict[str, tuple[str, ...]] = {
    "train": ("loss", "metric", "optimizer", "schedule", "clip", "batch_size", "epochs", "steps", "accumulate", "ema", "start"),
    "step": ("trains", "times", "loss", "metric", "optimizer", "schedule", "clip"),
    "rule": ("frozen", "rate", "weight_decay", "init", "constraint"),
    "generate": ("next", "start", "stop", "limit", "context"),
}
NAMED = frozenset(["loss", "metric"])
COUNTS = frozenset(["batch_size", "epochs", "steps", "accumulate", "times", "limit", "context"])


@dataclass
class Settings:
    """The settings of one body: where each stands, and its value."""

    place: str
    spans: dict[tuple[str, str], Span] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)  # settings that an unknown one was probably meant to be

    def claim(self, frame: Frame, node: ast.Setting, called: str = "") -> bool:
        """Whether this setting exists here and stands for the first time; `called`: its name where the text gives it none."""
        key = node.key.id
        known = PLACES[self.place]
        if key not in known:
            near = nearest(key, known)
            fix = rename(node.key.span, near, known)
            self.missed |= {near, *(name for name in known if key.startswith(name))}
            if not near and node.name is None and key not in SETTINGS and frame.file.written[key] > 1:  # `data: dataset(…)` was to make it
                frame.report(colon_slip(node))
                return False
            frame.report(
                errors.UnknownSetting(
                    span=node.key.span, name=key, place=f"`{self.place}`", meant=meant(near), known=listed(known), fix=fix
                )
            )  # fmt: skip
            return False
        if node.name is not None and key not in NAMED:
            frame.report(errors.SettingName(span=node.name.span, name=key))
            self.missed.add(key)
            return False
        name = node.name.id if node.name is not None else called
        first = self.spans.setdefault((key, name), node.span)
        if first != node.span:
            labels = (Label(first, "set here first"),)
            shown = f"{key} {name}" if name else key
            frame.report(errors.DuplicateSetting(span=node.span, name=shown, labels=labels))
            return False
        return True


def count(frame: Frame, node: ast.Setting) -> int | None:
    """A whole number of at least 1."""
    value = evaluate(frame, node.value)
    return counted(frame, node.key.id, value, node.value.span)


def counted(frame: Frame, name: str, value: Value, span: Span | None) -> int | None:
    if is_int(value) and 1 <= value <= MOST_COUNT:
        return int(value)
    if not isinstance(value, Poison):
        wanted = "at most 2^53" if is_int(value) and value > MOST_COUNT else "a whole number of at least 1"
        frame.report(errors.SettingValue(span=span, name=name, wanted=wanted, found=found_text(value)))
    return None


def found_text(value: Value) -> str:
    """A number as it is (`not 0`), anything else with its kind."""
    return text_of(value) if is_number(value) else words_of(value)


def word(frame: Frame, node: ast.Setting) -> Call | None:
    """`optimizer: sgd(0.1)` and its like."""
    return word_of(frame, node.key.id, TABLES[node.key.id], node.value)


def word_of(frame: Frame, name: str, table: Mapping[str, Word], value: ast.Expr) -> Call | None:
    """A word of a table with its arguments; None (reported) where it is none."""
    found = word_call(frame, name, table, value)
    if found is None:
        return None
    row, args = found
    if not row.runs:
        frame.session.signature_only.setdefault(row.name, value.span.place)
    return Call(name=row.name, args=args, place=value.span.place)


def between(frame: Frame, node: ast.Setting) -> float | None:
    """A number between 0 and 1, without both."""
    return fraction(frame, node.key.id, evaluate(frame, node.value), node.value.span)


def fraction(frame: Frame, name: str, value: Value, span: Span | None) -> float | None:
    if is_number(value) and 0 < value < 1:
        return float(value)
    if not isinstance(value, Poison):
        frame.report(errors.SettingValue(span=span, name=name, wanted="a number between 0 and 1", found=found_text(value)))
    return None


def number(frame: Frame, node: ast.Setting) -> float | Poison:
    value = evaluate(frame, node.value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    if not isinstance(value, Poison):
        wanted = "a number of at least 0"
        frame.report(errors.SettingValue(span=node.value.span, name=node.key.id, wanted=wanted, found=found_text(value)))
    return POISON


def flag(frame: Frame, node: ast.Setting) -> bool | Poison:
    value = evaluate(frame, node.value)
    if isinstance(value, (bool, Poison)):
        return value
    return frame.report(errors.SettingValue(span=node.value.span, name=node.key.id, wanted="true or false", found=words_of(value)))


def overridden(name: str, given: Given, written: float | None) -> tuple[Value, str]:
    """A number with its origin: from outside, from the spec, or not at all."""
    override = given.get(name)
    if override is None:
        return written, "spec" if written is not None else "default"
    return None if isinstance(override.value, Poison) else override.value, override.origin
