"""The words of elaboration: facts are fields, each diagnostic names one situation."""

from __future__ import annotations

from dataclasses import dataclass

from dslc.diagnostics import Diagnostic


# ---- names -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class UnknownName(Diagnostic):
    name: str
    meant: str = ""
    code = "unknown-name"
    words = "there is no name `{name}` here{meant}"
    label = "not known here"


@dataclass(frozen=True, kw_only=True)
class UnknownField(Diagnostic):
    owner: str
    name: str
    meant: str = ""
    known: str
    code = "unknown-field"
    words = "`{owner}` has no `{name}`{meant}"
    hint = "it has {known}"


@dataclass(frozen=True, kw_only=True)
class Shadowing(Diagnostic):
    name: str
    what: str
    code = "shadowing"
    words = "`{name}` is {what} already"
    hint = "choose another name"


@dataclass(frozen=True, kw_only=True)
class DuplicateName(Diagnostic):
    name: str
    what: str
    code = "duplicate-name"
    words = "`{name}` is declared twice as {what}"
    hint = "give one of them another name"


@dataclass(frozen=True, kw_only=True)
class UnusedName(Diagnostic):
    name: str
    what: str
    code = "unused-name"
    words = "{what} `{name}` is never used"
    hint = "delete it, or call it `_`"


@dataclass(frozen=True, kw_only=True)
class NeverRead(Diagnostic):
    name: str
    code = "never-read"
    words = "this value of `{name}` is never read: it is overwritten first"
    hint = "delete the first assignment, or use its value"


@dataclass(frozen=True, kw_only=True)
class ScanAssignment(Diagnostic):
    name: str
    code = "scan-assignment"
    words = "`{name}` belongs to the body around this `scan`"
    label = "assigned here"
    hint = "say `carry {name}` at the top of the `scan` if it goes from step to step"


@dataclass(frozen=True, kw_only=True)
class NotAValue(Diagnostic):
    name: str
    what: str
    code = "not-a-value"
    words = "`{name}` is {what}, not a value"
    hint = "call it: `{name}(…)`"


@dataclass(frozen=True, kw_only=True)
class ReservedName(Diagnostic):
    name: str
    what: str
    code = "reserved-name"
    words = "`{name}` is {what} and cannot be bound"
    hint = "choose another name"


# ---- places ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class MisplacedStatement(Diagnostic):
    statement: str
    place: str
    right: str
    code = "misplaced-statement"
    words = "{statement} does not stand in {place}"
    hint = "it stands in {right}"


@dataclass(frozen=True, kw_only=True)
class BareValue(Diagnostic):
    code = "bare-value"
    words = "a value alone does nothing"
    hint = "give it a name, `name = …`, or delete it"


@dataclass(frozen=True, kw_only=True)
class UnreachableStatement(Diagnostic):
    after: str
    code = "unreachable-statement"
    words = "nothing runs after `{after}`"
    hint = "make `{after}` the last statement of its body"


@dataclass(frozen=True, kw_only=True)
class MissingReturn(Diagnostic):
    block: str
    code = "missing-return"
    words = "`{block}` returns nothing"
    hint = "end the block, and each arm that may end it, with `return`"


@dataclass(frozen=True, kw_only=True)
class LateInput(Diagnostic):
    name: str
    code = "late-input"
    words = "`input {name}` stands after other statements"
    hint = "inputs stand first in their body"


# ---- calls -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NotCallable(Diagnostic):
    name: str
    what: str
    code = "not-callable"
    words = "`{name}` is {what}: it cannot be called"


@dataclass(frozen=True, kw_only=True)
class UnknownArgument(Diagnostic):
    callee: str
    name: str
    meant: str = ""
    known: str
    code = "unknown-argument"
    words = "`{callee}` has no `{name}`{meant}"
    hint = "it takes {known}"


