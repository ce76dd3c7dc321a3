"""docs/hostile.md, made from the rows: `python -m tests.reliability.hostile.document` writes it anew."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.reliability.hostile import all_rows
from tests.reliability.hostile.row import Row

PAGE = Path(__file__).parents[3] / "docs" / "hostile.md"
PARTS = {
    "The text of a spec": range(1, 30),
    "Names and what a spec says": range(30, 46),
    "Small texts that ask for very much": range(46, 62),
    "Paths and files": range(62, 78),
    "Checkpoints and weights": range(78, 99),
    "ONNX": range(99, 109),
    "Data": range(109, 126),
    "Surroundings": range(126, 137),
}
HEAD = """# Hostile inputs

Whoever writes a spec, a data set or a checkpoint for `dslc` may mean harm. These are the inputs of which we know, by number, and what comes
of each. `python -m tests.reliability hostile` tries every one, `make test` every fourth, with the real command in a process of its own:

- its memory, time, open files and size of files are limited;
- a guard (an audit hook of Python) ends it at the first code that is not of an installed module, unpickling, process, socket, use of
  `ctypes`, or file outside its folders: those of the spec and the data are read, those of the run and the output are written;
- no traceback, no control or invisible character and no secret is shown, no secret is written;
- nothing appears or changes outside the output's folder, and the temporary folder is empty again.

*refused (2)* is a diagnostic and the exit code 2 of [the command line](cli.md), with the codes and words that it must hold; *defined*: the
command ends with 0, and what it says or does is checked. What libraries do without Python (onnxruntime, the decoders of pictures) is no
event for the guard; the files that it leaves are seen. A few rows start the installed command itself, without the guard: those about
streams, signals, variables and modules beside the spec.

"""


def page() -> str:
    rows = all_rows()
    counts = Counter(row.number for row in rows)
    left_out = {number for number in counts if all(row.skip for row in rows if row.number == number)}
    said = f"{len(counts)} inputs in {len(rows)} forms; {len(left_out)} of them do not apply to `dslc`, with the reason.\n"
    return HEAD + said + "".join(part(title, [row for row in rows if row.number in numbers]) for title, numbers in PARTS.items())


def part(title: str, rows: Sequence[Row]) -> str:
    lines = [f"\n## {title}\n", "| | input | outcome |", "|---|---|---|"]
    numbers = [row.number for row in rows]
    for at, row in enumerate(rows):
        first = at == 0 or numbers[at - 1] != row.number
        lines.append(f"| {row.number if first else ''} | {cell(row.name)} | {cell(row.outcome)} |")
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Text that a table of Markdown shows as it is, with what cannot be seen by its code point."""
    seen = "".join(f"<U+{ord(char):04X}>" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char for char in text)
    short = seen if len(seen) <= 200 else f"{seen[:199]}…"
    pieces = short.replace("|", "\\|").split("`")  # every other one is code
    return "`".join(piece if at % 2 else plain(piece) for at, piece in enumerate(pieces))


def plain(text: str) -> str:
    for char, shown in (("<", "&lt;"), ("*", "\\*"), ("_", "\\_"), ("[", "\\[")):
        text = text.replace(char, shown)
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
