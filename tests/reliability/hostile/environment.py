"""Hostile inputs 126-132: the surroundings of a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.reliability.hostile import harness
from tests.reliability.hostile.lexer import HEAD, NET
from tests.reliability.hostile.names import SMALL, TO_RUN, text
from tests.reliability.hostile.processes import CHECK, LONG, ended, process, small, started, variables, wait_for
from tests.reliability.hostile.row import Place, Result, Row

FAKE = "from pathlib import Path\nPath(__file__).with_name('owned').write_text('x')\nraise SystemExit('fake')\n"


def fakes(*names: str) -> Callable[[Place], None]:
    """Modules that lie beside the spec and leave a mark where they are run."""

    def build(place: Place) -> None:
        small(place)
        for name in names:
            text(f"{name}.py", FAKE)(place)

    return build


def installed(place: Place) -> Result:
    """The script that the installation makes."""
    script = Path(sys.executable).parent / "dslc"
    command = [str(script), *CHECK] if script.exists() else harness.dslc_command(*CHECK)
    return harness.finished(subprocess.run(command, cwd=place.spec, env=variables(place, {}), capture_output=True, timeout=60))


def closed(*descriptors: int) -> Callable[[], None]:
    """In the child: these streams are closed."""

    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    return close


def reader_gone(place: Place) -> Result:
    """`dslc ops | head -1`: nobody reads the second line."""
    reading, writing = os.pipe()
    os.close(reading)
    done = process(("ops",), stdout=writing)(place)
    os.close(writing)
    return done


def second_trainer(*words: str) -> Callable[[Place], Result]:
    """While one trains in `run`, another begins with these words. The first goes on, and ends at SIGTERM with all saved."""

    def run(place: Place) -> Result:
        with started(place, *TO_RUN) as first:
            wait_for(place.out / "run" / "checkpoints" / "last.safetensors")
            second = process(words)(place)
            assert first.poll() is None, "the first trainer has ended"
            first.send_signal(signal.SIGTERM)
            found = ended(first)
            assert found.code == 143, harness.shown(found)
        return second

    return run


def lark_caches(place: Place) -> None:
    for name in (".lark_cache_root_e4c1b0f4d6a8.tmp", ".lark_cache__e4c1b0f4d6a8_3_11.tmp", ".lark_cache_spec.tmp"):
        (place.temporary / name).write_bytes(b"cposix\nsystem\n(S'touch owned'\ntR.")


def open_cache(place: Place) -> None:
    small(place)
    (place.home / "kernels").mkdir()
    (place.home / "kernels").chmod(0o777)


STREAMS = {"stdin": (0,), "stdout": (1,), "stderr": (2,), "all three streams": (0, 1, 2)}
CALLS = "tests.reliability.hostile.surroundings"
ROWS = (
    Row(
        126,
        "modules beside the spec called as what dslc imports, `python -P -m dslc`",
        spec=SMALL,
        build=fakes("numpy", "lark", "pydantic", "json", "random", "dslc", "runtime"),
        run=process(TO_RUN),
        exit=0,
    ),
    Row(
        126,
        "the same, `python -m dslc`",
        spec=SMALL,
        build=fakes("numpy", "lark", "pydantic", "onnx", "safetensors", "threadpoolctl"),
        run=process(TO_RUN, safe=False),
        exit=0,
    ),
    Row(
        126,
        "the same, the installed script",
        spec=NET,
        build=fakes("numpy", "lark", "pydantic", "json", "random", "dslc", "runtime"),
        run=installed,
        exit=0,
    ),
    Row(126, "PYTHONPATH names a folder of such modules", skip="who sets PYTHONPATH chooses the modules; `python -I -m dslc` ignores it"),
    Row(127, "pickles in the temporary folder, called as caches of Lark", spec=NET, build=lark_caches, exit=0),
    Row(
        128,
        "CuPy's cache of kernels is open to all",
        spec=SMALL,
        build=open_cache,
        command=(*TO_RUN, "--device", "cuda"),
        env={"CUPY_CACHE_DIR": "@home/kernels"},
        says=("missing-device", "others can write"),
    ),
    Row(129, "names of layers in the source of kernels", skip="no source of kernels is written: the cuda device calls CuPy's own"),
    Row(
        130,
        "LANG=C, and characters that it does not have",
        spec=HEAD + "network N {\n  input x: [batch, 4]\n  output y = x -> сonv(3)\n}\n",
        run=process(CHECK, env={"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        says=("lookalike-name",),
    ),
    Row(
        130,
        "a terminal of ASCII",
        spec=HEAD + "param é: int = 1\n",
        run=process(CHECK, env={"PYTHONIOENCODING": "ascii"}),
        says=("foreign-name",),
    ),
    *(Row(130, f"without {name}", spec=NET, run=process(CHECK, preexec_fn=closed(*numbers)), exit=0) for name, numbers in STREAMS.items()),
    Row(
        130,
        "without standard output, and errors",
        spec=HEAD,
        run=process(("check", "spec.nn", "--json"), preexec_fn=closed(1)),
        exit=(0, 2),
    ),
    Row(130, "the reader of standard output is gone", run=reader_gone, exit=(0, 130)),
    Row(131, "the clock runs backwards", spec=SMALL, build=small, call=f"{CALLS}:clock_backwards", exit=0),
    Row(131, "the clock stands at the end of time", spec=SMALL, build=small, call=f"{CALLS}:clock_at_the_end", exit=0),
    *(
        Row(131, f"TZ={zone}", spec=SMALL, build=small, command=TO_RUN, env={"TZ": zone}, exit=0)
        for zone in ("Mars/Olympus", "right/UTC", ":@secret/passwd")
    ),
    Row(132, "a second trainer with the same `--out`", spec=LONG, build=small, run=second_trainer(*TO_RUN), exit=3, says=("run",)),
    Row(
        132,
        "a second trainer with `--resume`",
        spec=LONG,
        build=small,
        run=second_trainer("train", "spec.nn", "--quiet", "--resume", "@out/run"),
        exit=3,
        says=("is training",),
    ),
)
