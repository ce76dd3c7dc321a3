"""`dslc new` writes its file whole or not at all."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dslc.cli.new import create
from dslc.diagnostics import DataError, SpecError
from dslc.files import write_file
from tests.reliability.crash.disk import failing

TEXT = "dslc 1\n"


def test_killed_at_any_call_leaves_no_half_of_a_spec(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    path, calls, code = folder / "net.nn", 0, -signal.SIGKILL
    while code:
        calls += 1
        pid = os.fork()
        if not pid:
            try:
                with failing(folder, "kill", calls).watched():
                    create(path, TEXT)
            finally:
                os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, -signal.SIGKILL)
        if not path.exists():
            create(path, TEXT)
        assert path.read_text() == TEXT
        path.unlink()
        write_file(path, TEXT)  # the draft of the killed one goes
        assert [item.name for item in folder.iterdir()] == ["net.nn"]
        path.unlink()
    assert calls > 9


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "net.nn").write_text("mine")
    with pytest.raises(SpecError, match="file-exists"):
        create(tmp_path / "net.nn", TEXT)
    assert (tmp_path / "net.nn").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_a_file_system_without_second_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    create(tmp_path / "net.nn", TEXT)
    assert (tmp_path / "net.nn").read_text() == TEXT and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(SpecError, match="file-exists"):
        create(tmp_path / "net.nn", TEXT)
    with pytest.raises(DataError, match="no such file"):
        create(tmp_path / "none" / "net.nn", TEXT)
