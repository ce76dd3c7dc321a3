"""Files that the coverage-guided search kept: every tenth is looked at again (`python -m tests.reliability.fuzz --replay` looks at all)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.fuzz import look, read_corpus

EVERY, PARTS = 10, 4


def test_the_corpus_is_there() -> None:
    assert len(read_corpus()) > 500


@pytest.mark.parametrize("part", range(PARTS))
def test_files_of_the_corpus_are_checked(part: int, tmp_path: Path) -> None:
    for data in read_corpus()[part * EVERY :: PARTS * EVERY]:
        look(data, tmp_path)
