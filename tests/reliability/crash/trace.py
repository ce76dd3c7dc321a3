"""A process stopped at each of its system calls (ptrace, Linux), so that it can be killed at any of them."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from tests.reliability.crash.training import forked, outcome

TRACE_ME, NEXT_CALL, OPTIONS = 0, 24, 0x4200
MARK_CALLS, KILL_AT_EXIT = 1, 1 << 20
AT_CALL = signal.SIGTRAP | 0x80
NAMES = {
    0: "read", 1: "write", 3: "close", 5: "fstat", 8: "lseek", 9: "mmap", 10: "mprotect", 11: "munmap", 12: "brk", 16: "ioctl",
    18: "pwrite", 28: "madvise", 72: "fcntl", 73: "flock", 74: "fsync", 77: "ftruncate", 82: "rename", 83: "mkdir", 84: "rmdir",
    86: "link", 87: "unlink", 90: "chmod", 137: "statfs", 138: "fstatfs", 217: "getdents", 257: "open", 262: "stat",
    263: "unlinkat", 318: "getrandom", 332: "statx",
}  # fmt: skip


def ptrace(request: int, pid: int, data: int = 0) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    library.ptrace.restype = ctypes.c_long
    return int(library.ptrace(request, pid, None, ctypes.c_void_p(data)))


def killed_at(call: int, act: Callable[[], object]) -> tuple[int, int, str]:
    """Does this in a fork that is killed as it enters or leaves a system call, the `call`-th such moment.

    What ended it (a signal is negative), how many moments there were, and the name of the call.
    """

    def prepare() -> None:
        ptrace(TRACE_ME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)

    pid = forked(act, prepare)
    os.waitpid(pid, 0)
    ptrace(OPTIONS, pid, MARK_CALLS | KILL_AT_EXIT)
    moments, handed = 0, 0
    while moments < call:
        ptrace(NEXT_CALL, pid, handed)
        status = os.waitpid(pid, 0)[1]
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status), moments, ""
        stopped = os.WSTOPSIG(status)
        handed = 0 if stopped == AT_CALL else stopped
        moments += stopped == AT_CALL
    name = call_of(pid)
    os.kill(pid, signal.SIGKILL)
    return outcome(pid), moments, name


def call_of(pid: int) -> str:
    with suppress(OSError, ValueError, IndexError):
        number = int(Path(f"/proc/{pid}/syscall").read_text().split()[0])
        return NAMES.get(number, "another") if platform.machine() == "x86_64" else "another"
    return "another"


@lru_cache(maxsize=1)
def can_trace() -> bool:
    """Whether this system lets a process trace its fork."""
    if platform.system() != "Linux":
        return False
    pid = forked(lambda: os._exit(0 if ptrace(TRACE_ME, 0) == 0 else 1))
    return outcome(pid) == 0
