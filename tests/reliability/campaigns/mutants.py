"""Mutation testing: faults planted into operators, gradients, passes, kernels and the writer of checkpoints are seen by the tests."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

from tests.reliability.campaign import Campaign, Goal, Tally

SECONDS = 1800  # of a run that waits for something; what computes for ever ends earlier (`child.CPU`)
ENDED = (0, 1, 2)  # passed, failed, could not be imported: what pytest says of a run that began


def case(number: int, tally: Tally) -> None:
    """Plants one fault and runs the tests of its subject; "killed" where one of them fails."""
    from tests.mutants.subjects import ROOT, subject

    found = subject(number)
    rows = ["--rows", ",".join(found.rows())] if found.rows() else []
    command = [sys.executable, "-m", "tests.mutants.child", found.module, str(found.mutant.number), *rows, "--", *found.tests()]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        outcome, by = "killed", "no end"
    else:
        output = done.stdout + done.stderr
        endless = done.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
        assert endless or done.returncode in ENDED or "ImportError while loading" in output, output
        outcome, by = ("survived", "") if done.returncode == 0 else ("killed", "no end" if endless else killer(output))
    tally.count(outcome)
    tally.note(f"{found.group.name}, {outcome}", found.mutant.kind)
    if by:
        tally.note("killed by", by)
    else:
        tally.note("survivors", str(found))


def killer(output: str) -> str:
    """The exception that ended the run."""
    found = re.findall(r"\b([A-Z]\w*(?:Error|Exception|Warning))\b", output)
    return found[0] if found else "a failed assertion"


CAMPAIGNS = (
    Campaign(
        "mutants",
        "A fault planted into an operator, a gradient, a pass, a kernel or the writer of checkpoints is seen by the tests of that subject.",
        case,
        full=500,
        sample=8,
        goals=(Goal("planted faults that the tests see", "killed", "cases", least=0.85),),
        seconds=SECONDS + 60,
    ),
)
