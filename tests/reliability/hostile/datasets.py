"""Hostile inputs 115-125: tables and arrays, archives, folders, and files that change."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping

from tests.reliability.hostile.made import CSV, TRAIN, Build, a_run, all_of, npz, spec, write
from tests.reliability.hostile.paths import images, path_of, pictures
from tests.reliability.hostile.row import Limits, Place, Row

HERE = "tests.reliability.hostile"
ZIPPED = spec('csv("d.csv.gz", inputs=["a", "b"], label="y")')
ARRAYS = spec('npz("d.npz")', "data.x")
IDX = spec('idx("i", "l")', "data.image / 255", "1, 2, 2")


def data(number: int, name: str, spec: str, build: Build, *says: str, exit: int = 3) -> Row:
    return Row(number, name, spec=spec, build=build, command=TRAIN, exit=exit, says=says)


# ---- tables -------------------------------------------------------------------------------------------------------------------------


def table(number: int, name: str, content: str | bytes | Callable[[], bytes], *says: str, exit: int = 3) -> Row:
    return data(number, f"CSV: {name}", spec(), write("d.csv", content), *says, exit=exit)


def wide() -> bytes:
    return b",".join(b"c%d" % k for k in range(10**6)) + b"\n"


TABLES = (
    table(115, "a formula", "a,b,y\n=cmd|'/C calc'!A0,1,0\n", "data-cell", "d.csv:2: column `a`"),
    table(115, "a million columns", wide, "unknown-field", exit=2),
    table(115, "a quote that is not closed", 'a,b,y\n"1,2,3\n', "data-format", "d.csv:2"),
    table(115, "a million quotes", lambda: b"a,b,y\n" + b'"1' * 10**6, "data-format", "d.csv:2"),
    table(115, "a zero byte", "a,b,y\n1,\0,3\n", "data-format", "d.csv:2"),
    table(115, "a row of two cells", "a,b,y\n1,2\n", "data-format", "d.csv:2: 2 cells"),
    table(115, "a row of four cells", "a,b,y\n1,2,0,0\n", "data-format", "d.csv:2: 4 cells"),
    table(115, "1e400", "a,b,y\n1,1e400,0\n", "data-cell", "d.csv:2: column `b`"),
    table(115, "nan", "a,b,y\n1,nan,0\n", "data-cell", "d.csv:2: column `b`"),
    table(115, "an escape sequence", "a,b,y\n1,\x1b[31m,0\n", "data-cell", "`\\x1b[31m`"),
    table(115, "an escape sequence as a name", "\x1b[31m,b,y\n1,2,0\n", "unknown-field", exit=2),
    table(115, "a cell of a million digits", lambda: b"a,b,y\n" + b"9" * 10**6 + b",1,0\n", "data-format", "d.csv:2"),
    table(115, "a line of 2 MiB", lambda: b"a" * 2**21, "bad-data-file", exit=2),
    table(115, "a million blank lines", lambda: b"\n" * 10**6, "bad-data-file", "no line in it", exit=2),
    table(115, "two columns of one name", "a,b,y,a\n1,2,0,3\n", "data-format", "column `a`"),
    table(115, "no rows", "a,b,y\n", "data-empty"),
    table(115, "an empty file", "", "bad-data-file", "it is empty", exit=2),
    table(115, "bytes that are not UTF-8", b"a,b,y\n1,\xff,0\n", "data-format", "d.csv:2: the byte 0xff"),
    table(116, "a label above the classes", CSV + "1,2,7\n", "data-label", "sample 12", "0 to 1"),
    table(116, "a negative label", CSV + "1,2,-1\n", "data-label", "sample 12"),
    table(116, "a label of 0.5", CSV + "1,2,0.5\n", "data-value", "sample 12"),
    table(116, "a label of 1e30", CSV + "1,2,1e30\n", "data-value", "sample 12"),
)


# ---- arrays -------------------------------------------------------------------------------------------------------------------------


def header(text: str, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin-1") + body


def shaped(shape: str, descr: str = "'<f4'") -> bytes:
    return header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")


def zipped(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def part(name: str) -> bytes:
    """A member of a sound archive."""
    return zipfile.ZipFile(io.BytesIO(sound())).read(name)


def sound() -> bytes:
    import numpy as np

    return npz(x=np.zeros((20, 2), np.float32), label=np.zeros(20, np.uint8))


def member(content: bytes | Callable[[], bytes], name: str = "x.npy") -> Callable[[], bytes]:
    """An archive with one array of these bytes beside the labels."""

    def make() -> bytes:
        return zipped({name: content() if callable(content) else content, "label.npy": part("label.npy")})

    return make


def array(number: int, name: str, content: bytes | Callable[[], bytes], *says: str, exit: int = 2) -> Row:
    return data(number, f"NPZ: {name}", ARRAYS, write("d.npz", content), *says, exit=exit)


def sample(number: int, name: str, content: bytes, says: str) -> Row:
    """The same to `predict`, as .npy."""
    return Row(number, f"NPY: {name}", spec=spec(), build=all_of(a_run(), write("x.npy", content)), exit=3, says=("data-", says),
               command=("predict", "@out/run", "--input", "x.npy", "--output", "@out/y.npy"))  # fmt: skip


HUGE = {  # shape -> what it says to `train`, to `predict`
    "(1073741824, 8)": ("is 8, not 2", "34,359,738,368 bytes, but 0 follow"),
    "(2147483647, 2)": ("17,179,869,176 bytes, but 0 follow", "17,179,869,176 bytes, but 0 follow"),
    "(-1, 2)": ("a shape that cannot be", "malformed"),
    f"({'9' * 5000}, 2)": ("malformed", "impossible shape"),
    "(1, 99999999999999999)": ("a shape that cannot be", "but 0 follow"),
}


def objects() -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, np.array([{}, 1], object), allow_pickle=True)
    return stream.getvalue()


def fortran() -> bytes:
    import numpy as np

    return npz(x=np.asfortranarray(np.zeros((20, 2), np.float32)), label=np.zeros(20, np.uint8))


CODE = header("__import__('os').system('touch canary')")
SIZES = (
    *(array(117 if "10737" in shape else 118, f"shape {shape:.40}", member(shaped(shape)), says, exit=3 if "follow" in says else 2)
      for shape, (says, _) in HUGE.items()),
    *(sample(117 if "10737" in shape else 118, f"shape {shape:.40}", shaped(shape), says) for shape, (_, says) in HUGE.items()),
    array(118, "objects", member(objects), "Python objects, which are never loaded"),
    array(118, "code as a header", member(CODE), "malformed"),
    array(118, "60,000 brackets as a header", member(header("(" * 60000)), "malformed"),
    array(118, "60,000 signs as a header", member(header("-" * 60000 + "1")), "malformed"),
    array(118, "text", member(shaped("(20, 2)", "'<U9'")), "a type that is not read"),
    array(118, "records", member(shaped("(20,)", "[('a', '<f4')]")), "a type that is not read"),
    sample(118, "code as a header", CODE, "malformed"),
    sample(118, "a header of 4 GiB", b"\x93NUMPY\x02\0\xff\xff\xff\xff", "4,294,967,295 bytes"),
    array(118, "columns first (Fortran)", fortran, exit=0),
)  # fmt: skip
PIXELS = b"\0\0\x08\x03" + struct.pack(">3I", 20, 2, 2) + bytes(80)
LABELS = b"\0\0\x08\x01" + struct.pack(">I", 20) + bytes([0, 1] * 10)


def idx(name: str, pixels: bytes, *says: str, labels: bytes = LABELS, exit: int = 3, number: int = 119) -> Row:
    return data(number, f"IDX: {name}", IDX, all_of(write("i", pixels), write("l", labels)), *says, exit=exit)


COUNTS = (
    idx("sound", PIXELS, exit=0),
    idx("a byte too few", PIXELS[:-1], "data-format", "79 follow"),
    idx("a byte too many", PIXELS + b"x", "data-format", "1 bytes too many"),
    idx("more pictures than labels", b"\0\0\x08\x03" + struct.pack(">3I", 21, 2, 2) + bytes(84), "bad-data-file", exit=2),
    idx("2^96 pixels", b"\0\0\x08\x03" + b"\xff" * 12, "bad-data-file", exit=2),
    idx("255 axes", b"\0\0\x08\xff", "bad-data-file", "no IDX file", exit=2),
    idx("no pictures", b"\0\0\x08\x03" + struct.pack(">3I", 0, 2, 2), "bad-data-file", exit=2),
    idx("no bytes", b"", "bad-data-file", "it is empty", exit=2),
    idx("a label of 9", PIXELS, "data-label", "sample 0", labels=LABELS[:8] + bytes([9] * 20), number=116),
)


# ---- archives -----------------------------------------------------------------------------------------------------------------------


def tar() -> bytes:
    """Members that lead out, links, a device, and a chain of names."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, target in (
            ("../x", tarfile.REGTYPE, ""), ("/etc/x", tarfile.REGTYPE, ""), ("l", tarfile.SYMTYPE, "/etc"), ("l/x", tarfile.REGTYPE, ""),
            ("h", tarfile.LNKTYPE, "/etc/passwd"), ("d", tarfile.CHRTYPE, ""), ("/".join(["n" * 247] * 16), tarfile.SYMTYPE, "../" * 16),
        ):  # fmt: skip
            item = tarfile.TarInfo(name)
            item.type, item.linkname = kind, target
            archive.addfile(item)
    return stream.getvalue()


