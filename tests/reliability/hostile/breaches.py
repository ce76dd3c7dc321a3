"""What the guard has to refuse: each function does one thing that no input may bring about."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path


def run_text(base: Path) -> None:
    exec("x = 1")


def unpickle(base: Path) -> None:
    import pickle

    pickle.loads(b"cposix\nsystem\n(S'true'\ntR.")


def start_process(base: Path) -> None:
    subprocess.run(["true"], check=True)


def shell(base: Path) -> None:
    os.system("true")


def fork(base: Path) -> None:
    if os.fork() == 0:
        os._exit(0)


def connect(base: Path) -> None:
    socket.socket()


def foreign_code(base: Path) -> None:
    import ctypes

    ctypes.CDLL(None)


def read_outside(base: Path) -> None:
    (base / "secret" / "passwd").read_text()


def read_by_link(base: Path) -> None:
    (base / "out" / "link").symlink_to(base / "secret" / "passwd")
    (base / "out" / "link").read_text()


def read_the_system(base: Path) -> None:
    Path("/etc/passwd").read_text()


def list_outside(base: Path) -> None:
    list((base / "secret").iterdir())


def write_outside(base: Path) -> None:
    (base / "home" / "x").write_text("x")


def write_the_spec(base: Path) -> None:
    (base / "spec" / "spec.nn").write_text("x")


def remove_outside(base: Path) -> None:
    (base / "secret" / "passwd").unlink()


def move_outside(base: Path) -> None:
    (base / "out" / "x").write_text("x")
    (base / "out" / "x").rename(base / "home" / "x")


def change_the_mode(base: Path) -> None:
    (base / "secret" / "passwd").chmod(0o777)


def swallowed(base: Path) -> None:
    """A breach in a program that catches everything."""
    try:
        read_outside(base)
    except BaseException:
        os._exit(0)


BREACHES = tuple(
    function.__name__
    for function in (
        run_text, unpickle, start_process, shell, fork, connect, foreign_code, read_outside, read_by_link, read_the_system, list_outside,
        write_outside, write_the_spec, remove_outside, move_outside, change_the_mode, swallowed,
    )
)  # fmt: skip


def harmless(base: Path) -> None:
    """What is allowed: reading the spec, writing and reading in the output folder."""
    (base / "spec" / "spec.nn").read_bytes()
    (base / "out" / "x").write_text("x")
    (base / "out" / "x").rename(base / "out" / "y")
    (base / "out" / "y").unlink()


def show_the_secret(base: Path) -> None:
    print(os.environ["API_TOKEN"])


def show_an_escape(base: Path) -> None:
    print("\x1b[31m")


def hidden_direction(base: Path) -> None:
    print("\u202e")


def fail(base: Path) -> None:
    raise ValueError("x")


def keep_the_secret(base: Path) -> None:
    (base / "out" / "x").write_text(os.environ["API_TOKEN"])


def leave_a_temporary_file(base: Path) -> None:
    (base / "tmp" / "x").write_text("x")


def take_memory(base: Path) -> None:
    bytearray(4 << 30)


def never_end(base: Path) -> None:
    while True:
        pass


def write_without_end(base: Path) -> None:
    with (base / "out" / "x").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))


FAULTS = tuple(
    function.__name__
    for function in (
        show_the_secret, show_an_escape, hidden_direction, fail, keep_the_secret, leave_a_temporary_file, take_memory, never_end,
        write_without_end,
    )
)  # fmt: skip