@dataclass(frozen=True, kw_only=True)
class TooManyArguments(Diagnostic):
    callee: str
    given: str
    takes: str
    code = "too-many-arguments"
    words = "`{callee}` is given {given} values by position and takes {takes}"


@dataclass(frozen=True, kw_only=True)
class MissingArgument(Diagnostic):
    callee: str
    name: str
    signature: str
    code = "missing-argument"
    words = "`{callee}` needs `{name}`"
    hint = "it is `{signature}`"


@dataclass(frozen=True, kw_only=True)
class ArgumentTwice(Diagnostic):
    callee: str
    name: str
    code = "argument-twice"
    words = "`{name}` of `{callee}` is given twice"
    hint = "delete one of them"


@dataclass(frozen=True, kw_only=True)
class PositionalAfterNamed(Diagnostic):
    code = "positional-after-named"
    words = "a value by position stands after one by name"
    hint = "put it before, or give its name"


@dataclass(frozen=True, kw_only=True)
class WrongKind(Diagnostic):
    name: str
    callee: str
    wanted: str
    found: str
    code = "wrong-kind"
    words = "`{name}` of `{callee}` is {wanted}, not {found}"
    label = "{found}"


@dataclass(frozen=True, kw_only=True)
class SeveralResults(Diagnostic):
    callee: str
    count: str
    code = "several-results"
    words = "`{callee}` gives {count} values where one is needed"
    hint = "name them first: `a, b = …`"


@dataclass(frozen=True, kw_only=True)
class ResultCount(Diagnostic):
    names: str
    given: str
    code = "result-count"
    words = "{names} names stand left of `=`, and {given} on the right"


@dataclass(frozen=True, kw_only=True)
class UselessAlias(Diagnostic):
    callee: str
    alias: str
    code = "useless-alias"
    words = "`{callee}` has no weights: `as {alias}` names nothing"
    hint = "delete `as {alias}`"


@dataclass(frozen=True, kw_only=True)
class LayerAlias(Diagnostic):
    callee: str
    alias: str
    code = "layer-alias"
    words = "`{callee}` is a layer and has its name already"
    hint = "delete `as {alias}`"


@dataclass(frozen=True, kw_only=True)
class LayerSettings(Diagnostic):
    callee: str
    name: str
    code = "layer-settings"
    words = "`{name}` of the layer `{callee}` is set where the layer is made"
    hint = "set it there"


@dataclass(frozen=True, kw_only=True)
class NotALayer(Diagnostic):
    what: str
    code = "not-a-layer"
    words = "a layer is made by a block or an operator, not by {what}"
    hint = "write `layer name = block(settings)`"


@dataclass(frozen=True, kw_only=True)
class LayerTensor(Diagnostic):
    callee: str
    name: str
    code = "layer-tensor"
    words = "a layer leaves its tensors open: `{name}` is given when it is called"
    hint = "delete it here"


@dataclass(frozen=True, kw_only=True)
class NoWeightYet(Diagnostic):
    layer: str
    code = "no-weight-yet"
    words = "`{layer}` has no weights yet"
    hint = "call it first: its weights are made by its first call"


@dataclass(frozen=True, kw_only=True)
class LayerMismatch(Diagnostic):
    address: str
    first: str
    second: str
    code = "layer-mismatch"
    words = "`{address}` was made as {first}, and this call needs {second}"
    hint = "a layer has one set of weights: use a second layer"


@dataclass(frozen=True, kw_only=True)
class NetworkInChain(Diagnostic):
    name: str
    code = "network-in-chain"
    words = "`{name}` is a network: it does not stand inside a chain"
    hint = "call it by itself, `net = {name}(…)`, and read `net.NAME`"


@dataclass(frozen=True, kw_only=True)
class NetworkAsValue(Diagnostic):
    name: str
    outputs: str
    code = "network-as-value"
    words = "`{name}` is a called network, not a tensor"
    hint = "read one of its values: {outputs}"


