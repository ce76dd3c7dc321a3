"""The ledger of campaigns: what was run, when, at which state of the project, with which libraries, and what came out.

`docs/reliability.json` holds the records; `docs/reliability.md` shows them.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.reliability.campaign import Tally

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "reliability.json"
LIBRARIES = ("numpy", "lark", "pydantic", "onnx", "onnxruntime", "hypothesis", "atheris", "coverage")


def record(campaign: str, first: int, tally: Tally, seconds: float) -> dict[str, Any]:
    return {
        "campaign": campaign,
        "first": first,
        "cases": tally.counts["cases"],
        "seconds": round(seconds),
        "date": date.today().isoformat(),
        "commit": commit(),
        "versions": versions(),
        "counts": dict(sorted(tally.counts.items())),
        "worst": {name: float(f"{value:.4g}") for name, value in sorted(tally.worst.items())},
        "histograms": {name: dict(histogram.most_common()) for name, histogram in sorted(tally.histograms.items())},
        "failures": [{"case": failure.case, "why": failure.why} for failure in tally.failures],
    }


def commit() -> str:
    """The commit that was run, with `+` where files had been changed."""
    try:
        name = git("rev-parse", "--short=12", "HEAD")
        return name + ("+" if git("status", "--porcelain", "--untracked-files=no", "dslc", "runtime", "exporters", "tests") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def git(*args: str) -> str:
    return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def read() -> list[dict[str, Any]]:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []


def append(item: dict[str, Any]) -> None:
    write([*read(), item])


def write(records: Sequence[dict[str, Any]]) -> None:
    """Records of one campaign that go on where another one ends, at the same state of the project, become one."""
    found: list[dict[str, Any]] = []
    for item in records:
        before = next((at for at, other in enumerate(found) if follows(item, other)), None)
        if before is None:
            found.append(item)
        else:
            found[before] = together(found[before], item)
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def follows(item: dict[str, Any], other: dict[str, Any]) -> bool:
    same = all(item[key] == other[key] for key in ("campaign", "commit", "versions", "date"))
    return same and item["first"] == other["first"] + other["cases"]


def together(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    def added(key: str) -> dict[str, int]:
        return dict(sorted((Counter(first[key]) + Counter(second[key])).items()))

    worst = {
        name: max(item["worst"].get(name, float("-inf")) for item in (first, second)) for name in {**first["worst"], **second["worst"]}
    }
    names = {**first["histograms"], **second["histograms"]}
    histograms = {
        name: dict((Counter(first["histograms"].get(name)) + Counter(second["histograms"].get(name))).most_common())
        for name in sorted(names)
    }
    return first | {
        "cases": first["cases"] + second["cases"],
        "seconds": first["seconds"] + second["seconds"],
        "counts": added("counts"),
        "worst": dict(sorted(worst.items())),
        "histograms": histograms,
        "failures": [*first["failures"], *second["failures"]],
    }


def counts(records: Sequence[dict[str, Any]]) -> Counter[str]:
    """The outcomes of several records together."""
    return sum((Counter(item["counts"]) for item in records), Counter())
