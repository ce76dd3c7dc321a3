"""Names and the places of statements."""

from __future__ import annotations

from dslc.finding import Finding


class UnknownName(Finding):
    name: str
    meant: str = ""
    action: str = ""
    code = "unknown-name"
    words = "there is no name `{name}` here{meant}"
    label = "not known here"
    hint = "{action}"


class UnknownField(Finding):
    owner: str
    name: str
    meant: str = ""
    known: str
    code = "unknown-field"
    words = "`{owner}` has no `{name}`{meant}"
    hint = "it has {known}"


class Shadowing(Finding):
    name: str
    what: str
    code = "shadowing"
    words = "`{name}` is {what} already"
    hint = "choose another name"


class DuplicateName(Finding):
    name: str
    what: str
    code = "duplicate-name"
    words = "`{name}` is declared twice as {what}"
    hint = "give one of them another name"


class UnusedName(Finding):
    name: str
    what: str
    meant: str = ""
    action: str = "delete it, or call it `_`"
    code = "unused-name"
    words = "{what} `{name}` is never used{meant}"
    hint = "{action}"


class NeverCalled(Finding):
    name: str
    code = "never-called"
    severity = "note"
    words = "the block `{name}` is never called: its body is not checked"
    hint = "call it, or delete it"


class NeverRead(Finding):
    name: str
    code = "never-read"
    words = "this value of `{name}` is never read: it is overwritten first"
    hint = "delete the first assignment, or use its value"


class ScanAssignment(Finding):
    name: str
    code = "scan-assignment"
    words = "`{name}` belongs to the body around this `scan`"
    label = "assigned here"
    hint = "say `carry {name}` at the top of the `scan` if it goes from step to step"


class NotAValue(Finding):
    name: str
    what: str
    code = "not-a-value"
    words = "`{name}` is {what}, not a value"
    hint = "call it: `{name}(…)`"


class ReservedName(Finding):
    name: str
    what: str
    code = "reserved-name"
    words = "`{name}` is {what} and cannot be bound"
    hint = "choose another name"


class MisplacedStatement(Finding):
    statement: str
    place: str
    right: str
    code = "misplaced-statement"
    words = "{statement} does not stand in {place}"
    hint = "it stands in {right}"


class BareValue(Finding):
    code = "bare-value"
    words = "a value alone does nothing"
    hint = "give it a name, `name = …`, or delete it"


class UnreachableStatement(Finding):
    after: str
    code = "unreachable-statement"
    words = "nothing runs after `{after}`"
    hint = "make `{after}` the last statement of its body"


class MissingReturn(Finding):
    block: str
    code = "missing-return"
    words = "`{block}` returns nothing"
    hint = "end the block, and each arm that may end it, with `return`"