@dataclass(frozen=True, kw_only=True)
class NetworkInBlock(Diagnostic):
    name: str
    place: str
    code = "network-in-block"
    words = "the network `{name}` is called in {place}"
    hint = "networks are called in `train`, `generate` and other networks"


@dataclass(frozen=True, kw_only=True)
class NeedsScan(Diagnostic):
    what: str
    code = "needs-scan"
    words = "{what} is not known when the spec is compiled"
    hint = "use `scan` to go over it"


@dataclass(frozen=True, kw_only=True)
class OutsideCall(Diagnostic):
    name: str
    what: str
    place: str
    code = "outside-call"
    words = "`{name}` is {what}: it stands only {place}"


# ---- numbers and conditions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DivisionByZero(Diagnostic):
    code = "division-by-zero"
    words = "this divides by zero"


@dataclass(frozen=True, kw_only=True)
class NumberTooLarge(Diagnostic):
    what: str
    code = "number-too-large"
    words = "{what}"


@dataclass(frozen=True, kw_only=True)
class BadOperands(Diagnostic):
    op: str
    left: str
    right: str
    code = "bad-operands"
    words = "`{op}` does not take {left} and {right}"


@dataclass(frozen=True, kw_only=True)
class BadOperand(Diagnostic):
    op: str
    found: str
    code = "bad-operand"
    words = "`{op}` does not take {found}"


@dataclass(frozen=True, kw_only=True)
class NotACondition(Diagnostic):
    found: str
    code = "not-a-condition"
    words = "a condition is true or false, not {found}"


@dataclass(frozen=True, kw_only=True)
class TensorCondition(Diagnostic):
    code = "tensor-condition"
    words = "whether this holds is known only at run time"
    hint = "use `where(condition, a, b)`"


@dataclass(frozen=True, kw_only=True)
class SymbolicCondition(Diagnostic):
    text: str
    code = "symbolic-condition"
    words = "`{text}` cannot be known here"
    hint = "give the input a fixed size"


@dataclass(frozen=True, kw_only=True)
class SymbolicDivision(Diagnostic):
    text: str
    code = "symbolic-division"
    words = "`{text}` is not a size: a size is divided by a fixed number"


@dataclass(frozen=True, kw_only=True)
class NotAList(Diagnostic):
    found: str
    code = "not-a-list"
    words = "`for` goes over a list or a range, not {found}"


@dataclass(frozen=True, kw_only=True)
class DtypeMismatch(Diagnostic):
    op: str
    left: str
    right: str
    target: str
    code = "dtype-mismatch"
    words = "`{op}` joins {left} and {right}"
    hint = "make them one type: `cast(x, {target})`"


@dataclass(frozen=True, kw_only=True)
class WeakFloat(Diagnostic):
    op: str
    number: str
    dtype: str
    code = "weak-float"
    words = "{number} is a float, and the tensor is {dtype}"
    hint = "write a whole number, or cast the tensor: `cast(x, f32)`"


# ---- shapes ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ShapeMismatch(Diagnostic):
    message_text: str
    here: str = ""
    action: str = ""
    code = "shape-mismatch"
    words = "{message_text}"
    label = "{here}"
    hint = "{action}"


@dataclass(frozen=True, kw_only=True)
class BroadcastMismatch(Diagnostic):
    op: str
    left: str
    right: str
    action: str = ""
    code = "broadcast-mismatch"
    words = "`{op}` cannot join {left} and {right}"
    hint = "{action}"


@dataclass(frozen=True, kw_only=True)
class BadIndex(Diagnostic):
    message_text: str
    action: str = ""
    code = "bad-index"
    words = "{message_text}"
    hint = "{action}"


@dataclass(frozen=True, kw_only=True)
class BadShape(Diagnostic):
    found: str
    code = "bad-shape"
    words = "a size is a whole number of at least 1, not {found}"


@dataclass(frozen=True, kw_only=True)
class SymbolicWeight(Diagnostic):
    what: str
    type: str
    names: str
    code = "symbolic-weight"
    words = "{what} has a size that is not fixed: {type}"
    hint = "give {names} a fixed size in the input"


