"""The words of syntax errors. Each names a situation, never a set of tokens."""

from __future__ import annotations

from dataclasses import dataclass

from dslc.diagnostics import Diagnostic, Edit, Fix
from dslc.source import Source, Span

# ---- files ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CannotRead(Diagnostic):
    path: str
    reason: str
    code = "cannot-read"
    words = "cannot read {path}: {reason}"


@dataclass(frozen=True, kw_only=True)
class NotAFile(Diagnostic):
    path: str
    kind: str
    code = "not-a-file"
    words = "{path} is {kind}, not a spec"


@dataclass(frozen=True, kw_only=True)
class TextTooLarge(Diagnostic):
    path: str
    limit: int
    code = "text-too-large"
    words = "{path} is larger than {limit} bytes (1 MiB)"
    hint = "a spec is short: put repeated layers into a block or a `for`"


@dataclass(frozen=True, kw_only=True)
class NotASpec(Diagnostic):
    path: str
    kind: str
    code = "not-a-spec"
    words = "{path} is not a spec: it looks like {kind}"
    hint = "a spec is UTF-8 text that begins with `dslc 1`"


@dataclass(frozen=True, kw_only=True)
class NotUtf8(Diagnostic):
    byte: str
    code = "not-utf8"
    words = "the text is not UTF-8: byte {byte} stands here"
    hint = "save the file as UTF-8"


@dataclass(frozen=True, kw_only=True)
class HiddenCharacter(Diagnostic):
    point: str
    kind: str
    code = "hidden-character"
    words = "{kind} ({point}) stands in the text"
    label = "here"
    hint = "delete it: it makes a text read otherwise than it is"


# ---- characters and tokens ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class StrayCharacter(Diagnostic):
    character: str
    advice: str = ""
    code = "stray-character"
    words = "`{character}` has no meaning in a spec"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class TooManyTokens(Diagnostic):
    limit: int
    code = "too-many-tokens"
    words = "the text has more than {limit} words and signs"


@dataclass(frozen=True, kw_only=True)
class NestedTooDeeply(Diagnostic):
    limit: int
    code = "nested-too-deeply"
    words = "brackets and signs are nested more than {limit} deep"
    hint = "give inner parts names of their own"


@dataclass(frozen=True, kw_only=True)
class NameTooLong(Diagnostic):
    length: int
    limit: int
    code = "name-too-long"
    words = "a name of {length} characters; {limit} is the most"


@dataclass(frozen=True, kw_only=True)
class IntegerTooLong(Diagnostic):
    code = "integer-too-long"
    words = "an integer has at most 18 digits"


@dataclass(frozen=True, kw_only=True)
class FloatTooLarge(Diagnostic):
    code = "float-too-large"
    words = "this number is too large for a float"


@dataclass(frozen=True, kw_only=True)
class BadNumber(Diagnostic):
    found: str
    advice: str
    code = "bad-number"
    words = "`{found}` is not a number"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class WrongArrow(Diagnostic):
    found: str
    code = "wrong-arrow"
    words = "the arrow is `->`, not `{found}`"


@dataclass(frozen=True, kw_only=True)
class WrongOperator(Diagnostic):
    found: str
    right: str
    code = "wrong-operator"
    words = "`{found}` is written `{right}`"


@dataclass(frozen=True, kw_only=True)
class AugmentedAssignment(Diagnostic):
    operator: str
    sign: str
    name: str
    code = "augmented-assignment"
    words = "there is no `{operator}`: values never change, names are bound anew"
    hint = "write `{name} = {name} {sign} …`"


@dataclass(frozen=True, kw_only=True)
class Semicolon(Diagnostic):
    code = "semicolon"
    words = "a statement ends with its line, not with `;`"


@dataclass(frozen=True, kw_only=True)
class SingleQuotes(Diagnostic):
    code = "single-quotes"
    words = "a string stands in straight double quotes"


@dataclass(frozen=True, kw_only=True)
class UnclosedString(Diagnostic):
    code = "unclosed-string"
    words = "this string has no closing quote on its line"


@dataclass(frozen=True, kw_only=True)
class BadEscape(Diagnostic):
    found: str
    code = "bad-escape"
    words = "a string has no escape `{found}`"
    hint = 'the escapes are \\" \\\\ \\n \\t'


@dataclass(frozen=True, kw_only=True)
class LookalikeName(Diagnostic):
    found: str
    right: str
    letters: str
    code = "lookalike-name"
    words = "`{found}` only looks like `{right}`"
    label = "{letters}"


@dataclass(frozen=True, kw_only=True)
class ForeignName(Diagnostic):
    found: str
    code = "foreign-name"
    words = "`{found}` is not a name"
    hint = "names are made of the letters a to z and A to Z, digits and `_`"


# ---- header ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class MissingHeader(Diagnostic):
    what: str
    code = "missing-header"
    words = "{what}"
    hint = "the first line is `dslc 1`"


