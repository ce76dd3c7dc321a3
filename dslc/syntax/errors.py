"""The words of syntax errors. Each names a situation, never a set of tokens."""

from __future__ import annotations

from dslc.diagnostics import Edit, Fix
from dslc.finding import Finding
from dslc.source import Source, Span

# ---- files ---------------------------------------------------------------------------------------------------------------


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


# ---- characters and tokens ---------------------------------------------------------------------------------------------------


class StrayCharacter(Finding):
    character: str
    advice: str = ""
    code = "stray-character"
    words = "`{character}` has no meaning in a spec"
    hint = "{advice}"


class TooManyTokens(Finding):
    limit: int
    code = "too-many-tokens"
    words = "the text has more than {limit} words and signs"


class NestedTooDeeply(Finding):
    limit: int
    code = "nested-too-deeply"
    words = "brackets and signs are nested more than {limit} deep"
    hint = "give inner parts names of their own"


class NameTooLong(Finding):
    length: int
    limit: int
    code = "name-too-long"
    words = "a name of {length} characters; {limit} is the most"


class IntegerTooLong(Finding):
    code = "integer-too-long"
    words = "an integer has at most 18 digits"


class FloatTooLarge(Finding):
    code = "float-too-large"
    words = "this number is too large for a float"


class BadNumber(Finding):
    found: str
    advice: str
    code = "bad-number"
    words = "`{found}` is not a number"
    hint = "{advice}"


class WrongArrow(Finding):
    found: str
    code = "wrong-arrow"
    words = "the arrow is `->`, not `{found}`"


class WrongOperator(Finding):
    found: str
    right: str
    code = "wrong-operator"
    words = "`{found}` is written `{right}`"


class AugmentedAssignment(Finding):
    operator: str
    sign: str
    name: str
    code = "augmented-assignment"
    words = "there is no `{operator}`: values never change, names are bound anew"
    hint = "write `{name} = {name} {sign} …`"


class Semicolon(Finding):
    code = "semicolon"
    words = "a statement ends with its line, not with `;`"


class SingleQuotes(Finding):
    code = "single-quotes"
    words = "a string stands in straight double quotes"


class UnclosedString(Finding):
    code = "unclosed-string"
    words = "this string has no closing quote on its line"


class BadEscape(Finding):
    found: str
    code = "bad-escape"
    words = "a string has no escape `{found}`"
    hint = 'the escapes are \\" \\\\ \\n \\t'


class LookalikeName(Finding):
    found: str
    right: str
    letters: str
    code = "lookalike-name"
    words = "`{found}` only looks like `{right}`"
    label = "{letters}"


class ForeignName(Finding):
    found: str
    code = "foreign-name"
    words = "`{found}` is not a name"
    hint = "names are made of the letters a to z and A to Z, digits and `_`"


# ---- header ------------------------------------------------------------------------------------------------------------------


class MissingHeader(Finding):
    what: str
    code = "missing-header"
    words = "{what}"
    hint = "the first line is `dslc 1`"


def missing_header(source: Source, at: int, empty: bool) -> MissingHeader:
    """The error for a file without `dslc 1`, with the fix that puts it there."""
    fix = None if empty else Fix("put `dslc 1` first", (Edit(Span(source, at, at), "dslc 1\n\n"),))
    what = "the file has no statement" if empty else "the file does not begin with `dslc 1`"
    return MissingHeader(span=Span(source, at, at), what=what, fix=fix)


class MisplacedHeader(Finding):
    code = "misplaced-header"
    words = "`dslc 1` stands once, at the top of the file"


class UnknownVersion(Finding):
    version: str
    code = "unknown-version"
    words = "this is a spec of version {version}; this program knows version 1"


# ---- brackets ------------------------------------------------------------------------------------------------------------------


class UnclosedBrace(Finding):
    code = "unclosed-brace"
    words = "this `{{` is never closed"
    hint = "put `}}` where the body ends"


class UnclosedBracket(Finding):
    bracket: str
    closer: str
    code = "unclosed-bracket"
    words = "this `{bracket}` is never closed"
    hint = "put `{closer}` where it ends"


class NothingToClose(Finding):
    code = "nothing-to-close"
    words = "this `}}` closes nothing"


