"""Tests keep machine code in a folder of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    before = os.environ.get("DSLC_CACHE")
    folder = tmp_path_factory.mktemp("cache")
    os.environ["DSLC_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["DSLC_CACHE"]
    else:
        os.environ["DSLC_CACHE"] = before
