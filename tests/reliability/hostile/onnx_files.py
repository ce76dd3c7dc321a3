"""Hostile inputs 99-108: ONNX files, weights beside them, and what the exporter makes of odd names.

The command reads no models: 99-101 concern the weights beside a model, which an export reads back; 102-105 the checks that every export has
to pass, and a model in place of weights.
"""

from __future__ import annotations

import json
import platform
from typing import Any

from tests.reliability.hostile.made import EXPORT, Build, a_run, all_of, spec, write
from tests.reliability.hostile.paths import DATA, TRAIN, folder, link, pipe, start
from tests.reliability.hostile.row import Limits, Place, Result, Row

HERE = "tests.reliability.hostile"
WEIGHTS = write("m.data", bytes(8) + bytes(24))


def external(number: int, name: str, says: str, build: Build = WEIGHTS, **entries: Any) -> Row:
    return Row(number, f"weights beside a model: {name}", build=all_of(write("case.json", json.dumps(entries)), build),
               call=f"{HERE}.inside.calls:read_external", exit=3, says=("onnx-external", says))  # fmt: skip


NOT_PLAIN = ("../../etc/passwd", "../secret/passwd", "/etc/passwd", "a/../../x", "./m.data")
NO_NAME = ("ok\0../x", "m.data\0.png", "\\\\server\\share", "C:\\x", "C:x", "file:///etc/passwd", "http://example.org/x", "", "x" * 5000)
NO_FILE = ("~/m.data", "$HOME/m.data", "%APPDATA%/m.data", "\x1b[31m")
LOCATIONS = ((NOT_PLAIN, "not a plain path"), (NO_NAME, "no name of a file"), (NO_FILE, "no such file"))


def second_name(place: Place) -> None:
    (place.home / "x").hardlink_to(place.spec / "m.data")


ROWS_OF_LOCATIONS = (
    *(external(99, f"{location!r:.40}", says, location=location) for locations, says in LOCATIONS for location in locations),
    external(99, "a link", "a link or no folder", all_of(link("m.data", "@secret/passwd"))),
    external(99, "below a link", "a link or no folder", all_of(link("a", "@secret")), location="a/passwd"),
    external(99, "a second name of another file", "hard links", all_of(WEIGHTS, second_name)),
    external(99, "a pipe", "no regular file", pipe("m.data")),
    external(99, "a folder", "no regular file", folder("m.data")),
    external(99, "an empty file", "it is empty", write("m.data", b"")),
    external(99, "no location", "`location` is needed", location=None),
)  # fmt: skip
NUMBERS = (
    external(100, "offset -1", "offset is no whole number", offset=-1),
    external(100, "offset 10^17", "ends at byte", offset=10**17),
    external(100, "offset of 30 digits", "offset is no whole number", offset="9" * 30),
    external(100, "offset 1e3", "offset is no whole number", offset="1e3"),
    external(100, "other digits as an offset", "offset is no whole number", offset="٨"),
    external(100, "length 10^15", "its type says 24", length=10**15),
    external(100, "length -1", "length is no whole number", length=-1),
    external(100, "the key `__class__`", "the key '__class__'", __class__="x"),
    external(100, "the key `basepath`", "the key 'basepath'", basepath="/"),
    external(100, "a checksum that is none", "40 hexadecimal digits", checksum="x" * 40),
    external(101, "2^31 by 2^31 numbers", "ends at byte", dims=[2**31, 2**31], length=None),
    external(101, "2^62 by 4 numbers", "ends at byte", dims=[2**62, 4], length=None),
    external(101, "a negative size", "a negative size", dims=[-2, 3]),
    external(101, "bytes in the model too", "bytes in the model too", raw=True),
    external(101, "strings", "element type 8", type=8),
    external(101, "an unknown type", "element type 999", type=999),
    external(101, "a file that is one byte short", "m.data at 31", write("m.data", bytes(31))),
)  # fmt: skip
CHECKED = {  # names of `inside/models.py`
    101: ("a tensor of 2^62 numbers in four bytes",),
    102: ("If in If, 1,000 deep", "Loop in Loop, 1,000 deep"),
    103: ("a cycle", "nodes in the wrong order", "two nodes of one name", "two values of one name", "an input that is not there",
          "an output that is not there"),
    104: ("an operator of another domain", "PyOp", "a function that calls itself", "functions that double forty times"),
    105: ("opset 9999", "no opset", "IR version 0", "IR version 10^9"),
}  # fmt: skip


