"""What is said while training, without a terminal and on one."""

from __future__ import annotations

import io
import json
import re

import pytest

from runtime.train.progress import JsonProgress, LiveProgress, Moment, PlainProgress, Progress, make_progress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def play(progress: Progress, clock: Clock) -> None:
    """Ten steps of a second each, an epoch after five."""
    progress.start("specs/x.nn", 0, 10)
    progress.note("said aloud")
    for step in range(1, 11):
        clock.now += 1.0
        metrics = {"accuracy": 0.5} if step > 5 else {}
        progress.step(Moment(step, 10, step // 5, 2, {"loss": 1 / step}, 0.1, step * 64, metrics))
        if step % 5 == 0:
            progress.epoch(Moment(step, 10, step // 5, 2, {"loss": 0.25}, 0.1, step * 64, {"loss": 0.5, "accuracy": 0.75}))
    progress.finish({"status": "done", "folder": "runs/x/0001", "metrics": {"accuracy": 0.75}, "step": 10})
    progress.close()


def test_plain_lines_come_at_intervals_and_epochs() -> None:
    clock, stream = Clock(), io.StringIO()
    play(PlainProgress(clock=clock, stream=stream), clock)
    assert stream.getvalue() == (
        "training specs/x.nn: 10 steps\n"
        "note: said aloud\n"
        "step 5/10  epoch 2/2  loss 0.2000  64 samples/s  0:05 left\n"
        "epoch 1/2  train loss 0.2500  loss 0.5000  accuracy 0.7500\n"
        "step 10/10  epoch 2/2  loss 0.1000  64 samples/s  0:00 left  accuracy 0.5000\n"
        "epoch 2/2  train loss 0.2500  loss 0.5000  accuracy 0.7500\n"
        "done: runs/x/0001  accuracy 0.7500\n"
    )


@pytest.mark.parametrize("kind", [PlainProgress, JsonProgress, Progress])
def test_a_compilation_is_mentioned_when_it_takes_long(kind: type[Progress]) -> None:
    """After a second, then every five; what is compiled sooner is not."""
    clock, stream = Clock(), io.StringIO()
    progress = kind(clock=clock) if kind is Progress else kind(clock=clock, stream=stream)  # type: ignore[call-arg]
    for total in (2, 80):
        for done in range(total + 1):
            progress.compiling(done, total)
            clock.now += 0.125
    plain = "compiling: 8 of 80 kernels\ncompiling: 48 of 80 kernels\n"
    lines = '{"event": "compile", "done": 8, "total": 80}\n{"event": "compile", "done": 48, "total": 80}\n'
    assert stream.getvalue() == {PlainProgress: plain, JsonProgress: lines, Progress: ""}[kind]


def test_many_epochs_have_some_lines() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream=stream)
    for epoch in range(1, 404):
        progress.epoch(Moment(epoch, 403, epoch, 403, {"loss": 0.1}, 0.1, 1, {}))
    assert stream.getvalue().count("\n") == 41 and stream.getvalue().splitlines()[-1].startswith("epoch 403/403")


def test_json_lines_are_json() -> None:
    clock, stream = Clock(), io.StringIO()
    play(JsonProgress(clock=clock, stream=stream), clock)
    rows = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [row["event"] for row in rows] == ["start", "note", "step", "epoch", "step", "epoch", "finish"]
    assert rows[2] == {
        "event": "step",
        "step": 5,
        "steps": 10,
        "epoch": 1,
        "epochs": 2,
        "loss": 0.2,
        "rate": 0.1,
        "samples_per_second": 64.0,
        "seconds_left": 5.0,
    }
    assert rows[-1]["status"] == "done" and rows[3]["metrics"] == {"loss": 0.5, "accuracy": 0.75}


def test_quiet_says_nothing_and_the_stream_decides(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    play(make_progress(quiet=True), clock)
    assert capsys.readouterr() == ("", "")
    assert type(make_progress(stream=io.StringIO())) is PlainProgress
    assert type(make_progress(as_json=True)) is JsonProgress

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert type(make_progress(stream=Terminal())) is LiveProgress
    monkeypatch.setenv("TERM", "dumb")
    assert type(make_progress(stream=Terminal())) is PlainProgress


def test_live_line_is_redrawn_and_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    clock, stream = Clock(), Terminal()
    play(LiveProgress(clock=clock, stream=stream), clock)
    text = stream.getvalue()
    assert "step 7/10" in text and "accuracy 0.5000" in text and "64 samples/s" in text and "0:03 left" in text
    assert not re.search(r"\x1b\[[0-9;]*[34][0-7]m", text), "no colour under NO_COLOR"
    assert text.rstrip().endswith("done: runs/x/0001  accuracy 0.7500")


def test_a_live_line_is_not_redrawn_more_often_than_the_eye_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said before the training has begun is a plain line; ten steps in a third of a second are drawn three times at most."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    clock, stream = Clock(), Terminal()
    progress = LiveProgress(clock=clock, stream=stream)
    progress.note("before it began")
    progress.close()
    assert "before it began" in stream.getvalue()
    progress.start("specs/x.nn", 0, 10)
    for step in range(1, 11):
        progress.step(Moment(step, 10, 0, 2, {"loss": 1.0}, 0.1, step * 64, {}))
        clock.now += 0.03
    progress.close()
    drawn = re.findall(r"step +(\d+)/10", stream.getvalue())
    assert 1 <= len(set(drawn)) <= 3