@dataclass(frozen=True, kw_only=True)
class BadSetting(Diagnostic):
    callee: str
    name: str
    reason: str
    wanted: str = ""
    code = "bad-setting"
    words = "{reason}"
    hint = "{wanted}"


@dataclass(frozen=True, kw_only=True)
class UnknownType(Diagnostic):
    name: str
    meant: str = ""
    code = "unknown-type"
    words = "there is no type `{name}`{meant}"


@dataclass(frozen=True, kw_only=True)
class WrongType(Diagnostic):
    what: str
    wanted: str
    found: str
    code = "wrong-type"
    words = "{what} is {wanted}, not {found}"


# ---- networks, weights, states -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NoOutput(Diagnostic):
    network: str
    code = "no-output"
    words = "`{network}` has no output"
    hint = "add `output name = …`"


@dataclass(frozen=True, kw_only=True)
class OutputRebound(Diagnostic):
    name: str
    code = "output-rebound"
    words = "`{name}` is published already"
    hint = "give the new value another name"


@dataclass(frozen=True, kw_only=True)
class OutputTwice(Diagnostic):
    name: str
    code = "output-twice"
    words = "`{name}` is published twice"


@dataclass(frozen=True, kw_only=True)
class OutputKind(Diagnostic):
    name: str
    found: str
    code = "output-kind"
    words = "an output is a tensor, and `{name}` is {found}"


@dataclass(frozen=True, kw_only=True)
class NetworkCycle(Diagnostic):
    chain: str
    code = "network-cycle"
    words = "networks call each other in a circle: {chain}"


@dataclass(frozen=True, kw_only=True)
class DuplicateAddress(Diagnostic):
    address: str
    code = "duplicate-address"
    words = "two things have the address `{address}`"
    hint = "give one of them a name: `as name`"


@dataclass(frozen=True, kw_only=True)
class DuplicateUpdate(Diagnostic):
    name: str
    code = "duplicate-update"
    words = "`{name}` is updated twice"


@dataclass(frozen=True, kw_only=True)
class NotAState(Diagnostic):
    name: str
    code = "not-a-state"
    words = "`{name}` is no state of this body"
    hint = "only a `state` of the same body is updated"


@dataclass(frozen=True, kw_only=True)
class PhasesDiffer(Diagnostic):
    address: str
    detail: str
    code = "phases-differ"
    words = "the two phases do not have the same weights: {detail}"
    hint = "declare it outside `if training`"


@dataclass(frozen=True, kw_only=True)
class BadCarry(Diagnostic):
    name: str
    reason: str
    code = "bad-carry"
    words = "{reason}"


@dataclass(frozen=True, kw_only=True)
class ScanYield(Diagnostic):
    code = "scan-yield"
    words = "a `scan` ends with `yield`"


@dataclass(frozen=True, kw_only=True)
class UnfitData(Diagnostic):
    message_text: str
    code = "unfit-data"
    words = "{message_text}"


# ---- train and generate ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class UnknownSetting(Diagnostic):
    name: str
    place: str
    meant: str = ""
    known: str
    code = "unknown-setting"
    words = "there is no setting `{name}` in {place}{meant}"
    hint = "the settings are {known}"


@dataclass(frozen=True, kw_only=True)
class DuplicateSetting(Diagnostic):
    name: str
    code = "duplicate-setting"
    words = "`{name}` is set twice"
    hint = "delete one of them"


@dataclass(frozen=True, kw_only=True)
class MissingSetting(Diagnostic):
    name: str
    place: str
    example: str
    code = "missing-setting"
    words = "{place} has no `{name}`"
    hint = "add `{example}`"


@dataclass(frozen=True, kw_only=True)
class SettingName(Diagnostic):
    name: str
    code = "setting-name"
    words = "the setting `{name}` takes no name"