def checked(number: int, name: str) -> Row:
    return Row(number, f"the checks of an export: {name}", build=write("case.json", json.dumps(name)),
               call=f"{HERE}.inside.calls:check_model", exit=1, says=("onnx-check",), limits=Limits(cpu=20))  # fmt: skip


CHECKS = tuple(checked(number, name) for number, names in CHECKED.items() for name in names)


def model_as_weights(number: int) -> Row:
    data = b"\x08\x0a\x12\x07pytorch\x1a\x052.1.0:\x00"
    return Row(number, "a model in place of weights", spec=start("m.onnx"), build=all_of(DATA, write("m.onnx", data)), command=TRAIN,
               exit=3, says=("start-mismatch", "an ONNX model"))  # fmt: skip


# ---- the exporter -------------------------------------------------------------------------------------------------------------------


ODD = ("a/../b", "../x", "/x", "a\0b", "a\\b", "C:x", ".", "", "spec.nn")
LONG = "n" * 128
BLOCK = f"block {LONG}(x: [batch, n]) {{\n  return x -> dense(2) as {LONG[:-1]}\n}}\n"
CHAIN = f"x -> {LONG} as {LONG[:-2]} -> {LONG} as {LONG[:-3]}"
NAMED = spec().replace("x -> dense(2)", CHAIN).replace("network N", BLOCK + "network N")


def nothing_of_this_machine(place: Place, result: Result) -> None:
    """No path, user or host in anything that was written."""
    words = [str(place.base), str(place.home), "canary-user", "canary-host", *([platform.node()] if len(platform.node()) > 5 else [])]
    files = [path for path in place.out.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        found = [word for word in words if word.encode() in path.read_bytes()]
        assert not found, f"{path.name} holds {found}"


EXPORTS = (
    Row(106, "more weights than fit into one file: they stand beside the model, or it is refused", spec=spec(), build=a_run(),
        call=f"{HERE}.inside.calls:export_as_if_large", exit=2, says=("onnx-too-large",)),
    *(Row(107, f"weights beside the model in {name!r:.40}", spec=spec(), build=a_run(), command=(*EXPORT, "--external-data", name),
          exit=(2, 3), says=("error[",)) for name in (*ODD, "n" * 100_000)),
    *(Row(107, f"weights beside the model in {name!r}", spec=spec(), build=a_run(), command=(*EXPORT, "--external-data", name), exit=0)
      for name in ('a"b', "a'b", "a b", "\x1b[31m", "ü", "%s{0}")),
    Row(107, "a model whose name has 100,000 letters", spec=spec(), build=a_run(), command=(*EXPORT[:3], "@out/" + "n" * 100_000), exit=3,
        says=("error[",)),
    Row(107, "a model whose name has 250 letters", spec=spec(), build=a_run(), exit=0,
        command=(*EXPORT[:3], "@out/" + "n" * 245 + ".onnx")),
    Row(107, "blocks and layers whose names have 128 letters and less", spec=NAMED, build=DATA, before=(TRAIN,), command=EXPORT, exit=0),
    Row(108, "what a run and its exports say of this machine", spec=spec(), build=DATA,
        before=(TRAIN, (*EXPORT, "--external-data", "--report", "@out/report.json"), ("show", "spec.nn", "--graph", "@out/net.svg")),
        command=("export", "@out/run", "--train-step", "--output", "@out/step.onnx"), exit=0, after=nothing_of_this_machine,
        env={"USER": "canary-user", "LOGNAME": "canary-user", "HOSTNAME": "canary-host"}),
)  # fmt: skip

ROWS = (*ROWS_OF_LOCATIONS, *NUMBERS, *CHECKS, *map(model_as_weights, (102, 103, 104, 105)), *EXPORTS)
