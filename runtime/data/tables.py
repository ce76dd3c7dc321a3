"""Shipped tables known by name: CSV with a header, checked by hash; fields are columns side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.data.csvfile import parse_csv
from runtime.data.errors import FileMissing, OtherContents, fail
from runtime.data.opened import read_bytes
from runtime.data.registry import SHIPPED


@dataclass(frozen=True)
class Table:
    """`fields`: field -> its columns (`[batch, n]`), or one column by name (`[batch]`); the hash is that of the unzipped bytes."""

    name: str
    file: str
    sha256: str
    fields: Mapping[str, tuple[str, ...] | str]


TABLES = {
    row.name: row
    for row in (
        Table(
            "diabetes",
            "diabetes.csv.gz",
            "36e3fd6f8158bdc41f916d8989653227e5a5dd506c508de3f33febb48213e641",
            {"input": ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"), "target": "progression"},
        ),
        Table(
            "anes96",
            "anes96.csv.gz",
            "b9f139a1f054e59d559476dc420f3471281dca30f63ba3d64ce9d7a66a92545c",
            {
                "number": ("population", "tv_news", "age", "income"),
                "category": ("self", "clinton", "dole", "party", "education"),
                "label": "vote",
            },
        ),
    )
}


def open_table(name: str) -> dict[str, np.ndarray]:
    """Field -> f64 array of the shipped table `name`. Raises DataError where the file is damaged or gone."""
    row = TABLES[name]
    path: Path = SHIPPED / name / row.file
    if not path.is_file():
        raise fail(FileMissing(file=row.file, folders="the package: the installation is damaged"))
    data = read_bytes(path, row.file)
    if (found := hashlib.sha256(data).hexdigest()) != row.sha256:
        raise fail(OtherContents(file=row.file, found=found[:12], wanted=row.sha256[:12]))
    columns = parse_csv(data.decode("utf-8"), row.file)
    return {field: _field(columns, names) for field, names in row.fields.items()}


def _field(columns: Mapping[str, np.ndarray], names: tuple[str, ...] | str) -> np.ndarray:
    return columns[names] if isinstance(names, str) else np.stack([columns[name] for name in names], axis=1)
