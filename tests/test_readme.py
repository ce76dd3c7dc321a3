"""The spec in the README says what the README says it does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dslc.cli.main import main

README = Path(__file__).parent.parent / "README.md"


def test_the_spec_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    text = README.read_text(encoding="utf-8")
    (spec,) = re.findall(r"```nn\n(.*?)```", text, re.DOTALL)
    Path("tiny.nn").write_text(spec, encoding="utf-8")
    assert main(["check", "tiny.nn"]) == 2
    assert capsys.readouterr().err in text
    main(["check", "tiny.nn", "--fix"])
    assert len(re.findall(r"^error\[", capsys.readouterr().err, re.MULTILINE)) == 1


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "docs/README.md"])
def test_links_lead_somewhere(name: str) -> None:
    path = README.parent / name
    for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link
