"""The words of elaboration: facts are fields, each diagnostic names one situation."""

from __future__ import annotations

from dslc.finding import Finding

# ---- names -------------------------------------------------------------------------------------------------------------------


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
    code = "unused-name"
    words = "{what} `{name}` is never used"
    hint = "delete it, or call it `_`"


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


# ---- places ------------------------------------------------------------------------------------------------------------------


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


# ---- calls -------------------------------------------------------------------------------------------------------------------


class NotCallable(Finding):
    name: str
    what: str
    code = "not-callable"
    words = "`{name}` is {what}: it cannot be called"


class UnknownArgument(Finding):
    callee: str
    name: str
    meant: str = ""
    known: str
    advice: str = ""
    code = "unknown-argument"
    words = "`{callee}` has no `{name}`{meant}"
    hint = "{advice}it takes {known}"


class TooManyArguments(Finding):
    callee: str
    given: str
    takes: str
    code = "too-many-arguments"
    words = "`{callee}` is given {given} values by position and takes {takes}"


class MissingArgument(Finding):
    callee: str
    name: str
    signature: str
    code = "missing-argument"
    words = "`{callee}` needs `{name}`"
    hint = "it is `{signature}`"


class ArgumentTwice(Finding):
    callee: str
    name: str
    code = "argument-twice"
    words = "`{name}` of `{callee}` is given twice"
    hint = "delete one of them"


class PositionalAfterNamed(Finding):
    code = "positional-after-named"
    words = "a value by position stands after one by name"
    hint = "put it before, or give its name"


class WrongKind(Finding):
    name: str
    callee: str
    wanted: str
    found: str
    action: str = ""
    code = "wrong-kind"
    words = "`{name}` of `{callee}` must be {wanted}, not {found}"
    label = "{found}"
    hint = "{action}"


class SeveralResults(Finding):
    callee: str
    count: str
    code = "several-results"
    words = "`{callee}` gives {count} values where one is needed"
    hint = "name them first: `a, b = …`"


class ResultCount(Finding):
    names: str
    given: str
    code = "result-count"
    words = "{names} left of `=`, and {given} on the right"


class UselessAlias(Finding):
    callee: str
    alias: str
    code = "useless-alias"
    words = "`{callee}` has no weights: `as {alias}` names nothing"
    hint = "delete `as {alias}`"


class LayerAlias(Finding):
    callee: str
    alias: str
    code = "layer-alias"
    words = "`{callee}` is a layer and has its name already"
    hint = "delete `as {alias}`"


class LayerSettings(Finding):
    callee: str
    name: str
    code = "layer-settings"
    words = "`{name}` of the layer `{callee}` is set where the layer is made"
    hint = "set it there"


class NotALayer(Finding):
    what: str
    code = "not-a-layer"
    words = "a layer is made by a block or an operator, not by {what}"
    hint = "write `layer name = block(settings)`"


class LayerTensor(Finding):
    callee: str
    name: str
    code = "layer-tensor"
    words = "a layer leaves its tensors open: `{name}` is given when it is called"
    hint = "delete it here"


class NoWeightYet(Finding):
    layer: str
    code = "no-weight-yet"
    words = "`{layer}` has no weights yet"
    hint = "call it first: its weights are made by its first call"


class LayerMismatch(Finding):
    address: str
    first: str
    second: str
    code = "layer-mismatch"
    words = "`{address}` was made as {first}, and this call needs {second}"
    hint = "a layer has one set of weights: use a second layer"


class NetworkInChain(Finding):
    name: str
    code = "network-in-chain"
    words = "`{name}` is a network: it does not stand inside a chain"
    hint = "call it by itself, `net = {name}(…)`, and read `net.NAME`"


class NetworkAsValue(Finding):
    name: str
    outputs: str
    code = "network-as-value"
    words = "`{name}` is a called network, not a tensor"
    hint = "read one of its values: {outputs}"


class NetworkInBlock(Finding):
    name: str
    place: str
    code = "network-in-block"
    words = "the network `{name}` is called in {place}"
    hint = "networks are called in `train`, `generate` and other networks"


class NeedsScan(Finding):
    what: str
    code = "needs-scan"
    words = "{what} is not known when the spec is compiled"
    hint = "use `scan` to go over it"


# ---- numbers and conditions --------------------------------------------------------------------------------------------------


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


# ---- shapes ------------------------------------------------------------------------------------------------------------------


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


# ---- networks, weights, states -----------------------------------------------------------------------------------------------


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


# ---- train and generate ------------------------------------------------------------------------------------------------------


class UnknownSetting(Finding):
    name: str
    place: str
    meant: str = ""
    known: str
    code = "unknown-setting"
    words = "there is no setting `{name}` in {place}{meant}"
    hint = "the settings are {known}"


class DuplicateSetting(Finding):
    name: str
    code = "duplicate-setting"
    words = "`{name}` is set twice"
    hint = "delete one of them"


class MissingSetting(Finding):
    name: str
    place: str
    example: str
    code = "missing-setting"
    words = "{place} has no `{name}`"
    hint = "add `{example}`"


class SettingSign(Finding):
    name: str
    code = "setting-sign"
    words = "settings are written with `:`"
    hint = "`=` makes a name; write `{name}: …`"


class SettingName(Finding):
    name: str
    code = "setting-name"
    words = "the setting `{name}` takes no name"


class NotOneOf(Finding):
    name: str
    found: str
    meant: str = ""
    known: str
    code = "not-one-of"
    words = "`{found}` is no {name}{meant}"
    hint = "there are {known}"


