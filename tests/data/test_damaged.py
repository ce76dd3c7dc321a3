"""Sets whose files are gone or others, pictures that are too many or too large, and where a set is looked for."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DataError
from runtime.data import npz, opened, pictures, registry, tables
from runtime.data.idx import write_idx
from runtime.data.npz import read_npz
from runtime.data.opened import read_bytes
from runtime.data.splits import with_validation
from tests.data.test_made import images, of_registry, put
from tests.data.test_readers import npy
from tests.data.test_readers import npz as archive


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package without its data."""
    monkeypatch.setattr(registry, "SHIPPED", tmp_path)
    monkeypatch.setattr(tables, "SHIPPED", tmp_path)
    monkeypatch.setattr(registry, "SYSTEM", ())
    monkeypatch.setenv("DSLC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DSLC_DATA", raising=False)
    return tmp_path


def test_a_damaged_installation_is_named(elsewhere: Path) -> None:
    with pytest.raises(DataError, match="fashion-mnist") as caught:
        registry.open_registered("fashion-mnist", None)
    assert "the installation is damaged" in (caught.value.diagnostics[0].help or "")
    with pytest.raises(DataError, match=r"diabetes\.csv\.gz") as caught:
        tables.open_table("diabetes")
    assert "the installation is damaged" in (caught.value.diagnostics[0].help or "")
    (elsewhere / "diabetes").mkdir()
    (elsewhere / "diabetes" / "diabetes.csv.gz").write_bytes(gzip.compress(b"age\n1\n"))
    with pytest.raises(DataError, match="is not the file it should be"):
        tables.open_table("diabetes")


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"DSLC_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/dslc"),
        ({"HOME": "/c"}, "/c/.cache/dslc"),
        ({}, "/nonexistent/.cache/dslc"),
    ],
)
def test_where_sets_are_kept(variables: dict[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DSLC_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert registry.cache_folder() == Path(wanted)


def test_a_file_for_a_folder_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_bytes(b"P6")
    with pytest.raises(DataError, match="it is not a folder"):
        images(tmp_path)


def test_pictures_that_would_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        put(tmp_path / "pictures" / name / "x.ppm", np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(pictures, "MAX_BYTES", 2 * 3 * 8 * 8 - 1)
    with pytest.raises(DataError, match="2 pictures need 384 bytes"):
        images(tmp_path)


def test_colours_become_grey_by_their_luma(tmp_path: Path) -> None:
    for name in "ab":
        for number in range(5):
            put(tmp_path / "pictures" / name / f"{number}.ppm", np.full((8, 8, 3), (255, 0, 0), np.uint8))
    grey = images(tmp_path, channels=1).splits["train"]["image"]
    assert grey.shape[1:] == (1, 8, 8) and np.unique(grey).tolist() == [76]
    opaque = images(tmp_path, channels=4).splits["train"]["image"]
    assert np.unique(opaque[:, 0]).tolist() == np.unique(opaque[:, 3]).tolist() == [255] and not opaque[:, 1:3].any()


def test_sizes_of_archives_and_files_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive(x=npy(np.zeros(10)), y=npy(np.zeros(10)))
    (tmp_path / "a.npz").write_bytes(data)
    monkeypatch.setattr(npz, "MAX_BYTES", 400)
    with pytest.raises(DataError, match=r"unpacks to \d+ bytes; the limit is 400 bytes"):
        read_npz(tmp_path / "a.npz", "a.npz")
    monkeypatch.setattr(opened, "MAX_BYTES", 100)
    with pytest.raises(DataError, match=f"the file has {len(data)} bytes; the limit is 100 bytes"):
        read_bytes(tmp_path / "a.npz", "a.npz")


def test_what_is_too_small_has_no_validation() -> None:
    splits = {"train": {"x": np.arange(9)}, "test": {"x": np.arange(3)}}
    assert with_validation(splits, (), 0) == splits


def test_only_bytes_are_written_as_idx() -> None:
    with pytest.raises(ValueError, match="u8 is written, not float64"):
        write_idx(np.zeros(3))


def test_the_registry_has_a_source_for_each_set() -> None:
    assert [field for field, type in of_registry("digits").fields.items() if type.rank == 2] == ["image"]
