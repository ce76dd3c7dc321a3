"""Columns of adjacent lines: settings always stand in columns, `=`, types and comments where their author put them in columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

COMMENT_GAP = 2


@dataclass(slots=True)
class Cell:
    """A part of a line that may be padded before; `column` is where it stood in the source, `gap` the blanks before it."""

    text: str
    column: int = 0
    gap: int = 1


@dataclass(slots=True)
class Record:
    """What one statement (or head of one, or comment) becomes. `cells` replace the text of a single line that has columns."""

    kind: str
    indent: int
    lines: list[str]
    blank: bool = False
    cells: list[Cell] = field(default_factory=list)
    comment: Cell | None = None

    @property
    def single(self) -> bool:
        return len(self.lines) == 1


def align(records: Sequence[Record]) -> None:
    """Pad the lines in place."""
    for run in runs(records, lambda a, b: a.kind == b.kind and a.indent == b.indent):
        if run[0].kind == "Setting":
            align_settings(run)
        for stop in range(1, max((len(record.cells) for record in run), default=0)):
            for group in runs(run, lambda a, b, stop=stop: _same_column(a, b, stop)):  # type: ignore[misc]
                align_cells(group, stop)
    for record in records:
        if record.cells:
            record.lines = [" " * record.indent + " ".join(cell.text for cell in record.cells)]
    for run in runs(records, lambda a, b: _same_comment(a, b)):
        align_comments(run)


def runs(records: Sequence[Record], together: Callable[[Record, Record], bool]) -> Iterator[Sequence[Record]]:
    """Maximal runs of records on adjacent lines whose neighbours belong together."""
    start = 0
    for at in range(1, len(records) + 1):
        if at == len(records) or records[at].blank or not together(records[at - 1], records[at]):
            yield records[start:at]
            start = at


def _same_column(a: Record, b: Record, stop: int) -> bool:
    return min(len(a.cells), len(b.cells)) > stop and a.cells[stop].column == b.cells[stop].column


def _same_comment(a: Record, b: Record) -> bool:
    return a.comment is not None and b.comment is not None and b.single and a.comment.column == b.comment.column


def align_cells(group: Sequence[Record], stop: int) -> None:
    """Pad before one stop if the author padded there."""
    if len(group[0].cells) > stop and any(record.cells[stop].gap > 1 for record in group):
        pad([record.cells for record in group], stop)


def pad(rows: Sequence[list[Cell]], stop: int) -> None:
    widths = [sum(len(cell.text) + 1 for cell in cells[:stop]) for cells in rows]
    for cells, width in zip(rows, widths, strict=True):
        cells[stop - 1].text += " " * (max(widths) - width)


def align_settings(run: Sequence[Record]) -> None:
    """Values of `key: value` in one column for the whole run, those of `key name: value` for adjacent ones."""
    rows = [record.cells for record in run if record.cells]
    plain = [cells for cells in rows if " " not in cells[0].text]
    if plain:
        pad(plain, 1)
    named: list[list[Cell]] = []
    for cells in [*rows, []]:
        if cells and " " in cells[0].text.rstrip():
            named.append(cells)
        elif named:
            pad(named, 1)
            named = []
    for cells in rows:  # done: the general rule does not touch them
        cells[:] = [Cell(" ".join(cell.text for cell in cells))]


def align_comments(run: Sequence[Record]) -> None:
    comments = [(record, record.comment) for record in run if record.comment is not None]
    column = max((len(record.lines[-1]) for record, _ in comments), default=0) + COMMENT_GAP
    padded = any(comment.gap > COMMENT_GAP for _, comment in comments)
    for record, comment in comments:
        width = column if padded else len(record.lines[-1]) + COMMENT_GAP
        record.lines[-1] = record.lines[-1].ljust(width) + comment.text
