"""Pages of `dslc explain` for the use of dslc itself: there is one for each code, and its command gives the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from dslc import usage
from dslc.diagnostics import Diagnostic
from dslc.explain import codes, page
from tests.cli.conftest import Command

CODES = sorted(item.code for item in vars(usage).values() if isinstance(item, type) and issubclass(item, Diagnostic) and item.code)
SYMBOLIC = "dslc 1\nnetwork Net {\n  input x: [batch, time, 4]\n  output y = relu(x)\n}\n"
TWO = "dslc 1\nnetwork A {\n  input x: [batch, 4]\n  output y = relu(x)\n}\nnetwork B {\n  input x: [batch, 4]\n  output y = tanh(x)\n}\n"

UNREAD = """dslc 1
network Net {
  input x: [batch, 4]
  output y = dense(x, 1)
}
train {
  data = npz("points.npz")
  net = Net(data.x)
  loss: mse(net.y, data.y)
  optimizer: sgd(0.1)
  batch_size: 4
  epochs: 1
}
"""
NETS = {"choose-one": TWO, "unread-data": UNREAD}


@pytest.mark.parametrize("code", CODES)
def test_the_command_of_a_page_gives_its_code(
    code: str, dslc: Command, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert code in codes()
    (tmp_path / "mine.nn").write_text("dslc 1\n")
    (tmp_path / "net.nn").write_text(NETS.get(code, SYMBOLIC))
    np.savez(tmp_path / "x.npz", picture=np.zeros((1, 64), np.uint8))
    if code == "internal-error":
        monkeypatch.setattr("dslc.cli.check.summary", lambda program: 1 // 0)
    (command,) = re.findall(r"```sh\n(?:DSLC_DEBUG=1 )?dslc (.*)\n```", page(code).text)
    words = [str(trained) if word.startswith("runs/") else word for word in shlex.split(command)]
    assert f"error[{code}]" in dslc(*words).err
