"""Crash safety: kills, calls of the disk that fail, cuts of power, damaged checkpoints, interrupted and resumed trainings."""

from __future__ import annotations

from tests.reliability.campaign import Campaign, Tally


def kills(case: int, tally: Tally) -> None:
    from tests.reliability.crash.kills import case as look

    look(case, tally)


def io_faults(case: int, tally: Tally) -> None:
    from tests.reliability.crash.faults import case as look

    look(case, tally)


def power_loss(case: int, tally: Tally) -> None:
    from tests.reliability.crash.cuts import case as look

    look(case, tally)


def corruption(case: int, tally: Tally) -> None:
    from tests.reliability.crash.damage import case as look

    look(case, tally)


def resume(case: int, tally: Tally) -> None:
    from tests.reliability.crash.matrix import case as look

    look(case, tally)


CAMPAIGNS = (
    Campaign(
        "kills",
        "A training that is killed (`SIGKILL`) up to four times, at random moments or system calls, and gone on with, leaves"
        " the bytes of one that was not; of a killed export there is the old model, the new one or none, and the next export"
        " leaves nothing else.",
        kills,
        full=600,
        sample=10,
    ),
    Campaign(
        "io_faults",
        "Each call on the disk of each writer fails once, in seven ways: what was good stays and loads, the error is one of"
        " dslc, and the same command once more leaves the bytes of one without faults.",
        io_faults,
        full=896,
        sample=8,
        seconds=600,
    ),
    Campaign(
        "power_loss",
        "After a cut of power at any moment, whatever was not flushed being there, lost, torn or in another order, a checkpoint"
        " loads that is not older than the last save that had ended.",
        power_loss,
        full=48,
        sample=1,
        seconds=600,
    ),
    Campaign(
        "corruption",
        "A checkpoint with a flipped bit, cut short, with a page of zeros or noise, or with bytes behind it is refused by every"
        " reader, and the other one is taken.",
        corruption,
        full=1000,
        sample=8,
        seconds=300,
    ),
    Campaign(
        "resume",
        "A training that is interrupted in a batch, before an update, in an evaluation, at the end of an epoch or in a save, by"
        " a kill or a signal, and resumed leaves the bytes of one that was not.",
        resume,
        full=1020,
        sample=17,
    ),
)
