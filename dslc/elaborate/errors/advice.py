"""Warnings: what is allowed and probably a mistake."""

from __future__ import annotations

from dslc.finding import Finding


class SoftmaxBeforeCrossEntropy(Finding):
    loss: str
    function: str
    code = "softmax-before-cross-entropy"
    severity = "warning"
    words = "`{loss}` takes logits and applies the {function} itself"
    label = "the {function} is applied here already"
    hint = "give it the value before the {function}"


class SoftmaxWithoutLog(Finding):
    loss: str
    code = "softmax-without-log"
    severity = "warning"
    words = "`{loss}` takes log-probabilities, and this is a softmax"
    label = "the logarithm is missing"
    hint = "`log_softmax` gives log-probabilities"


class OneClass(Finding):
    code = "one-class"
    severity = "warning"
    words = "`cross_entropy` chooses among one class: it is 0 whatever the network says"
    label = "one class"
    hint = "one logit for yes or no goes to `binary_cross_entropy`"


class ThresholdOutside(Finding):
    threshold: str
    code = "threshold-outside"
    severity = "warning"
    words = "a sigmoid is between 0 and 1, and the threshold is {threshold}: every decision is the same"
    label = "decisions of a sigmoid"
    hint = "give it the value before the sigmoid, or `threshold=0.5`"


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


class UnreachedWeight(Finding):
    names: str
    verb: str
    code = "unreached-weight"
    severity = "warning"
    words = "{names} {verb} not trained: no gradient of a loss comes here"
    hint = "use this in a loss, delete it, or freeze it with a `rule`"