class SettingValue(Finding):
    name: str
    wanted: str
    found: str
    action: str = ""
    code = "setting-value"
    words = "`{name}` must be {wanted}, not {found}"
    hint = "{action}"


class LossShape(Finding):
    type: str
    code = "loss-shape"
    words = "a loss is one number, and this is {type}"
    hint = "take the mean: `mean(…)`"


class MetricBatch(Finding):
    name: str
    type: str
    code = "metric-batch"
    words = "the metric `{name}` still has the axis `batch`: {type}"
    hint = "reduce it: `mean(…)`"


class StepPlace(Finding):
    name: str
    code = "step-place"
    words = "`{name}` belongs into a `step` here"
    hint = "a training with steps has its losses and optimizer in them"


class NoMatch(Finding):
    pattern: str
    meant: str = ""
    code = "no-match"
    words = "`{pattern}` matches nothing{meant}"


class UnknownDataset(Finding):
    name: str
    meant: str = ""
    known: str
    code = "unknown-dataset"
    words = "there is no data set `{name}`{meant}"
    hint = "the data sets are {known}"


class NoNetwork(Finding):
    place: str
    code = "no-network"
    words = "{place} calls no network"


class SchemaNote(Finding):
    path: str
    reason: str
    code = "schema-not-checked"
    severity = "note"
    words = "schema of {path} not checked: {reason}"


class BadDataFile(Finding):
    path: str
    reason: str
    code = "bad-data-file"
    words = "{path}: {reason}"


# ---- files -------------------------------------------------------------------------------------------------------------------


class ImportStandard(Finding):
    path: str
    code = "import-outside"
    words = "the standard library and the operators need no import"
    hint = "delete this line"


class ImportOutside(Finding):
    path: str
    code = "import-outside"
    words = "`{path}` is not inside the spec's folder"
    hint = "imports are relative and stay in the folder of the spec"


class ImportLink(Finding):
    path: str
    code = "import-link"
    words = "`{path}` goes through a link"
    hint = "copy the file into the spec's folder"


class ImportMissing(Finding):
    path: str
    reason: str
    meant: str = ""
    code = "import-missing"
    words = "cannot import {path}: {reason}{meant}"


class ImportCycle(Finding):
    chain: str
    code = "import-cycle"
    words = "files import each other in a circle: {chain}"


class ImportName(Finding):
    name: str
    path: str
    meant: str = ""
    code = "import-name"
    words = "{path} has no block, network or layer `{name}`{meant}"


class ImportDepth(Finding):
    limit: str
    code = "import-depth"
    words = "imports go deeper than {limit} files"


class TooManyImports(Finding):
    limit: str
    code = "too-many-imports"
    words = "more than {limit} files are imported"


class NoSpec(Finding):
    name: str
    meant: str = ""
    code = "no-spec"
    words = "there is no spec `{name}`{meant}"
    hint = "give a file, or one of the shipped specs"


# ---- params ------------------------------------------------------------------------------------------------------------------


class ParamValue(Finding):
    name: str
    wanted: str
    found: str
    code = "param-value"
    words = "`{name}` must be {wanted}, not {found}"


class ParamMissing(Finding):
    name: str
    code = "param-missing"
    words = "the param `{name}` has no value"
    hint = "give it a default, or `--set {name}=…`"


class ParamDomain(Finding):
    name: str
    value: str
    domain: str
    code = "param-domain"
    words = "`{name}` is {value}, outside {domain}"


class UnknownOverride(Finding):
    name: str
    meant: str = ""
    known: str
    code = "unknown-override"
    words = "there is nothing to set called `{name}`{meant}"
    hint = "what can be set: {known}"


# ---- limits ------------------------------------------------------------------------------------------------------------------


class TooManyNodes(Finding):
    limit: str
    where: str = ""
    code = "too-many-nodes"
    words = "the network grows beyond {limit} nodes{where}"


class TooManySteps(Finding):
    limit: str
    where: str = ""
    code = "too-many-steps"
    words = "the spec needs more than {limit} compile-time steps{where}"


class ExpansionTooDeep(Finding):
    limit: str
    chain: str
    code = "expansion-too-deep"
    words = "calls of blocks are nested more than {limit} deep: {chain}"
    hint = "a block that calls itself must stop: use an `if` on a compile-time number"


class TooComplex(Finding):
    code = "too-complex"
    words = "this expression is nested too deeply together with the calls around it"
    hint = "give inner parts names of their own"


class RankTooLarge(Finding):
    rank: str
    limit: str
    code = "rank-too-large"
    words = "a tensor has {rank} axes; {limit} is the most"


class SizeTooLarge(Finding):
    type: str
    limit: str
    code = "size-too-large"
    words = "{type} is larger than {limit}"


# ---- warnings --------------------------------------------------------------------------------------------------------------


class SoftmaxBeforeCrossEntropy(Finding):
    loss: str
    function: str
    code = "softmax-before-cross-entropy"
    severity = "warning"
    words = "`{loss}` takes logits and applies the {function} itself"
    label = "the {function} is applied here already"
    hint = "give it the value before the {function}"


class ZeroWeights(Finding):
    address: str
    code = "zero-weights"
    severity = "warning"
    words = "`{address}` starts at zero and is multiplied: no gradient passes through it at the start"
    hint = "start it with `xavier` or `he`"


class BiasBeforeBatchNorm(Finding):
    code = "bias-before-batch-norm"
    severity = "warning"
    words = "the batch norm that follows takes this bias away again"
    hint = "write `bias=false`"
