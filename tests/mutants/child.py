"""Runs tests with one planted fault: `python -m tests.mutants.child MODULE NUMBER [--rows NAME,NAME] -- TESTS`.

The fault is planted while the module is imported; no file is changed. Without a module nothing is planted. The files of tests run one
after the other, up to the first test that fails; of a file that is none of tests, the examples. The exit code is that of pytest. After
`CPU` seconds of computing the process is ended by a signal: a busy machine makes no loop of a slow test.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from tests.mutants.mutate import mutated

CPU = 300


class Planted(importlib.abc.SourceLoader):
    """Loads a module with the fault."""

    def __init__(self, path: str, number: int) -> None:
        self.path, self.number = path, number

    def get_filename(self, fullname: str) -> str:
        return self.path

    def get_data(self, path: str | bytes) -> bytes:
        return Path(str(path)).read_bytes()

    def source_to_code(self, data: Any, path: Any, **_: Any) -> CodeType:  # type: ignore[override]
        return compile(mutated(bytes(data).decode("utf-8"), self.number), self.path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    """Finds the module before all others do: also before pytest, which loads the files that it is given by itself."""

    def __init__(self, module: str, number: int) -> None:
        self.module, self.number = module, number

    def pytest_configure(self) -> None:
        self.first()

    def first(self) -> None:
        sys.meta_path[:] = [self, *(finder for finder in sys.meta_path if finder is not self)]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.module:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert found is not None and found.origin is not None
        return importlib.util.spec_from_file_location(fullname, found.origin, loader=Planted(found.origin, self.number))


class Chosen:
    """Leaves out the tests of other operators than these: those whose parameter `name` or `row` is one of the table."""

    def __init__(self, rows: frozenset[str]) -> None:
        self.rows = rows

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self.rows:
            items[:] = [item for item in items if self.wanted(item)]

    def wanted(self, item: pytest.Item) -> bool:
        from dslc.ops.table import TABLE

        params = getattr(getattr(item, "callspec", None), "params", {})
        named = params.get("name", params.get("row"))
        name = named if isinstance(named, str) else getattr(named, "name", None)
        return name in self.rows or name not in TABLE


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("number", type=int)
    parser.add_argument("--rows", default="")
    parser.add_argument("tests", nargs="+")
    args = parser.parse_args()
    plugins: list[object] = [Chosen(frozenset(args.rows.split(",")) if args.rows else frozenset())]
    if args.module:
        finder = Finder(args.module, args.number)
        finder.first()
        plugins.append(finder)
    return next((code for test in args.tests if (code := run(test, plugins))), 0)


def run(test: str, plugins: list[object]) -> int:
    """0 also where none of the tests was wanted."""
    options = ["-x", "-p", "no:cacheprovider", "--no-header", "--tb=line", "-W", "ignore"]
    examples = [] if test.startswith("tests/") else ["--doctest-modules"]
    code = pytest.main([*options, *examples, test], plugins=plugins)
    return 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else int(code)


if __name__ == "__main__":
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none is needed, and they take a third of the time
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
    sys.exit(main())
