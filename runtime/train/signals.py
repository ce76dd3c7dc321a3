"""SIGINT, SIGTERM and SIGHUP while training: the first asks for an end after the present step, the second ends at once.

A signal that the process was started to ignore (`nohup`, jobs in the background) stays ignored.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


class Interrupts:
    """`with Interrupts() as interrupts:` … `interrupts.asked` is the signal's number or 0. Outside the main thread it does nothing."""

    def __init__(self) -> None:
        self.asked = 0
        self._before: dict[signal.Signals, object] = {}

    @property
    def exit_code(self) -> int:
        """0, 130 (SIGINT), 143 (SIGTERM) or 129 (SIGHUP)."""
        return EXIT_CODES[signal.Signals(self.asked)] if self.asked else 0

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in EXIT_CODES:
                if signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise SystemExit(EXIT_CODES[signal.Signals(number)])