class WrongCloser(Finding):
    found: str
    wanted: str
    code = "wrong-closer"
    words = "`{found}` stands where `{wanted}` is due"


class Surplus(Finding):
    found: str
    code = "surplus-bracket"
    words = "this `{found}` closes nothing"


# ---- statements and expressions --------------------------------------------------------------------------------------------------


class KeywordAsName(Finding):
    word: str
    code = "keyword-as-name"
    words = "`{word}` is a keyword and cannot be a name"
    hint = "choose another name, for example `{word}_`"


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


class ColonBody(Finding):
    code = "colon-body"
    words = "a body stands in braces"
    hint = "write `{{` here and `}}` after the body"


class ElseAlone(Finding):
    code = "else-alone"
    words = "this `else` has no `if` before it"
    hint = "`else` stands right after the `}}` of its `if`"


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


class MissingShape(Finding):
    keyword: str
    name: str
    example: str
    code = "missing-shape"
    words = "`{keyword}` needs a type"
    label = "`{name}` has none"
    hint = "write `{keyword} {name}: {example}`"


class OnlyNamesLeft(Finding):
    code = "only-names-left"
    words = "only names stand left of `=`"
    hint = "values never change: make a new one and give it a name"


class SecondEqual(Finding):
    code = "second-equal"
    words = "`=` stands once in a statement"
    hint = "write two statements; to compare, write `==`"


class UnknownStatement(Finding):
    word: str
    nearest: str
    code = "unknown-statement"
    words = "there is no statement `{word}`: did you mean `{nearest}`?"


class MissingEqual(Finding):
    name: str
    found: str
    code = "missing-equal"
    words = "`=` or `:` is missing after `{name}`"
    hint = "`{name} = …` makes a name, `{name}: …` sets a setting"


class MissingElse(Finding):
    code = "missing-else"
    words = "a conditional value has two arms"
    hint = "write `if c then a else b`"


class MissingThing(Finding):
    what: str
    after: str
    code = "missing-sign"
    words = "{what} is missing after `{after}`"


class Unexpected(Finding):
    found: str
    advice: str = ""
    code = "unexpected"
    words = "{found} cannot stand here"
    hint = "{advice}"


class MissingOperator(Finding):
    left: str
    right: str
    code = "missing-operator"
    words = "an operator is missing between `{left}` and `{right}`"


class SameLine(Finding):
    word: str
    code = "same-line"
    words = "a statement ends with its line: `{word}` begins another one"
    hint = "put it on a line of its own"


class PlainAssignment(Finding):
    word: str
    code = "plain-assignment"
    words = "there is no `{word}`: `=` alone makes a name"
    hint = "write `x = …`"


class NestedDeclaration(Finding):
    word: str
    code = "nested-declaration"
    words = "`{word}` stands only at the top of a file, not in a body"
    hint = "move it out of the braces"


class CommentSign(Finding):
    found: str
    code = "comment-sign"
    words = "a comment begins with `#`, not with `{found}`"


class ImportForm(Finding):
    code = "import-form"
    words = "this is not how an import is written"
    hint = 'write `import a, b from "file.nn"`'


class ScanForm(Finding):
    what: str
    code = "scan-form"
    words = "{what}"
    hint = "a scan is written `ys = scan x in xs over time {{ … yield y }}`"


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


class TypeExpected(Finding):
    found: str
    code = "type-expected"
    words = "a type stands after `:`, not {found}"
    hint = "types are `[batch, 3]`, `i64[batch]`, `int`, `float`, `bool`, `string`, `list[int]`, …"


class NoTypeHere(Finding):
    keyword: str
    code = "no-type-here"
    words = "`{keyword}` takes no type"
    hint = "the type is that of the value"


class OneName(Finding):
    keyword: str
    code = "one-name"
    words = "`{keyword}` takes one name"
    hint = "write a statement for each"


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


# ---- formatting ------------------------------------------------------------------------------------------------------------------


class FormatterFault(Finding):
    path: str
    code = "formatter-fault"
    words = "the formatter would change the meaning of {path}; nothing was written"
    hint = "this is a fault of dslc, not of the spec: please report it"
