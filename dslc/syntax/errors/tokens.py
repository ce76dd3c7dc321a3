"""Characters, words, signs and brackets."""

from __future__ import annotations

from dslc.finding import Finding


class StrayCharacter(Finding):
    character: str
    advice: str = ""
    code = "stray-character"
    words = "`{character}` has no meaning in a spec"
    hint = "{advice}"


class TooManyTokens(Finding):
    limit: str
    advice: str = ""
    code = "too-many-tokens"
    words = "the text has more than {limit} words and signs"
    hint = "{advice}"


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


class MisspeltKeyword(Finding):
    found: str
    right: str
    code = "misspelt-keyword"
    words = "`{found}` is no keyword: did you mean `{right}`?"


class WrongSign(Finding):
    found: str
    wanted: str
    code = "wrong-sign"
    words = "`{found}` stands where `{wanted}` is due"


class SurplusSign(Finding):
    found: str
    code = "surplus-sign"
    words = "this `{found}` is one too many"
