"""Each call on the disk fails once: for every writer of the product, every kind of fault, n = 1, 2, … until a run has no n-th call.

After each fault: the error is one of dslc with a documented exit code, what was good before is still there and sound, and the same
command once more (or the resumed training) leaves the bytes of a run without faults, and nothing else.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import pytest

from dslc.diagnostics import DslcError, SpecError
from tests.reliability.campaign import Tally
from tests.reliability.crash.disk import KINDS, Disk, failing
from tests.reliability.crash.scratch import scratch
from tests.reliability.crash.training import cheap, contents, forked, go, go_on, outcome, spec_text, write_spec

PARTS = 16  # of one scenario and fault: n = part, part + 16, …


@dataclass(frozen=True)
class Writer:
    """prepare: what stands before; act: the command; again: what one does after a failure; allowed: whether a state in between is good."""

    name: str
    prepare: Callable[[Path, Path], None]
    act: Callable[[Path, Path], object]
    again: Callable[[Path, Path], object]
    allowed: Callable[[Path, dict[str, str], dict[str, str]], bool]


@lru_cache(maxsize=1)
def home() -> Path:
    """A folder with a spec, its data, a finished run, one that stands at step 3, and one with other weights; it stays for the process."""
    import atexit
    import tempfile

    kept = tempfile.TemporaryDirectory(prefix="dslc-")
    atexit.register(kept.cleanup)
    folder = Path(kept.name).resolve()
    spec = write_spec(folder, spec_text(epochs=1))
    go(spec, out=folder / "whole")
    go(spec, out=folder / "half", max_steps=2)
    go(spec, out=folder / "other", seed=1)
    return folder


# ---- writers ----------------------------------------------------------------------------------------------------------------------


def sound_run(run: Path, before: dict[str, str], after: dict[str, str]) -> bool:
    """A checkpoint that loads, not older than the one before; none at all only where there was none."""
    from runtime.train.run import LAST, read_state

    if not any((run / "checkpoints").glob("*.safetensors")):
        return not before
    state = read_state(run, (LAST, "best"))[1]
    return state.meta["step"] >= (2 if before else 0)


def old_or_new(folder: Path, before: dict[str, str], after: dict[str, str]) -> bool:
    """The files of before or those of after; a mixture only where no model stands beside data of another."""
    found = visible(folder)
    return found in (before, after) or ("model.onnx" in before and "model.onnx" not in found)


def visible(folder: Path) -> dict[str, str]:
    return visible_of(contents(folder))


def visible_of(files: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if not any(part.startswith(".") for part in Path(name).parts)}


def export(run: str, home: Path, folder: Path, **options: object) -> object:
    from dslc.api import Run

    return Run.open(home / run, mapped=True).export(folder / "model.onnx", verify=False, **options)  # type: ignore[arg-type]


def export_step(run: str, home: Path, folder: Path) -> object:
    from dslc.api import Run

    return Run.open(home / run).export_step(folder / "model.onnx", verify=False)


def write_text(text: str, home: Path, folder: Path) -> object:
    from dslc.files import write_file

    return write_file(folder / "net.nn", text)


def new(home: Path, folder: Path) -> object:
    from dslc.cli.new import create

    return create(folder / "net.nn", "dslc 1\n" * 99)


def new_again(home: Path, folder: Path) -> object:
    """A spec that is there is refused, and drafts are swept."""
    if not (folder / "net.nn").exists():
        return new(home, folder)
    with pytest.raises(SpecError):
        new(home, folder)
    return None


def copied(home: Path, folder: Path) -> None:
    shutil.copytree(home / "half", folder, dirs_exist_ok=True)


def twice(name: str, act: Callable[..., object], **options: object) -> Writer:
    """A file that replaces an earlier one."""
    begin = partial(act, "other", **options)
    return Writer(
        name,
        lambda home, folder: ignore(begin(home, folder)),
        partial(act, "whole", **options),
        partial(act, "whole", **options),
        old_or_new,
    )


def ignore(result: object) -> None: ...


WRITERS = (
    Writer(
        "a new training",
        lambda home, folder: None,
        lambda home, folder: go(home / "net.nn", out=folder),
        lambda home, folder: go_on(home / "net.nn", folder),
        sound_run,
    ),
    Writer(
        "a resumed training",
        copied,
        lambda home, folder: go(home / "net.nn", resume=folder),
        lambda home, folder: go_on(home / "net.nn", folder),
        sound_run,
    ),
    twice("an export", export),
    twice("an export with a data file", export, external_data=True),
    twice("an export with a safetensors file", export, external_data="w.safetensors"),
    twice("an export of a training step", export_step),
    twice("a written text", lambda run, home, folder: write_text(run * 999, home, folder)),
    Writer("a new spec", lambda home, folder: None, new, new_again, old_or_new),
)


# ---- cases ------------------------------------------------------------------------------------------------------------------------

CASES = len(WRITERS) * len(KINDS) * PARTS


def case(number: int, tally: Tally) -> None:
    number, which = divmod(number, len(WRITERS))
    part, kind = divmod(number, len(KINDS))
    writer = WRITERS[which]
    with cheap(check_anew=True), scratch() as folder:
        (folder / "straight").mkdir()
        writer.prepare(home(), folder / "straight")
        before = visible(folder / "straight")
        writer.act(home(), folder / "straight")
        after = contents(folder / "straight")
        at = part + 1
        while meets(writer, KINDS[kind], at, folder / f"{at}", before, after, tally):
            shutil.rmtree(folder / f"{at}")
            at += PARTS
        tally.measure(f"calls of {writer.name}", at - 1)


def meets(writer: Writer, kind: str, at: int, folder: Path, before: dict[str, str], after: dict[str, str], tally: Tally) -> bool:
    """Whether a run has a call of this number; what holds after its fault is asserted."""
    folder.mkdir()
    writer.prepare(home(), folder)
    disk = failing(folder, kind, at)
    where = f"{writer.name}, {kind} at call {at}"
    failed = False
    if kind == "kill":
        code = outcome(forked(lambda: run_watched(disk, writer, folder)))
        assert code in (0, -signal.SIGKILL), f"{where}: exit code {code}"
        failed = met = code != 0
    else:
        error = run_watched(disk, writer, folder)
        failed, met = error is not None, disk.calls >= at
        assert error is None or error.exit_code in (2, 3), f"{where}: {error!r}"
    tally.count("faults", met)
    tally.count("failed commands", failed)
    if met:
        tally.note("faults of each kind", kind)
        tally.note("faults of each writer", writer.name)
    if failed:
        assert writer.allowed(folder, before, after), f"{where}: {sorted(visible(folder))} are neither the old files nor the new ones"
    else:
        assert visible(folder).items() >= visible_of(after).items(), f"{where}: nothing was said, and the result is another"
    if met:
        writer.again(home(), folder)
    found = contents(folder)
    assert found == after, f"{where}: differs in the end: {sorted(name for name in found | after if found.get(name) != after.get(name))}"
    return met


def run_watched(disk: Disk, writer: Writer, folder: Path) -> DslcError | None:
    """What went wrong, as dslc says it; everything else is raised."""
    from runtime.memory import enough_memory

    try:
        with disk.watched(), enough_memory():
            writer.act(home(), folder)
    except DslcError as error:
        return error
    return None
