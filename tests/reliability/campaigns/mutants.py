"""Mutation testing: faults planted into operators, gradients, passes, kernels, the writers of checkpoints and machine code are seen."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

from tests.reliability.campaign import Campaign, Goal, Tally

SECONDS = 1800  # of a run that waits for something; what computes for ever ends earlier (`child.CPU`)
ENDED = (0, 1, 2)  # passed, failed, could not be imported: what pytest says of a run that began
CRASHES = tuple(-one for one in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT))  # of wrong machine code


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
        crashed = done.returncode in CRASHES
        assert endless or crashed or done.returncode in ENDED or "ImportError while loading" in output, output
        by = "" if done.returncode == 0 else "no end" if endless else "a crash" if crashed else killer(output)
        outcome = "killed" if by else "survived"
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
        "A fault planted into an operator, a gradient, a pass, a kernel, or what writes checkpoints or machine code is seen by the tests "
        "of that subject.",
        case,
        full=500,
        sample=5,  # a fault of each group but the last, whose tests take two minutes where they see nothing
        goals=(Goal("planted faults that the tests see", "killed", "cases", least=0.85),),
        seconds=SECONDS + 60,
    ),
)
