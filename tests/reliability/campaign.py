"""A campaign: numbered cases, each of which holds or fails, and what a run of it counts.

A case is a function of its number alone, so a failure is repeated by `python -m tests.reliability NAME --first NUMBER --count 1`.
"""

from __future__ import annotations

import signal
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass(frozen=True)
class Failure:
    """A case that does not hold: its number, one line that says why, and all there is to see."""

    case: int
    why: str
    details: str


@dataclass
class Tally:
    """What has been counted: outcomes of cases, histograms of what they held, the largest of measured figures, failures."""

    counts: Counter[str] = field(default_factory=Counter)
    histograms: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    worst: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def count(self, outcome: str, many: int = 1) -> None:
        self.counts[outcome] += many

    def note(self, histogram: str, key: str, many: int = 1) -> None:
        self.histograms[histogram][key] += many

    def measure(self, name: str, value: float) -> None:
        """Keeps the largest value of this name."""
        self.worst[name] = max(value, self.worst.get(name, value))

    def add(self, other: Tally) -> None:
        self.counts.update(other.counts)
        for name, histogram in other.histograms.items():
            self.histograms[name].update(histogram)
        for name, value in other.worst.items():
            self.measure(name, value)
        self.failures += other.failures


@dataclass(frozen=True)
class Goal:
    """A rate that a campaign must reach: `part` of `whole` (outcomes, or "cases") is at least `least` and at most `most`."""

    title: str
    part: str
    whole: str
    least: float = 0.0
    most: float = 1.0

    def rate(self, counts: Counter[str]) -> float | None:
        """None where nothing was counted."""
        return counts[self.part] / counts[self.whole] if counts[self.whole] else None

    def holds(self, counts: Counter[str]) -> bool:
        rate = self.rate(counts)
        return rate is not None and self.least <= rate <= self.most


@dataclass(frozen=True)
class Campaign:
    """`run(case, tally)` looks at one case and counts its outcome; what it raises is a failure of the case."""

    name: str
    title: str  # one sentence: what holds of every case
    run: Callable[[int, Tally], None]
    full: int  # cases of the whole campaign
    sample: int  # the first cases, looked at by every `make test`
    goals: tuple[Goal, ...] = ()
    seconds: int = 120  # a case that takes longer has failed


class TooSlow(Exception):
    """A case did not end."""


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    def late(*_: Any) -> None:
        raise TooSlow(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run_cases(campaign: Campaign, cases: Iterable[int]) -> Tally:
    """All of these cases, one after the other; failures are kept, not raised."""
    tally = Tally()
    for case in cases:
        tally.count("cases")
        try:
            with time_limit(campaign.seconds):
                campaign.run(case, tally)
        except (Exception, pytest.fail.Exception) as error:
            tally.count("failed")
            why = (str(error).strip().splitlines() or [""])[0]
            tally.failures.append(Failure(case, f"{type(error).__name__}: {why}"[:300], traceback.format_exc()))
    return tally
