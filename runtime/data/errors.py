"""Diagnostics of data: which file, which place in it, what is wrong there. All are raised in a `DataError` (exit code 3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from dslc.diagnostics import DataError, Diagnostic

SHOWN = 40  # characters of a foreign text that a message repeats


def shown(text: object) -> str:
    """A foreign text as a message may repeat it: printable, cut to 40 characters."""
    line = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text)[: SHOWN + 1])
    return line if len(line) <= SHOWN else line[:SHOWN] + "…"


@dataclass(frozen=True, kw_only=True)
class DataFault(Diagnostic):
    """Base: `file` as people know it (relative), `line` from 1 (0: the whole file), `column` by name or number."""

    file: str
    line: int = 0
    column: str = ""
    where: str = field(init=False, default="")

    def __post_init__(self) -> None:
        line = f":{self.line}" if self.line else ""
        column = f": column `{shown(self.column)}`" if self.column else ""
        object.__setattr__(self, "where", f"{self.file}{line}{column}")


@dataclass(frozen=True, kw_only=True)
class FileMissing(DataFault):
    folders: str
    code = "data-missing"
    words = "{where}: there is no such file"
    hint = "looked in {folders}; `--data-dir` or the environment variable DSLC_DATA names another folder"


@dataclass(frozen=True, kw_only=True)
class OutsideRoot(DataFault):
    problem: str
    code = "data-path"
    words = "{where}: {problem}"
    hint = "data files stand beside the spec or under `--data-dir`, and are named relative to it"


@dataclass(frozen=True, kw_only=True)
class Unreadable(DataFault):
    problem: str
    code = "data-unreadable"
    words = "{where}: cannot be read: {problem}"


@dataclass(frozen=True, kw_only=True)
class BadFormat(DataFault):
    problem: str
    code = "data-format"
    words = "{where}: {problem}"


@dataclass(frozen=True, kw_only=True)
class TooLarge(DataFault):
    what: str
    limit: str
    code = "data-too-large"
    words = "{where}: {what}; the limit is {limit}"


@dataclass(frozen=True, kw_only=True)
class BadCell(DataFault):
    text: str
    problem: str
    code = "data-cell"
    words = "{where}: `{text}` {problem}"


@dataclass(frozen=True, kw_only=True)
class MissingField(DataFault):
    name: str
    what: str  # column, array, file argument
    present: str
    code = "data-field"
    words = "{where}: there is no {what} `{name}`"
    hint = "the file has {present}"


@dataclass(frozen=True, kw_only=True)
class WrongType(DataFault):
    name: str
    found: str
    wanted: str
    code = "data-type"
    words = "{where}: `{name}` holds {found}, the spec wants {wanted}"


@dataclass(frozen=True, kw_only=True)
class WrongShape(DataFault):
    name: str
    found: str
    wanted: str
    code = "data-shape"
    words = "{where}: a sample of `{name}` has the shape {found}, the spec wants {wanted}"


@dataclass(frozen=True, kw_only=True)
class BadValue(DataFault):
    name: str
    row: int
    value: str
    problem: str
    code = "data-value"
    words = "{where}: `{name}` of sample {row} (from 0) holds {value}, {problem}"


@dataclass(frozen=True, kw_only=True)
class LabelRange(DataFault):
    name: str
    row: int
    value: str
    allowed: str
    action: str = ""
    code = "data-label"
    words = "{where}: `{name}` of sample {row} (from 0) is {value}, but {allowed}"
    hint = "{action}"


@dataclass(frozen=True, kw_only=True)
class UnequalRows(DataFault):
    first: str
    first_rows: int
    second: str
    second_rows: int
    code = "data-rows"
    words = "{where}: `{first}` has {first_rows} samples, `{second}` has {second_rows}"


@dataclass(frozen=True, kw_only=True)
class EmptyData(DataFault):
    what: str
    code = "data-empty"
    words = "{where}: {what}"


@dataclass(frozen=True, kw_only=True)
class BadSplit(DataFault):
    problem: str
    code = "data-split"
    words = "{where}: {problem}"
    hint = "`split=[0.8, 0.1, 0.1]` gives the parts of train, validation and test; they add up to 1"


@dataclass(frozen=True, kw_only=True)
class OtherContents(DataFault):
    found: str
    wanted: str
    code = "data-hash"
    words = "{where}: is not the file it should be: the SHA-256 of its unzipped bytes is {found}…, not {wanted}…"
    hint = "fetch the file again, or take the folder out of `--data-dir`"


@dataclass(frozen=True, kw_only=True)
class MissingLibrary(DataFault):
    library: str
    install: str
    code = "data-library"
    words = "{where}: reading it needs {library}, which is not installed"
    hint = "`{install}` installs it; binary PGM and PPM pictures are read without it"


def fail(fault: Diagnostic) -> DataError:
    """`raise fail(BadFormat(...))`."""
    return DataError(fault)
