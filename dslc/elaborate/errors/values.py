"""Numbers, conditions, dtypes, shapes and gradients."""

from __future__ import annotations

from dslc.finding import Finding


class DivisionByZero(Finding):
    code = "division-by-zero"
    words = "this divides by zero"


class NumberTooLarge(Finding):
    what: str
    code = "number-too-large"
    words = "{what}"


class BadOperands(Finding):
    op: str
    left: str
    right: str
    code = "bad-operands"
    words = "`{op}` does not take {left} and {right}"


class BadOperand(Finding):
    op: str
    found: str
    action: str = ""
    code = "bad-operand"
    words = "`{op}` does not take {found}"
    hint = "{action}"


class NotACondition(Finding):
    found: str
    code = "not-a-condition"
    words = "a condition is true or false, not {found}"


class TensorCondition(Finding):
    code = "tensor-condition"
    words = "whether this holds is known only at run time"
    hint = "use `where(condition, a, b)`"


class SymbolicCondition(Finding):
    text: str
    code = "symbolic-condition"
    words = "`{text}` cannot be known here"
    hint = "give the input a fixed size"


class SymbolicDivision(Finding):
    text: str
    code = "symbolic-division"
    words = "`{text}` is not a size: a size is divided by a fixed number"


class NotAList(Finding):
    found: str
    code = "not-a-list"
    words = "`for` goes over a list or a range, not {found}"


class DtypeMismatch(Finding):
    op: str
    left: str
    right: str
    target: str
    text: str = "x"
    code = "dtype-mismatch"
    words = "`{op}` joins {left} and {right}"
    hint = "make them one type: `cast({text}, {target})`"


class WeakFloat(Finding):
    op: str
    number: str
    dtype: str
    code = "weak-float"
    words = "{number} is a float, and the tensor is {dtype}"
    hint = "write a whole number, or cast the tensor: `cast(x, f32)`"


class ShapeMismatch(Finding):
    message_text: str
    here: str = ""
    action: str = ""
    code = "shape-mismatch"
    words = "{message_text}"
    label = "{here}"
    hint = "{action}"


class BroadcastMismatch(Finding):
    op: str
    left: str
    right: str
    action: str = ""
    code = "broadcast-mismatch"
    words = "`{op}` cannot join {left} and {right}"
    hint = "{action}"


class BadIndex(Finding):
    message_text: str
    action: str = ""
    code = "bad-index"
    words = "{message_text}"
    hint = "{action}"


class BadShape(Finding):
    found: str
    code = "bad-shape"
    words = "a size is a whole number of at least 1, not {found}"


class SymbolicWeight(Finding):
    what: str
    type: str
    names: str
    code = "symbolic-weight"
    words = "{what} has a size that is not fixed: {type}"
    hint = "give {names} a fixed size in the input"


class BadSetting(Finding):
    callee: str
    name: str
    reason: str
    wanted: str = ""
    code = "bad-setting"
    words = "{reason}"
    hint = "{wanted}"


class UnknownType(Finding):
    name: str
    meant: str = ""
    known: str = ""
    code = "unknown-type"
    words = "there is no type `{name}`{meant}"
    hint = "{known}"


class WrongDtype(Finding):
    callee: str
    name: str
    wanted: str
    found: str
    action: str = ""
    code = "wrong-dtype"
    words = "`{callee}` takes {wanted} for `{name}`, and this is {found}"
    label = "{found}"
    hint = "{action}"


class WrongType(Finding):
    what: str
    wanted: str
    found: str
    code = "wrong-type"
    words = "{what} must be {wanted}, not {found}"


class GradientOfTensor(Finding):
    type: str
    code = "gradient-of-tensor"
    words = "`grad` differentiates one number, and this is {type}"
    hint = "reduce it: `sum(…)` keeps the gradients of the samples apart, `mean(…)` divides by their number"


class NoGradient(Finding):
    name: str
    text: str
    reason: str
    action: str = ""
    code = "no-gradient"
    words = "there is no gradient of `{text}` to `{name}`: {reason}"
    hint = "{action}"
