"""`make coverage` ends with this: the part of the branches of each folder that the tests take. Exit code 1 where it is below 95 %."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WANTED = 0.95


def by_folder(report: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """The branches that are taken and all that there are, by the first folder of the path, from a report of `coverage json`."""
    found: dict[str, tuple[int, int]] = {}
    for path, file in report["files"].items():
        folder, summary = Path(path).parts[0], file["summary"]
        taken, count = found.get(folder, (0, 0))
        found[folder] = (taken + summary["covered_branches"], count + summary["num_branches"])
    return found


def main(path: str) -> int:
    folders = by_folder(json.loads(Path(path).read_text(encoding="utf-8")))
    for folder, (taken, count) in folders.items():
        print(f"branches of {folder}/: {taken:,} of {count:,} are taken, {taken / count:.2%}")
    return int(any(taken < WANTED * count for taken, count in folders.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
