"""The words of elaboration, by family: facts are fields, each diagnostic names one situation."""

from dslc.elaborate.errors.advice import *
from dslc.elaborate.errors.calls import *
from dslc.elaborate.errors.files import *
from dslc.elaborate.errors.limits import *
from dslc.elaborate.errors.names import *
from dslc.elaborate.errors.networks import *
from dslc.elaborate.errors.training import *
from dslc.elaborate.errors.values import *
