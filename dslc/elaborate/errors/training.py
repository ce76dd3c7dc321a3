"""Settings, losses and data of `train` and `generate`."""

from __future__ import annotations

from dslc.finding import Finding


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


class UnusedSetting(Finding):
    name: str
    code = "unused-setting"
    words = "`{name}` is never used: each step has its own"
    hint = "delete it here, or in a step that should take this one"


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


class RuleStates(Finding):
    pattern: str
    name: str
    states: str
    code = "rule-states"
    words = "`{name}` is for weights, and `{pattern}` matches states only: {states}"
    hint = "a state can be `frozen`, nothing else; a pattern with `**` reaches across dots"


class NothingToTrain(Finding):
    place: str
    reason: str
    code = "nothing-to-train"
    words = "{place} trains nothing: {reason}"
    hint = "let a loss depend on a weight that is not frozen"
