"""An audit hook that ends the process at the first thing that no input may bring about. The standard library only.

Armed after the imports of the command. What installed modules do when they are imported (their code, the code that `dataclasses` writes for
them) is no breach.
"""

# The names that events carry are str, bytes or numbers.
# ruff: noqa: PTH100, PTH112, PTH117, PTH118

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

BREACH = 97  # exit code
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/localtime", "/proc/meminfo", "/proc/cpuinfo", "/sys/fs/cgroup", "/sys/devices/system")
OWN = ("/dev/null", "/dev/urandom", "/proc/self/maps", "/proc/self/cgroup", "/proc/self/status")
PROCESS = re.compile("/proc/[0-9]+/stat")  # when the process that holds a lock was started
FAMILIES = frozenset(
    [
        "socket",
        "pty",
        "urllib",
        "http",
        "ftplib",
        "smtplib",
        "telnetlib",
        "poplib",
        "imaplib",
        "nntplib",
        "webbrowser",
        "winreg",
        "sqlite3",
        "syslog",
    ]
)
FORBIDDEN = frozenset(
    [
        "pickle.find_class",
        "subprocess.Popen",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "os.fork",
        "os.forkpty",
        "os.startfile",
        "sys.settrace",
        "sys.setprofile",
        "cpython.run_command",
        "cpython.run_file",
        "cpython.run_module",
        "cpython.run_string",
        "code.__new__",
        "function.__new__",
    ]
)
WRITERS = {  # event to the number of paths that come first in its arguments
    "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.chmod": 1, "os.chown": 1, "os.truncate": 1, "os.utime": 1, "os.setxattr": 1,
    "os.removexattr": 1, "os.rename": 2, "os.link": 2,
}  # fmt: skip
LISTERS = frozenset(["os.listdir", "os.scandir", "glob.glob"])
GENERATORS = (
    "dataclasses.py",
    "collections/__init__.py",
    "enum.py",
    "ast.py",
    "typing.py",
)  # of the standard library: they compile what they wrote themselves
NATIVE = ("threadpoolctl.py", "numpy/", "onnxruntime/", "ctypes/")  # installed modules that use ctypes
TRIMS = "/runtime/memory.py"  # asks the C library of this process to give free memory back
CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Guard:
    """`reads`: folders that may be read; `writes`: folders that may be read and changed; `installed`: code and its data."""

    def __init__(self, installed: Iterable[str], reads: Iterable[str], writes: Iterable[str], report: Callable[[str], None]) -> None:
        self.installed = tuple(os.path.realpath(path) for path in installed)
        self.writes = tuple(os.path.realpath(path) for path in writes)
        self.reads = (*self.installed, *self.writes, *(os.path.realpath(path) for path in reads), *SYSTEM)
        self.report = report

    def arm(self) -> None:
        sys.addaudithook(self.hook)

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """Quiet for what is allowed; else the breach is reported and the process ends, so that nothing can catch it."""
        if event == "open":
            why = self.opened(args[0], args[2] or 0)
        elif event in WRITERS:
            count = WRITERS[event]
            why = self.changed(args[:count], args[-count:])
        elif event == "os.symlink":
            why = self.changed(args[1:2], args[2:3])
        elif event in LISTERS:
            why = self.listed(args[0])
        elif event in ("exec", "compile"):
            why = self.code(event, args)
        elif event.startswith("ctypes."):
            why = "" if caller_is(NATIVE) or caller().endswith(TRIMS) else "ctypes"
        elif event == "os.kill":
            why = "" if args[1] == 0 else "a signal"
        else:
            why = "not allowed" if event in FORBIDDEN or event.partition(".")[0] in FAMILIES else ""
        if why:
            self.report(f"{event}{args!r:.200}: {why}, by {sys._getframe(1).f_code.co_filename}")
            os._exit(BREACH)

    def opened(self, path: Any, flags: int) -> str:
        if isinstance(path, int):
            return ""
        if os.fsdecode(path) in OWN or PROCESS.fullmatch(os.fsdecode(path)):
            return ""
        name = os.path.realpath(os.fsdecode(path))
        if flags & os.O_NOFOLLOW:  # a link at the end is refused by the system
            head, tail = os.path.split(os.path.abspath(os.fsdecode(path)))
            name = os.path.join(os.path.realpath(head), tail)
        if flags & CHANGING:
            return "" if within(name, self.writes) else f"writes {name}"
        return "" if within(name, self.reads) else f"reads {name}"

    def changed(self, paths: Iterable[Any], folders: Iterable[Any]) -> str:
        """`folders`: descriptors of the folders that the paths are relative to; -1 or a number of another meaning where there is none."""
        for path, folder in zip(paths, folders, strict=False):
            if isinstance(path, int):
                continue
            path = os.fsdecode(path)
            if type(folder) is int and folder >= 0 and not os.path.isabs(path) and os.path.isdir(f"/proc/self/fd/{folder}"):
                path = os.path.join(os.path.realpath(f"/proc/self/fd/{folder}"), path)
            head, tail = os.path.split(os.path.abspath(os.fsdecode(path)))
            name = os.path.join(os.path.realpath(head), tail)
            if not within(name, self.writes):
                return f"changes {name}"
        return ""

    def listed(self, path: Any) -> str:
        if isinstance(path, int):
            return ""
        name = os.path.realpath(os.fsdecode(path) if path else ".")
        return "" if within(name, self.reads) or "*" in name else f"lists {name}"

    def code(self, event: str, args: tuple[Any, ...]) -> str:
        """Code of installed modules, and what the standard library writes itself."""
        name = args[0].co_filename if event == "exec" else args[1]
        name = os.fsdecode(name) if isinstance(name, (str, bytes)) else ""
        if name.startswith("<frozen") or (os.path.isabs(name) and within(os.path.realpath(name), self.installed)):
            return ""
        return "" if caller_is(GENERATORS) else f"code of {name or 'nowhere'}"


def within(name: str, roots: Iterable[str]) -> bool:
    return any(name == root or name.startswith(root.rstrip("/") + "/") for root in roots)


def caller_is(files: tuple[str, ...]) -> bool:
    """Whether the function that did it stands in one of these files of an installed library."""
    name = caller(4)
    return any(file in name for file in files) and ("/lib/python" in name or "site-packages" in name)


def caller(depth: int = 3) -> str:
    """The file of the function that did it."""
    return sys._getframe(depth).f_code.co_filename.replace(os.sep, "/")
