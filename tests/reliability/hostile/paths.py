"""Hostile inputs 62-77: paths, links, pipes, places that change, and disks that are full."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.reliability.hostile import harness
from tests.reliability.hostile.made import CSV, EVAL, EXPORT, RESUME, TRAIN, Build, a_run, all_of, samples, spec, write
from tests.reliability.hostile.row import Limits, Place, Result, Row

PART = "dslc 1\nblock B(x: [batch, k]) {\n  return x -> dense(3)\n}\n"
PICTURE = b"P5 2 2 255\n1234"
SECRET = "@secret/passwd"
DATA = write("d.csv", CSV)
BELOW = (*TRAIN, "--data-dir", "d")
CHECKPOINT, DRAFT = "checkpoints/last.safetensors", "checkpoints/.last.safetensors.tmp"
LAST = (*EVAL, "--checkpoint", "last")


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


def moved(name: str, target: str) -> Build:
    """Something of the run stands elsewhere, and a link in its place."""

    def build(place: Place) -> None:
        path, other = place.out / "run" / name, place.out / target
        path.rename(other)
        path.symlink_to(other)

    return build


def at_home(place: Place) -> None:
    (place.home / "d.csv").write_text(CSV)


def run_moved(place: Place) -> None:
    (place.out / "run").rename(place.out / "x")


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
        script = Path(__file__).with_name("race.py")
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


def kept(name: str, content: str = "precious") -> Build:
    """A file that a link leads to and that has to stay."""
    return lambda place: (place.out / name).write_text(content)


def still(name: str, content: str = "precious") -> Callable[[Place, Result], None]:
    def after(place: Place, result: Result) -> None:
        assert (place.out / name).read_text() == content

    return after


PLACES = (
    Row(74, "the run folder is a link", spec=spec(), build=all_of(DATA, folder("@out/x"), link("@out/run", "@out/x")),
        command=TRAIN, exit=3, says=("run-folder", "is a link")),
    Row(74, "the run folder is a link to nothing", spec=spec(), build=all_of(DATA, link("@out/run", "@secret/x")),
        command=TRAIN, exit=3, says=("run-folder", "is a link")),
    Row(74, "the run folder is a file", spec=spec(), build=all_of(DATA, kept("run")), command=TRAIN, exit=3,
        says=("run-folder",), after=still("run")),
    Row(74, "the run that is continued is a link", spec=spec(), build=all_of(a_run(), run_moved, link("@out/run", "@out/x")),
        command=RESUME, exit=3, says=("run-folder", "is a link")),
    *(Row(74, f"`checkpoints` is a link: {command[0]}", spec=spec(), build=all_of(a_run(), moved("checkpoints", "x")), command=command,
          exit=3, says=("run-folder", "checkpoints is a link")) for command in (RESUME, EVAL, EXPORT)),
    Row(74, "a checkpoint is a link: the other one is taken", spec=spec(), build=all_of(a_run(), moved(CHECKPOINT, "x")),
        command=LAST, exit=0, says=("symbolic links; the other checkpoint is taken",)),
    Row(74, "a checkpoint is a folder: the other one is taken", spec=spec(),
        build=all_of(a_run(), folder(f"@out/run/{CHECKPOINT}")),
        command=LAST, exit=0, says=("the other checkpoint is taken",)),
    Row(74, "a checkpoint is a pipe: the other one is taken", spec=spec(), build=all_of(a_run(), pipe(f"@out/run/{CHECKPOINT}")),
        command=RESUME, exit=0),
    *(Row(74, f"`{name}` is a {kind}: {command[0]}", spec=spec(), build=all_of(a_run(), make(f"@out/run/{name}")), command=command,
          exit=exits, says=says)
      for name, kind, make, command, exits, says in (
          ("metrics.jsonl", "pipe", pipe, RESUME, 3, ("run-folder", "metrics.jsonl cannot be read")),
          ("metrics.jsonl", "folder", folder, RESUME, 3, ("run-folder", "metrics.jsonl cannot be read")),
          ("metrics.jsonl", "pipe", pipe, EXPORT, 3, ("run-folder", "metrics.jsonl cannot be read")),
          ("spec.resolved.nn", "pipe", pipe, EXPORT, 3, ("run-folder", "there is no spec.resolved.nn")),
          ("env.json", "pipe", pipe, EXPORT, 0, ()),
          ("lock", "pipe", pipe, RESUME, 3, ("save-failed", "run/lock")),
          ("lock", "folder", folder, RESUME, 3, ("save-failed", "run/lock")),
          (".x.tmp", "folder", folder, RESUME, 0, ()),
          (DRAFT, "folder", folder, RESUME, 3, ("save-failed", "last.safetensors")),
      )),
    Row(74, "the lock is a link", spec=spec(), build=all_of(a_run(), kept("x"), link("@out/run/lock", "@out/x")), command=RESUME, exit=3,
        says=("save-failed", "run/lock"), after=still("x")),
    Row(74, "a draft is a link", spec=spec(), build=all_of(a_run(), kept("x"), link(f"@out/run/{DRAFT}", "@out/x")), command=RESUME,
        exit=0, after=still("x")),
    *(Row(74, f"what is written is a link: {words[0]}", spec=spec(),
          build=all_of(a_run(), kept("x"), link(f"@out/l{end}", "@out/x"), write("x.npz", samples)), command=(*words, f"@out/l{end}"),
          exit=3, says=("it is a link",), after=still("x"))
      for words, end in ((EXPORT[:3], ".onnx"), (("show", "spec.nn", "--graph"), ".svg"),
                         (("predict", "@out/run", "--input", "x.npz", "--output"), ".npz"))),
    *(Row(74, f"the data file of a model is a {kind}", spec=spec(), build=all_of(a_run(), make("@out/model.onnx.data")),
          command=(*EXPORT, "--external-data"), exit=3, says=("cannot write",))
      for kind, make in (("pipe", pipe), ("folder", folder), ("link", lambda name: link(name, "@secret/x")))),
)  # fmt: skip


def small_files(size: int) -> Limits:
    return Limits(file=size)


def sound_or_nothing(place: Place, result: Result) -> None:
    """What there is can be opened again."""
    from runtime.train.checkpoint import load_checkpoint

    for path in place.out.rglob("*.safetensors"):
        load_checkpoint(path, path.name)
    assert not [path for path in place.out.rglob("*") if path.suffix in (".onnx", ".svg", ".npz") and not path.stat().st_size]


FULL = tuple(
    Row(75, f"no file may be larger than {size:,} bytes: {command[0]}", spec=spec(), build=build, command=command, exit=(0, 3),
        limits=small_files(size), after=sound_or_nothing, never=("internal-error",))
    for size in (400, 1000, 2000, 4000)
    for command, build in ((TRAIN, DATA), (RESUME, a_run()), (EXPORT, a_run()), ((*EXPORT, "--external-data"), a_run()),
                           (("show", "spec.nn", "--graph", "@out/net.svg"), DATA))
)  # fmt: skip


def modes(place: Place, result: Result) -> None:
    """Nobody else may write what a run holds."""
    for path in (place.out / "run", place.out / "model.onnx", place.out / "net.svg", *(place.out / "run").rglob("*")):
        assert not path.stat().st_mode & 0o022, f"{path.name} has the mode {path.stat().st_mode:o}"


def unlocked(place: Place) -> None:
    assert not (place.out / "run" / "lock").exists()


LOCKS = tuple(
    Row(77, f"a lock that nobody holds: {content!r:.40}", spec=spec(), build=all_of(a_run(), kept("run/lock", content)), command=RESUME,
        exit=0, after=lambda place, result: unlocked(place))
    for content in ('{"pid": 1, "start": "1"}', "x" * 10000)
)  # fmt: skip


def while_locked(content: str) -> Callable[[Place], Result]:
    """Another process holds the lock, in which this stands."""

    def run(place: Place) -> Result:
        import fcntl

        path = place.out / "run" / "lock"
        path.write_text(content)
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            return harness.run(Row(77, "", command=RESUME), place, RESUME)

    return run


HELD = tuple(
    Row(77, f"a lock that another process holds: {content!r:.40}", spec=spec(), build=a_run(), run=while_locked(content), exit=3,
        says=("run-locked", says))
    for content, says in (
        ('{"pid": 1}', "the process 1 is"), ('{"pid": Infinity}', "another process"), ('{"pid": ' + "9" * 4000 + "}", "another process"),
        ("[" * 4000, "another process"), ("\x1b[31m", "another process"), ("", "another process"),
    )
)  # fmt: skip

ROWS = (
    *OUTSIDE, *LINKS, *EXPANDED, *ODD_DATA, *ODD_NAMES, *RACES, *PLACES, *FULL,
    Row(76, "a run, an export and a picture under the umask 0", spec=spec(), build=DATA,
        call="tests.reliability.hostile.calls:without_umask", exit=0, after=modes),
    *LOCKS, *HELD,
)  # fmt: skip
