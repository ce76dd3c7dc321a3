"""A coverage-guided search for files that break `dslc check` (atheris, libFuzzer): `python -m tests.reliability.fuzz --minutes 120`.

Every file is read, checked, its diagnostics rendered and its fixes applied; a file that parses is formatted, and that is a fixed point.
The files that reach something new are the corpus, kept in tests/reliability/corpus.jsonl; `--replay` looks at those alone (as does
`make test`), without atheris.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus.jsonl"
LONGEST, KEPT = 4096, 2048  # bytes of a file that is looked at, and of one that is kept


def look(data: bytes, folder: Path) -> None:
    """What must hold of any file: a program or errors, and nothing else is raised."""
    from dslc.diagnostics import Sink, SpecError
    from dslc.loading import check_source
    from dslc.render import apply_fixes, render_json, render_text
    from dslc.syntax.format import format_source
    from dslc.syntax.parse import parse
    from dslc.syntax.reader import read_source

    path = folder / "fuzzed.nn"
    path.write_bytes(data)
    try:
        source = read_source(path, "fuzzed.nn")
    except SpecError as error:
        render_text(error.diagnostics)
        return
    program, found = check_source(source, folder=folder)
    assert (program is None) == any(item.severity == "error" for item in found)
    for item in found:
        if item.span is not None and item.span.source is source:
            assert 0 <= item.span.start <= item.span.end <= len(source.text)
    shown = render_text(found) + render_json(found)
    assert not any(ord(char) < 32 and char != "\n" for char in shown), "a control character is shown"
    apply_fixes(source, found)
    sink = Sink()
    parse(source, sink)
    if not sink.error_count:
        formatted = format_source(source)
        assert format_source(type(source)("fuzzed.nn", formatted)) == formatted, "the formatted text is no fixed point"


def seeds() -> list[bytes]:
    """The shipped specs that are not long, and those of the tests."""
    paths = sorted([*(ROOT / "specs").rglob("*.nn"), *(ROOT / "tests").rglob("*.nn")])
    texts = [path.read_bytes() for path in paths]
    return [text for text in texts if len(text) <= LONGEST]


def words() -> list[str]:
    """The dictionary: the tokens of the seeds that stand in several of them."""
    from tests.reliability.changed_texts import TOKEN

    texts = [set(TOKEN.findall(text.decode("utf-8", "ignore"))) for text in seeds()]
    found = sorted({token for text in texts for token in text if len(token) > 1})
    return [token for token in found if sum(token in text for text in texts) > 2]


def read_corpus() -> list[bytes]:
    lines = CORPUS.read_text(encoding="utf-8").splitlines() if CORPUS.exists() else []
    return [json.loads(line).encode("latin-1") for line in lines]


def write_corpus(files: Iterable[bytes]) -> None:
    """One JSON text a line; a byte is the character of its number."""
    ordered = sorted(set(files), key=lambda data: (len(data), data))
    CORPUS.write_text("".join(json.dumps(data.decode("latin-1")) + "\n" for data in ordered), encoding="utf-8")


def fuzz(folder: Path, minutes: float, options: list[str]) -> None:
    """Does not return: libFuzzer ends the process, with exit code 0 after `minutes`, 77 at a fault (the file that shows it is kept)."""
    try:
        import atheris
    except ImportError:
        sys.exit("the search needs atheris: pip install atheris")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([*seeds(), *read_corpus()]):
        (corpus / f"seed{number}").write_bytes(data)
    lines = [json.dumps(word) for word in words() if word.isascii() and "\\" not in word and word != "\n"]
    (folder / "words").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with atheris.instrument_imports(include=["dslc"]):
        for package in ("dslc.syntax", "dslc.elaborate", "dslc.ops", "dslc.passes", "dslc.ir", "dslc.explain"):
            module = importlib.import_module(package)
            for item in pkgutil.walk_packages(module.__path__, f"{package}."):
                importlib.import_module(item.name)
        importlib.import_module("dslc.render")
    scratch = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    limits = [
        f"-max_total_time={round(60 * minutes)}",
        f"-max_len={LONGEST}",
        "-timeout=60",
        "-rss_limit_mb=2048",
        f"-dict={folder / 'words'}",
    ]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", *options, str(corpus)], lambda data: look(data, scratch))
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.reliability.fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "fuzz", help="where the corpus grows and faults are kept")
    parser.add_argument("--replay", action="store_true", help="look at the kept corpus")
    parser.add_argument("--keep", action="store_true", help=f"keep the corpus of --folder: files up to {KEPT:,} bytes")
    parser.add_argument("options", nargs="*", help="further options of libFuzzer, after --")
    args = parser.parse_args()
    if args.keep:
        write_corpus(path.read_bytes() for path in (args.folder / "corpus").iterdir() if path.stat().st_size <= KEPT)
    elif args.replay:
        with tempfile.TemporaryDirectory() as folder:
            for data in read_corpus():
                look(data, Path(folder))
    else:
        fuzz(args.folder, args.minutes, args.options)


if __name__ == "__main__":
    main()
