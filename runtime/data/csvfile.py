"""CSV with a header line: columns by name, every cell a finite number, each fault with line and column."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Sequence
from difflib import get_close_matches
from math import isfinite
from pathlib import Path

import numpy as np

from dslc.below import Below
from runtime.data.errors import BadCell, BadFormat, EmptyData, MissingField, TooLarge, fail, shown
from runtime.data.opened import read_bytes

MAX_COLUMNS = 65536
MAX_CELL = 131072  # characters; the csv module's own limit


def read_csv(path: Path | Below, file: str, wanted: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """The columns `wanted` (all of them, if None) as f64 vectors, from a CSV file in UTF-8, plain or gzip."""
    return parse_csv(_decode(read_bytes(path, file), file), file, wanted)


def _decode(data: bytes, file: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise fail(BadFormat(file=file, line=line, problem=f"the byte 0x{data[error.start]:02x} is not UTF-8")) from None
    if (at := text.find("\0")) >= 0:
        raise fail(BadFormat(file=file, line=text.count("\n", 0, at) + 1, problem="a zero byte: this is not a text file"))
    return text


def parse_csv(text: str, file: str, wanted: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """The columns of a CSV text by name; blank lines are skipped."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next((row for row in rows if row), None)
        if header is None:
            raise fail(EmptyData(file=file, what="the file holds no header line"))
        names = _names(header, rows.line_num, file)
        places = {name: _place(names, name, file) for name in (wanted if wanted is not None else names)}
        columns = {name: array("d") for name in places}
        for row in rows:
            if not row:
                continue
            if len(row) != len(names):
                problem = f"{len(row)} cells, but the header has {len(names)} columns"
                raise fail(BadFormat(file=file, line=rows.line_num, problem=problem))
            for name, place in places.items():
                columns[name].append(_number(row[place], file, rows.line_num, name))
    except csv.Error as error:
        raise fail(BadFormat(file=file, line=rows.line_num, problem=f"is not CSV: {shown(error)}")) from None
    if not next(iter(columns.values())):
        raise fail(EmptyData(file=file, what="there are no rows under the header"))
    return {name: np.frombuffer(column, np.float64) for name, column in columns.items()}


def _names(header: list[str], line: int, file: str) -> list[str]:
    names = [cell.strip() for cell in header]
    if len(names) > MAX_COLUMNS:
        raise fail(TooLarge(file=file, line=line, what=f"{len(names):,} columns", limit=f"{MAX_COLUMNS:,}"))
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise fail(BadFormat(file=file, line=line, column=name, problem="two columns have this name"))
        seen.add(name)
    return names


def _place(names: list[str], name: str, file: str) -> int:
    if name in names:
        return names.index(name)
    near = get_close_matches(name, names, n=1)
    present = f"`{shown(near[0])}`" if near else ", ".join(f"`{shown(n)}`" for n in names[:8])
    raise fail(MissingField(file=file, what="column", name=name, present=present))


def _number(cell: str, file: str, line: int, column: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        problem = "is not a number" if cell.strip() else "is empty; a number is needed"
        raise fail(BadCell(file=file, line=line, column=column, text=shown(cell), problem=problem)) from None
    if "_" in cell or not cell.isascii():
        raise fail(BadCell(file=file, line=line, column=column, text=shown(cell), problem="is not a number"))
    if not isfinite(value):
        raise fail(BadCell(file=file, line=line, column=column, text=shown(cell), problem="is not a finite number"))
    return value
