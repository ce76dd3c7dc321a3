"""Expressions, calls and chains."""

from __future__ import annotations

from dslc.finding import Finding


class MissingComma(Finding):
    left: str
    right: str
    code = "missing-comma"
    words = "a comma is missing between `{left}` and `{right}`"


class ColonInCall(Finding):
    name: str
    code = "colon-in-call"
    words = "arguments are given with `=`: `{name}=…`"


class AssignInCondition(Finding):
    code = "assign-in-condition"
    words = "`=` gives a name; to compare, write `==`"


class StageExpected(Finding):
    found: str
    code = "stage-expected"
    words = "after `->` stands the name of a block, layer or function, not {found}"
    hint = "`x -> f(a)` is `f(x, a)`"


class OperatorAfterChain(Finding):
    operator: str
    code = "operator-after-chain"
    words = "a chain ends here: `->` binds more loosely than `{operator}`"
    hint = "put the chain in parentheses: `(x -> f) {operator} …`"


class IndexAfterStage(Finding):
    code = "index-after-stage"
    words = "a stage of a chain takes no index"
    hint = "put the chain in parentheses: `(x -> f)[0]`"


class ArrowInArm(Finding):
    code = "arrow-in-arm"
    words = "the arms of a conditional hold no arrow"
    hint = "put the chain in parentheses: `if c then (x -> f) else y`"


class ChainedComparison(Finding):
    code = "chained-comparison"
    words = "comparisons are not chained"
    hint = "write `a < b and b < c`"


class MissingValue(Finding):
    after: str
    code = "missing-value"
    words = "a value is missing after `{after}`"


class MissingElse(Finding):
    code = "missing-else"
    words = "a conditional value has two arms"
    hint = "write `if c then a else b`"


class MissingOperator(Finding):
    left: str
    right: str
    code = "missing-operator"
    words = "an operator is missing between `{left}` and `{right}`"


class ConditionalForm(Finding):
    code = "conditional-form"
    words = "this is not how a conditional value is written"
    hint = "write `if c then a else b`; braces hold statements"


class RangeForm(Finding):
    code = "range-form"
    words = "a range is written with two dots"
    hint = "`0..3` stands for 0, 1, 2"


class SliceStep(Finding):
    code = "slice-step"
    words = "a slice has a start and a stop, no step"
    hint = "write `x[a:b]`"


class ArgumentName(Finding):
    code = "argument-name"
    words = "only a name stands before `=` in a call"
    hint = "write `f(k=3)`; to compare, write `==`"


class SeveralInParentheses(Finding):
    code = "several-in-parentheses"
    words = "parentheses hold one value"
    hint = "several values stand without them: `a, b = x, y`; a list stands in `[ ]`"


class StarOutsideShape(Finding):
    code = "star-outside-shape"
    words = "`*` before a name stands only in a shape"
    hint = "`[*s]` is the list of all dims of `s`"


class BraceValue(Finding):
    code = "brace-value"
    words = "braces hold statements, not values"
    hint = "a list stands in `[ ]`; named values are given as arguments: `f(a=1)`"
