"""Data sets known by name: where their files are looked for, what their contents must be, and what is shipped.

A set is found in the first of: `--data-dir` or DSLC_DATA, the user's cache, the known system folders, the package itself. Contents
are checked by the SHA-256 of the unzipped bytes, so it does not matter who zipped them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.data.errors import FileMissing, OtherContents, fail
from runtime.data.idx import parse_idx
from runtime.data.opened import read_bytes

SHIPPED = Path(__file__).parent / "shipped"
SYSTEM = (Path("/usr/share/datasets"), Path("/usr/local/share/datasets"))


@dataclass(frozen=True)
class Part:
    """A file of a set: IDX, with or without `.gz`; the hash is that of the unzipped bytes."""

    file: str
    sha256: str


Parts = Mapping[str, Mapping[str, tuple[Part, ...]]]  # split -> field -> parts, joined along the first axis


@dataclass(frozen=True)
class Registered:
    """One data set. `full` and `shipped` may be the same; `note` is said when the shipped part is all there is."""

    name: str
    full: Parts
    shipped: Parts
    note: str


def _one(file: str, sha256: str) -> tuple[Part, ...]:
    return (Part(file, sha256),)


FASHION = Registered(
    name="fashion-mnist",
    full={
        "train": {
            "image": _one("train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            "label": _one("train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        },
        "test": {
            "image": _one("t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            "label": _one("t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        },
    },
    shipped={
        "train": {
            "image": (
                Part("train-images-1.idx", "6dded81672539b5d148c1a85358069d1808c316dc6f6c0abfd12ba3ced5dd394"),
                Part("train-images-2.idx", "e6d3019d0f05b1690c8f428659dc8855916d9d0c72f3e8f241960415456cd2e0"),
            ),
            "label": _one("train-labels.idx", "11a34fec6f816dbe22c806d6de7e130fa048759622a0e6f6da8feb272e09ee1d"),
        },
        "test": {
            "image": _one("test-images.idx", "15a92dd1e9b16ea361928086e77df4dfa890c255c00b5a8c8162c1040ce8eef1"),
            "label": _one("test-labels.idx", "234596aeb6eb48133ec99a62541f90bc0728c9559a681f1e0638037462458f2c"),
        },
    },
    note="the shipped slice of 12,000 + 2,000 images is used; `--data-dir` or DSLC_DATA names the folder of the full set",
)

_DIGITS: Parts = {
    "train": {
        "image": _one("digits-images.idx", "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96"),
        "label": _one("digits-labels.idx", "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad"),
    }
}
DIGITS = Registered(name="digits", full=_DIGITS, shipped=_DIGITS, note="")

REGISTRY = {row.name: row for row in (FASHION, DIGITS)}


@dataclass(frozen=True)
class Found:
    """Raw arrays by split and field, and what is to be said about where they came from."""

    splits: dict[str, dict[str, np.ndarray]]
    notes: tuple[str, ...]


def open_registered(name: str, data_dir: Path | None) -> Found:
    """The set `name` from the first place that has it. Raises DataError where files are broken or are others."""
    row = REGISTRY[name]
    for folder in places(name, data_dir):
        if _holds(folder, row.full):
            return Found(open_files(folder, row.full), () if row.full is row.shipped else (f"{name}: the full set, from {folder}",))
        if _holds(folder, row.shipped):
            return Found(open_files(folder, row.shipped), (f"{name}: {row.note}",) if row.note else ())
    raise fail(FileMissing(file=name, folders="all known places, the package's own among them: the installation is damaged"))


def places(name: str, data_dir: Path | None) -> tuple[Path, ...]:
    """The folders where the set `name` is looked for, in order."""
    given = data_dir if data_dir is not None else Path(value) if (value := os.environ.get("DSLC_DATA")) else None
    own = (given, given / name) if given is not None else ()
    return (*own, cache_folder() / name, *(folder / name for folder in SYSTEM), SHIPPED / name)


def cache_folder() -> Path:
    """DSLC_CACHE, else `dslc` in XDG_CACHE_HOME, else `.cache/dslc` in the home folder."""
    if value := os.environ.get("DSLC_CACHE"):
        return Path(value)
    if value := os.environ.get("XDG_CACHE_HOME"):
        return Path(value) / "dslc"
    return Path(os.environ.get("HOME", "/nonexistent")) / ".cache" / "dslc"


def _holds(folder: Path, parts: Parts) -> bool:
    return any(_locate(folder, part) for split in parts.values() for files in split.values() for part in files)


def _locate(folder: Path, part: Part) -> Path | None:
    for suffix in ("", ".gz"):
        path = folder / (part.file + suffix)
        if path.is_file():
            return path
    return None


def open_files(folder: Path, parts: Parts) -> dict[str, dict[str, np.ndarray]]:
    """Split -> field -> array of the files in `folder`, each checked by its hash. Raises DataError."""
    return {split: {name: _join(folder, files) for name, files in fields.items()} for split, fields in parts.items()}


def _join(folder: Path, files: Sequence[Part]) -> np.ndarray:
    arrays = [_checked(folder, part) for part in files]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _checked(folder: Path, part: Part) -> np.ndarray:
    path = _locate(folder, part)
    if path is None:
        raise fail(FileMissing(file=part.file + "[.gz]", folders=f"`{folder}`, where other files of this set are"))
    data = read_bytes(path, path.name)
    found = hashlib.sha256(data).hexdigest()
    if found != part.sha256:
        raise fail(OtherContents(file=path.name, found=found[:12], wanted=part.sha256[:12]))
    return parse_idx(data, path.name)
