"""Runs a campaign on all cores, shows how far it is, and gives its tally back."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from tests.reliability.campaign import Campaign, Tally, run_cases
from tests.reliability.campaigns import all_campaigns
from tests.terminal import heed_signals

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "DSLC_THREADS")


def part(name: str, first: int, count: int) -> Tally:
    """A part of a campaign, in a process of its own."""
    heed_signals()
    return run_cases(all_campaigns()[name], range(first, first + count))


def parts(first: int, count: int, jobs: int) -> Iterator[tuple[int, int]]:
    """Ranges of cases: small enough to share them out evenly, large enough that a process start does not count."""
    size = max(1, min(100, count // (4 * jobs) or 1))
    for start in range(first, first + count, size):
        yield start, min(size, first + count - start)


def run(campaign: Campaign, first: int, count: int, *, jobs: int, minutes: float | None = None) -> Tally:
    """Cases `first` to `first + count - 1`. After `minutes` no new part begins: `counts["cases"]` of the tally says how many were run."""
    os.environ.update(dict.fromkeys(THREADS, "1"), DSLC_DEVICE="numpy")  # the reference, but where a campaign says otherwise
    begin, total = time.monotonic(), Tally()
    todo = parts(first, count, jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=5) as pool:
        waiting: set[Future[Tally]] = set()
        while True:
            late = minutes is not None and time.monotonic() - begin > 60 * minutes
            while not late and len(waiting) <= jobs and (item := next(todo, None)) is not None:
                waiting.add(pool.submit(part, campaign.name, *item))
            if not waiting:
                return total
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                tally = future.result()
                total.add(tally)
                for failure in tally.failures:
                    say(f"\ncase {failure.case}: {failure.why}\n")
            show(total, count, time.monotonic() - begin)


def show(tally: Tally, count: int, seconds: float) -> None:
    cases = tally.counts["cases"]
    outcomes = ", ".join(f"{key} {many}" for key, many in sorted(tally.counts.items()) if key != "cases")
    text = f"{cases} of {count} cases, {seconds:.0f} s, {cases / seconds:.1f}/s: {outcomes}"
    say(f"\r\x1b[K{text[:200]}" if sys.stderr.isatty() else f"{text}\n")


def say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
