"""Memory of `dslc export` for networks that grow, with the weights in the model and beside it.

    python -m bench.export_memory [--write] [--folder FOLDER] [NAMES ...]

Each network stands in a run folder with a checkpoint of random weights, made first. Each measurement is a process of its own: it opens the
run as `dslc export` does, sets the system's peak counter back (Linux: /proc/self/clear_refs), exports, and reads the peak of the resident
memory again. Twice: made and written with the static checks alone, and with all checks. Pages of mapped files count.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.page import write

DENSE = """dslc 1

network Deep {{
  input x: [batch, 64]
  h = x
  for turn in 0..{layers} {{
    h = h -> dense(8192) -> relu
  }}
  output logits = h -> dense(10)
}}

train {{
  data = dataset("digits")
  net  = Deep(data.image / 16)

  loss:       cross_entropy(net.logits, data.label)
  optimizer:  sgd(0.1)
  batch_size: 64
  epochs:     1
}}
"""
NETWORKS = {  # name -> a shipped spec, or the number of dense layers
    "lenet": "lenet",
    "alexnet": "alexnet",
    "vgg16": "vgg16",
    "dense × 3": 3,
    "dense × 5": 5,
    "dense × 10": 10,
}
SHAPES = (("external", False), ("external", True), ("single", False), ("single", True))  # where the weights stand; all checks


# ---- runs -------------------------------------------------------------------------------------------------------------------------


def make_run(name: str, folder: Path) -> None:
    """A run folder as `dslc train` leaves it, its checkpoint written a tensor at a time."""
    from dslc.loading import find_spec, load_program
    from dslc.parts import choose
    from runtime.train.resolved import program_hash
    from runtime.train.resume import Counters
    from runtime.train.run import fill_folder

    folder.mkdir()
    source = folder.with_suffix(".nn")
    kind = NETWORKS[name]
    source.write_text(find_spec(kind)[0].read_text() if isinstance(kind, str) else DENSE.format(layers=kind), encoding="utf-8")
    program = load_program(source)[0]
    training = choose(program, "train", None)
    fill_folder(folder, program, training.name, source, {})
    types = {item.address: item.type for item in (*training.weights, *training.states)}
    facts = {"spec": "net.nn", "precision": "f32", "training": training.name, "seed": 0, "environment": {}, "settings": {}, "params": {}}
    meta = {**asdict(Counters()), **facts, "spec_hash": program_hash(program, training.name), "data_hash": ""}
    write_checkpoint(folder / "checkpoints" / "best.safetensors", types, meta)


def numbers(name: str, type: Any) -> np.ndarray:
    """Random values for a weight, from its name; small ones, so that deep networks stay finite."""
    rng = np.random.default_rng(list(name.encode()))
    array = rng.standard_normal(type.sizes({}), dtype=np.float32)
    return array / np.float32(np.sqrt(max(1, array.size // array.shape[-1])))


def write_checkpoint(path: Path, types: dict[str, Any], meta: dict[str, Any]) -> None:
    from dslc.safetensors_header import ordered, packed_header
    from runtime.train.checkpoint import FORMAT, tensor_hash

    shapes = ordered({name: np.broadcast_to(np.float32(0), type.sizes({})) for name, type in types.items()})
    content = {"format": FORMAT, "meta": meta, "tensors": {name: tensor_hash(name, numbers(name, types[name])) for name in sorted(types)}}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    header, _ = packed_header(shapes, 8, {"dslc": json.dumps({**content, "digest": digest}, sort_keys=True)})
    with path.open("wb") as file:
        file.write(header)
        for name in shapes:
            file.write(numbers(name, types[name]).data)


# ---- measurements -----------------------------------------------------------------------------------------------------------------


def measure(folder: Path, where: str, verify: bool) -> dict[str, float]:
    """MB of loading and of the export above it, seconds of the export; `refused` where it says that the weights are too large."""
    import onnx.checker  # what is loaded once is no memory of the export
    import onnx.reference
    import onnxruntime

    import exporters.onnx.export
    from dslc.api import Run
    from dslc.diagnostics import SpecError

    assert onnx.checker and onnx.reference and onnxruntime and exporters.onnx.export
    start = forget_peak()
    run = Run.open(folder, mapped=True)
    loading = peak() - start
    before = forget_peak()
    with tempfile.TemporaryDirectory(dir=folder.parent) as target:
        began = time.perf_counter()
        try:
            run.export(Path(target) / "model.onnx", external_data=where == "external", verify=verify)
        except SpecError:
            return {"loading": loading, "refused": 1.0}
        return {"loading": loading, "export": peak() - before, "seconds": time.perf_counter() - began}


def forget_peak() -> float:
    """Set the peak of the resident memory to what is resident now, and return that in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def child(*words: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-m", "bench.export_memory", *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr or done.stdout)
    return json.loads(done.stdout) if done.stdout else {}


# ---- the table --------------------------------------------------------------------------------------------------------------------


def row(name: str, folder: Path) -> str:
    from runtime.train.checkpoint import map_checkpoint

    arrays = map_checkpoint(folder / "checkpoints" / "best.safetensors", name).parameters.values()
    sizes = [array.nbytes / 1e6 for array in arrays]
    found = [child("--one", str(folder), where, str(int(verify))) for where, verify in SHAPES]
    cells = [f"{name}", f"{sum(sizes):,.0f} MB", f"{max(sizes):,.0f} MB", f"{found[0]['loading']:,.0f} MB", *map(cell, found)]
    return f"| {' | '.join(cells)} |"


def cell(found: dict[str, float]) -> str:
    return "refused" if "refused" in found else f"{found['export']:,.0f} MB, {found['seconds']:.1f} s"


def table(names: list[str], folder: Path) -> Iterator[str]:
    titles = ("beside: made and written", "beside: all checks", "in the model: made and written", "in the model: all checks")
    yield f"| network | weights | largest | opening the run | {' | '.join(titles)} |"
    yield "|---" * 8 + "|"
    for number, name in enumerate(names):
        place = folder / f"{number}"
        child("--make", name, str(place))
        yield row(name, place)
        subprocess.run(["rm", "-r", str(place)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(NETWORKS), help=f"of {', '.join(NETWORKS)}")
    parser.add_argument("--folder", type=Path, help="where runs and models are made and removed (default: the temporary folder)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.make is not None:
        make_run(args.make[0], Path(args.make[1]))
        return
    if args.one is not None:
        print(json.dumps(measure(Path(args.one[0]), args.one[1], args.one[2] == "1")))
        return
    lines = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for line in table(args.names, Path(folder)):
            print(line, flush=True)
            lines.append(line)
    if args.write:
        write("export memory", "\n".join(lines))


if __name__ == "__main__":
    main()
