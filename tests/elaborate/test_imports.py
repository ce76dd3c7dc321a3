"""What an import cannot take, and names that two files or two declarations have: each spec with its files and messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.elaborate.check import check, network

PART = "dslc 1\n\nparam width: int = 3\n\nblock part(x: [batch, n]) {\n  return x -> dense(width)\n}\n"
FILES: dict[str, bytes] = {
    "part.nn": PART.encode(),
    "again.nn": PART.encode(),
    "latin.nn": "dslc 1\n# für\n".encode("latin-1"),
    "hidden.nn": b"dslc 1\n" + b"# \x07\n" * 12,
    "large.nn": b"#" * (2**20 + 1),
    "picture.nn": b"\x89PNG\r\n\x1a\n",
    "broken.nn": b"dslc 1\n\nblock part(x: [batch, n] {\n  return x\n}\n",
    "block.nn": b"dslc 1\n\nlayer own = dense(3)\n\nblock same(x: [batch, n]) {\n  return x -> own\n}\n",
}
USE = "output y = part(x)"
LONG = "larger than 1048576 bytes (1 MiB)"
LIBRARY = "the standard library and the operators need no import"
BELL = "a hidden or control character (U+0007) stands in the text"

CASES: dict[str, tuple[str, str, list[str]]] = {
    "sound": ('import part from "part.nn" (width=4)', USE, []),
    "a value by position": (
        'import part from "part.nn" (4)',
        USE,
        ["`import` is given some values by position and takes none: params are given by their names"],
    ),
    "twice": ('import part from "part.nn" (width=4, width=5)', USE, ["`width` of `import` is given twice"]),
    "no such param": ('import part from "part.nn" (widht=4)', USE, ["`part.nn` has no `widht`: did you mean `width`?"]),
    "no params": ('import same from "block.nn" (width=4)', "output y = same(x)", ["`block.nn` has no `width`"]),
    "no such name": (
        'import parts from "part.nn"',
        "output y = parts(x)",
        ["part.nn has no block, network or layer `parts`: did you mean `part`?"],
    ),
    "a param": ('import width from "part.nn"', "output y = x * width", ["part.nn has no block, network or layer `width`"]),
    "the library": ('import dense from "std/dense.nn"', "output y = dense(x, 3)", [LIBRARY]),
    "operators": ('import relu from "op"', "output y = relu(x)", [LIBRARY]),
    "a folder": ('import part from "folder.nn"', USE, ["cannot import folder.nn: it is a folder"]),
    "not there": ('import part from "parts.nn"', USE, ["cannot import parts.nn: there is no such file: did you mean `part.nn`?"]),
    "latin": ('import part from "latin.nn"', USE, ["the text is not UTF-8: byte 0xfc stands here"]),
    "hidden": ('import part from "hidden.nn"', USE, [BELL] * 10),
    "large, twice": (
        'import part from "large.nn"\nimport part2 from "large.nn"',
        "output y = part2(part(x))",
        [f"cannot import large.nn: large.nn is {LONG}"],
    ),
    "a picture": (
        'import part from "picture.nn"',
        USE,
        ["cannot import picture.nn: picture.nn is not a spec: it looks like a PNG picture"],
    ),
    "two unreadable": (
        'import part from "large.nn" (width=3)\nimport part2 from "picture.nn"',
        "output y = part2(part(x))",
        ["cannot import large.nn: large.nn is " + LONG, "cannot import picture.nn: picture.nn is not a spec: it looks like a PNG picture"],
    ),
    "broken": ('import part from "broken.nn"', USE, ["this `(` is never closed"]),
    "a name of two files": ('import part from "part.nn"\nimport part from "again.nn"', USE, ["`part` is declared twice as an import"]),
    "a param and a block": (
        "param part: int = 3\nblock part(x: [batch, n]) {\n  return x\n}",
        USE,
        ["`part` is declared twice as a param and a block"],
    ),
    "a param and an import": (
        'import part from "part.nn"\nparam part: int = 3',
        USE,
        ["`part` is declared twice as an import and a param"],
    ),
    "addresses of two files": (
        'import same from "block.nn"\nlayer own = dense(3)',
        "output y = (x -> same) + (x -> own)",
        ["two things have the address `own`"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_imports(tmp_path: Path, name: str) -> None:
    for file, data in FILES.items():
        (tmp_path / file).write_bytes(data)
    (tmp_path / "folder.nn").mkdir()
    head, body, wanted = CASES[name]
    program, found = check(network(body, head), tmp_path)
    assert [item.message for item in found if item.severity == "error"] == wanted
    assert (program is None) == bool(wanted)
    assert all(item.span is not None for item in found)
