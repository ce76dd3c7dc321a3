"""Pinned files: a spec with its data in comments at its head, as shapes that are drawn, or as numbers where only those do.

# whole: d1
# d0: f[7, 3] drawn 4
# d1: i64[2] [0, 8]
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.soundness.fields import Arrays, drawn
from tests.soundness.specs import Spec

FOLDER = Path(__file__).parent / "pinned"
KINDS = {"f": np.float32, "bool": np.bool_, "u8": np.uint8, "i64": np.int64, "i32": np.int32}
LINE = re.compile(r"# (\w+): (\w+)\[([\d, ]*)\] (?:drawn (\d+)|(.*))")


def drawn_anew(spec: Spec, seed: int) -> Spec:
    return replace(spec, arrays={name: draw(kind(array), array.shape, seed) for name, array in spec.arrays.items()})


def draw(dtype: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    return drawn(np.random.default_rng(seed), dtype, shape)


def kind(array: np.ndarray) -> str:
    return next(name for name, dtype in KINDS.items() if array.dtype == dtype)


def head(arrays: Arrays, whole: tuple[str, ...]) -> list[str]:
    """The comments that say what the data are."""
    lines = [f"# whole: {', '.join(whole)}"] if whole else []
    for name, array in arrays.items():
        dtype = kind(array)
        seed = next((seed for seed in range(10) if np.array_equal(draw(dtype, array.shape, seed), array)), None)
        values = f"drawn {seed}" if seed is not None else json.dumps(array.tolist())
        lines.append(f"# {name}: {dtype}{list(array.shape)} {values}")
    return lines


def write(name: str, spec: Spec) -> Path:
    """The pinned file of a spec."""
    FOLDER.mkdir(exist_ok=True)
    first, _, rest = spec.text.partition("\n")
    path = FOLDER / f"{name}.nn"
    path.write_text("\n".join([first, *head(spec.arrays, spec.whole), rest]), encoding="utf-8")
    return path


def read(path: Path) -> Spec:
    """The spec of a pinned file, with its data."""
    text = path.read_text(encoding="utf-8")
    arrays: Arrays = {}
    for name, dtype, sizes, seed, values in LINE.findall(text):
        shape = tuple(int(size) for size in sizes.split(",") if size.strip())
        arrays[name] = draw(dtype, shape, int(seed)) if seed else np.array(json.loads(values), KINDS[dtype]).reshape(shape)
    whole = re.search(r"# whole: (.*)", text)
    return Spec(text, arrays, tuple(whole[1].split(", ")) if whole else ())