@dataclass(frozen=True, kw_only=True)
class NotOneOf(Diagnostic):
    name: str
    found: str
    meant: str = ""
    known: str
    code = "not-one-of"
    words = "`{found}` is no {name}{meant}"
    hint = "there are {known}"


@dataclass(frozen=True, kw_only=True)
class SettingValue(Diagnostic):
    name: str
    wanted: str
    found: str
    code = "setting-value"
    words = "`{name}` is {wanted}, not {found}"


@dataclass(frozen=True, kw_only=True)
class LossShape(Diagnostic):
    type: str
    code = "loss-shape"
    words = "a loss is one number, and this is {type}"
    hint = "take the mean: `mean(…)`"


@dataclass(frozen=True, kw_only=True)
class MetricBatch(Diagnostic):
    name: str
    type: str
    code = "metric-batch"
    words = "the metric `{name}` still has the axis `batch`: {type}"
    hint = "reduce it: `mean(…)`"


@dataclass(frozen=True, kw_only=True)
class StepPlace(Diagnostic):
    name: str
    code = "step-place"
    words = "`{name}` belongs into a `step` here"
    hint = "a training with steps has its losses and optimizer in them"


@dataclass(frozen=True, kw_only=True)
class NoMatch(Diagnostic):
    pattern: str
    meant: str = ""
    code = "no-match"
    words = "`{pattern}` matches nothing{meant}"


@dataclass(frozen=True, kw_only=True)
class UnknownDataset(Diagnostic):
    name: str
    meant: str = ""
    known: str
    code = "unknown-dataset"
    words = "there is no data set `{name}`{meant}"
    hint = "the data sets are {known}"


@dataclass(frozen=True, kw_only=True)
class DataPlace(Diagnostic):
    name: str
    code = "data-place"
    words = "`{name}(…)` is a data source: it is bound to a name at the top of `train`"
    hint = "write `data = {name}(…)`"


@dataclass(frozen=True, kw_only=True)
class NoNetwork(Diagnostic):
    place: str
    code = "no-network"
    words = "{place} calls no network"


@dataclass(frozen=True, kw_only=True)
class SelfTrained(Diagnostic):
    name: str
    code = "not-trained"
    words = "`{name}` is not called here"
    hint = "`trains` names networks that this training calls"


@dataclass(frozen=True, kw_only=True)
class SchemaNote(Diagnostic):
    path: str
    reason: str
    code = "schema-not-checked"
    severity = "note"
    words = "schema of {path} not checked: {reason}"


@dataclass(frozen=True, kw_only=True)
class BadDataFile(Diagnostic):
    path: str
    reason: str
    code = "bad-data-file"
    words = "{path}: {reason}"


# ---- files -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ImportOutside(Diagnostic):
    path: str
    code = "import-outside"
    words = "`{path}` is not inside the spec's folder"
    hint = "imports are relative and stay in the folder of the spec"


@dataclass(frozen=True, kw_only=True)
class ImportLink(Diagnostic):
    path: str
    code = "import-link"
    words = "`{path}` goes through a link"
    hint = "copy the file into the spec's folder"


@dataclass(frozen=True, kw_only=True)
class ImportMissing(Diagnostic):
    path: str
    reason: str
    meant: str = ""
    code = "import-missing"
    words = "cannot import {path}: {reason}{meant}"


@dataclass(frozen=True, kw_only=True)
class ImportCycle(Diagnostic):
    chain: str
    code = "import-cycle"
    words = "files import each other in a circle: {chain}"


@dataclass(frozen=True, kw_only=True)
class ImportName(Diagnostic):
    name: str
    path: str
    meant: str = ""
    code = "import-name"
    words = "{path} has no block, network or layer `{name}`{meant}"


@dataclass(frozen=True, kw_only=True)
class ImportDepth(Diagnostic):
    limit: str
    code = "import-depth"
    words = "imports go deeper than {limit} files"


