"""The words of syntax errors, by family. Each names a situation, never a set of tokens."""

from dslc.syntax.errors.expressions import *
from dslc.syntax.errors.files import *
from dslc.syntax.errors.header import *
from dslc.syntax.errors.statements import *
from dslc.syntax.errors.tokens import *
