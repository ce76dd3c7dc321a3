"""Statements and where they end."""

from __future__ import annotations

from dslc.finding import Finding


class KeywordAsName(Finding):
    word: str
    code = "keyword-as-name"
    words = "`{word}` is a keyword and cannot be a name"
    hint = "choose another name, for example `{word}_`"


class ColonBody(Finding):
    code = "colon-body"
    words = "a body stands in braces"
    hint = "write `{{` here and `}}` after the body"


class ElseAlone(Finding):
    code = "else-alone"
    words = "this `else` has no `if` before it"
    hint = "`else` stands right after the `}}` of its `if`"


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
