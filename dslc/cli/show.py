"""`dslc show FILE [--graph out.svg] [--ir] [--plan [--device cpu]] [--memory] [--print-after PASS] [--time-passes] [--batch-size N]`:
the layers of a spec with shapes, parameters and memory; its picture, graph and plan.

Without flags: the layers with address, output shape, parameters, multiply-adds and memory, and totals; of a `train` with rules the
weights that each matches.
Sizes and multiply-adds are for one sample; sizes that are not fixed stay symbolic.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from dslc import usage
from dslc.cli import arguments
from dslc.cli.output import complain, say
from dslc.diagnostics import SpecError
from dslc.files import svg_path, write_file

if TYPE_CHECKING:
    from dslc.ir.graph import Graph
    from dslc.program import Network, Program, Training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.spec_argument(parser)
    parser.add_argument("--graph", metavar="SVG", type=svg_path, help="draw the network into an SVG file")
    parser.add_argument("--ir", action="store_true", help="print the optimised graph of each network")
    parser.add_argument("--plan", action="store_true", help="print the training step: buffers with offsets, and steps in order")
    words = "whose plan (default: numpy, whose steps are those of the graph) and memory (default: as `dslc train`)"
    parser.add_argument("--device", choices=("numpy", "cpu"), help=words)
    parser.add_argument("--print-after", metavar="PASS", help="print the graph after this pass of the compiler")
    parser.add_argument("--memory", action="store_true", help="print what a training takes of memory, part by part")
    parser.add_argument("--time-passes", action="store_true", help="print the time that each pass takes")
    parser.add_argument("--batch-size", type=arguments.count, metavar="N", help="for memory and plan (default: the spec's)")
    arguments.part_arguments(parser, "network", "train")
    arguments.precision_argument(parser)
    arguments.set_argument(parser)


def run(args: argparse.Namespace) -> int:
    from dslc.parts import choose

    program, warnings = arguments.load(args)
    complain(warnings)
    several = not args.network and len(program.networks) > 1
    networks = list(program.networks.values()) if several else [choose(program, "network", args.network)]
    if args.graph is not None:
        draw(choose(program, "network", args.network), args.graph)
    if args.ir:
        print_ir(networks)
    if args.plan or args.print_after or args.time_passes:
        compile_step(program, networks[0], args)
    if args.memory:
        print_memory(program, args)
    if not (args.graph or args.ir or args.plan or args.memory or args.print_after or args.time_passes):
        tables(program, networks, args)
    return 0


def draw(network: Network, path: Path) -> None:
    from exporters.svg import graph_svg

    write_file(path, graph_svg(network))
    say(f"{path}: {network.name} drawn")


def tables(program: Program, networks: list[Network], args: argparse.Namespace) -> None:
    """The layer table of each network, then what a training step needs."""
    from dslc.cli.rules import rule_lines
    from dslc.ir.types import Dim
    from dslc.parts import choose
    from dslc.plan import Plan
    from dslc.show import bytes_text, make_summary, step_graph, step_plan

    say("\n\n".join(str(make_summary(network)) for network in networks))
    trainings = [choose(program, "train", args.train)] if args.train else list(program.trainings.values())
    if lines := rule_lines(trainings):
        say("\n" + "\n".join(lines))
    for training in () if program.uses_signature_only else trainings:
        batch = args.batch_size or training.batch_size
        plan = step_plan(step_graph(training), training.steps[0].trains, batch)
        name = f" of `{training.name}`" if len(program.trainings) > 1 else ""
        if not isinstance(plan, Plan):
            say(f"The memory of a training step{name} depends on sizes that are not fixed: {', '.join(plan)}.")
            continue
        say(
            f"A training step{name} at batch size {batch}: {bytes_text(Dim.of(plan.arena_bytes))} for values and gradients in one arena "
            f"({bytes_text(Dim.of(plan.peak.bytes))} in use at its peak)."
        )


def print_ir(networks: list[Network]) -> None:
    from dslc.ir.text import to_text
    from dslc.passes.pipeline import optimize

    say("\n".join(to_text(optimize(network.evaluate)) for network in networks).rstrip("\n"))


def print_memory(program: Program, args: argparse.Namespace) -> None:
    from dslc.cli.memory import memory_lines
    from dslc.loading import find_spec
    from dslc.parts import choose

    several = not args.train and len(program.trainings) > 1
    for training in program.trainings.values() if several else [choose(program, "train", args.train)]:
        say("\n".join(memory_lines(program, training, find_spec(args.file)[0], args.batch_size, args.device)))


def compile_step(program: Program, network: Network, args: argparse.Namespace) -> None:
    """The training step, or the evaluation of a network that has no training, through the passes and into its plan."""
    from dslc.passes.pipeline import optimize
    from dslc.plan import Plan
    from dslc.show import step_graph, step_plan

    training = chosen_training(program, args)
    watch = Watch(args.print_after)
    if training is not None:
        graph, trains, batch = step_graph(training, watch), training.steps[0].trains, training.batch_size
    else:
        graph, trains, batch = optimize(network.evaluate, watch), (), 32
    watch.finish(args.time_passes)
    if args.plan:
        plan = step_plan(graph, trains, args.batch_size or batch)
        if not isinstance(plan, Plan):
            raise SpecError(usage.OpenSizes(names=", ".join(plan)))
        say((native_plan(graph, trains, args.batch_size or batch) if args.device == "cpu" else plan.to_text()).rstrip("\n"))


def native_plan(graph: Graph, trains: Sequence[str], batch: int) -> str:
    """The kernels of a graph on this machine."""
    from runtime.device import get_device
    from runtime.kernels.native.listing import listing
    from runtime.kernels.native.machine import host
    from runtime.kernels.native.program import make_program
    from runtime.workers import default_threads

    get_device("cpu")  # says what is missing
    dims, threads = {"batch": batch}, default_threads()
    program = make_program(graph, dims, host(), threads, [f"grad:{address}" for address in trains])
    text: str = listing(program, host(), dims, threads)
    return text


def chosen_training(program: Program, args: argparse.Namespace) -> Training | None:
    from dslc.parts import choose

    return choose(program, "train", args.train) if program.trainings else None


class Watch:
    """Called after each pass: prints the graph after the one that was asked for, and takes the time."""

    def __init__(self, wanted: str | None) -> None:
        self.wanted = wanted
        self.names: list[str] = []
        self.times: list[tuple[str, ...]] = []
        self.last = perf_counter()

    def __call__(self, name: str, graph: Graph) -> None:
        from dslc.ir.text import to_text

        self.names.append(name)
        self.times.append((name, f"{(perf_counter() - self.last) * 1e3:.1f} ms", f"{len(graph.nodes):,} nodes"))
        if name == self.wanted:
            say(to_text(graph).rstrip("\n"))
        self.last = perf_counter()

    def finish(self, timed: bool) -> None:
        """Print the times; a pass that never ran is an error."""
        if self.wanted is not None and self.wanted not in self.names:
            known = list(dict.fromkeys(self.names))
            raise SpecError(
                usage.UnknownPass(found=self.wanted, advice=usage.advice(self.wanted, known, f"the passes are {', '.join(known)}"))
            )
        if timed:
            from dslc.show import aligned

            say("\n".join(aligned(self.times, right=(1, 2))))