@dataclass(frozen=True, kw_only=True)
class TooManyImports(Diagnostic):
    limit: str
    code = "too-many-imports"
    words = "more than {limit} files are imported"


@dataclass(frozen=True, kw_only=True)
class NoSpec(Diagnostic):
    name: str
    meant: str = ""
    code = "no-spec"
    words = "there is no spec `{name}`{meant}"
    hint = "give a file, or one of the shipped specs"


# ---- params ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ParamValue(Diagnostic):
    name: str
    wanted: str
    found: str
    code = "param-value"
    words = "`{name}` is {wanted}, not {found}"


@dataclass(frozen=True, kw_only=True)
class ParamMissing(Diagnostic):
    name: str
    code = "param-missing"
    words = "the param `{name}` has no value"
    hint = "give it a default, or `--set {name}=…`"


@dataclass(frozen=True, kw_only=True)
class ParamDomain(Diagnostic):
    name: str
    value: str
    domain: str
    code = "param-domain"
    words = "`{name}` is {value}, outside {domain}"


@dataclass(frozen=True, kw_only=True)
class UnknownOverride(Diagnostic):
    name: str
    meant: str = ""
    known: str
    code = "unknown-override"
    words = "there is nothing to set called `{name}`{meant}"
    hint = "what can be set: {known}"


@dataclass(frozen=True, kw_only=True)
class OverrideTwice(Diagnostic):
    name: str
    code = "override-twice"
    words = "`{name}` is set twice"


@dataclass(frozen=True, kw_only=True)
class BadOverride(Diagnostic):
    what: str
    code = "bad-override"
    words = "{what}"
    hint = "write `name=value`, for example `lr=0.02` or `train.epochs=3`"


# ---- limits ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TooManyNodes(Diagnostic):
    limit: str
    where: str = ""
    code = "too-many-nodes"
    words = "the network grows beyond {limit} nodes{where}"


@dataclass(frozen=True, kw_only=True)
class TooManySteps(Diagnostic):
    limit: str
    where: str = ""
    code = "too-many-steps"
    words = "the spec needs more than {limit} compile-time steps{where}"


@dataclass(frozen=True, kw_only=True)
class ExpansionTooDeep(Diagnostic):
    limit: str
    chain: str
    code = "expansion-too-deep"
    words = "calls of blocks are nested more than {limit} deep: {chain}"
    hint = "a block that calls itself must stop: use an `if` on a compile-time number"


@dataclass(frozen=True, kw_only=True)
class TooComplex(Diagnostic):
    code = "too-complex"
    words = "this expression is nested too deeply together with the calls around it"
    hint = "give inner parts names of their own"


@dataclass(frozen=True, kw_only=True)
class RankTooLarge(Diagnostic):
    rank: str
    limit: str
    code = "rank-too-large"
    words = "a tensor has {rank} axes; {limit} is the most"


@dataclass(frozen=True, kw_only=True)
class SizeTooLarge(Diagnostic):
    type: str
    limit: str
    code = "size-too-large"
    words = "{type} is larger than {limit}"


# ---- warnings --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SoftmaxBeforeCrossEntropy(Diagnostic):
    loss: str
    function: str
    code = "softmax-before-cross-entropy"
    severity = "warning"
    words = "`{loss}` takes logits and applies the {function} itself"
    label = "the {function} is applied here already"
    hint = "give it the value before the {function}"


@dataclass(frozen=True, kw_only=True)
class ZeroWeights(Diagnostic):
    address: str
    code = "zero-weights"
    severity = "warning"
    words = "`{address}` starts at zero and is multiplied: no gradient passes through it at the start"
    hint = "start it with `xavier` or `he`"


@dataclass(frozen=True, kw_only=True)
class BiasBeforeBatchNorm(Diagnostic):
    code = "bias-before-batch-norm"
    severity = "warning"
    words = "the batch norm that follows takes this bias away again"
    hint = "write `bias=false`"
