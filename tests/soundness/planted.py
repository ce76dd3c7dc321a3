"""A planted fault has to be reported by a campaign."""

from __future__ import annotations

from tests.reliability.campaign import Campaign, run_cases


def must_report(campaign: Campaign, most: int, reports: tuple[str, ...]) -> None:
    """Raise AssertionError unless one of the first `most` cases fails, in one of these words."""
    for case in range(most):
        tally = run_cases(campaign, [case])
        if tally.failures:
            assert tally.failures[0].why.startswith(reports), tally.failures[0].details
            return
    raise AssertionError(f"{most} cases did not show it")
