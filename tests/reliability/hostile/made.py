"""Files that rows begin with: a small training with its data, the run that it leaves, checkpoints of ours and of others."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from tests.reliability.hostile.row import Place

CSV = "a,b,y\n" + "0,1,1\n1,0,1\n1,1,0\n0,0,0\n" * 3
SPEC = """dslc 1

network N {
  input x: [batch, 2]
  output y = x -> dense(2)
}

train {
  data = csv("d.csv", inputs=["a", "b"], label="y", split=[1, 0, 0])
  net  = N(data.input)
  loss: cross_entropy(net.y, data.label)
  optimizer: adam(0.1)
  batch_size: 4
  epochs: 4
}
"""
TRAIN = ("train", "spec.nn", "--quiet", "--out", "@out/run")
RESUME = ("train", "spec.nn", "--quiet", "--resume", "@out/run")
EVAL = ("eval", "@out/run", "--split", "train")
EXPORT = ("export", "@out/run", "--output", "@out/model.onnx")

CHECKPOINTS = ("checkpoints/best.safetensors", "checkpoints/last.safetensors")

Build = Callable[[Place], None]


def spec(data: str = "", field: str = "", size: str = "2", more: str = "") -> str:
    """The training with another source of data, the field that the network reads, the type of its input, and more settings."""
    found = SPEC.replace("[batch, 2]", f"[batch, {size}]").replace("  epochs: 4\n", f"  epochs: 4\n{more}")
    if size != "2":
        found = found.replace("x -> dense", "x -> flatten -> dense")
    if data:
        line = next(line for line in found.splitlines() if line.startswith("  data = "))
        found = found.replace(line, f"  data = {data}")
    return found.replace("N(data.input)", f"N({field})") if field else found


# ---- files ------------------------------------------------------------------------------------------------------------------------


def write(name: str, content: str | bytes | Callable[[], bytes]) -> Build:
    """A file in the spec's folder; its folders are made."""

    def build(place: Place) -> None:
        path = place.spec / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content() if callable(content) else content
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    return build


def all_of(*builds: Build) -> Build:
    def build(place: Place) -> None:
        for one in builds:
            one(place)

    return build


def npz(**arrays: Any) -> bytes:
    import io

    import numpy as np

    stream = io.BytesIO()
    np.savez(stream, **{name: np.asarray(array) for name, array in arrays.items()})
    return stream.getvalue()


def samples() -> bytes:
    """What `predict` takes."""
    import numpy as np

    return npz(input=np.zeros((3, 2), np.float32))


# ---- a run ------------------------------------------------------------------------------------------------------------------------


@cache
def run_files() -> Mapping[str, bytes]:
    """The files of a run of `SPEC` that was stopped after 7 of 12 steps, by their names."""
    from dslc.api import load
    from runtime.train.checkpoint import decode, encode

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spec.nn").write_text(SPEC)
        (folder / "d.csv").write_text(CSV)
        load(folder / "spec.nn").train(out=folder / "run", max_steps=7, quiet=True, threads=1)
        files = {path.relative_to(folder / "run").as_posix(): path.read_bytes() for path in (folder / "run").rglob("*") if path.is_file()}
    for name in CHECKPOINTS:
        state = decode(files[name], name)
        files[name] = encode(replace(state, meta={**state.meta, "spec": "spec.nn"}))
    return files


def a_run(change: Callable[[dict[str, bytes]], None] | None = None) -> Build:
    """The run in `@out/run`, its data beside the spec; `change` may alter the files before they are written."""

    def build(place: Place) -> None:
        (place.spec / "d.csv").write_text(CSV)
        files = dict(run_files())
        if change is not None:
            change(files)
        for name, data in files.items():
            path = place.out / "run" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    return build


def bytes_of(change: Callable[[bytes], bytes], names: tuple[str, ...] = CHECKPOINTS) -> Build:
    """The run with other bytes in its checkpoints."""

    def alter(files: dict[str, bytes]) -> None:
        for name in names:
            files[name] = change(files[name])

    return a_run(alter)


def signed(change: Callable[[Any], Any]) -> Build:
    """The run with checkpoints that hold something else, with hashes that are right."""

    def alter(data: bytes) -> bytes:
        from runtime.train.checkpoint import decode, encode

        return encode(change(decode(data, "checkpoint")))

    return bytes_of(alter)


def meta(**changes: Any) -> Build:
    """The run with other metadata; a value of `...` leaves a key out."""

    def change(state: Any) -> Any:
        return replace(state, meta={key: value for key, value in {**state.meta, **changes}.items() if value is not ...})

    return signed(change)


# ---- weights of another program ---------------------------------------------------------------------------------------------------


def tensor(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


WEIGHTS = {"N.dense0.w": tensor("F32", [2, 2], 0, 16), "N.dense0.b": tensor("F32", [2], 16, 24)}
BODY = bytes(24)


def safetensors(header: Mapping[str, Any] | bytes = WEIGHTS, body: bytes = BODY, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def entry(**changes: Any) -> dict[str, Any]:
    """The weights with another entry for the matrix."""
    return {**WEIGHTS, "N.dense0.w": {**WEIGHTS["N.dense0.w"], **changes}}
