"""Checkpoints with flipped bits, cut short, or with a page of something else: each damage is found, and the other checkpoint is taken."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

from dslc.diagnostics import DataError
from tests.reliability.campaign import Tally
from tests.reliability.crash.kills import home
from tests.reliability.crash.training import cheap, go, spec_text, write_spec

PAGE = 4096
FLIPS, PER_CASE = 10_000, 20
SIZES = ("small", "large")  # of the run: 5 KiB, and 400 KiB of weights
WIDTH = 4000
HEADER = "cut in the header"
OTHERS = ("cut at a page", HEADER, HEADER, HEADER, "page of zeros", "page of noise", "bytes appended")
CASES = FLIPS // PER_CASE * 2  # every other case is of other damages


@lru_cache(maxsize=2)
def run(size: str) -> tuple[Path, bytes]:
    """A run folder, and its `last`."""
    folder = home() / "damage" / size
    text = spec_text() if size == "small" else spec_text(epochs=1).replace("dense(8)", f"dense({WIDTH})")
    with cheap():
        spec = write_spec(folder, text)
        go(spec, out=folder / "run")
    return folder / "run", (folder / "run" / "checkpoints" / "last.safetensors").read_bytes()


def case(number: int, tally: Tally) -> None:
    """Twenty flips, each at a place of its own, or twenty other damages."""
    size = SIZES[number // 2 % 2]
    folder, whole = run(size)
    path = folder / "checkpoints" / "last.safetensors"
    chance = random.Random(number)
    try:
        for turn in range(PER_CASE):
            at = number // 4 * PER_CASE + turn  # counts the damages of this kind and size
            kind = "flipped bit" if number % 2 == 0 else OTHERS[at % len(OTHERS)]
            data = damaged(whole, kind, at, chance)
            if data == whole:
                continue
            path.write_bytes(data)
            found(folder, path, f"{kind}, case {number}, turn {turn}")
            tally.count("damages")
            tally.note("damages", kind)
            tally.note("checkpoints", size)
    finally:
        path.write_bytes(whole)


def damaged(whole: bytes, kind: str, at: int, chance: random.Random) -> bytes:
    header = 8 + int.from_bytes(whole[:8], "little")
    if kind == "flipped bit":
        place = chance.randrange(header if chance.random() < 0.3 else len(whole))
        return whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :]
    if kind == "cut at a page":
        return whole[: at // len(OTHERS) * PAGE % len(whole)]
    if kind == HEADER:
        return whole[: at % header]
    if kind == "bytes appended":
        return whole + chance.randbytes(chance.randrange(1, PAGE))
    start = chance.randrange(len(whole)) // PAGE * PAGE
    hole = len(whole[start : start + PAGE])
    return whole[:start] + (bytes(hole) if kind == "page of zeros" else chance.randbytes(hole)) + whole[start + hole :]


def found(folder: Path, path: Path, where: str) -> None:
    """Every reader refuses it, and a run that is opened or resumed takes the other checkpoint and says so."""
    from runtime.train.checkpoint import load_checkpoint, map_checkpoint
    from runtime.train.run import BEST, LAST, read_state

    for read in (load_checkpoint, map_checkpoint):
        try:
            read(path, path.name)
        except DataError as error:
            assert error.exit_code == 3 and error.diagnostics[0].code == "checkpoint-broken", where
        else:
            raise AssertionError(f"{where}: {read.__name__} took it")
        name, state, notes = read_state(folder, (LAST, BEST), read)
        assert name == BEST and state.parameters, where
        assert len(notes) == 1 and notes[0].endswith("the other checkpoint is taken"), where
