"""The first cases of every campaign: none fails, and the rates are reached."""

from __future__ import annotations

import pytest

from tests.reliability.campaign import Tally, run_cases
from tests.reliability.campaigns import all_campaigns

CAMPAIGNS = all_campaigns()
PARTS = 8
totals = {name: Tally() for name in CAMPAIGNS}


def samples() -> list[tuple[str, range]]:
    found = []
    for name, campaign in CAMPAIGNS.items():
        size = -(-campaign.sample // PARTS)
        found += [(name, range(first, min(first + size, campaign.sample))) for first in range(0, campaign.sample, size)]
    return found


@pytest.mark.parametrize(("name", "cases"), samples(), ids=lambda item: item if isinstance(item, str) else f"{item.start}-{item.stop - 1}")
def test_cases_hold(name: str, cases: range) -> None:
    tally = run_cases(CAMPAIGNS[name], cases)
    totals[name].add(tally)
    assert not tally.failures, "\n\n".join(f"case {failure.case}: {failure.details}" for failure in tally.failures[:3])


@pytest.mark.parametrize("name", [name for name, campaign in CAMPAIGNS.items() if campaign.goals])
def test_rates_are_reached(name: str) -> None:
    for goal in CAMPAIGNS[name].goals:
        assert goal.holds(totals[name].counts), f"{goal.title}: {goal.rate(totals[name].counts)}"
