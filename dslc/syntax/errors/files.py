"""Reading and writing the text of a spec."""

from __future__ import annotations

from dslc.finding import Finding


class CannotRead(Finding):
    path: str
    reason: str
    code = "cannot-read"
    words = "cannot read {path}: {reason}"


class NotAFile(Finding):
    path: str
    kind: str
    code = "not-a-file"
    words = "{path} is {kind}, not a spec"


class TextTooLarge(Finding):
    path: str
    limit: int
    code = "text-too-large"
    words = "{path} is larger than {limit} bytes (1 MiB)"
    hint = "a spec is short: put repeated layers into a block or a `for`"


class NotASpec(Finding):
    path: str
    kind: str
    code = "not-a-spec"
    words = "{path} is not a spec: it looks like {kind}"
    hint = "a spec is UTF-8 text that begins with `dslc 1`"


class NotUtf8(Finding):
    byte: str
    code = "not-utf8"
    words = "the text is not UTF-8: byte {byte} stands here"
    hint = "save the file as UTF-8"


class HiddenCharacter(Finding):
    point: str
    kind: str
    code = "hidden-character"
    words = "{kind} ({point}) stands in the text"
    label = "here"
    hint = "delete it: it makes a text read otherwise than it is"


class FormatterFault(Finding):
    path: str
    code = "formatter-fault"
    words = "the formatter would change the meaning of {path}; nothing was written"
    hint = "this is a fault of dslc, not of the spec: please report it"
