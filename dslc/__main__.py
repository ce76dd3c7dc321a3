"""`python -m dslc` is the command `dslc`."""

from __future__ import annotations

import sys

from dslc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