def missing_header(source: Source, at: int, empty: bool) -> MissingHeader:
    """The error for a file without `dslc 1`, with the fix that puts it there."""
    fix = None if empty else Fix("put `dslc 1` first", (Edit(Span(source, at, at), "dslc 1\n\n"),))
    what = "the file has no statement" if empty else "the file does not begin with `dslc 1`"
    return MissingHeader(span=Span(source, at, at), what=what, fix=fix)


@dataclass(frozen=True, kw_only=True)
class MisplacedHeader(Diagnostic):
    code = "misplaced-header"
    words = "`dslc 1` stands once, at the top of the file"


@dataclass(frozen=True, kw_only=True)
class UnknownVersion(Diagnostic):
    version: str
    code = "unknown-version"
    words = "this is a spec of version {version}; this program knows version 1"


# ---- brackets ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class UnclosedBrace(Diagnostic):
    code = "unclosed-brace"
    words = "this `{{` is never closed"
    hint = "put `}}` where the body ends"


@dataclass(frozen=True, kw_only=True)
class UnclosedBracket(Diagnostic):
    bracket: str
    closer: str
    code = "unclosed-bracket"
    words = "this `{bracket}` is never closed"
    hint = "put `{closer}` where it ends"


@dataclass(frozen=True, kw_only=True)
class NothingToClose(Diagnostic):
    code = "nothing-to-close"
    words = "this `}}` closes nothing"


@dataclass(frozen=True, kw_only=True)
class WrongCloser(Diagnostic):
    found: str
    wanted: str
    code = "wrong-closer"
    words = "`{found}` stands where `{wanted}` is due"


@dataclass(frozen=True, kw_only=True)
class Surplus(Diagnostic):
    found: str
    code = "surplus-bracket"
    words = "this `{found}` closes nothing"


# ---- statements and expressions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class KeywordAsName(Diagnostic):
    word: str
    code = "keyword-as-name"
    words = "`{word}` is a keyword and cannot be a name"
    hint = "choose another name, for example `{word}_`"


@dataclass(frozen=True, kw_only=True)
class MissingComma(Diagnostic):
    left: str
    right: str
    code = "missing-comma"
    words = "a comma is missing between `{left}` and `{right}`"


@dataclass(frozen=True, kw_only=True)
class ColonInCall(Diagnostic):
    name: str
    code = "colon-in-call"
    words = "arguments are given with `=`: `{name}=…`"


@dataclass(frozen=True, kw_only=True)
class AssignInCondition(Diagnostic):
    code = "assign-in-condition"
    words = "`=` gives a name; to compare, write `==`"


@dataclass(frozen=True, kw_only=True)
class ColonBody(Diagnostic):
    code = "colon-body"
    words = "a body stands in braces"
    hint = "write `{{` here and `}}` after the body"


@dataclass(frozen=True, kw_only=True)
class ElseAlone(Diagnostic):
    code = "else-alone"
    words = "this `else` has no `if` before it"
    hint = "`else` stands right after the `}}` of its `if`"


@dataclass(frozen=True, kw_only=True)
class StageExpected(Diagnostic):
    found: str
    code = "stage-expected"
    words = "after `->` stands the name of a block, layer or function, not {found}"
    hint = "`x -> f(a)` is `f(x, a)`"


@dataclass(frozen=True, kw_only=True)
class OperatorAfterChain(Diagnostic):
    operator: str
    code = "operator-after-chain"
    words = "a chain ends here: `->` binds more loosely than `{operator}`"
    hint = "put the chain in parentheses: `(x -> f) {operator} …`"


@dataclass(frozen=True, kw_only=True)
class IndexAfterStage(Diagnostic):
    code = "index-after-stage"
    words = "a stage of a chain takes no index"
    hint = "put the chain in parentheses: `(x -> f)[0]`"


@dataclass(frozen=True, kw_only=True)
class ArrowInArm(Diagnostic):
    code = "arrow-in-arm"
    words = "the arms of a conditional hold no arrow"
    hint = "put the chain in parentheses: `if c then (x -> f) else y`"


@dataclass(frozen=True, kw_only=True)
class ChainedComparison(Diagnostic):
    code = "chained-comparison"
    words = "comparisons are not chained"
    hint = "write `a < b and b < c`"


@dataclass(frozen=True, kw_only=True)
class MissingValue(Diagnostic):
    after: str
    code = "missing-value"
    words = "a value is missing after `{after}`"


@dataclass(frozen=True, kw_only=True)
class MissingShape(Diagnostic):
    keyword: str
    name: str
    example: str
    code = "missing-shape"
    words = "`{keyword}` needs a type"
    label = "`{name}` has none"
    hint = "write `{keyword} {name}: {example}`"


@dataclass(frozen=True, kw_only=True)
class OnlyNamesLeft(Diagnostic):
    code = "only-names-left"
    words = "only names stand left of `=`"
    hint = "values never change: make a new one and give it a name"


@dataclass(frozen=True, kw_only=True)
class SecondEqual(Diagnostic):
    code = "second-equal"
    words = "`=` stands once in a statement"
    hint = "write two statements; to compare, write `==`"


