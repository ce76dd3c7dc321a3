"""Campaign `hostile`: every row of the tables of hostile inputs, one a case."""

from __future__ import annotations

from tests.reliability.campaign import Campaign, Tally
from tests.reliability.hostile import all_rows
from tests.reliability.hostile.row import MIB


def run(case: int, tally: Tally) -> None:
    from tests.reliability.hostile import harness

    row = all_rows()[ORDER[case]]
    tally.note("numbers", str(row.number))
    result = harness.check(row)
    if result is None:
        tally.count("does not apply" if row.skip else "not here")
        return
    tally.count("accepted" if result.code == 0 else "refused")
    if row.command[:1] == ("check",) and not row.call and row.run is None:
        tally.measure("CPU seconds of `dslc check`, with its start", result.cpu)
        tally.measure("MiB of `dslc check`", result.memory / MIB)


ROWS, EVERY = len(all_rows()), 4
ORDER = [row for first in range(EVERY) for row in range(first, ROWS, EVERY)]  # the sample has rows of all numbers
CAMPAIGNS = (
    Campaign(
        name="hostile",
        title="Each hostile input of docs/hostile.md has its outcome, in bounded time and memory; it runs nothing, reads and writes nothing"
        " outside its folders, and shows no traceback and no control character.",
        run=run,
        full=ROWS,
        sample=-(-ROWS // EVERY),
    ),
)
