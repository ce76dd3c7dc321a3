"""Hostile inputs 74-77: where a command writes: links, odd things in a run folder, disks that are full, the umask, locks."""

from __future__ import annotations

from collections.abc import Callable

from tests.reliability.hostile import harness
from tests.reliability.hostile.made import EVAL, EXPORT, RESUME, TRAIN, Build, a_run, all_of, samples, spec, write
from tests.reliability.hostile.paths import DATA, folder, link, pipe
from tests.reliability.hostile.row import Limits, Place, Result, Row

CHECKPOINT, DRAFT = "checkpoints/last.safetensors", "checkpoints/.last.safetensors.tmp"
LAST = (*EVAL, "--checkpoint", "last")


def moved(name: str, target: str) -> Build:
    """Something of the run stands elsewhere, and a link in its place."""

    def build(place: Place) -> None:
        path, other = place.out / "run" / name, place.out / target
        path.rename(other)
        path.symlink_to(other)

    return build


def run_moved(place: Place) -> None:
    (place.out / "run").rename(place.out / "x")


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
    *PLACES, *FULL,
    Row(76, "a run, an export and a picture under the umask 0", spec=spec(), build=DATA,
        call="tests.reliability.hostile.inside.calls:without_umask", exit=0, after=modes),
    *LOCKS, *HELD,
)  # fmt: skip
