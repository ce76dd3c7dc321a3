"""`start: checkpoint("runs/lenet/0007", skip="dense1.*")`: the first weights of a training from an earlier run, with a table of them.

Every weight and state of the training, and every tensor of the file, has a row: `matched`, `renamed`, `reshaped`, `new` (skipped: it
starts from its initialiser), `unused` (skipped: in the file alone), or what is wrong. Nothing is taken or left silently.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dslc.below import open_file
from dslc.diagnostics import DataError
from dslc.elaborate.match import matches
from dslc.magic import HEAD, kind_of
from dslc.program import Call, State, Training, Weight
from runtime.train.checkpoint import SLOT, read_tensors
from runtime.train.errors import StartFault

CHECKPOINTS = "checkpoints"
WRONG = ("missing", "unknown", "another shape", "another type")


@dataclass(frozen=True)
class Row:
    """One weight, state or tensor of the file. source: its name in the file, "" where it is in the network alone."""

    kind: str
    address: str
    source: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Start:
    """arrays: what is loaded, by address; rows: the table; file: what was read, as the spec names it; sha256 of its bytes."""

    file: str
    sha256: str
    arrays: dict[str, np.ndarray]
    rows: tuple[Row, ...]

    def lines(self) -> list[str]:
        """The table as text: first how many there are of each kind, then a line for everything that is not just matched."""
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row.kind] = counts.get(row.kind, 0) + 1
        listed = [f"  {row.kind:<13} {' <- '.join(n for n in (row.address, row.source) if n)}  {row.detail}".rstrip() for row in self.rows]
        shown = [line for row, line in zip(self.rows, listed, strict=True) if row.kind != "matched"]
        return [f"start from {self.file}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()), *shown]

    def record(self) -> dict[str, Any]:
        """What `start.json` holds."""
        return {"file": self.file, "sha256": self.sha256, "rows": [vars(row) for row in self.rows]}


def start_of(training: Training, call: Call, folder: Path) -> Start:
    """The weights that `start` names, checked against the training; `folder` is that of the spec. Raises DataError with the table."""
    args: Mapping[str, Any] = call.args
    path = found(str(args["path"]), str(args.get("which") or "best"), folder)
    shown = str(args["path"]) if path.suffix == ".safetensors" and str(path).endswith(str(args["path"])) else f"{args['path']}/{path.name}"
    digest, tensors = read_tensors(path, shown)
    tensors = {name: tensors[name] for name in sorted(tensors) if not name.startswith(SLOT)}  # a file has no order of its own
    networks, owners = tuple(training.networks), tuple({name.split(".")[0] for name in tensors})
    renamed, problems = renaming(tensors, named(args.get("rename")))
    items = {item.address: item for item in (*training.weights, *(s for s in training.states if s.scope == "network"))}
    skip = named(args.get("skip"))
    rows, arrays = compared(items, renamed, tensors, Skip(skip, networks, owners), reshape=bool(args.get("reshape")))
    unused = [pattern for pattern in skip if not any(matches(pattern, n, networks) for n in items)]
    unused = [pattern for pattern in unused if not any(matches(pattern, name, owners) for name in tensors)]
    problems += [f"skip `{pattern}` matches nothing" for pattern in unused]
    start = Start(shown, digest, arrays, tuple(rows))
    problems += [f"{row.address or row.source}: {row.kind} {row.detail}".rstrip() for row in rows if row.kind in WRONG]
    if problems:
        raise DataError(StartFault(file=shown, problems="; ".join(problems), table="\n".join(start.lines())))
    return start


@dataclass(frozen=True)
class Skip:
    """Patterns over the addresses of the training (`here`) and over names in the file (`there`); a network's name may be left out where
    there is one."""

    patterns: Sequence[str]
    networks: tuple[str, ...]
    owners: tuple[str, ...]

    def here(self, address: str) -> bool:
        return any(matches(pattern, address, self.networks) for pattern in self.patterns)

    def there(self, name: str) -> bool:
        return any(matches(pattern, name, self.owners) for pattern in self.patterns)


def named(value: Any) -> tuple[str, ...]:
    """A string, a list of strings, or nothing, as names."""
    return (value,) * bool(value) if isinstance(value, str) else tuple(value or ())


def found(path: str, which: str, folder: Path) -> Path:
    """The file that a path means: below the working folder, else below the spec's; a run folder means one of its checkpoints."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path or not pure.parts:
        fault = StartFault(file=path, problems="a relative path without `..` is needed", table="")
        raise DataError(fault)
    other = ""
    last = ("last",) * (which == "best")  # a run that was stopped within its first epoch has no `best`
    for base in (Path(), folder):
        place = base / path
        for candidate in (*(place / CHECKPOINTS / f"{name}.safetensors" for name in (which, *last)), place):
            if candidate.is_file() and candidate.suffix == ".safetensors":
                if not candidate.resolve().is_relative_to(base.resolve()):
                    raise DataError(StartFault(file=path, problems="a link on the way leads out of its folder", table=""))
                return candidate
        other = other or (looks_like(place) if place.is_file() else "")
    if other:
        problem = f"it looks like {other}; weights are read from a run folder or a .safetensors file"
        raise DataError(StartFault(file=path, problems=problem, table=""))
    problem = f"there is no run and no .safetensors file of this name, in the working folder or beside the spec (checkpoint `{which}`)"
    raise DataError(StartFault(file=path, problems=problem, table=""))


