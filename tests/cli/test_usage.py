"""Words of the command line: help texts, wrong verbs, flags and values, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dslc import __version__
from dslc.cli.main import VERBS, flags, make_parser
from tests.cli.conftest import Command
from tests.conftest import Golden

HERE = Path(__file__).parent
DOCUMENT = (HERE.parent.parent / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help(verb: str, dslc: Command, golden: Golden) -> None:
    done = dslc(*filter(None, [verb]), "--help")
    assert (done.code, done.err) == (0, "")
    assert all(len(line) <= 140 for line in done.out.splitlines())
    golden(HERE / "help" / f"{verb or 'dslc'}.txt", done.out)


def test_without_a_verb_it_shows_its_help(dslc: Command) -> None:
    assert dslc() == dslc("--help")
    assert dslc("--version").out == f"dslc {__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_flag_is_documented(verb: str) -> None:
    from importlib import import_module

    assert f"dslc {verb}" in DOCUMENT
    for flag in flags(make_parser(verb, import_module(f"dslc.cli.{verb}"))):
        assert flag == "--help" or f"`{flag}" in DOCUMENT, flag


WRONG = {
    "verb": (["trian", "lenet"], "unknown-verb", "did you mean `train`?"),
    "a spec for a verb": (["lenet.nn"], "unknown-verb", "`dslc check lenet.nn`, perhaps?"),
    "flag of dslc": (["--verson"], "unknown-flag", "did you mean `--version`?"),
    "flag": (["train", "lenet", "--epoch", "3"], "unknown-flag", "did you mean `--epochs`?"),
    "flag with a value": (["train", "lenet", "--batchsize=3"], "unknown-flag", "did you mean `--batch-size`?"),
    "flag before what is missing": (["check", "--jsno"], "unknown-flag", "did you mean `--json`?"),
    "nothing to check": (["check"], "bad-argument", "missing: FILE"),
    "one word too many": (["check", "lenet", "mlp"], "extra-argument", "`mlp`"),
    "no number": (["train", "lenet", "--epochs", "three"], "bad-argument", "--epochs: a whole number of at least 1 is needed, not three"),
    "zero": (["train", "lenet", "--epochs", "0"], "bad-argument", "at least 1 is needed, not 0"),
    "a negative number": (["train", "lenet", "--max-steps", "-1"], "bad-argument", "a whole number of at least 1 is needed, not -1"),
    "standard input": (["check", "-"], "bad-argument", "standard input is not read"),
    "a huge number": (["train", "lenet", "--max-steps", "9" * 40], "bad-argument", "at most 15 digits"),
    "more threads than any machine uses": (["train", "xor", "--threads", "1000000"], "bad-argument", "at most 1,024"),
    "device": (["train", "lenet", "--device", "tpu"], "bad-argument", "--device"),
    "shipped spec": (["check", "lenett"], "no-spec", "did you mean `lenet`?"),
    "file": (["check", "nowhere/lenet.nn"], "cannot-read", "no such file"),
    "folder": (["check", "."], "not-a-file", "a folder"),
    "override": (["config", "lenet", "--set", "lr"], "bad-override", "NAME=VALUE"),
    "override of nothing": (["config", "lenet", "--set", "rl=1"], "unknown-override", "`lr`"),
    "override out of its domain": (["config", "lenet", "--set", "lr=7"], "param-domain", "outside"),
    "override of a wrong type": (["config", "lenet", "--set", 'lr="x"'], "param-value", "float"),
    "operator": (["ops", "sofmax"], "unknown-operator", "did you mean `softmax`?"),
    "code": (["explain", "unknown-nam"], "unknown-code", "did you mean `unknown-name`?"),
    "pass": (["show", "lenet", "--print-after", "fols"], "unknown-pass", "did you mean `fold`?"),
    "output over a spec": (["show", "lenet", "--graph", "lenet.nn"], "would-overwrite-spec", "lenet.nn"),
    "name of a spec": (["new", "3d net"], "bad-name", "`3d net`"),
    "a device of Windows": (["new", "Con.nn"], "bad-name", "`Con.nn`"),
    "network": (["show", "lenet", "--network", "LeNte"], "no-such-part", "did you mean `LeNet`?"),
    "a picture of another kind": (["show", "lenet", "--graph", "g.png"], "bad-argument", "ends in .svg"),
    "a seed for a run that has one": (["train", "xor", "--resume", "run", "--seed", "3"], "bad-argument", "--seed has no meaning"),
    "a folder for a run that has one": (["train", "xor", "--resume", "run", "--out", "x"], "bad-argument", "--out has no meaning"),
    "one file for two": (["export", "run", "--output", "m.onnx", "--report", "./m.onnx"], "bad-argument", "the file of --output"),
    "a report for the weights": (
        ["export", "run", "--output", "m.onnx", "--external-data", "--report", "m.onnx.data"],
        "bad-argument",
        "the file of the weights",
    ),
    "a size of nothing": (
        ["export", "run", "--output", "m.onnx", "--external-data-above", "1 zB"],
        "bad-argument",
        "such as 1500000000, 500MB",
    ),
    "weights beside a training step": (
        ["export", "xor", "--train-step", "--output", "m.onnx", "--external-data"],
        "bad-argument",
        "stand in .npz",
    ),
    "an opset that is not written": (["export", "run", "--output", "m.onnx", "--opset", "12"], "bad-argument", "from 13 to 28"),
    "training": (["train", "gates"], "nothing-of-kind", "`train`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_is_named_and_exits_with_2(case: str, dslc: Command) -> None:
    words, code, message = WRONG[case]
    done = dslc(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error[{code}]: ")
    assert message in done.err


UNUSABLE = {
    "no run": (["eval", "nowhere"], "run-folder"),
    "output folder": (["show", "lenet", "--graph", "nowhere/a.svg"], "cannot-write"),
    "output is a folder": (["show", "lenet", "--graph", "."], "cannot-write"),
    "run folder": (["train", "xor", "--resume", "nowhere"], "run-folder"),
    "data folder": (["train", "softmax", "--data-dir", "nowhere"], "data-unreadable"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_files_that_cannot_be_used_exit_with_3(case: str, dslc: Command) -> None:
    words, code = UNUSABLE[case]
    done = dslc(*words)
    assert (done.code, done.err.split("]")[0]) == (3, f"error[{code}")


def test_a_fault_of_dslc_is_one_message_and_exits_with_1(dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dslc.cli.ops.catalogue", lambda: 1 // 0)
    done = dslc("ops")
    assert done.code == 1
    assert "error[internal-error]: ZeroDivisionError" in done.err
    assert "Traceback" not in done.err
    monkeypatch.setenv("DSLC_DEBUG", "1")
    assert "Traceback" in dslc("ops").err


def test_ctrl_c_exits_with_130(dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("dslc.cli.ops.catalogue", interrupt)
    assert dslc("ops").code == 130


# ---- streams: these need a process of their own -------------------------------------------------------------------------------


def shell(script: str) -> subprocess.CompletedProcess[str]:
    command = f'dslc() {{ "{sys.executable}" -m dslc "$@"; }}; {script}'
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)


def test_a_reader_that_hangs_up_is_no_error() -> None:
    done = shell('dslc ops | head -n 1; echo "${PIPESTATUS[0]}"')
    assert done.stdout == "standard layer\n0\n"
    assert done.stderr == ""


def test_closed_standard_output() -> None:
    assert shell("dslc check lenet >&-").returncode == 0
    assert shell("dslc check lenett >&- 2>&-").returncode == 2


def test_a_full_disk_behind_standard_output() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = shell("dslc check lenet >/dev/full")
    assert done.returncode == 3
    assert "cannot write standard output: no space left on device" in done.stderr


def test_an_ascii_terminal_gets_question_marks() -> None:
    done = shell("PYTHONIOENCODING=ascii dslc show gates")
    assert (done.returncode, done.stderr) == (0, "")


def test_colour_only_on_a_terminal_and_never_with_no_color() -> None:
    pty = pytest.importorskip("pty", reason="pseudo-terminals need a Unix system")
    assert "\x1b" in on_terminal(pty, {})
    assert "\x1b" not in on_terminal(pty, {"NO_COLOR": "1"})
    assert "\x1b" not in shell("dslc check lenett").stderr


def on_terminal(pty: object, extra: dict[str, str]) -> str:
    """What `dslc check lenett` writes to a pseudo-terminal."""
    import os

    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"} | extra
    here, there = os.openpty()
    process = subprocess.Popen([sys.executable, "-m", "dslc", "check", "lenett"], stdout=there, stderr=there, env=environment)
    process.wait(timeout=60)
    os.close(there)
    text = b""
    try:
        while piece := os.read(here, 4096):
            text += piece
    except OSError:  # Linux reports the closed other end so
        pass
    os.close(here)
    return text.decode()
