"""The former name of `dslc/loading.py`: a module called `load` would hide the function `dslc.load`."""

from dslc.loading import *  # noqa: F403