@dataclass(frozen=True, kw_only=True)
class UnknownStatement(Diagnostic):
    word: str
    nearest: str
    code = "unknown-statement"
    words = "there is no statement `{word}`: did you mean `{nearest}`?"


@dataclass(frozen=True, kw_only=True)
class MissingEqual(Diagnostic):
    name: str
    found: str
    code = "missing-equal"
    words = "`=` or `:` is missing after `{name}`"
    hint = "`{name} = …` makes a name, `{name}: …` sets a setting"


@dataclass(frozen=True, kw_only=True)
class MissingElse(Diagnostic):
    code = "missing-else"
    words = "a conditional value has two arms"
    hint = "write `if c then a else b`"


@dataclass(frozen=True, kw_only=True)
class MissingThing(Diagnostic):
    what: str
    after: str
    code = "missing-sign"
    words = "{what} is missing after `{after}`"


@dataclass(frozen=True, kw_only=True)
class Unexpected(Diagnostic):
    found: str
    advice: str = ""
    code = "unexpected"
    words = "{found} cannot stand here"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class MissingOperator(Diagnostic):
    left: str
    right: str
    code = "missing-operator"
    words = "an operator is missing between `{left}` and `{right}`"


@dataclass(frozen=True, kw_only=True)
class SameLine(Diagnostic):
    word: str
    code = "same-line"
    words = "a statement ends with its line: `{word}` begins another one"
    hint = "put it on a line of its own"


@dataclass(frozen=True, kw_only=True)
class PlainAssignment(Diagnostic):
    word: str
    code = "plain-assignment"
    words = "there is no `{word}`: `=` alone makes a name"
    hint = "write `x = …`"


@dataclass(frozen=True, kw_only=True)
class NestedDeclaration(Diagnostic):
    word: str
    code = "nested-declaration"
    words = "`{word}` stands only at the top of a file, not in a body"
    hint = "move it out of the braces"


@dataclass(frozen=True, kw_only=True)
class CommentSign(Diagnostic):
    found: str
    code = "comment-sign"
    words = "a comment begins with `#`, not with `{found}`"


@dataclass(frozen=True, kw_only=True)
class ImportForm(Diagnostic):
    code = "import-form"
    words = "this is not how an import is written"
    hint = 'write `import a, b from "file.nn"`'


@dataclass(frozen=True, kw_only=True)
class ScanForm(Diagnostic):
    what: str
    code = "scan-form"
    words = "{what}"
    hint = "a scan is written `ys = scan x in xs over time {{ … yield y }}`"


@dataclass(frozen=True, kw_only=True)
class ConditionalForm(Diagnostic):
    code = "conditional-form"
    words = "this is not how a conditional value is written"
    hint = "write `if c then a else b`; braces hold statements"


@dataclass(frozen=True, kw_only=True)
class RangeForm(Diagnostic):
    code = "range-form"
    words = "a range is written with two dots"
    hint = "`0..3` stands for 0, 1, 2"


@dataclass(frozen=True, kw_only=True)
class SliceStep(Diagnostic):
    code = "slice-step"
    words = "a slice has a start and a stop, no step"
    hint = "write `x[a:b]`"


@dataclass(frozen=True, kw_only=True)
class TypeExpected(Diagnostic):
    found: str
    code = "type-expected"
    words = "a type stands after `:`, not {found}"
    hint = "types are `[batch, 3]`, `i64[batch]`, `int`, `float`, `bool`, `string`, `list[int]`, …"


@dataclass(frozen=True, kw_only=True)
class NoTypeHere(Diagnostic):
    keyword: str
    code = "no-type-here"
    words = "`{keyword}` takes no type"
    hint = "the type is that of the value"


@dataclass(frozen=True, kw_only=True)
class OneName(Diagnostic):
    keyword: str
    code = "one-name"
    words = "`{keyword}` takes one name"
    hint = "write a statement for each"


@dataclass(frozen=True, kw_only=True)
class ArgumentName(Diagnostic):
    code = "argument-name"
    words = "only a name stands before `=` in a call"
    hint = "write `f(k=3)`; to compare, write `==`"


@dataclass(frozen=True, kw_only=True)
class SeveralInParentheses(Diagnostic):
    code = "several-in-parentheses"
    words = "parentheses hold one value"
    hint = "several values stand without them: `a, b = x, y`; a list stands in `[ ]`"


@dataclass(frozen=True, kw_only=True)
class StarOutsideShape(Diagnostic):
    code = "star-outside-shape"
    words = "`*` before a name stands only in a shape"
    hint = "`[*s]` is the list of all dims of `s`"


@dataclass(frozen=True, kw_only=True)
class BraceValue(Diagnostic):
    code = "brace-value"
    words = "braces hold statements, not values"
    hint = "a list stands in `[ ]`; named values are given as arguments: `f(a=1)`"


# ---- formatting ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class FormatterFault(Diagnostic):
    path: str
    code = "formatter-fault"
    words = "the formatter would change the meaning of {path}; nothing was written"
    hint = "this is a fault of dslc, not of the spec: please report it"
