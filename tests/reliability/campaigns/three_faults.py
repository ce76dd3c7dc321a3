"""Three faults in three statements of a shipped spec: all are reported, and little else."""

from __future__ import annotations

from tests.reliability.campaign import Campaign, Goal, Tally


def run(case: int, tally: Tally) -> None:
    """Counts the cases whose three faults are all reported, and the errors that belong to none of them."""
    from random import Random

    from tests.reliability.faults.three import draw, errors_of

    found = draw(Random(f"three faults {case}"))
    if found is None:
        raise AssertionError("no three faults")
    name, text, faults = found
    errors = errors_of(name, text)
    missed = [fault.kind for fault in faults if not any(fault.explains(error) for error in errors)]
    spurious = [error.code for error in errors if not any(fault.explains(error) for fault in faults)]
    tally.count("faults", len(faults))
    tally.count("errors", len(errors))
    tally.count("spurious errors", len(spurious))
    tally.count("all three reported", not missed)
    tally.count("with a spurious error", bool(spurious))
    for fault in faults:
        tally.note("kinds", fault.kind)
    for kind in missed:
        tally.note("not reported", f"{kind}, beside {' and '.join(sorted(fault.kind for fault in faults if fault.kind != kind))}")
        tally.note("kinds not reported", kind)
    for code in spurious:
        tally.note("spurious", code)


CAMPAIGNS = (
    Campaign(
        name="three_faults",
        title="Of three faults in three statements of a shipped spec all are reported, and hardly anything else.",
        run=run,
        full=5_000,
        sample=200,
        goals=(
            Goal("all three reported", part="all three reported", whole="cases", least=0.95),
            Goal("spurious errors", part="spurious errors", whole="errors", most=0.05),
            Goal("cases with a spurious error", part="with a spurious error", whole="cases", most=0.05),
        ),
    ),
)