def looks_like(path: Path) -> str:
    try:
        with os.fdopen(open_file(path, links=False), "rb") as stream:
            return kind_of(stream.read(HEAD)) or "a file of another kind"
    except OSError:
        return ""


def renaming(names: Iterable[str], pairs: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Address -> name in the file, by pairs of patterns: each wildcard of the second is what that of the first stood for."""
    problems: list[str] = []
    if len(pairs) % 2:
        problems.append("rename needs pairs of patterns: [from, to, …]")
        pairs = pairs[:-1]
    rules = [(pair, regex(pair[0])) for pair in zip(pairs[::2], pairs[1::2], strict=True)]
    used: set[tuple[str, str]] = set()
    result: dict[str, str] = {}
    for name in names:
        target = name
        for pair, pattern in rules:
            if match := pattern.fullmatch(name):
                used.add(pair)
                target = filled(pair[1], match.groups())
                break
        if target in result:
            problems.append(f"`{result[target]}` and `{name}` both become `{target}`")
        result[target] = name
    problems += [f"rename `{pair[0]}` matches nothing in the file" for pair, _ in rules if pair not in used]
    return result, problems


def regex(pattern: str) -> re.Pattern[str]:
    """`*` within a name, `**` across dots, each a group."""
    parts = re.split(r"(\*\*|\*)", pattern)
    return re.compile("".join({"*": r"([^.]*)", "**": "(.*)"}.get(part, re.escape(part)) for part in parts))


def filled(pattern: str, values: Sequence[str]) -> str:
    """The pattern with its wildcards replaced in order; those beyond the values become nothing.

    >>> filled("Net.*.w", ("conv0",))
    'Net.conv0.w'
    """
    waiting = iter(values)
    return "".join(next(waiting, "") if part in ("*", "**") else part for part in re.split(r"(\*\*|\*)", pattern))


def compared(
    items: Mapping[str, Weight | State],
    sources: Mapping[str, str],
    tensors: Mapping[str, np.ndarray],
    skip: Skip,
    *,
    reshape: bool,
) -> tuple[list[Row], dict[str, np.ndarray]]:
    """The rows of the table, and the arrays that are loaded, in the types of the training."""
    rows: list[Row] = []
    arrays: dict[str, np.ndarray] = {}
    for address, item in items.items():
        source = sources.get(address, "")
        if skip.here(address):
            rows.append(Row("new", address, detail=f"{item.type}, {item.init.name}"))
        elif not source:
            rows.append(Row("missing", address, detail=f"({item.type}) is not in the file"))
        else:
            row, array = fitted(item, source, tensors[source], reshape=reshape)
            rows.append(row)
            arrays |= {address: array} if array is not None else {}
    taken = {row.source for row in rows if row.source}
    for address, source in sources.items():
        if source not in taken:
            skipped = skip.here(address) or skip.there(source)
            kind = "unused" if skipped else "unknown"
            rows.append(Row(kind, "", source, "" if skipped else "is in the file, not in the training"))
    return rows, arrays


def fitted(item: Weight | State, source: str, array: np.ndarray, *, reshape: bool) -> tuple[Row, np.ndarray | None]:
    """One array in the shape and type of a weight; None where it does not fit. Floats may be rounded, nothing else is converted."""
    shape, dtype = item.type.sizes({}), np.dtype(item.type.dtype.numpy)
    if array.dtype != dtype and not array.dtype.kind == dtype.kind == "f":
        return Row("another type", item.address, source, f"{array.dtype}, {item.type} is needed"), None
    if not np.isfinite(array).all():
        return Row("another type", item.address, source, "it holds values that are not finite"), None
    if array.shape != shape:
        as_many = array.size == int(np.prod(shape, dtype=np.int64))
        if not (reshape and as_many):
            advice = "; with reshape=true it is taken" if as_many else ""
            return Row("another shape", item.address, source, f"{list(array.shape)}, {list(shape)} is needed{advice}"), None
        return Row("reshaped", item.address, source, f"{list(array.shape)} to {list(shape)}"), array.reshape(shape).astype(dtype)
    return Row("matched" if source == item.address else "renamed", item.address, source), array.astype(dtype)
