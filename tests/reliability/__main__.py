"""`python -m tests.reliability`: the campaigns of docs/reliability.md.

    python -m tests.reliability                                   the list of campaigns
    python -m tests.reliability NAME ... [--first N] [--count N]  runs them (without --count: the whole campaign)
    python -m tests.reliability all --minutes 30                  every campaign, each for half an hour at most
    python -m tests.reliability document                          writes the tables of docs/reliability.md anew

`--record` adds the outcome to docs/reliability.json. Exit code: 0, or 1 where a case failed or a rate was missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.reliability import document, ledger
from tests.reliability.campaign import Campaign
from tests.reliability.campaigns import all_campaigns
from tests.reliability.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", help="campaigns; `all`; or `document`")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--count", type=int, help="how many cases")
    parser.add_argument("--minutes", type=float, help="begin no new cases after this time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--record", action="store_true", help="write the outcome to docs/reliability.json and docs/reliability.md")
    parser.add_argument("--details", action="store_true", help="show the traceback of each failure")
    args = parser.parse_args()
    campaigns = all_campaigns()
    if args.names == ["document"]:
        document.write()
        return 0
    if not args.names:
        print("\n".join(f"{name:<14} {item.full:>7} cases: {item.title}" for name, item in campaigns.items()))
        return 0
    names = list(campaigns) if args.names == ["all"] else args.names
    unknown = [name for name in names if name not in campaigns]
    if unknown:
        parser.error(f"no campaign is named {', '.join(unknown)}; there are {', '.join(campaigns)}")
    return max([one(campaigns[name], args) for name in names])


def one(campaign: Campaign, args: argparse.Namespace) -> int:
    """Runs one campaign and says what came out."""
    print(f"{campaign.name}: {campaign.title}", flush=True)
    begin = time.monotonic()
    tally = run(campaign, args.first, args.count or campaign.full, jobs=args.jobs, minutes=args.minutes)
    seconds = time.monotonic() - begin
    print(f"\n{campaign.name}: " + ", ".join(f"{key} {many:,}" for key, many in sorted(tally.counts.items())) + f"; {seconds:.0f} s")
    for name, value in sorted(tally.worst.items()):
        print(f"  largest {name}: {value:.4g}")
    for failure in tally.failures:
        print(f"  case {failure.case}: {failure.details if args.details else failure.why}")
    missed = [goal for goal in campaign.goals if not goal.holds(tally.counts)]
    for goal in campaign.goals:
        print(f"  {document.goal_text(goal, tally.counts)}{'   MISSED' if goal in missed else ''}")
    if args.record:
        ledger.append(ledger.record(campaign.name, args.first, tally, seconds))
        document.write()
    return int(bool(tally.failures or missed))


if __name__ == "__main__":
    sys.exit(main())
