"""What one `dslc check` costs at most: specs made to be expensive, each in a process of its own."""

from __future__ import annotations

from tests.reliability.campaign import Campaign, Tally

MEMORY = 512 << 20


def run(case: int, tally: Tally) -> None:
    """The exit code is 0 or 2; seconds and memory are measured, and what takes more than two seconds is named."""
    from tests.reliability.costs.measure import measure
    from tests.reliability.costs.specs import spec

    name, text = spec(case)
    cost = measure(text)
    if cost.code not in (0, 2):
        raise AssertionError(f"{name}: exit code {cost.code}\n{cost.said}")
    if cost.bytes > MEMORY:
        raise AssertionError(f"{name}: {cost.bytes >> 20} MiB")
    tally.count("refused" if cost.code else "accepted")
    tally.measure("processor seconds of a check", round(cost.seconds, 2))
    tally.measure("MiB of a check", cost.bytes >> 20)
    tally.note("seconds of processor time", f"up to {(int(cost.seconds * 2) + 1) / 2}")
    if cost.seconds > 2:
        tally.note("more than 2 s", name)


CAMPAIGNS = (
    Campaign(
        name="check_cost",
        title="`dslc check` of a text that is made to be expensive, of 1 MiB at most, ends within 512 MiB with a program or errors.",
        run=run,
        full=1_000,
        sample=12,
        seconds=120,
    ),
)
