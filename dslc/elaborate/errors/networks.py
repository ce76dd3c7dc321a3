"""Networks, weights and states."""

from __future__ import annotations

from dslc.finding import Finding


class NoOutput(Finding):
    network: str
    code = "no-output"
    words = "`{network}` has no output"
    hint = "add `output name = …`"


class OutputRebound(Finding):
    name: str
    code = "output-rebound"
    words = "`{name}` is published already"
    hint = "give the new value another name"


class OutputTwice(Finding):
    name: str
    code = "output-twice"
    words = "`{name}` is published twice"


class OutputKind(Finding):
    name: str
    found: str
    code = "output-kind"
    words = "an output is a tensor, and `{name}` is {found}"


class NetworkCycle(Finding):
    chain: str
    code = "network-cycle"
    words = "networks call each other in a circle: {chain}"


class DuplicateAddress(Finding):
    address: str
    code = "duplicate-address"
    words = "two things have the address `{address}`"
    hint = "give one of them a name: `as name`"


class DuplicateUpdate(Finding):
    name: str
    code = "duplicate-update"
    words = "`{name}` is updated twice"


class NotAState(Finding):
    name: str
    meant: str = ""
    code = "not-a-state"
    words = "`{name}` is no state of this body{meant}"
    hint = "only a `state` of the same body is updated"


class PhasesDiffer(Finding):
    address: str
    detail: str
    code = "phases-differ"
    words = "the two phases do not have the same weights: {detail}"
    hint = "declare it outside `if training`"


class BadCarry(Finding):
    name: str
    reason: str
    code = "bad-carry"
    words = "{reason}"


class ScanYield(Finding):
    code = "scan-yield"
    words = "a `scan` ends with `yield`"
