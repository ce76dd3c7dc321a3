"""Every setting of the train bodies of a spec with its value and its place, for `dslc config`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dslc.diagnostics import Sink
from dslc.program import Call, Init, ParamValue, Program, Training
from dslc.syntax import ast

TEXT = "text"  # the type of settings whose value is shown as it is written
NUMBERS = ("batch_size", "epochs", "steps", "accumulate", "ema")


def written_settings(spec: str | Path, program: Program) -> tuple[ParamValue, ...]:
    """Losses, metrics, optimizer and its like of each training in the order of the text, then what is left out, then the numbers.

    A word has its arguments bound (`sgd(rate=0.02, momentum=0.9, …)`); losses and metrics are shown as they are written.
    """
    from dslc.loading import find_spec
    from dslc.syntax.parse import parse
    from dslc.syntax.reader import read_source

    tree = parse(read_source(*find_spec(spec)), Sink())
    outside = {item.name: item for item in program.settings}
    found: list[ParamValue] = []
    for node in (item for item in tree.statements if isinstance(item, ast.Train)):
        name = node.name.id if node.name is not None else "train"
        training = program.trainings.get(name)
        own = list(body_settings(name, node.body, calls_of(training, None)))
        for step in (item for item in node.body.statements if isinstance(item, ast.Step)):
            own += body_settings(f"{name}.{step.name.id}", step.body, calls_of(training, step.name.id))
        own += left_out(name, training, {item.name for item in own})
        found += [as_set(item, outside.get(item.name)) for item in own]
        known = {item.name for item in found}
        found += [item for item in program.settings if item.name.split(".")[0] == name and item.name not in known]
    return tuple(found)


def as_set(item: ParamValue, outside: ParamValue | None) -> ParamValue:
    """A setting with the value that it was given from outside; its arguments are bound already."""
    if outside is None:
        return item
    value = outside.value if outside.value == "none" or outside.type != TEXT or item.value == "none" else item.value
    return item.model_copy(update={"origin": outside.origin, "value": value, "type": outside.type})


def calls_of(training: Training | None, step: str | None) -> dict[str, Call | None]:
    """The words of a training, or of one of its steps, with all their arguments."""
    if training is None:
        return {}
    steps = {item.name: item for item in training.steps}
    if step is not None:
        own = steps.get(step)
        return {} if own is None else {"optimizer": own.optimizer, "schedule": own.schedule, "clip": own.clip}
    words = {"schedule": training.schedule, "clip": training.clip, "start": training.start}
    return words | ({"optimizer": training.steps[0].optimizer} if len(steps) == 1 else {})


def body_settings(owner: str, body: ast.Body, calls: dict[str, Call | None]) -> Iterator[ParamValue]:
    """The settings that stand in a body, except the numbers of a training."""
    for node in body.statements:
        if not isinstance(node, ast.Setting) or node.key.id in NUMBERS:
            continue
        key = f"{owner}.{node.key.id}" + (f" {node.name.id}" if node.name is not None else "")
        call = calls.get(node.key.id)
        span = node.value.span
        text = call_text(call) if call is not None else " ".join(span.source.text[span.start : span.end].split())
        yield ParamValue(name=key, type=TEXT, value=text, origin="spec", place=node.span.place)


def left_out(name: str, training: Training | None, known: set[str]) -> Iterator[ParamValue]:
    """Settings that the spec leaves to their defaults, or that stand outside of it alone."""
    if training is None:
        return
    words = {"optimizer": training.steps[0].optimizer if len(training.steps) == 1 else None, "schedule": training.schedule,
             "clip": training.clip, "start": training.start}  # fmt: skip
    for key, call in words.items():
        if f"{name}.{key}" not in known and not (key == "optimizer" and call is None):
            yield ParamValue(name=f"{name}.{key}", type=TEXT, value=call_text(call) if call else "none", origin="default")
    for key, given, default in (("accumulate", training.accumulate != 1, "1"), ("ema", training.ema is not None, "none")):
        if not given:
            yield ParamValue(name=f"{name}.{key}", type=TEXT, value=default, origin="default")


def call_text(call: Call | Init) -> str:
    from dslc.show import value_text

    return f"{call.name}({', '.join(f'{name}={value_text(value)}' for name, value in call.args.items())})"
