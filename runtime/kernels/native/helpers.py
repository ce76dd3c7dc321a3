"""Many modules compiled at once: by this process and, where there is enough to do, by processes that help it.

LLVM is called under one lock in a process, so threads would wait for each other. A helper reads texts and writes objects
(`machine.serve`); where it cannot be started or dies, what it had is compiled here. An object does not depend on who made it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict
from threading import Thread

from runtime.kernels.native import machine
from runtime.kernels.native.machine import Target
from runtime.workers import processors

WORTH = 1 << 19  # characters of text that keep a processor busy for longer than a helper takes to start

Watch = Callable[[int, int], None]
watching: ContextVar[Watch | None] = ContextVar("watching", default=None)  # is told how many of how many modules are compiled


def compile_all(texts: Iterable[str], goal: Target, threads: int, found: MutableMapping[str, bytes]) -> None:
    """Put the object of each text into `found`, which is empty at first, as soon as it is there. The longest texts come first.

    threads: how many processes there may be, with this one.
    """
    work = deque(sorted(set(texts), key=lambda text: (-len(text), text)))
    total = len(work)
    watch = watching.get() or (lambda done, total: None)
    watch(0, total)
    with ExitStack() as started:
        helpers = []
        for _ in range(helper_count(work, threads)):
            with suppress(OSError, RuntimeError):  # there may be no more processes or threads
                helpers.append(started.enter_context(helper(work, goal, found)))
        while len(found) < total:
            while text := take(work):
                found[text] = machine.compile_object(text, goal)
                watch(len(found), total)
            for thread in helpers:
                thread.join()


def helper_count(work: Iterable[str], threads: int) -> int:
    """How many processes beside this one: each with a processor, and with enough to do."""
    if not sys.executable or getattr(sys, "frozen", False):
        return 0
    lengths = [len(text) for text in work]
    return max(0, min(threads, len(processors()) or 1, len(lengths), 1 + sum(lengths) // WORTH) - 1)


def take(work: deque[str]) -> str:
    """The next text; empty where there is none."""
    try:
        return work.popleft()
    except IndexError:
        return ""


@contextmanager
def helper(work: deque[str], goal: Target, found: MutableMapping[str, bytes]) -> Iterator[Thread]:
    """A process that compiles, and the thread that feeds it until there is no more work. At the end it is gone, whatever it does."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-P", machine.__file__], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
    thread = Thread(target=feed, args=(process, work, goal, found), name="dslc-compile", daemon=True)
    try:
        thread.start()
        yield thread
    finally:
        process.kill()
        if thread.ident is not None:
            thread.join()
        with suppress(OSError, ValueError):
            process.communicate()


def feed(process: subprocess.Popen[bytes], work: deque[str], goal: Target, found: MutableMapping[str, bytes]) -> None:
    """Hand a process one text after the other. The text at which it dies goes back."""
    assert process.stdin is not None and process.stdout is not None
    made = json.dumps(asdict(goal)).encode()
    text = ""
    with suppress(OSError):
        machine.send(process.stdin, made)
        while made and (text := take(work)):
            machine.send(process.stdin, text.encode())
            made = machine.receive(process.stdout)
            if made:
                found[text] = made
    if text and text not in found:
        work.append(text)
