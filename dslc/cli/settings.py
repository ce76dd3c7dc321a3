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
        steps = [item for item in node.body.statements if isinstance(item, ast.Step)]
        calls = {"": calls_of(training, not steps)} | {step.name.id: calls_of_step(training, step.name.id) for step in steps}
        own = list(body_settings(name, node.body, calls[""]))
        for step in steps:
            own += body_settings(f"{name}.{step.name.id}", step.body, calls[step.name.id])
        own += left_out(name, training, calls[""], {item.name for item in own})
        found += [as_set(item, outside.get(item.name)) for item in own]
        known = {item.name for item in found}
        found += [bound(item, calls) for item in program.settings if item.name.split(".")[0] == name and item.name not in known]
    return tuple(found)


def bound(item: ParamValue, calls: dict[str, dict[str, Call | None]]) -> ParamValue:
    """A word of a step that stands outside of the text alone, with its arguments."""
    _, step, key = item.name.split(".") if item.name.count(".") == 2 else ("", "", "")
    call = calls.get(step, {}).get(key) if item.type == TEXT and item.value != "none" else None
    return item if call is None else item.model_copy(update={"value": call_text(call)})


def as_set(item: ParamValue, outside: ParamValue | None) -> ParamValue:
    """A setting with the value that it was given from outside; its arguments are bound already."""
    if outside is None:
        return item
    value = outside.value if outside.value == "none" or outside.type != TEXT or item.value == "none" else item.value
    return item.model_copy(update={"origin": outside.origin, "value": value, "type": outside.type})


def calls_of(training: Training | None, alone: bool) -> dict[str, Call | None]:
    """The words of a training with all their arguments; the optimizer of one without steps (`alone`)."""
    if training is None:
        return {}
    words = {"schedule": training.schedule, "clip": training.clip, "start": training.start}
    return ({"optimizer": training.steps[0].optimizer} if alone else {}) | words


def calls_of_step(training: Training | None, name: str) -> dict[str, Call | None]:
    """The words of a step."""
    found = next((step for step in training.steps if step.name == name), None) if training is not None else None
    return {} if found is None else {"optimizer": found.optimizer, "schedule": found.schedule, "clip": found.clip}


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


def left_out(name: str, training: Training | None, calls: dict[str, Call | None], known: set[str]) -> Iterator[ParamValue]:
    """Settings that the spec leaves to their defaults, or that stand outside of it alone."""
    if training is None:
        return
    for key, call in calls.items():
        if f"{name}.{key}" not in known:
            yield ParamValue(name=f"{name}.{key}", type=TEXT, value=call_text(call) if call else "none", origin="default")
    for key, given, default in (("accumulate", training.accumulate != 1, "1"), ("ema", training.ema is not None, "none")):
        if not given:
            yield ParamValue(name=f"{name}.{key}", type=TEXT, value=default, origin="default")


def call_text(call: Call | Init) -> str:
    from dslc.program import value_text

    return f"{call.name}({', '.join(f'{name}={value_text(value)}' for name, value in call.args.items())})"
