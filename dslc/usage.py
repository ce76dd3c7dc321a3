"""What can be wrong with the use of dslc, from the command line or from Python: words, names of parts, files, arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dslc.diagnostics import Diagnostic


@dataclass(frozen=True, kw_only=True)
class UnknownVerb(Diagnostic):
    found: str
    advice: str
    code = "unknown-verb"
    words = "there is no verb `{found}`"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class UnknownFlag(Diagnostic):
    command: str
    found: str
    advice: str
    code = "unknown-flag"
    words = "`{command}` has no flag `{found}`"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class ExtraArgument(Diagnostic):
    verb: str
    found: str
    usage: str
    code = "extra-argument"
    words = "`dslc {verb}` does not know what to do with `{found}`"
    hint = "usage: {usage}"


@dataclass(frozen=True, kw_only=True)
class BadArgument(Diagnostic):
    """A value that an argument does not take, or an argument that is missing."""

    detail: str
    usage: str
    code = "bad-argument"
    words = "{detail}"
    hint = "usage: {usage}"


@dataclass(frozen=True, kw_only=True)
class BadOverride(Diagnostic):
    found: str
    origin: str
    code = "bad-override"
    words = "{origin} takes NAME=VALUE, not `{found}`"
    hint = "for example `lr=0.02` for a param of the spec, `train.epochs=5` for a setting of its `train`"


@dataclass(frozen=True, kw_only=True)
class UnknownCode(Diagnostic):
    found: str
    advice: str
    code = "unknown-code"
    words = "no diagnostic has the code `{found}`"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class UnknownOperator(Diagnostic):
    found: str
    advice: str
    code = "unknown-operator"
    words = "there is no operator or standard layer `{found}`"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class UnknownPass(Diagnostic):
    found: str
    advice: str
    code = "unknown-pass"
    words = "there is no pass `{found}`"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class OpenSizes(Diagnostic):
    names: str
    code = "open-sizes"
    words = "a plan needs fixed sizes, and these are open: {names}"
    hint = "give the input or the data numbers instead of names"


@dataclass(frozen=True, kw_only=True)
class ChooseOne(Diagnostic):
    """R21: a file with several networks or trainings, and none was named."""

    path: str
    kind: str
    names: str
    flag: str
    code = "choose-one"
    words = "{path} has several of `{kind}`: {names}"
    hint = "name one with {flag}"


@dataclass(frozen=True, kw_only=True)
class NoSuchPart(Diagnostic):
    path: str
    kind: str
    found: str
    advice: str
    code = "no-such-part"
    words = "{path} has no `{kind}` called `{found}`"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class NothingOfKind(Diagnostic):
    path: str
    kind: str
    advice: str
    code = "nothing-of-kind"
    words = "{path} has no `{kind}`"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class UnreadData(Diagnostic):
    path: str
    training: str
    data: str
    code = "unread-data"
    words = "{path}: the fields of `{data}` in `{training}` are not known, as its file is not there"
    hint = "put the file beside the spec: `dslc check {path}` names it"


@dataclass(frozen=True, kw_only=True)
class BadName(Diagnostic):
    found: str
    code = "bad-name"
    words = "`{found}` cannot be the name of a spec"
    hint = "a name is letters, digits and `_`, begins with a letter, and is no device of Windows: `dslc new my_net`"


@dataclass(frozen=True, kw_only=True)
class FileExists(Diagnostic):
    path: str
    code = "file-exists"
    words = "{path} exists already"
    hint = "choose another name: nothing is overwritten"


@dataclass(frozen=True, kw_only=True)
class WouldOverwriteSpec(Diagnostic):
    path: str
    code = "would-overwrite-spec"
    words = "{path} is the name of a spec, the output is not written over it"
    hint = "give the output another suffix than .nn"


@dataclass(frozen=True, kw_only=True)
class CannotWriteFile(Diagnostic):
    path: str
    reason: str
    code = "cannot-write"
    words = "cannot write {path}: {reason}"


@dataclass(frozen=True, kw_only=True)
class BadInput(Diagnostic):
    """An array that does not fit what is to be predicted."""

    detail: str
    advice: str
    code = "bad-input"
    words = "{detail}"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class Unexpected(Diagnostic):
    """Any exception that is not a diagnostic: a fault of dslc."""

    kind: str
    detail: str
    code = "internal-error"
    words = "{kind}: {detail}"
    hint = "this is a fault of dslc, not of the spec: please report it with the spec and the command; DSLC_DEBUG=1 shows the traceback"


def advice(found: str, known: Iterable[str], otherwise: str) -> str:
    """`did you mean …?` for the nearest known word, else `otherwise`."""
    from difflib import get_close_matches

    near = get_close_matches(found[:64], list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else otherwise
