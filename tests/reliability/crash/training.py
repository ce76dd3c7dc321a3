"""Small trainings that cost little, so that thousands of them can be interrupted.

What is a pure function of the spec (its program, differentiated graphs, the check of the resolved spec) is kept within the process and
inherited by its forks; everything that touches the disk is the product's own.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from dslc.diagnostics import DslcError
from dslc.loading import load_program
from dslc.program import Program
from runtime.train.progress import Progress

SPEC = """dslc 1

network Net {
  input x: [batch, 6]
  output logits = x -> dense(8) -> batch_norm -> relu -> dropout(0.3) -> dense(3)
}

train {
  data = npz("data.npz", split=[0.7, 0.3, 0])
  net  = Net(data.x)

  loss:       cross_entropy(net.logits, data.label)
  metric:     accuracy(net.logits, data.label)
  optimizer:  adam(0.05)
  schedule:   cosine(warmup=0.2)
  batch_size: BATCH
  epochs:     EPOCHS
}
"""
WHOLE = ("checkpoints/last.safetensors", "checkpoints/best.safetensors", "metrics.jsonl", "spec.nn", "spec.resolved.nn", "env.json")
FORK_FAULT = 99  # exit code of a fork in which the unexpected happened


def spec_text(batch: int = 14, epochs: int = 2) -> str:
    """42 samples of training: by default 6 steps in 2 epochs."""
    return SPEC.replace("BATCH", str(batch)).replace("EPOCHS", str(epochs))


def write_spec(folder: Path, text: str, data: Mapping[str, np.ndarray] | None = None) -> Path:
    """A spec and its data; the path of the spec."""
    folder.mkdir(parents=True, exist_ok=True)
    if data is None:
        numbers = np.random.default_rng(0)
        label = (np.arange(60) % 3).astype(np.uint8)
        data = {"x": (numbers.normal(size=(60, 6)) + 2 * np.eye(3)[label].repeat(2, axis=1)).astype(np.float32), "label": label}
    np.savez(folder / "data.npz", **data)  # type: ignore[arg-type]
    path = folder / "net.nn"
    path.write_text(text)
    return path


PROGRAMS: dict[Path, Program] = {}  # by the path of their specs


def program_of(path: Path) -> Program:
    if path not in PROGRAMS:
        PROGRAMS[path] = load_program(path)[0]
    return PROGRAMS[path]


def go(spec: Path, progress: Progress | None = None, **options: Any) -> Any:
    """Train on one thread: `out=` or `resume=` a folder, and other options of `train`."""
    from runtime.memory import enough_memory
    from runtime.train.loop import train

    with enough_memory():
        return train(program_of(spec), spec_path=spec, threads=1, progress=progress, **options)


def go_on(spec: Path, run: Path, seed: int = 0) -> Any:
    """What a user does after a crash: resume; where nothing has been saved yet, the same start once more."""
    saved = any((run / "checkpoints").glob("[!.]*.safetensors"))
    return go(spec, **({"resume": run} if saved else {"out": run, "seed": seed}))


def contents(run: Path) -> dict[str, str]:
    """SHA-256 of every file of a run folder by its name."""
    return {str(path.relative_to(run)): digest(path) for path in sorted(run.rglob("*")) if path.is_file() and not path.is_symlink()}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---- pure functions are kept ------------------------------------------------------------------------------------------------------


@contextmanager
def cheap(*, saves: str = "epoch", check_anew: bool = False) -> Iterator[None]:
    """Pure functions of the spec are computed once (`check_anew`: but for the check of the resolved spec, which reads files).

    saves: at each "step", each "epoch", or as the "clock" says, whose intervals no run of these lasts.
    """
    import dslc.loading
    import runtime.step
    import runtime.train.loop as loop

    check, graphs = kept()
    with (
        mock.patch.object(dslc.loading, "check_source", dslc.loading.check_source if check_anew else check),
        mock.patch.object(runtime.step, "graphs_of", graphs),
        mock.patch.object(loop, "REST_SECONDS", loop.REST_SECONDS if saves == "clock" else -1.0),
        mock.patch.object(loop, "SAVE_SECONDS", -1.0 if saves == "step" else loop.SAVE_SECONDS),
    ):
        yield


@lru_cache(maxsize=1)
def kept() -> tuple[Callable[..., Any], Callable[..., Any]]:
    from dslc.loading import check_source
    from runtime.onestep import graphs_of

    return keeping(check_source, lambda source: source.text), keeping(graphs_of, id)


def keeping(compute: Callable[..., Any], key: Callable[[Any], Any]) -> Callable[..., Any]:
    """The function with its results kept by a key of its first argument, which is kept too, so that no id is used twice."""
    found: dict[Any, tuple[Any, Any]] = {}

    def wrapped(first: Any, **options: Any) -> Any:
        if key(first) not in found:
            found[key(first)] = first, compute(first, **options)
        return found[key(first)][1]

    return wrapped


# ---- forks ------------------------------------------------------------------------------------------------------------------------


def forked(act: Callable[[], object], prepare: Callable[[], object] = lambda: None) -> int:
    """The pid of a fork that does this and ends without any cleaning up; what it raises is told by its exit code, or `FORK_FAULT`."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = FORK_FAULT
    try:
        signal.alarm(0)
        prepare()
        act()
        code = 0
    except DslcError as error:
        code = error.exit_code
        with suppress(OSError):
            os.write(2, repr(error).encode()[:500] + b"\n")
    except BaseException as error:
        with suppress(OSError):
            os.write(2, f"{type(error).__name__}: {error}\n".encode()[:500])
    finally:
        os._exit(code)


def outcome(pid: int) -> int:
    """Waits for a fork: its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
