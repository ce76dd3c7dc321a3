"""Hostile inputs 78-88: files in place of weights, and their headers."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping

from tests.reliability.hostile import made
from tests.reliability.hostile.lexer import Evil
from tests.reliability.hostile.made import (
    EVAL,
    RESUME,
    SPEC,
    TRAIN,
    WEIGHTS,
    Build,
    all_of,
    bytes_of,
    safetensors,
    tensor,
)
from tests.reliability.hostile.row import Row

START = made.spec(more='  start: checkpoint("w.safetensors")\n')
DATA = made.write("d.csv", made.CSV)


def weights(number: int, name: str, data: bytes | Callable[[], bytes], *says: str) -> Row:
    """A file of weights that a training begins from is refused."""
    return Row(
        number, f"weights: {name}", spec=START, build=all_of(DATA, made.write("w.safetensors", data)), command=TRAIN, exit=3, says=says
    )


def broken(number: int, name: str, data: bytes | Callable[[], bytes], says: str = "") -> Row:
    return weights(number, name, data, "error[checkpoint-broken]: w.safetensors", says)


def run(number: int, name: str, build: Build, says: tuple[str, ...], command: tuple[str, ...] = EVAL, exit: int = 3) -> Row:
    """A run whose checkpoints were changed."""
    return Row(
        number,
        f"{command[0] if command is not RESUME else 'resume'}: {name}",
        spec=SPEC,
        build=build,
        command=command,
        exit=exit,
        says=says,
    )


def bad_pickle() -> bytes:
    return pickle.dumps(Evil())


def torch_file() -> bytes:
    return zipped({"archive/data.pkl": bad_pickle(), "archive/version": b"3\n"})


def zipped(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def objects() -> bytes:
    import numpy as np

    return made.npz(w=np.array([Evil()], object))


KERAS = b"\x89HDF\r\n\x1a\n" + bytes(1000)
FOREIGN = {
    "a pickle that runs a command": bad_pickle,
    "an NPZ of objects": objects,
    "a PyTorch file": torch_file,
    "a Keras file": lambda: KERAS,
}
NUMBERS = {"a pickle that runs a command": 78, "an NPZ of objects": 79, "a PyTorch file": 80, "a Keras file": 80}
KINDS = {
    "a pickle that runs a command": "a pickle",
    "an NPZ of objects": "a zip archive",
    "a PyTorch file": "a zip archive",
    "a Keras file": "an HDF5",
}
ROWS_OF_FOREIGN = [
    row
    for name, data in FOREIGN.items()
    for row in (
        broken(NUMBERS[name], f"{name}, called .safetensors", data, f"it is {KINDS[name]}"),
        run(NUMBERS[name], f"{name} in place of checkpoints", bytes_of(lambda _, data=data: data()), ("checkpoint-broken", KINDS[name])),
        Row(NUMBERS[name], f"weights: {name} under its own name", spec=made.spec(more='  start: checkpoint("w.pt")\n'),
            build=all_of(DATA, made.write("w.pt", data)), command=TRAIN, exit=3, says=("start-mismatch", f"it looks like {KINDS[name]}")),
    )
]  # fmt: skip


# ---- headers ------------------------------------------------------------------------------------------------------------------------


DEEP = b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}"
TWICE = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}'
OTHER = "N.dense0.b"
HEADERS = (
    broken(81, "a zip archive behind the tensors", lambda: safetensors() + torch_file(), "its tensors end at byte"),
    broken(81, "a zip archive within the header", lambda: safetensors(json.dumps(WEIGHTS).encode() + torch_file()), "no sound header"),
    broken(81, "one byte behind the tensors", safetensors() + b"\0", "its tensors end at byte"),
    broken(81, "one byte too few", safetensors()[:-1], "its tensors end at byte"),
    broken(82, "a header of 2^63 bytes", safetensors(length=2**63), "no safetensors file"),
    broken(82, "a header of -1 bytes", safetensors(length=2**64 - 1), "no safetensors file"),
    broken(82, "a header longer than the file", safetensors(length=10**6), "no safetensors file"),
    broken(82, "a header of 0 bytes", safetensors(length=0), "no safetensors file"),
    broken(82, "no header", b"", "no safetensors file"),
    broken(82, "a header of 17 MiB", lambda: safetensors(b"{" + b" " * (17 << 20) + b"}", b""), "no safetensors file"),
    broken(83, "a header that is no JSON", safetensors(b"{'a': 1}"), "no sound header"),
    broken(83, "a header that is not UTF-8", safetensors(b'{"\xff": 1}'), "no sound header"),
    broken(83, "a header of 100,000 brackets", safetensors(DEEP), "no sound header"),
    broken(83, "a header that is a list", safetensors(b"[1, 2]"), "no sound header"),
    broken(83, "entries that are no objects", safetensors({**WEIGHTS, OTHER: 7}), f"`{OTHER}` has no type"),
    broken(83, "metadata that is no text", safetensors({**WEIGHTS, "__metadata__": {"dslc": 7}}), "its metadata is not text"),
    broken(83, "metadata that is no object", safetensors({**WEIGHTS, "__metadata__": 7}), "no sound header"),
    broken(84, "one name for two tensors", safetensors(TWICE, bytes(8)), "`w` stands twice"),
    broken(85, "offsets that overlap", safetensors(made.entry(data_offsets=[8, 24])), "overlap or have holes"),
    broken(85, "offsets that are reversed", safetensors(made.entry(data_offsets=[16, 0])), "has -16 bytes"),
    broken(85, "a hole between tensors", safetensors({"w": tensor("F32", [2, 2], 8, 24)}), "overlap or have holes"),
    broken(85, "offsets outside the file", safetensors(made.entry(data_offsets=[10**12, 10**12 + 16])), "overlap or have holes"),
    broken(85, "negative offsets", safetensors(made.entry(data_offsets=[-16, 0])), "cannot be"),
    broken(85, "offsets of 2^63", safetensors(made.entry(data_offsets=[2**63, 2**63 + 16])), "cannot be"),
    broken(85, "offsets that are fractions", safetensors(made.entry(data_offsets=[0.0, 16.0])), "cannot be"),
    broken(85, "three offsets", safetensors(made.entry(data_offsets=[0, 8, 16])), "has no type"),
    weights(86, "an empty tensor that shares its offset", safetensors({**WEIGHTS, "z": tensor("F32", [0], 16, 16)}),
            "start-mismatch", "z: unknown"),
    broken(87, "a shape that needs more bytes", safetensors(made.entry(shape=[2, 3])), "has 16 bytes, its type and shape need 24"),
    broken(87, "a shape whose product wraps around 2^64", safetensors(made.entry(shape=[4194305, 4194305, 211106198978564])), "need"),
    broken(87, "a shape of 500 sizes of 4,000 digits", lambda: safetensors(made.entry(shape=[10**4000 - 1] * 500)), "cannot be"),
    broken(87, "a shape of 100,000 axes", lambda: safetensors(made.entry(shape=[1] * 100000)), "cannot be"),
    broken(87, "sizes that are true", safetensors(made.entry(shape=[True, 4])), "cannot be"),
    broken(88, "an unknown type", safetensors(made.entry(dtype="F31")), "of the type F31, which is not read"),
    broken(88, "a type of 8 bits", safetensors(made.entry(dtype="F8_E4M3")), "of the type F8_E4M3"),
    broken(88, "a big-endian type", safetensors(made.entry(dtype=">f4")), "of the type >f4"),
    broken(88, "a type that is a number", safetensors(made.entry(dtype=4)), "of the type 4"),
    broken(88, "truth values of 2", safetensors({**WEIGHTS, "z": tensor("BOOL", [1], 24, 25)}, made.BODY + b"\2"),
           "neither 0 nor 1"),
    weights(88, "whole numbers in place of floats", safetensors(made.entry(dtype="I32")), "start-mismatch", "N.dense0.w: another type"),
)  # fmt: skip

ROWS = (*ROWS_OF_FOREIGN, *HEADERS)
