"""The command `dslc`, also as `python -m dslc`."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command line; Ctrl-C ends quietly while modules are loaded, too."""
    try:
        forget_working_folder()
        from dslc.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED


def forget_working_folder() -> None:
    """`python -m` looks for modules in the working folder first; a `numpy.py` that lies there is not the one that is meant."""
    import os

    first = sys.path[0] if sys.path and not sys.flags.safe_path else ""
    if first and os.path.samefile(first, ".") and first != os.path.dirname(os.path.dirname(__file__)):  # noqa: PTH120, PTH121
        del sys.path[0]


if __name__ == "__main__":
    sys.exit(main())
