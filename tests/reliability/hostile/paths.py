"""Hostile inputs 62-73: paths, links, pipes, and files that change while they are read."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.reliability.hostile import harness
from tests.reliability.hostile.made import CSV, EXPORT, TRAIN, Build, a_run, all_of, spec, write
from tests.reliability.hostile.row import Place, Result, Row

PART = "dslc 1\nblock B(x: [batch, k]) {\n  return x -> dense(3)\n}\n"
PICTURE = b"P5 2 2 255\n1234"
SECRET = "@secret/passwd"
DATA = write("d.csv", CSV)
BELOW = (*TRAIN, "--data-dir", "d")


def importing(path: str) -> str:
    return f'dslc 1\nimport B from "{path}"\nnetwork N {{\n  input x: [batch, 2]\n  output y = x -> B\n}}\n'


def csv(path: str) -> str:
    return spec(f'csv("{path}", inputs=["a", "b"], label="y")')


def images(path: str = "pictures") -> str:
    return spec(f'images("{path}", size=2, channels=1)', "data.image / 255", "1, 2, 2")


def start(path: str) -> str:
    return spec(more=f'  start: checkpoint("{path}")\n')


def pictures(*more: Build) -> Build:
    """Two classes of ten pictures in `pictures`."""
    return all_of(*(write(f"pictures/{name}/{number}.pgm", PICTURE) for name in "ab" for number in range(10)), *more)


# ---- odd things on the disk -------------------------------------------------------------------------------------------------------


def link(name: str, target: str) -> Build:
    """`@secret` and the like may stand in the target; `@out/...` in the name."""

    def build(place: Place) -> None:
        path_of(place, name).symlink_to(place.fill(target))

    return build


def pipe(name: str) -> Build:
    return lambda place: os.mkfifo(path_of(place, name))


def folder(name: str) -> Build:
    return lambda place: path_of(place, name).mkdir(parents=True)


def path_of(place: Place, name: str) -> Path:
    path = Path(place.fill(name)) if name.startswith("@") else place.spec / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return path


def listening(name: str) -> Build:
    def build(place: Place) -> None:
        with socket.socket(socket.AF_UNIX) as one:
            before = Path.cwd()
            os.chdir(place.spec)  # the path of a socket has 108 characters at most
            try:
                one.bind(name)
            finally:
                os.chdir(before)

    return build


def second_name(name: str) -> Build:
    """A hard link to a file outside that is a sound part of a spec, or sound data."""

    def build(place: Place) -> None:
        other = place.home / "other"
        other.write_text(PART if name.endswith(".nn") else CSV)
        os.link(other, place.spec / name)

    return build


def at_home(place: Place) -> None:
    (place.home / "d.csv").write_text(CSV)


# ---- rows ---------------------------------------------------------------------------------------------------------------------------


LEAVING = {62: ("../../etc/passwd", "../secret/passwd"), 63: ("/etc/passwd", "//etc/passwd"), 64: ("a/../../x.nn", "./../x.nn"), 69: (
    "\\\\\\\\server\\\\share", "C:\\\\x.nn", "C:x.nn", "file:///etc/passwd", "http://example.org/x.nn")}  # fmt: skip
OUTSIDE = [
    row
    for number, names in LEAVING.items()
    for path in names
    for row in (
        Row(number, f"import from `{path}`", spec=importing(path), says=("import-outside", "spec.nn:2:15"), never=("root:",)),
        Row(number, f"data from `{path}`", spec=csv(path), says=("bad-data-file", "not inside the spec's folder"), never=("root:",)),
        Row(number, f"pictures from `{path}`", spec=images(path), command=TRAIN, exit=3, says=("data-path",)),
        Row(number, f"weights from `{path}`", spec=start(path), build=DATA, command=TRAIN, exit=3, says=("start-mismatch",)),
    )
]
LINKS = (
    Row(65, "an import that is a link", spec=importing("l.nn"), build=link("l.nn", SECRET), says=("import-link",)),
    Row(65, "an import that is a link to a file beside it", spec=importing("l.nn"), build=all_of(write("b.nn", PART), link("l.nn", "b.nn")),
        says=("import-link",)),
    Row(65, "data that is a link", spec=csv("l.csv"), build=link("l.csv", SECRET), says=("bad-data-file", "through a link")),
    Row(65, "data below `--data-dir` that is a link out of it", spec=csv("l.csv"), build=all_of(folder("d"), link("d/l.csv", SECRET)),
        command=BELOW, exit=3, says=("data-path", "leads out of its folder")),
    Row(65, "a picture that is a link", spec=images(), build=pictures(link("pictures/a/x.png", SECRET)), command=TRAIN, exit=3,
        says=("data-path", "a/x.png: is a link that leads out")),
    Row(65, "weights that are a link", spec=start("w.safetensors"), build=all_of(DATA, link("w.safetensors", SECRET)),
        command=TRAIN, exit=3, says=("start-mismatch", "leads out of its folder")),
    Row(66, "an import below a link", spec=importing("l/b.nn"), build=link("l", "@secret"), says=("import-link",)),
    Row(66, "data below a link", spec=csv("l/passwd"), build=link("l", "@secret"), says=("bad-data-file", "goes through a link")),
    Row(66, "a class of pictures that is a link", spec=images(), build=pictures(link("pictures/c", "@secret")), command=TRAIN, exit=3,
        says=("data-path", "pictures/c: is a link that leads out")),
    Row(66, "weights below a link", spec=start("l/w.safetensors"), build=all_of(DATA, link("l", "@home"),
        lambda place: (place.home / "w.safetensors").write_bytes(b"x")), command=TRAIN, exit=3, says=("leads out of its folder",)),
    Row(67, "an import that is a second name (hard link) of a file outside", spec=importing("h.nn"), build=second_name("h.nn"), exit=0),
    Row(67, "data that is a second name of a file outside", spec=csv("h.csv"), build=second_name("h.csv"), command=TRAIN, exit=0),
    Row(68, "a zero byte in a path", spec=importing("ok\0../x").encode(), says=("hidden-character", "U+0000")),
    Row(68, "a zero byte in a path, as an escape", spec=importing("ok\\0../x"), says=("bad-escape",)),
)  # fmt: skip
EXPANDED = [
    row
    for path in ("~/d.csv", "$HOME/d.csv", "${HOME}/d.csv", "%APPDATA%/d.csv")
    for row in (
        Row(70, f"data from `{path}`", spec=csv(path), build=at_home, command=TRAIN, exit=(2, 3), says=("error[", path)),
        Row(70, f"an import from `{path}`", spec=importing(path), build=at_home, says=("import-",)),
    )
]  # fmt: skip
ODD_DATA = (
    Row(71, "an import that is a pipe", spec=importing("f.nn"), build=pipe("f.nn"), says=("import-missing", "device, pipe or socket")),
    Row(71, "an import that is a folder", spec=importing("f.nn"), build=folder("f.nn"), says=("import-missing", "it is a folder")),
    Row(71, "data that is a pipe", spec=csv("f.csv"), build=pipe("f.csv"), says=("bad-data-file", "device, pipe or socket")),
    Row(71, "data that is a socket", spec=csv("s.csv"), build=listening("s.csv"), says=("bad-data-file", "device, pipe or socket")),
    Row(71, "data that is a folder", spec=csv("f.csv"), build=folder("f.csv"), says=("bad-data-file", "it is a folder")),
    Row(71, "data below `--data-dir` that is a pipe", spec=csv("f.csv"), build=pipe("d/f.csv"), command=BELOW, exit=3,
        says=("data-unreadable", "device, pipe or socket")),
    Row(71, "data below `--data-dir` that is a socket", spec=csv("s.csv"), build=all_of(folder("d"), listening("d/s.csv")),
        command=BELOW, exit=3, says=("data-unreadable",)),
    Row(71, "data that is a link to a device", spec=csv("z.csv"), build=all_of(folder("d"), link("d/z.csv", "/dev/zero")),
        command=BELOW, exit=3, says=("data-path",)),
    Row(71, "a pipe among pictures", spec=images(), build=pictures(pipe("pictures/a/x.png")), command=TRAIN, exit=3,
        says=("data-unreadable", "a/x.png")),
    Row(71, "samples for `predict` that are a pipe", spec=spec(), build=all_of(a_run(), pipe("x.npy")),
        command=("predict", "@out/run", "--input", "x.npy", "--output", "@out/y.npy"), exit=3, says=("data-unreadable", "x.npy")),
)  # fmt: skip
ODD_NAMES = (
    Row(72, "data called `-x.csv`", spec=csv("-x.csv"), build=write("-x.csv", CSV), command=TRAIN, exit=0),
    Row(72, "data whose name holds a line end", spec=csv("a\\nb.csv"), build=write("a\nb.csv", CSV), says=("a<U+000A>b.csv",)),
    Row(72, "a broken picture whose name holds an escape sequence", spec=images(), build=pictures(write("pictures/a/\x1b[31m\n.png", b"x")),
        command=TRAIN, exit=3, says=("data-format", "a/<U+001B>[31m<U+000A>.png")),
    Row(72, "a class whose name holds an escape sequence", spec=images(), build=pictures(write("pictures/\x1b[31m/x.png", b"x")),
        command=TRAIN, exit=3, says=("data-format", "<U+001B>[31m/x.png")),
    Row(72, "a spec called `-n.nn`", build=write("-n.nn", PART), command=("check", "--", "-n.nn"), exit=0),
    Row(72, "a spec called `-n.nn` without `--`", build=write("-n.nn", PART), command=("check", "-n.nn"), says=("bad-argument",)),
    Row(72, "a model whose name holds an escape sequence", spec=spec(), build=a_run(), exit=0,
        command=(*EXPORT[:3], "@out/\x1b[31m\n.onnx")),
)  # fmt: skip


def race(what: str) -> Callable[[Place], Result]:
    """A process in which a file becomes a link to the secret and a file again, without end, while it is read 1,000 times."""

    def run(place: Place) -> Result:
        script = Path(__file__).with_name("inside") / "race.py"
        words = [sys.executable, "-P", str(script), what, str(place.spec), str(place.secret / "passwd")]
        return harness.finished(subprocess.run(words, capture_output=True, timeout=90, env={**os.environ, "PYTHONPATH": str(harness.ROOT)}))

    return run


RACES = tuple(
    Row(73, f"{title} that becomes a link while it is read, 1,000 times", run=race(what), exit=0, says=("1000 times",), changes=("race",))
    for what, title in (
        ("import", "an import"),
        ("folder", "a folder on the way to an import"),
        ("header", "data whose header is read"),
        ("data", "data"),
        ("picture", "a picture"),
        ("external", "weights beside a model"),
    )
)

ROWS = (*OUTSIDE, *LINKS, *EXPANDED, *ODD_DATA, *ODD_NAMES, *RACES)
