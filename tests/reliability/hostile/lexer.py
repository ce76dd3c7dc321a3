"""Hostile inputs 1-29: the text of a spec."""

from __future__ import annotations

import os
import pickle
import struct
import zlib

from tests.reliability.hostile.row import MIB, Place, Row

HEAD = "dslc 1\n"
NET = HEAD + "\nnetwork N {\n  input x: [batch, 4]\n  output y = x\n}\n"
ESCAPE = "\x1b[31m\x1b]0;owned\x07"


def body(text: str) -> str:
    """A network with these statements."""
    return f"{HEAD}\nnetwork N {{\n  input x: [batch, 4]\n{text}\n}}\n"


def place_of(*places: str) -> tuple[str, ...]:
    return tuple(f"spec.nn:{place}" for place in places)


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def onnx() -> bytes:
    """The first bytes of a model: its IR version and the name of its maker."""
    return b"\x08\x0a\x12\x07pytorch\x1a\x052.1.0:\x00"


class Evil:
    """Unpickled, it would run a command."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ../secret/owned",)


def folder(place: Place) -> None:
    (place.spec / "spec.nn").mkdir()


def pipe(place: Place) -> None:
    os.mkfifo(place.spec / "spec.nn")


def link_to(target: str) -> object:
    def build(place: Place) -> None:
        (place.spec / "spec.nn").symlink_to(target)

    return build


ROWS = (
    Row(1, "an empty file", spec="", says=("missing-header",)),
    Row(2, "only comments", spec="# a\n# b\n", says=("missing-header",)),
    Row(3, "1 MiB + 1 byte", spec=lambda: HEAD + "#" * (MIB - len(HEAD) + 1), says=("text-too-large",)),
    Row(3, "1 MiB", spec=lambda: NET + "#" * (MIB - len(NET)), exit=0),
    Row(4, "NUL bytes", spec=NET + "\0\0\n", says=("hidden-character", "U+0000")),
    Row(5, "a byte that is no UTF-8", spec=HEAD.encode() + b"\xff\n", says=("not-utf8", "0xff")),
    Row(5, "an overlong encoding", spec=HEAD.encode() + b"\xc0\xaf\n", says=("not-utf8", "0xc0")),
    Row(5, "a lone surrogate", spec=HEAD + "# \ud800\n", says=("not-utf8", "0xed")),
    Row(6, "UTF-16 with a byte-order mark", spec=NET.encode("utf-16"), says=("not-a-spec", "UTF-16")),
    Row(6, "UTF-16, big-endian", spec=b"\xfe\xff" + NET.encode("utf-16-be"), says=("not-a-spec", "UTF-16")),
    Row(6, "UTF-32 with a byte-order mark", spec=NET.encode("utf-32"), says=("not-a-spec", "UTF-32")),
    Row(6, "UTF-32, big-endian", spec=b"\0\0\xfe\xff" + NET.encode("utf-32-be"), says=("not-a-spec", "UTF-32")),
    Row(7, "a byte-order mark of UTF-8", spec=NET.encode("utf-8-sig"), exit=0),
    Row(8, "line ends \\r", spec="dslc 1\rnetwork N {\r}\r", says=("hidden-character", "U+000D", "spec.nn:1:7")),
    Row(8, "\\n and \\r\\n mixed: the place is right", spec="dslc 1\r\n\n\r\nparam a: int = b\n", says=("unknown-name", "spec.nn:4:16")),
    Row(9, "a line of a million characters", spec=lambda: body("  y = x" + " + x" * 249_000), says=("too-many-tokens", "…")),
    Row(9, "a comment of a million characters", spec=lambda: NET + "# " + "x" * 1_000_000, exit=0),
    Row(10, "a name of a million characters", spec=lambda: body(f"  output {'a' * 1_000_000} = x"), says=("name-too-long",)),
    Row(
        11, "characters that change the direction of text", spec=HEAD + "# \u202e } \u2066\n", says=("hidden-character", "U+202E", "U+2066")
    ),
    *(
        Row(11, f"U+{ord(char):04X} in a comment", spec=HEAD + f"# {char}\n", says=("hidden-character", f"U+{ord(char):04X}"))
        for char in "\u061c\u200f\u2069\u00ad\U000e0041"
    ),
    Row(12, "a zero-width joiner in a name", spec=body("  output a\u200db = x"), says=("hidden-character", "U+200D")),
    Row(
        13,
        "a Cyrillic letter that looks like c",
        spec=body("  output y = x -> \u0441onv(3)"),
        says=("lookalike-name", "U+0441", "write `conv`"),
    ),
    Row(14, "a name composed and decomposed", spec=body("  caf\u00e9 = x\n  output y = cafe\u0301"), says=("foreign-name", "spec.nn:5:3")),
    Row(15, "digits of another script", spec=body("  output y = x * \u0663"), says=("U+0663",)),
    Row(
        16, "an escape sequence for terminals in a string", spec=body(f'  output y = x -> "{ESCAPE}"'), says=("hidden-character", "U+001B")
    ),
    Row(16, "an escape sequence for terminals in an argument", command=("check", f"{ESCAPE}.nn"), says=("cannot-read", "<U+001B>[31m")),
    Row(
        16,
        "an escape sequence for terminals in `--set`",
        spec=NET,
        command=("check", "spec.nn", "--set", f"{ESCAPE}=1"),
        says=("stray-character", "U+001B"),
    ),
    Row(
        17,
        "a string of a million backslashes that is not closed",
        spec=lambda: body('  output y = x + "' + "\\" * 1_000_000),
        says=("unclosed-string",),
    ),
    Row(18, "a string that is not closed at the end", spec=HEAD + 'param a: string = "b', says=("unclosed-string", "spec.nn:2:19")),
    Row(18, "a bracket that is not closed at the end", spec=HEAD + "param a: int = (1 + 2", says=("unclosed-bracket", "spec.nn:2:16")),
    Row(
        18,
        "a brace that is not closed at the end",
        spec=HEAD + "network N {\n  input x: [batch]\n  output y = x\n",
        says=("unclosed-brace", "spec.nn:2:11"),
    ),
    Row(19, "nested comments", skip="a comment ends with its line; there are none that nest"),
    Row(19, "100,000 comment signs on one line", spec=NET + "#" * 100_000, exit=0),
    Row(20, "100,000 opening parentheses", spec=lambda: body("  y = " + "(" * 100_000), says=("nested-too-deeply",)),
    Row(21, "100,000 nested bodies", spec=lambda: body("if true {\n" * 100_000), says=("nested-too-deeply",)),
    Row(22, "100,000 operators in a chain", spec=lambda: body("  output y = x" + " + x" * 100_000), says=("too-many-tokens",)),
    Row(22, "10,000 operators in a chain", spec=lambda: body("  output y = x" + " + x" * 10_000), exit=0),
    Row(22, "140,000 tokens of a chain", spec=lambda: body("  output y = x" + "+x" * 140_000), says=("too-many-tokens",)),
    Row(
        23,
        "50,000 distinct errors",
        spec=lambda: body("\n".join(f"  a{k} = b{k}" for k in range(50_000))),
        says=("more errors are not shown",),
    ),
    Row(24, "an integer of 5,000 digits", spec=HEAD + f"param a: int = {'9' * 5000}\n", says=("integer-too-long",)),
    *(
        Row(25, f"`{text}` as a rate", spec=HEAD + f"param lr: float = {text}\n", says=(code,))
        for text, code in (("1e400", "float-too-large"), ("-1e400", "float-too-large"), ("nan", "unknown-name"), ("inf", "unknown-name"))
    ),
    *(
        Row(
            25,
            f"`{text}` as a rate by `--set`",
            spec=HEAD + "param lr: float = 1\n",
            command=("check", "spec.nn", "--set", f"lr={text}"),
            says=(code,),
        )
        for text, code in (("1e400", "float-too-large"), ("-1e400", "float-too-large"), ("nan", "unknown-name"), ("inf", "unknown-name"))
    ),
    *(
        Row(26, f"the number `{text}`", spec=HEAD + f"param a: float = {text}\n", says=(code,))
        for text, code in (("0x", "bad-number"), ("1__0", "bad-number"), ("1e", "bad-number"), (".", "missing-value"))
    ),
    *(
        Row(
            27,
            f"the format `{text}` as a name and a string",
            spec=HEAD + f'param a: string = "{text}"\nparam b: int = "{text}"\nparam c: int = {text}\n',
            says=(text,),
        )
        for text in ("{0.__class__}", "%n%s%x", "{span.source.text}", "${jndi:x}")
    ),
    Row(28, "a PNG picture", spec=png(), says=("not-a-spec", "PNG")),
    Row(28, "an ONNX model", spec=onnx(), says=("not-a-spec", "ONNX")),
    Row(28, "a pickle that runs a command", spec=lambda: pickle.dumps(Evil()), says=("not-a-spec", "pickle")),
    Row(28, "a pickle of the oldest protocol", spec=lambda: pickle.dumps(Evil(), 0), says=("missing-header",)),
    Row(29, "a folder", build=folder, says=("not-a-file", "folder")),
    Row(29, "a pipe that nobody writes", build=pipe, says=("not-a-file",)),
    Row(29, "/dev/zero", command=("check", "/dev/zero"), says=("not-a-file",)),
    Row(29, "/dev/stdin", command=("check", "/dev/stdin"), says=("not-a-file",)),
)
