"""What a run was made with is read, never asked of another program."""

from __future__ import annotations

import platform
from typing import NoReturn

import pytest

from runtime.train.environment import environment


def test_no_program_is_started_for_the_name_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    def started() -> NoReturn:
        raise AssertionError("`platform.processor` starts `uname`")

    monkeypatch.setattr(platform, "processor", started)
    assert environment("numpy", 1)["processor"]
