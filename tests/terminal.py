"""Signals as at a terminal, whatever started the tests."""

from __future__ import annotations

import signal


def heed_signals() -> None:
    """Signals that were ignored when the tests were started (`nohup`, `&` in a script) mean what they always mean."""
    for number, action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, action)
