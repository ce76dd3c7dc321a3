"""Calls, layers and networks as callees."""

from __future__ import annotations

from dslc.finding import Finding


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
