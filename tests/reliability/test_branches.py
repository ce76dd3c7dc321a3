"""The figures at the end of `make coverage`, from a report written here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reliability.branches import main


def report(*files: tuple[str, int, int]) -> str:
    return json.dumps({"files": {path: {"summary": {"covered_branches": taken, "num_branches": count}} for path, taken, count in files}})


@pytest.mark.parametrize(("taken", "code"), [(85, 0), (84, 1)])
def test_branches_by_folder(taken: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.json").write_text(report(("dslc/a.py", 10, 10), ("dslc/ops/b.py", taken, 90), ("runtime/c.py", 4, 4)))
    assert main(str(tmp_path / "c.json")) == code
    assert capsys.readouterr().out == (
        f"branches of dslc/: {taken + 10} of 100 are taken, {taken + 10}.00%\nbranches of runtime/: 4 of 4 are taken, 100.00%\n"
    )
