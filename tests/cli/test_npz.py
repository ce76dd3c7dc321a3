"""Archives of arrays: NumPy reads them, and their bytes depend on nothing but the arrays."""

from __future__ import annotations

from io import BytesIO
from unittest import mock

import numpy as np

from dslc.files import npz

ARRAYS = {"N.dense.w": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.int64(3), "mask": np.array([True, False])}


def test_numpy_reads_it() -> None:
    with np.load(BytesIO(npz(ARRAYS)), allow_pickle=False) as found:
        assert list(found) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert found[name].dtype == np.asarray(array).dtype and np.array_equal(found[name], array)


def test_the_time_is_not_in_it() -> None:
    with mock.patch("time.localtime", return_value=(2031, 5, 6, 7, 8, 9, 0, 0, 0)):
        later = npz(ARRAYS)
    assert later == npz(ARRAYS)
