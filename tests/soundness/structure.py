"""Moves that make structure: loops, conditions, blocks, layers, calls of networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from dslc.ir.types import Dim
from tests.soundness import table_moves  # noqa: F401  its move stands before those of this file
from tests.soundness.body import BATCH, Body, Names, Value, list_text, type_text
from tests.soundness.live import live_names
from tests.soundness.moves import MOVES, floats, move, step, weighted

SETTINGS = (("int", ("1", "2", "3")), ("float", ("0.5", "1.0", "2")), ("bool", ("true", "false")))


@dataclass(frozen=True)
class Declared:
    """A block or network that may be called: its tensor parameters with their patterns, a setting, and its results."""

    name: str
    parameters: tuple[Value, ...]
    results: tuple[Value, ...]
    setting: tuple[str, tuple[str, ...]] | None = None
    mixes: bool = False  # of a block: it may combine several samples
    live: frozenset[str] = frozenset()  # of a network: results to which a gradient comes from its weights


@dataclass
class File:
    """The declarations of a spec."""

    rng: Random
    names: Names = field(default_factory=Names)
    texts: list[str] = field(default_factory=list)
    blocks: list[Declared] = field(default_factory=list)
    networks: list[Declared] = field(default_factory=list)
    library: set[str] = field(default_factory=set)
    depth: int = 0


@dataclass
class FileBody(Body):
    """A body that knows the file it stands in."""

    file: File = field(default_factory=lambda: File(Random(0)))


def small(body: Body, value: Value, near: Value | None) -> str:
    """Means of a value that may be added to the value `near`: for each sample, where both have an axis of samples."""
    name = value.name
    text = f"tanh({name})" if value.dtype == "f" else f"cast({name}, f32) * 0.01"
    if body.mixes or near is None or not all(BATCH in v.shape for v in (value, near)):
        return f"mean({text})"
    own, place = value.shape.index(BATCH), near.shape.index(BATCH)
    text = f"mean({text}, axis={list_text([axis for axis in range(value.rank) if axis != own])})" if value.rank > 1 else f"({text})"
    return text + (list_text([":" if axis == place else "_" for axis in range(near.rank)]) if near.rank > 1 else "")


def used_up(body: Body, inner: Sequence[Value], near: Value | None = None) -> str:
    """A sum over values that nobody reads."""
    unread = {value.name.partition(".")[0]: value for value in reversed(inner) if body.unread(value)}  # one of each called network
    return "".join(f" + {small(body, value, near)}" for value in unread.values())


# ---- flow ---------------------------------------------------------------------------------------------------------------------------


def rebinding(body: FileBody, head: str, use: str = "", mixes: bool = False) -> bool:
    """A nested body that changes one value of the body around it and keeps its type; `mixes`: it may combine several samples."""
    x = body.pick(lambda value: value.dtype == "f" and "." not in value.name)
    if x is None:
        return False
    body.line(f"{head} {{")
    outside, body.mixes = body.mixes, body.mixes or mixes
    arm(body, x, use)
    body.mixes = outside
    if head.startswith("if") and body.chance(0.4):
        body.line("} else {")
        arm(body, x, use)
    body.line("}")
    return True


def arm(body: FileBody, x: Value, use: str) -> None:
    inner = FileBody(
        body.rng, body.names, body.kind, body.wild, body.indent + 1, body.lines, list(body.values), body.dims, body.mixes, body.fixed, body.file
    )  # fmt: skip
    before = len(inner.values)
    for _ in range(body.rng.randint(0, 2)):
        step(inner)
    made = inner.values[before:]
    alike = [value for value in made if value.shape == x.shape and value.dtype == "f"]
    main = alike[-1].name if alike else f"tanh({x.name})"
    inner.line(f"{x.name} = {x.name} * 0.5 + {main}{use}{used_up(inner, made, x)}")


@move(3)
def loop(body: Body) -> bool:
    if not isinstance(body, FileBody) or body.indent > 2:
        return False
    name = body.names.fresh("i")
    span = body.rng.choice(("0..2", "1..3", "0..1", "[1, 3]", "[2]", "0..0" if body.chance(0.2) else "0..3"))
    return rebinding(body, f"for {name} in {span}", body.rng.choice(("", f" * {name}", f" / ({name} + 1)")))


@move(3)
def condition(body: Body) -> bool:
    if not isinstance(body, FileBody) or body.indent > 2:
        return False
    texts = ["training", "training", "not training", "1 < 2", "batch >= 1" if "batch" in body.dims else "true"]
    texts += [f"{dim} > {2 if body.kind == 'block' else 0}" for dim in sorted(body.dims - {"batch"})]
    chosen = body.rng.choice(texts)
    fixed, body.fixed = body.fixed, body.fixed or ("training" in chosen and not body.wildly())  # weights are those of both phases
    done = rebinding(body, f"if {chosen}", mixes=chosen == "training" and body.chance(0.7))
    body.fixed = fixed
    return done


# ---- blocks -------------------------------------------------------------------------------------------------------------------------


def pattern(rng: Random, value: Value, known: Mapping[str, Dim]) -> tuple[tuple[Dim, ...], dict[str, Dim]]:
    """A pattern that fits a value: names for some of its sizes, equal names for equal sizes."""
    bound: dict[str, Dim] = dict(known)
    shape: list[Dim] = []
    for dim in value.shape:
        if dim == BATCH:
            bound["batch"] = dim
            shape.append(BATCH)
        elif dim.is_constant and rng.random() < 0.5:
            shape.append(dim)
        else:
            same = [name for name, size in bound.items() if size == dim and rng.random() < 0.5]
            name = same[0] if same else f"n{len(bound)}"
            bound[name] = dim
            shape.append(Dim.of(name))
    return tuple(shape), bound


@move(4)
def new_block(body: Body) -> bool:
    """Declare a block that fits values of this body, and call it."""
    if not isinstance(body, FileBody) or body.file.depth > 1 or body.fixed:
        return False
    first = floats(body, 1)
    if first is None:
        return False
    given = [first, *(value for value in [body.pick(lambda value: True)] if value is not None and body.chance(0.4))]
    bound: dict[str, Dim] = {}
    parameters: list[Value] = []
    for at, value in enumerate(given):
        shape, bound = pattern(body.rng, value, bound)
        parameters.append(Value("xyz"[at], value.dtype, shape))
    block = write_block(body, parameters, bound)
    body.file.blocks.append(block)
    return call_block(body, block, given)


def write_block(body: FileBody, parameters: Sequence[Value], bound: Mapping[str, Dim]) -> Declared:
    file = body.file
    file.depth += 1
    name = file.names.fresh("block")
    setting = body.rng.choice(SETTINGS) if body.chance(0.4) else None
    dims = frozenset(bound)
    inner = FileBody(body.rng, body.names, "block", body.wild, 1, dims=dims, mixes=body.mixes, file=file)
    for parameter in parameters:
        inner.add(parameter)
    for _ in range(body.rng.randint(1, 3)):
        step(inner)
    kind = setting[0] if setting is not None else ""
    if kind in ("int", "float"):
        inner.line("x = x * k")
    elif kind == "bool":
        inner.line("if k {")
        inner.line("  x = tanh(x)")
        inner.line("}")
    results = returned(inner)
    heads = [f"{p.name}: {type_text(p.dtype, p.shape)}" for p in parameters]
    if setting is not None:
        heads.append(f"k: {kind} = {body.rng.choice(setting[1])}")
    file.texts.append("\n".join([f"block {name}({', '.join(heads)}) {{", *inner.lines, "}"]))
    file.depth -= 1
    return Declared(name, tuple(parameters), results, setting, body.mixes)


def returned(inner: Body) -> tuple[Value, ...]:
    """The `return` of a block: one or two values, with all that nobody has read."""
    found = [value for value in inner.values if value.dtype == "f" and "." not in value.name] or inner.values
    chosen = [inner.rng.choice(found[-3:])]
    if inner.chance(0.25):
        other = inner.rng.choice(inner.values[-3:])
        chosen += [other] if other.name != chosen[0].name and "." not in other.name else []
    rest = [value for value in inner.values if value not in chosen]
    extra = used_up(inner, rest, chosen[0])
    inner.line(f"return {', '.join([chosen[0].name + extra, *(value.name for value in chosen[1:])])}")
    return tuple(chosen)


def fits(parameters: Sequence[Value], given: Sequence[Value]) -> dict[str, Dim] | None:
    """The sizes that the names in the patterns stand for, or None where the values do not fit."""
    bound: dict[str, Dim] = {}
    for parameter, value in zip(parameters, given, strict=True):
        if parameter.dtype != value.dtype or parameter.rank != value.rank:
            return None
        for wanted, found in zip(parameter.shape, value.shape, strict=True):
            known = bound.setdefault(str(wanted), found) if str(wanted) in wanted.names else wanted
            if known != found:
                return None
    return bound


def substituted(value: Value, name: str, bound: Mapping[str, Dim]) -> Value:
    return Value(name, value.dtype, tuple(dim.substitute(dict(bound)) for dim in value.shape))


def call_block(body: Body, block: Declared, given: Sequence[Value]) -> bool:
    bound = fits(block.parameters, given)
    if bound is None and not body.wildly():
        return False
    values = [substituted(result, body.names.fresh("v"), bound or {}) for result in block.results]
    args = [value.name for value in given]
    if block.setting is not None and body.chance(0.7):
        args.append(f"k={body.rng.choice(block.setting[1])}" if body.chance(0.6) else body.rng.choice(block.setting[1]))
    piped = f"{args[0]} -> {block.name}({', '.join(args[1:])})"
    alias = f" as {body.names.fresh('part')}" if body.chance(0.2) else ""
    text = piped + alias if body.chance(0.5) else f"{block.name}({', '.join(args)})"
    body.line(f"{', '.join(value.name for value in values)} = {text}")
    for value in values:
        body.add(value)
    return True


@move(3)
def block_again(body: Body) -> bool:
    if not isinstance(body, FileBody) or not body.file.blocks or body.fixed or body.file.depth:
        return False
    block = body.rng.choice(body.file.blocks)
    if block.mixes and not body.mixes:
        return False
    given = [body.pick(lambda value, p=p: fits((p,), (value,)) is not None) for p in block.parameters]
    return all(value is not None for value in given) and call_block(body, block, [value for value in given if value is not None])


LIBRARY = {
    "twice": "block twice(x: [*s], f: layer, g: layer = tanh) {\n  return x -> f -> g -> f\n}",
    "gated": "block gated(x: [*s, n], flag: bool = true) {\n  y = x -> dense(n)\n  if flag {\n    y = y -> sigmoid\n  }\n  return x * y\n}",
    "copies": "block copies(x: [*s, n], by: list[float]) {\n  found = []\n  for k in by {\n    found = found + [x * k]\n  }\n"
    "  return concat(found)\n}",
    "centred": "block centred(x) {\n  mean = op.mean(x, axis=-1, keep=true)\n  return x - mean\n}",
    "swapped": "block swapped(x: [n, *s, m]) {\n  y = x -> reshape([n, m, *s])\n  return y / (n * m)\n}",
}


@move(3)
def library(body: Body) -> bool:
    """Blocks with groups of axes, layers and lists as parameters."""
    x = body.pick(lambda value: value.dtype == "f" and value.rank >= 2 and body.known(value.shape[-1]) and value.fixed(-1) != 0)
    if not isinstance(body, FileBody) or x is None or body.fixed or x.rank < 2:
        return False
    name = body.rng.choice(sorted(LIBRARY))
    shape = x.shape
    calls = {"twice": ("(dense(%s))" % shape[-1], "(tanh)", "(layer_norm, relu)", "(dense(3) -> tanh)" if body.wildly() else "(sigmoid, g=relu)"),
             "gated": ("", "(flag=false)"), "copies": ("([1, 0.5])", "(by=[2.0])"), "centred": ("",), "swapped": ("",)}  # fmt: skip
    call = body.rng.choice(calls[name])
    if name == "copies":
        shape = (*shape[:-1], shape[-1] * call.count(",") + shape[-1])
    if name == "swapped":
        shape = (shape[0], shape[-1], *shape[1:-1])
    if not body.writable(x.shape[-1:]):
        return False
    if name not in body.file.library:
        body.file.library.add(name)
        body.file.texts.append(LIBRARY[name])
    body.bind(f"{x.name} -> {name}{call}", "f", shape)
    return True


@move(3)
def layer(body: Body) -> bool:
    """A layer that is used several times."""
    x = body.pick(lambda value: value.dtype == "f" and value.rank >= 2 and body.known(value.shape[-1]))
    if x is None or body.fixed or x.rank < 2 or not body.writable(x.shape[-1:]):
        return False
    name, n = body.names.fresh("f"), x.shape[-1]
    way = body.rng.choice(("dense", "square", "norm", "tied"))
    if way == "norm":
        body.line(f"layer {name} = layer_norm")
        text, shape = f"{name}({x.name} * 0.5) + {name}(tanh({x.name}))", x.shape
    elif way == "tied":
        units = body.rng.choice((1, 2, 3))
        body.line(f"layer {name} = dense({units}, bias=false)")
        text, shape = f"{name}({x.name}) @ transpose({name}.w)", x.shape
    else:
        units = n if way == "square" else Dim.of(body.rng.choice((1, 2, 3)))
        body.line(f"layer {name} = dense({units})")
        inner = f"{name}({x.name})"
        text, shape = (f"{x.name} -> {name} -> {name}" if way == "square" else f"{inner} * {name}(-{x.name})"), (*x.shape[:-1], units)
    body.bind(text, "f", shape)
    return True


# ---- networks -----------------------------------------------------------------------------------------------------------------------


@move(2)
def network_call(body: Body) -> bool:
    """A network inside another one."""
    if not isinstance(body, FileBody) or not body.file.networks or body.kind != "network" or body.indent > 1:
        return False
    callee = body.rng.choice(body.file.networks)
    given = [body.pick(lambda value, p=p: fits((p,), (value,)) is not None) for p in callee.parameters]
    known = [value for value in given if value is not None]
    if len(known) < len(given):
        return False
    return call_network(body, callee, known, [value.name for value in known])


def call_network(body: Body, callee: Declared, given: Sequence[Value], texts: Sequence[str]) -> bool:
    bound = fits(callee.parameters, given)
    if bound is None and not body.wildly():
        return False
    name = body.names.fresh("net")
    args = [f"{p.name}={text}" if body.chance(0.3) else text for p, text in zip(callee.parameters, texts, strict=True)]
    named = next((at for at, arg in enumerate(args) if "=" in arg.partition("(")[0]), len(args))
    args[named:] = [f"{p.name}={text}" for p, text in list(zip(callee.parameters, texts, strict=True))[named:]]
    body.line(f"{name} = {callee.name}({', '.join(args)})")
    for result in callee.results:
        body.values.append(substituted(result, f"{name}.{result.name}", bound or {}))
    return True


Factory = Callable[[File], Declared]


def write_network(file: File, inputs: Sequence[Value], wild: float, steps: int) -> Declared:
    """A network over these inputs. Outputs: all that nobody reads, and some that are read."""
    rng = file.rng
    dims = frozenset(name for value in inputs for dim in value.shape for name in dim.names)
    body = FileBody(rng, file.names, "network", wild, 1, dims=dims, mixes=rng.random() < 0.02, file=file)
    for value in inputs:
        body.line(f"input {value.name}: {type_text(value.dtype, value.shape)}")
        body.add(value)
    for _ in range(steps):
        step(body)
    if not live_names(body.lines) & {value.name for value in body.values if body.unread(value)}:
        weighted(body)
    results = [value for value in body.values if body.unread(value) and "." not in value.name]
    for value in body.values:
        if "." in value.name and body.unread(value):
            made = body.bind(f"{value.name} * 1" if value.dtype == "f" else value.name, value.dtype, value.shape, "out")
            results.append(made)
    if body.values and body.chance(0.3):
        last = body.values[-1]
        if last.dtype == "f" and "." not in last.name:
            name = file.names.fresh("out")
            body.line(f"output {name} = {last.name} -> tanh")
            results = [value for value in results if value.name != last.name]
            results.append(Value(name, "f", last.shape))
            if len(results) > 1:
                body.line(f"output {', '.join(value.name for value in results[:-1])}")
            results.sort(key=lambda value: value.name == name, reverse=True)
        else:
            body.line(f"output {', '.join(value.name for value in results)}")
    else:
        body.line(f"output {', '.join(value.name for value in results)}")
    name = file.names.fresh("Net")
    file.texts.append("\n".join([f"network {name} {{", *body.lines, "}"]))
    inner = [value for value in body.values if "." not in value.name and value not in results and value not in inputs]
    visible = [*results, *(value for value in inner if body.chance(0.2) and top_level(body.lines, value.name))]
    live = live_names(body.lines) & {value.name for value in visible if value.dtype == "f"}
    return Declared(name, tuple(inputs), tuple(visible), live=frozenset(live))


def top_level(lines: Sequence[str], name: str) -> bool:
    return any(line.startswith(f"  {name} = ") for line in lines)


__all__ = ["MOVES", "Declared", "File", "FileBody", "call_network", "list_text", "write_network"]
