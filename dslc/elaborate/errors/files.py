"""Imports, params and what is set from outside."""

from __future__ import annotations

from dslc.finding import Finding


class ImportStandard(Finding):
    path: str
    code = "import-outside"
    words = "the standard library and the operators need no import"
    hint = "delete this line"


class ImportOutside(Finding):
    path: str
    code = "import-outside"
    words = "`{path}` is not inside the spec's folder"
    hint = "imports are relative and stay in the folder of the spec"


class ImportLink(Finding):
    path: str
    code = "import-link"
    words = "`{path}` goes through a link"
    hint = "copy the file into the spec's folder"


class ImportMissing(Finding):
    path: str
    reason: str
    meant: str = ""
    code = "import-missing"
    words = "cannot import {path}: {reason}{meant}"


class ImportCycle(Finding):
    chain: str
    code = "import-cycle"
    words = "files import each other in a circle: {chain}"


class ImportName(Finding):
    name: str
    path: str
    meant: str = ""
    code = "import-name"
    words = "{path} has no block, network or layer `{name}`{meant}"


class ImportDepth(Finding):
    limit: str
    code = "import-depth"
    words = "imports go deeper than {limit} files"


class TooManyImports(Finding):
    limit: str
    code = "too-many-imports"
    words = "more than {limit} files are imported"


class NoSpec(Finding):
    name: str
    meant: str = ""
    code = "no-spec"
    words = "there is no spec `{name}`{meant}"
    hint = "give a file, or one of the shipped specs"


class ParamValue(Finding):
    name: str
    wanted: str
    found: str
    code = "param-value"
    words = "`{name}` must be {wanted}, not {found}"


class ParamMissing(Finding):
    name: str
    code = "param-missing"
    words = "the param `{name}` has no value"
    hint = "give it a default, or `--set {name}=…`"


class ParamDomain(Finding):
    name: str
    value: str
    domain: str
    code = "param-domain"
    words = "`{name}` is {value}, outside {domain}"


class UnknownOverride(Finding):
    name: str
    meant: str = ""
    known: str
    code = "unknown-override"
    words = "there is nothing to set called `{name}`{meant}"
    hint = "what can be set: {known}"
