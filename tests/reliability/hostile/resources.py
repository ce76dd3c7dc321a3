"""Hostile inputs 133-136: signals, and resources that end."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.reliability.hostile import harness
from tests.reliability.hostile.lexer import NET
from tests.reliability.hostile.names import SMALL, TO_RUN
from tests.reliability.hostile.processes import CHECK, LONG, process, small, stopped
from tests.reliability.hostile.row import MIB, Limits, Place, Result, Row

ROOT = os.name == "posix" and os.getuid() == 0
CALLS = "tests.reliability.hostile.surroundings"
WORK = NET.replace("  output y = x", "  y = x\n  for i in 0..15000 {\n    y = tanh(y)\n  }\n  output y")


def folder_gone(place: Place) -> Result:
    """The working folder is removed while the command begins."""
    gone = place.out / "gone"
    gone.mkdir()
    return process(("check", "lenet"), cwd=gone, preexec_fn=gone.rmdir)(place)


def resumes(place: Place, result: Result) -> None:
    """What was stopped goes on from its last step."""
    more = process(("train", "spec.nn", "--resume", "@out/run", "--max-steps", "1", "--quiet"))(place)
    assert more.code in (0, 2), harness.shown(more)
    assert (place.out / "run" / "checkpoints" / "last.safetensors").exists()
    assert not [path for path in (place.out / "run").rglob("*") if "draft" in path.name or path.name == "lock"]


def nothing_written(place: Place, result: Result) -> None:
    assert not list(place.out.iterdir()), "something was left"


def readable(place: Place) -> None:
    """Another user may read the spec and write where the commands write."""
    small(place)
    place.base.chmod(0o755)
    for folder in (place.out, place.temporary):
        folder.chmod(0o1777)
    lark = place.temporary / ".lark_cache_nobody_0123456789abcdef.tmp"
    lark.write_bytes(b"cposix\nsystem\n(S'touch owned'\ntR.")


def tiny(**more: int) -> dict[str, Any]:
    return {"limits": Limits(**more)}


ROWS = (
    *(
        Row(
            133,
            f"SIGTERM {seconds} s after the start of `check`",
            spec=SMALL,
            build=small,
            run=stopped(CHECK, signal.SIGTERM, seconds=seconds),
            exit=(-15, 0),
            after=nothing_written,
        )
        for seconds in (0.05, 0.2)
    ),
    Row(
        133,
        "SIGINT while a spec is checked",
        spec=WORK,
        run=stopped(CHECK, signal.SIGINT, seconds=0.6),
        exit=(130, -2, 0),
    ),
    Row(
        133,
        "SIGTERM while it trains",
        spec=LONG,
        build=small,
        run=stopped(TO_RUN, signal.SIGTERM, appears="run/checkpoints/last.safetensors"),
        exit=143,
        after=resumes,
    ),
    Row(
        133,
        "SIGINT while it trains",
        spec=LONG,
        build=small,
        run=stopped(TO_RUN, signal.SIGINT, appears="run/checkpoints/last.safetensors"),
        exit=130,
        after=resumes,
    ),
    Row(
        133,
        "SIGTERM while a model is exported",
        spec=SMALL,
        build=small,
        before=(TO_RUN,),
        run=stopped(("export", "@out/run", "--output", "@out/model.onnx"), signal.SIGTERM, seconds=0.7),
        exit=(-15, 0, 143),
    ),
    *(
        Row(
            134,
            f"{size} MiB of memory for `check`",
            spec=WORK,
            exit=3,
            says=("memory-space",),
            **tiny(spare=size * MIB),
        )
        for size in (8, 10, 12)
    ),
    Row(
        134,
        "40 MiB of memory for a training",
        spec=SMALL.replace("dense(1)", "dense(4000) -> dense(4000) -> dense(1)"),
        build=small,
        command=TO_RUN,
        exit=3,
        says=("memory-space",),
        **tiny(spare=40 * MIB),
    ),
    *(
        Row(
            134,
            f"{count} open files for a training",
            spec=SMALL,
            build=small,
            command=TO_RUN,
            exit=(2, 3),
            says=("open files",),
            **tiny(files=count),
        )
        for count in (5, 8, 10)
    ),
    *(
        Row(
            134,
            f"{size} bytes a file for a training",
            spec=SMALL,
            build=small,
            command=TO_RUN,
            exit=3,
            says=("save-failed",),
            **tiny(file=size),
        )
        for size in (300, 800)
    ),
    Row(134, "400 bytes a file for an export", spec=SMALL, build=small, call=f"{CALLS}:export_with_small_files", exit=0),
    Row(135, "HOME is not set", spec=SMALL, build=small, run=process(TO_RUN, env={"HOME": None}), exit=0),
    Row(135, "HOME is a file", spec=SMALL, build=small, command=TO_RUN, env={"HOME": "@secret/passwd"}, exit=0),
    Row(
        135,
        "neither HOME nor TMPDIR nor PATH",
        spec=SMALL,
        build=small,
        run=process(TO_RUN, env={"HOME": None, "TMPDIR": None, "PATH": None}),
        exit=0,
    ),
    Row(
        135,
        "a run folder where nothing can be written",
        spec=SMALL,
        build=small,
        run=process(("train", "spec.nn", "--out", "/proc/self/run")),
        exit=3,
        says=("cannot be made",),
    ),
    Row(
        135,
        "a model where nothing can be written",
        spec=SMALL,
        build=small,
        before=(TO_RUN,),
        run=process(("export", "@out/run", "--output", "/proc/model.onnx")),
        exit=3,
        says=("cannot",),
    ),
    Row(135, "the working folder is gone", run=folder_gone, exit=0),
    Row(
        136,
        "another user with the same temporary folder",
        spec=SMALL,
        build=readable,
        call=f"{CALLS}:as_another_user",
        exit=0,
        missing="" if ROOT else "only the superuser can begin as another one",
    ),
)
