"""A file that is replaced while it is read: `race.py WHAT FOLDER SECRET`.

Another process makes `FOLDER/race/...` a link to the secret and a file again, without end; meanwhile it is read 1,000 times in the way of
the command. The secret may not come out. Says how often it was the file, and how often it was refused.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

TIMES = 1000
PART = "dslc 1\nblock B(x: [batch, k]) {\n  return x -> dense(3)\n}\n"
SPEC = 'dslc 1\nimport B from "NAME"\n'


def swap(path: Path, target: Path) -> None:
    """Does not return: a link, the thing itself, a link, ..."""
    real = path.with_name("real")
    is_folder = path.is_dir()
    path.rename(real)
    while True:
        path.symlink_to(target)
        if is_folder:
            path.unlink()
        real.rename(path)
        path.rename(real)


def checked(folder: Path, name: str) -> Callable[[], str]:
    from dslc.loading import check_source
    from dslc.render import render_text
    from dslc.source import Source

    source = Source("spec.nn", SPEC.replace("NAME", name))
    return lambda: render_text(check_source(source, folder=folder)[1])


def read_header(folder: Path) -> Callable[[], str]:
    from dslc.elaborate import headers

    return lambda: " ".join(headers.csv_columns(headers.opened(folder, "race/d.csv")))


def read_data(folder: Path) -> Callable[[], str]:
    from runtime.data.opened import find_file, read_bytes

    return lambda: read_bytes(find_file("race/d.csv", [folder]), "d.csv").decode()


def read_picture(folder: Path) -> Callable[[], str]:
    from runtime.data.pictures import decode

    return lambda: str(decode(folder / "race" / "x.pgm", 1, folder))


def read_external(folder: Path) -> Callable[[], str]:
    from exporters.onnx.external_read import opened

    return lambda: bytes(opened(folder, "race/w.data")).decode()


CASES: dict[str, tuple[str, str, Callable[[Path], Callable[[], str]]]] = {
    "import": ("race/b.nn", PART, lambda folder: checked(folder, "race/b.nn")),
    "folder": ("race/inner", PART, lambda folder: checked(folder, "race/inner/passwd")),
    "header": ("race/d.csv", "a,b\n1,2\n", read_header),
    "data": ("race/d.csv", "a,b\n1,2\n", read_data),
    "picture": ("race/x.pgm", "P5 2 2 255\n1234", read_picture),
    "external": ("race/w.data", "weights", read_external),
}


def main(what: str, folder: Path, secret: Path) -> None:
    from dslc.diagnostics import DslcError
    from dslc.elaborate.headers import Bad, Unknown

    name, content, make = CASES[what]
    path, target = folder / name, secret
    path.parent.mkdir()
    if what == "folder":
        path.mkdir()
        (path / "passwd").write_text(content)
        target = secret.parent
    else:
        path.write_text(content)
    read, words = make(folder), secret.read_text()
    child = os.fork()
    if child == 0:
        swap(path, target)
    refused = 0
    try:
        for _ in range(TIMES):
            try:
                found = read()
            except (DslcError, Bad, Unknown) as error:
                found = str(error)
                refused += 1
            assert words.strip() not in found and "canary" not in found, f"the secret was read: {found[:200]}"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(f"read {TIMES} times, {refused} of them refused")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
