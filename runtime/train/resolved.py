"""The spec with all params and settings written out, and the files that it imports: enough to open a run anywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from dslc.below import Below
from dslc.diagnostics import DataError, Diagnostic, Edit, Sink
from dslc.program import ParamValue, Program, value_text
from dslc.source import Source, Span
from dslc.syntax import ast
from dslc.syntax.parse import parse
from dslc.syntax.reader import read_source
from runtime.train.atomic import write_below
from runtime.train.errors import RunFolderFault

NONE = "none"
NOT_MEANING = {"place", "path", "origin", "origins", "checked"}  # keys of a program that do not change what it computes


def program_hash(program: Program, training: str) -> str:
    """SHA-256 of what one training of a program means: comments, places and origins of values do not count."""
    chosen = program.trainings[training]
    networks = {name: program.networks[name].model_dump(mode="json") for name in chosen.networks}
    whole = {"precision": program.precision, "training": chosen.model_dump(mode="json"), "networks": networks}
    return hashlib.sha256(json.dumps(_meaning(whole), sort_keys=True).encode()).hexdigest()


def _meaning(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _meaning(item) for key, item in value.items() if key not in NOT_MEANING}
    return [_meaning(item) for item in value] if isinstance(value, list | tuple) else value


def resolve_text(source: Source, program: Program) -> str:
    """The text of `source` with the value of every param and every plain setting of its `train` bodies in its place."""
    file = parse(source, Sink())
    params = {param.name: param for param in program.params}
    edits = [_param_edit(item, params[item.name.id]) for item in file.statements if isinstance(item, ast.Param) and item.name.id in params]
    trains = [item for item in file.statements if isinstance(item, ast.Train)]
    edits += [edit for train in trains for edit in _setting_edits(source, train, program.settings)]
    return _apply(source.text, edits)


def without_unused(text: str, found: Sequence[Diagnostic]) -> str:
    """The text without the params of which `found` says that nothing reads them: a word that was set from outside replaced the one that
    did (`sgd(lr)` by `adam(0.001)`)."""
    file = parse(Source("", text), Sink())
    places = {item.span.start for item in found if item.code == "unused-name" and item.span is not None}
    unused = [item for item in file.statements if isinstance(item, ast.Param) and item.name.span.start in places]
    return _apply(text, [Edit(item.span, "") for item in unused])


def _param_edit(item: ast.Param, param: ParamValue) -> Edit:
    if item.default is not None:
        return Edit(item.default.span, value_text(param.value))
    end = item.type.span.end
    return Edit(Span(item.span.source, end, end), f" = {value_text(param.value)}")


def _setting_edits(source: Source, train: ast.Train, settings: Iterable[ParamValue]) -> Iterator[Edit]:
    """Settings that stand in the body, or in that of a step, get their value; the others are added before its closing brace.

    One around steps that all have their own now goes.
    """
    name = train.name.id if train.name is not None else "train"
    steps = {f"{name}.{item.name.id}": item.body for item in train.body.statements if isinstance(item, ast.Step)}
    bodies = {name: train.body, f"train {name}": train.body} | steps
    given = {item.name: item for item in settings if item.name.rpartition(".")[0] in bodies}
    for key in ("optimizer", "schedule", "clip") if any(owner in steps for owner in map(_owner, given)) else ():
        if all(_has(body, key, given.get(f"{owner}.{key}")) for owner, body in steps.items()) and _written(train.body, key) is not None:
            given[f"{name}.{key}"] = ParamValue(name=f"{name}.{key}", type="text", value=NONE, origin="--set")
    for path, setting in given.items():
        if isinstance(setting.value, bool | int | float | str):
            yield from _setting_edit(source, bodies[_owner(path)], path.rpartition(".")[2], setting.value, inner=_owner(path) in steps)


def _owner(path: str) -> str:
    return path.rpartition(".")[0]


def _written(body: ast.Body, key: str) -> ast.Setting | None:
    found = (item for item in body.statements if isinstance(item, ast.Setting) and item.name is None and item.key.id == key)
    return next(found, None)


def _has(body: ast.Body, key: str, given: ParamValue | None) -> bool:
    """Whether a step has the setting in the end."""
    return given.value != NONE if given is not None else _written(body, key) is not None


def _setting_edit(source: Source, body: ast.Body, key: str, value: float | str, *, inner: bool) -> Iterator[Edit]:
    written = _written(body, key)
    text = value if isinstance(value, str) else value_text(value)
    if written is not None:
        yield Edit(written.span, "") if text == NONE else Edit(written.value.span, text)
    elif text != NONE:
        close = Span(source, body.span.end - 1, body.span.end - 1)
        yield Edit(close, ("\n" if inner else "") + f"  {key}: {text}\n")


def _apply(text: str, edits: Iterable[Edit]) -> str:
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda edit: edit.span.start):
        pieces += [text[at : edit.span.start], edit.text]
        at = edit.span.end
    return "".join([*pieces, text[at:]])


def imported_files(source: Source, folder: Path) -> dict[str, str]:
    """Relative name -> text of every file that the spec imports, through all levels; a name is relative to `folder`."""
    found: dict[str, str] = {}
    waiting = [(source, PurePosixPath())]
    while waiting:
        current, base = waiting.pop()
        for item in parse(current, Sink()).statements:
            if not isinstance(item, ast.Import):
                continue
            name = base / item.path.value
            if str(name) not in found:
                imported = read_source(Below(folder, name), str(name))
                found[str(name)] = imported.text
                waiting.append((imported, name.parent))
    return found


def write_sources(run: Path, shown: str, files: Mapping[str, str], reserved: Iterable[str]) -> None:
    """Write spec texts into the run folder. Raises DataError where an imported file has a name that the folder needs itself."""
    taken = set(reserved)
    for name, text in files.items():
        path = PurePosixPath(name)
        if path.parts[0] in taken or path.is_absolute() or ".." in path.parts:
            fault = RunFolderFault(folder=shown, problem=f"an imported file is called `{name}`, which the run needs", advice="rename it")
            raise DataError(fault)
        write_below(run, name, text.encode())
