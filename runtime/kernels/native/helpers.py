"""Many modules compiled at once: by this process and, where there is enough to do, by processes that help it.

LLVM is called under one lock in a process, so threads would wait for each other. A helper reads texts and writes objects
(`machine.serve`); where it cannot be started, dies or hangs, what it had is compiled here. An object does not depend on who made it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from threading import Thread

from runtime.kernels.native import machine
from runtime.kernels.native.machine import Target
from runtime.kernels.native.watch import Watch, watching
from runtime.workers import processors

WORTH = 1 << 19  # characters of text that keep a processor busy for longer than a helper takes to start
PATIENCE = 2.0  # seconds that a helper gets for its last module when this process has no more to do


def compile_all(texts: Iterable[str], goal: Target, threads: int, found: MutableMapping[str, bytes]) -> None:
    """Put the object of each text into `found`, which is empty at first, as soon as it is there. The longest texts come first.

    threads: how many processes there may be, with this one.
    """
    order = sorted(set(texts), key=lambda text: (-len(text), text))
    work, total = deque(order), len(order)
    watch = watching.get() or (lambda done, total: None)
    watch(0, total)
    with ExitStack() as started:
        helpers = []
        for _ in range(helper_count(order, threads)):
            with suppress(OSError, RuntimeError):  # there may be no more processes or threads
                helpers.append(started.enter_context(helper(work, goal, found)))
        compile_here(work, goal, found, watch, total)
        for thread in helpers:
            thread.join(PATIENCE)
        compile_here(deque(text for text in order if text not in found), goal, found, watch, total)


def compile_here(work: deque[str], goal: Target, found: MutableMapping[str, bytes], watch: Watch, total: int) -> None:
    while text := take(work):
        found[text] = machine.compile_object(text, goal)
        watch(len(found), total)


def helper_count(texts: Sequence[str], threads: int) -> int:
    """How many processes beside this one: each with a processor, and with enough to do."""
    if not sys.executable or getattr(sys, "frozen", False):
        return 0
    return max(0, min(threads, len(processors()) or 1, len(texts), 1 + sum(map(len, texts)) // WORTH) - 1)


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
    """Hand a process one text after the other, until it dies."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(OSError):
        machine.send(process.stdin, json.dumps(asdict(goal)).encode())
        while text := take(work):
            machine.send(process.stdin, text.encode())
            made = machine.receive(process.stdout)
            if not made:
                return
            found[text] = made
