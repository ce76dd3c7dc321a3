"""A fork server: imports the command once, then runs each case in a fork of itself, under limits and with the guard armed.

    python -P server.py light|full        jobs and results are lines of JSON on standard input and output

`light` has what `dslc check` loads; `full` has NumPy, the runtime, the exporters and onnxruntime too. Of the tests only the guard is
imported, until a job names a function.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
VERBS = ("main", "check", "config", "fmt", "explain", "ops", "new", "show")
LIGHT = (
    *(f"dslc.cli.{verb}" for verb in VERBS),
    *(f"dslc.syntax.{name}" for name in ("parse", "reader", "format")),
    *(f"dslc.{name}" for name in ("loading", "elaborate.program", "render", "usage")),
)
FULL = (
    *(f"dslc.{name}" for name in ("api", "cli.train", "cli.eval", "cli.predict", "cli.sample", "cli.export")),
    *(f"runtime.{name}" for name in ("step", "forward", "memory", "train.loop", "train.run", "train.progress")),
    *("exporters.onnx", "onnx", "onnx.reference", "onnxruntime", "PIL.Image"),
)


def serve(kind: str) -> None:
    jobs, results = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    sys.dont_write_bytecode = True
    load(kind)
    used = resource.getrusage(resource.RUSAGE_SELF)
    start = used.ru_utime + used.ru_stime
    for line in jobs:
        result = run(json.loads(line))
        result["cpu"] += start
        results.write(json.dumps(result) + "\n")
        results.flush()


def load(kind: str) -> None:
    sys.path.append(str(ROOT))
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as dslc sets it before it loads onnxruntime
    for name in LIGHT + (FULL if kind == "full" else ()):
        try:
            importlib.import_module(name)
        except ImportError:
            if name.startswith(("dslc", "runtime", "exporters")):
                raise
    from dslc.loading import load_program

    load_program("lenet")  # what is loaded on first use: the parse table, the standard library's folder


def run(job: dict[str, Any]) -> dict[str, Any]:
    """One job in a fork: its exit code (negative: a signal), CPU seconds, largest resident size."""
    pid = os.fork()
    if pid == 0:
        child(job)
    deadline, late = time.monotonic() + job["limits"]["wall"], False
    while True:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline and not late:
            late = True
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.002)
    return {"code": os.waitstatus_to_exitcode(status), "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss * 1024, "late": late}


def child(job: dict[str, Any]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        prepare(job)
        code = work(job)
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def prepare(job: dict[str, Any]) -> None:
    """Streams, variables, folder, limits, guard: the guard last."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    breach = os.open(job["breach"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.environ.clear()
    os.environ.update(job["env"])
    os.chdir(job["folder"])
    if job["call"]:
        module, _, name = job["call"].partition(":")
        job["function"] = getattr(importlib.import_module(module), name)
    guard = make_guard(job, breach)
    limits = job["limits"]
    memory = taken() + limits["spare"] if limits["spare"] else limits["memory"]
    for kind, most in (
        ("CORE", 0),
        ("AS", memory),
        ("CPU", limits["cpu"]),
        ("FSIZE", limits["file"]),
        ("NOFILE", limits["files"]),
    ):
        resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    guard.arm()


def taken() -> int:
    """Bytes of address space of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def make_guard(job: dict[str, Any], breach: int) -> Any:
    sys.path.insert(0, str(HERE))
    guard = importlib.import_module("guard")
    del sys.path[0]
    packages = [str(ROOT / name) for name in ("dslc", "runtime", "exporters", "specs")]
    installed = [sys.prefix, sys.base_prefix, *packages, str(HERE)]
    return guard.Guard(installed, job["reads"], job["writes"], lambda text: os.write(breach, text.encode("utf-8", "replace")))


def work(job: dict[str, Any]) -> int:
    if job["call"]:
        job["function"](Path(job["base"]))
        return 0
    from dslc.cli.main import main

    return main(job["words"])


if __name__ == "__main__":
    serve(sys.argv[1])