def broken(change: Callable[[bytearray, int], None]) -> Callable[[], bytes]:
    """A sound archive with other bytes; the second argument is where its table of contents begins."""

    def make() -> bytes:
        found = bytearray(sound())
        change(found, found.index(b"PK\1\2"))
        return bytes(found)

    return make


def put(at: int, *bytes_: int) -> Callable[[bytearray, int], None]:
    def change(found: bytearray, table: int) -> None:
        found[table + at : table + at + len(bytes_)] = bytes_

    return change


def overlapping(found: bytearray, table: int) -> None:
    second = found.index(b"PK\1\2", table + 4)
    found[second + 42 : second + 46] = found[table + 42 : table + 46]


def twice() -> bytes:
    """An archive whose second array is called like the first."""
    return zipped({"x.npy": part("x.npy"), "y.npy": part("x.npy"), "label.npy": part("label.npy")}).replace(b"y.npy", b"x.npy")


def bomb() -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.zeros((10**7, 2), np.float32), label=np.zeros(10**7, np.uint8))
    return stream.getvalue()


def of_many(count: int) -> Callable[[], bytes]:
    return lambda: zipped({f"x{k}.npy": b"" for k in range(count)})


ARCHIVES = (
    table(120, "a tar archive", tar, "bad-data-file", "a tar archive, no CSV", exit=2),
    data(120, "a tar archive in gzip", ZIPPED, write("d.csv.gz", lambda: gzip.compress(tar())), "a tar archive, no CSV", exit=2),
    array(120, "a tar archive", tar, "a tar archive, no NumPy archive"),
    idx("a tar archive", tar(), "a tar archive, no IDX file", exit=2, number=120),
    array(121, "a member `../x.npy`", member(lambda: part("x.npy"), "../x.npy"), "unknown-field"),
    array(121, "a member `/x.npy`", member(lambda: part("x.npy"), "/x.npy"), "unknown-field"),
    array(121, "members that overlap", broken(overlapping), "no sound NumPy archive"),
    array(121, "an archive in an archive", member(sound), "no NumPy header"),
    array(121, "encrypted", broken(put(8, 1)), "no sound NumPy archive"),
    array(121, "an unknown way of packing", broken(put(10, 99)), "no sound NumPy archive"),
    array(121, "a broken checksum", broken(put(16, 1, 2, 3, 4)), "no sound NumPy archive"),
    array(121, "two members of one name", twice, "data-format", "two arrays of the NPZ file have one name", exit=3),
    array(121, "80 MB in 80 kB", bomb, "data-too-large", "100 times its size", exit=3),
    array(121, "300 members", of_many(300), "more than 256 arrays"),
    array(121, "30,000 members", of_many(30000), "its table of contents is larger"),
    array(121, "cut in the middle", lambda: sound()[: len(sound()) // 2], "no sound NumPy archive"),
    table(122, "gzip that is not called .gz", lambda: gzip.compress(CSV.encode()), "a gzip archive, no CSV", exit=2),
    *(data(122, f"gzip: {name}", ZIPPED, write("d.csv.gz", content), *says, exit=exit) for name, content, says, exit in (
        ("100 MB of zeros in 100 kB", lambda: gzip.compress(bytes(10**8)), ("bad-data-file",), 2),
        ("60 MB of rows in 100 kB", lambda: gzip.compress(b"a,b,y\n" + b"0,0,0\n" * 10**7), ("data-too-large", "100 times its size"), 3),
        ("50,000 empty members", lambda: gzip.compress(b"") * 50000 + gzip.compress(CSV.encode()), (), 0),
        ("cut off", lambda: gzip.compress(CSV.encode())[:-5], ("data-format", "truncated"), 3),
        ("something behind it", lambda: gzip.compress(CSV.encode()) + b"junk", ("error[",), 2),
        ("no gzip", lambda: CSV.encode(), ("bad-data-file", "is not gzip"), 2),
        ("a broken header", lambda: b"\x1f\x8b\x08" + bytes(100), ("bad-data-file", "no sound gzip file"), 2),
    )),
)  # fmt: skip


# ---- folders, and files that change ---------------------------------------------------------------------------------------------------


MANY = 10_000


def many(place: Place) -> None:
    folder = place.spec / "pictures" / "a"
    for number in range(MANY):
        (folder / f"{number}.txt").touch()


def link_to_itself(name: str, target: str) -> Build:
    return lambda place: path_of(place, name).symlink_to(target)


CHANGES = (
    Row(123, f"{MANY:,} other files beside the pictures", spec=images(), build=pictures(many), command=TRAIN, exit=0,
        limits=Limits(cpu=20)),
    Row(123, "a link to the folder above among the pictures", spec=images(), build=pictures(link_to_itself("pictures/a/up", "..")),
        command=TRAIN, exit=0),
    Row(123, "a class that is a link to itself", spec=images(), build=pictures(link_to_itself("pictures/c", "c")), command=TRAIN, exit=3,
        says=("data-path", "leads nowhere")),
    Row(124, "data that is cut off while it is trained on: it was read whole", spec=spec(), build=write("d.csv", CSV),
        call=f"{HERE}.inside.calls:data_changes", exit=0, changes=("d.csv",)),
    Row(124, "data that grows while it is read", build=write("d.csv", CSV), call=f"{HERE}.inside.calls:data_grows", exit=3,
        says=("data-unreadable", "its size changed while it was read"), changes=("d.csv",)),
    Row(125, "other data than that of the run", spec=spec(), build=all_of(a_run(), write("d.csv", CSV.replace("0,1,1", "0,1,0"))),
        command=("train", "spec.nn", "--quiet", "--resume", "@out/run"), exit=3, says=("checkpoint-mismatch", "the data is not the one")),
    Row(125, "another file in place of one of a known set", spec=spec('dataset("digits")', "data.image / 16", "64"),
        build=write("sets/digits/digits-images.idx", b"\0\0\x08\x03" + bytes(12)), command=(*TRAIN, "--data-dir", "sets"), exit=3,
        says=("data-hash", "digits-images.idx")),
)  # fmt: skip

ROWS = (*TABLES, *SIZES, *COUNTS, *ARCHIVES, *CHANGES)
